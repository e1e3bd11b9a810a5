//! Python: the interpreter, its standard library, the libraries that both need, our client.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::super::libraries::Libraries;
use super::super::tree::Tree;
use super::base::AUTHORITIES_NAMES;
use super::{HostError, Plan, ask, unreadable};

/// What the interpreter is asked. It answers with one object; without `site` it has no module that is not its own.
const QUESTION: &str = "\
import importlib.util, json, os, sys
try:
    import ssl
    authorities = ssl.get_default_verify_paths().openssl_cafile
except Exception:
    authorities = None
print(json.dumps({
    'version': '%d.%d' % sys.version_info[:2],
    'program': os.path.realpath(getattr(sys, '_base_executable', None) or sys.executable),
    'library': os.path.dirname(os.__file__),
    'extensions': [path for path in sys.path if path.endswith('lib-dynload')],
    'cache_tag': sys.implementation.cache_tag,
    'authorities': authorities,
}))
";
/// What it is asked to do with our client: to compile it, so that no function waits for that. The first 16 bytes say that it is
/// used as it is, whatever the time of its source. (PEP 552.)
const COMPILE: &str = "\
import importlib.util, marshal, sys
source = sys.stdin.buffer.read()
code = compile(source, sys.argv[1], 'exec', dont_inherit=True)
head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, 'little') + importlib.util.source_hash(source)
sys.stdout.buffer.write(head + marshal.dumps(code))
";

/// What of the library no function needs: its own tests, desktops, what installs and what builds.
const LEFT_OUT: [&str; 9] = [
    "dist-packages",
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "site-packages",
    "test",
    "tkinter",
    "turtledemo",
];
/// Directories of what builds extensions, whose names end with the machine's.
const LEFT_OUT_PREFIX: &str = "config-";

const CLIENT: &str = "/var/runtime/pilvi_runtime.py";

#[derive(Debug, Deserialize)]
struct Said {
    version: String,
    program: PathBuf,
    library: PathBuf,
    extensions: Vec<PathBuf>,
    cache_tag: Option<String>,
    authorities: Option<PathBuf>,
}

/// What an image with this interpreter has in it.
pub(super) fn plan(libraries: &Libraries, base: Tree, program: &Path, version: &str) -> Result<Plan, HostError> {
    let question: [&OsStr; 4] = ["-I".as_ref(), "-S".as_ref(), "-c".as_ref(), QUESTION.as_ref()];
    let unasked =
        || HostError::Unasked { path: program.display().to_string(), reason: "it says something else".to_owned() };
    let said: Said = serde_json::from_slice(&ask(program, &question, b"")?).map_err(|_| unasked())?;
    if said.version != version {
        let (found, wanted) = (format!("Python {}", said.version), format!("Python {version}"));
        return Err(HostError::Other { path: program.display().to_string(), found, wanted });
    }
    let mut tree = base.clone();
    libraries.add(&mut tree, &said.program)?;
    let cached = said.cache_tag.as_ref().map(|tag| format!(".{tag}.pyc"));
    let is_wanted = |path: &Path| is_wanted(path, cached.as_deref());
    tree.host_directory(&said.library, &is_wanted).map_err(unreadable(&said.library))?;
    for directory in &said.extensions {
        add_extensions(libraries, &mut tree, directory)?;
    }
    add_client(&mut tree, &said)?;
    if let Some(authorities) = said.authorities.filter(|path| path.is_absolute()) {
        tree.link(&authorities, AUTHORITIES_NAMES[0]);
    }
    let env = BTreeMap::from([("PYTHONPATH", "/var/runtime".to_owned())]);
    Ok(Plan { layers: vec![base.clone(), tree.without(&base)], env, program: Some(program.to_owned()) })
}

