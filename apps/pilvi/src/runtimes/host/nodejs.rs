//! Node.js: the program, the libraries that it needs, our client.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

use serde::Deserialize;

use super::super::libraries::Libraries;
use super::super::tree::Tree;
use super::{HostError, Plan, ask};

/// What the program is asked.
const QUESTION: &str = "JSON.stringify({ version: process.versions.node, program: process.execPath })";
/// Modules that distributions keep outside of the program; Debian's reads them as it starts.
const MODULES: &str = "/usr/share/nodejs";
const MODULES_READ: [&str; 5] = ["acorn", "acorn-walk", "cjs-module-lexer", "minimatch", "undici"];
/// How many programs are remembered with what they said.
const REMEMBERED_MAX: usize = 64;

const BOOTSTRAP: &str = "import(\"/var/runtime/bootstrap.mjs\");\n";

/// What a program says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Said {
    version: String,
    program: PathBuf,
}

impl Said {
    /// The first number of its version.
    pub(super) fn major(&self) -> &str {
        self.version.split('.').next().unwrap_or_default()
    }
}

/// What programs have said, by their paths: it takes them tens of milliseconds. One that was replaced is asked again.
static REMEMBERED: LazyLock<Mutex<HashMap<PathBuf, Remembered>>> = LazyLock::new(Mutex::default);

/// What a program said that was changed at this time and of this length.
type Remembered = (SystemTime, u64, Said);

/// Asks a program what it is, unless it has said so before.
pub(super) fn version(program: &Path) -> Result<Said, HostError> {
    let unasked = |reason: String| HostError::Unasked { path: program.display().to_string(), reason };
    let metadata = std::fs::metadata(program).map_err(|error| unasked(error.to_string()))?;
    let stamp = (metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), metadata.len());
    {
        let remembered = REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((modified, length, said)) = remembered.get(program)
            && (*modified, *length) == stamp
        {
            return Ok(said.clone());
        }
    }
    let question: [&OsStr; 2] = ["-p".as_ref(), QUESTION.as_ref()];
    let answer = ask(program, &question, b"")?;
    let said: Said = serde_json::from_slice(&answer).map_err(|_| unasked("it says something else".to_owned()))?;
    let mut remembered = REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner);
    if remembered.len() >= REMEMBERED_MAX {
        remembered.clear();
    }
    remembered.insert(program.to_owned(), (stamp.0, stamp.1, said.clone()));
    Ok(said)
}

/// What an image with this program has in it.
pub(super) fn plan(libraries: &Libraries, base: Tree, program: &Path, major: &str) -> Result<Plan, HostError> {
    let said = version(program)?;
    if said.major() != major {
        let (found, wanted) = (format!("Node.js {}", said.version), format!("Node.js {major}"));
        return Err(HostError::Other { path: program.display().to_string(), found, wanted });
    }
    let mut tree = base.clone();
    libraries.add(&mut tree, &said.program)?;
    for module in MODULES_READ {
        let mut with = tree.clone();
        if with.host_directory(&Path::new(MODULES).join(module), &|_| true).is_ok() {
            tree = with;
        }
    }
    client(&mut tree, &said.program.display().to_string());
    // As AWS's runtimes have it. (Developer guide: "Defined runtime environment variables".)
    let modules = format!(
        "/opt/nodejs/node{major}/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task"
    );
    let env = BTreeMap::from([("NODE_PATH", modules)]);
    Ok(Plan { layers: vec![base.clone(), tree.without(&base)], env, program: Some(program.to_owned()) })
}

/// Adds our client for the program at a path, and what is executed.
pub(crate) fn client(tree: &mut Tree, program: &str) {
    tree.own("/var/runtime/bootstrap.mjs", lambda::runtimes::NODEJS, false);
    tree.own("/var/runtime/bootstrap", format!("#!{program}\n{BOOTSTRAP}"), true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_of_this_machine_makes_a_runtime() {
        let Some(program) = ["node", "nodejs"].into_iter().flat_map(super::super::programs).next() else { return };
        let Ok(said) = version(&program) else { return };
        assert_eq!(version(&program).unwrap(), said);
        let libraries = Libraries::of_host();
        let base = super::super::base::tree(&libraries);
        let plan = plan(&libraries, base.clone(), &program, said.major()).unwrap();
        let own: Vec<_> = plan.layers[1].entries().map(|(path, _)| path.display().to_string()).collect();
        for expected in ["var/runtime/bootstrap", "var/runtime/bootstrap.mjs"] {
            assert!(own.iter().any(|path| path == expected), "{expected}");
        }
        let error = super::plan(&libraries, base, &program, "1").unwrap_err();
        assert!(error.to_string().contains("not Node.js 1"), "{error}");
    }
}