/// Whether a file of the library is wanted, by its path in there.
fn is_wanted(path: &Path, cached: Option<&str>) -> bool {
    let first = path.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
    let first = first.unwrap_or_default();
    if LEFT_OUT.contains(&first.as_str()) || first.starts_with(LEFT_OUT_PREFIX) {
        return false;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // Compiled files of other versions and of other optimisations are not read.
    !name.ends_with(".pyc") || cached.is_some_and(|cached| name.ends_with(cached))
}

/// Adds what the library's own extensions need. One whose libraries are not all here cannot be imported here either, and is
/// left out.
fn add_extensions(libraries: &Libraries, tree: &mut Tree, directory: &Path) -> Result<(), HostError> {
    let entries = std::fs::read_dir(directory).map_err(unreadable(directory))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.extension() == Some(OsStr::new("so"))) {
        let is_desktop = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("_tkinter"));
        if is_desktop || libraries.add(tree, path).is_err() {
            tree.remove(path);
        }
    }
    Ok(())
}

fn add_client(tree: &mut Tree, said: &Said) -> Result<(), HostError> {
    let source = lambda::runtimes::PYTHON;
    let arguments: [&OsStr; 5] = ["-I".as_ref(), "-S".as_ref(), "-c".as_ref(), COMPILE.as_ref(), CLIENT.as_ref()];
    let compiled = ask(&said.program, &arguments, source)?;
    if let Some(tag) = &said.cache_tag {
        tree.own(&format!("/var/runtime/__pycache__/pilvi_runtime.{tag}.pyc"), compiled, false);
    }
    client(tree, &said.program.display().to_string());
    Ok(())
}

/// Adds our client for the interpreter at a path, and what is executed: little, because that is never compiled ahead.
pub(crate) fn client(tree: &mut Tree, program: &str) {
    tree.own(CLIENT, lambda::runtimes::PYTHON, false);
    let start = format!("#!{program}\nimport sys\nfrom pilvi_runtime import main\nsys.exit(main())\n");
    tree.own("/var/runtime/bootstrap", start, true);
}

#[cfg(test)]
mod tests {
    use super::super::super::name::Family;
    use super::*;

    #[test]
    fn of_the_library_tests_and_other_versions_compiled_files_are_left_out() {
        let cached = Some(".cpython-311.pyc");
        for wanted in ["os.py", "json/__init__.py", "__pycache__/os.cpython-311.pyc", "unittest/case.py", "tests.py"] {
            assert!(is_wanted(Path::new(wanted), cached), "{wanted}");
        }
        for left in [
            "test/test_os.py",
            "site-packages/boto3/__init__.py",
            "config-3.11-x86_64-linux-gnu/libpython3.11.a",
            "__pycache__/os.cpython-310.pyc",
            "__pycache__/os.cpython-311.opt-1.pyc",
        ] {
            assert!(!is_wanted(Path::new(left), cached), "{left}");
        }
    }

    #[test]
    fn the_python_of_this_machine_makes_a_runtime() {
        let named = |version: &&str| super::super::find(Family::Python(version)).is_some();
        let Some(version) = ["3.11", "3.12", "3.13", "3.14", "3.10", "3.9"].into_iter().find(|it| named(it)) else {
            return;
        };
        let program = super::super::find(Family::Python(version)).unwrap();
        let plan = super::super::plan(Family::Python(version), Some(&program)).unwrap();
        let own: Vec<_> = plan.layers[1].entries().map(|(path, _)| path.display().to_string()).collect();
        for expected in ["var/runtime/bootstrap", "var/runtime/pilvi_runtime.py"] {
            assert!(own.iter().any(|path| path == expected), "{expected}");
        }
        assert!(
            own.iter().any(|path| path.ends_with("/os.py"))
                && own.iter().any(|path| path.contains("pilvi_runtime.cpython"))
        );
        assert!(!own.iter().any(|path| path.contains("-packages/")));
        let wanted = if version == "3.9" { "3.10" } else { "3.9" };
        let error = super::super::plan(Family::Python(wanted), Some(&program)).unwrap_err();
        assert!(error.to_string().contains(&format!("is Python {version}, not Python {wanted}")), "{error}");
    }
}
