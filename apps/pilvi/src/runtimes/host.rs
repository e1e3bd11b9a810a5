//! Runtimes of this machine's own files: which it has, and what belongs to them.
//!
//! Interpreters are asked where their library is, with an environment of ours and under a time limit. All else is read.

mod base;
mod nodejs;
mod python;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub(super) use nodejs::client as add_nodejs_client;
pub(super) use python::client as add_python_client;

use super::elf;
use super::libraries::{Libraries, LibraryError};
use super::name::Family;
use super::tree::{Entry, Tree};

/// How long an interpreter may take to say what it is.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// How often it is looked whether it has.
const ANSWER_LOOK: Duration = Duration::from_millis(2);
/// The longest answer, in bytes: our client, compiled.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Where programs are, beside the server's own search path.
const PROGRAM_DIRECTORIES: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];
/// How many directories of a search path are looked into.
const PROGRAM_DIRECTORIES_MAX: usize = 64;

/// What is mounted over in a sandbox.
const HIDDEN: [&str; 6] = ["dev", "opt", "proc", "sys", "tmp", "var/task"];

/// What an image of this machine's files is to have in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// The layers, the lowest first.
    pub(super) layers: Vec<Tree>,
    /// The variables that its programs have.
    pub(super) env: BTreeMap<&'static str, String>,
    /// The interpreter, if there is one.
    pub(super) program: Option<PathBuf>,
}

/// Why a runtime cannot be made of this machine's files.
#[derive(Debug, thiserror::Error)]
pub(super) enum HostError {
    /// The interpreter did not say what it is.
    #[error("{path} cannot be asked what it is: {reason}")]
    Unasked {
        /// The interpreter.
        path: String,
        /// Why.
        reason: String,
    },
    /// It is another than was wanted.
    #[error("{path} is {found}, not {wanted}")]
    Other {
        /// The interpreter.
        path: String,
        /// What it is.
        found: String,
        /// What was wanted.
        wanted: String,
    },
    /// A library is missing.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// Something cannot be read.
    #[error("{path} cannot be read by the user that the server runs as: {source}")]
    Read {
        /// What.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It would not be seen.
    #[error("{0} lies where functions have their own files: at /opt, /tmp or /var/task it would be hidden")]
    Hidden(String),
    /// There is nothing on a machine that this runtime could be made of.
    #[error("this runtime can only be an image (--image)")]
    ImageOnly,
    /// It has no program that could be named.
    #[error("this runtime has no interpreter: it is always there, or an image (--image)")]
    NoProgram,
}

/// The program on this machine that a runtime is made of; nothing if there is none.
pub(super) fn find(family: Family<'_>) -> Option<PathBuf> {
    match family {
        Family::Provided | Family::Other => None,
        Family::Python(version) => programs(&format!("python{version}")).next(),
        Family::Nodejs(version) => {
            let all = ["node", "nodejs"].into_iter().flat_map(programs);
            all.into_iter().find(|path| nodejs::version(path).is_ok_and(|found| found.major() == version))
        }
    }
}

/// The names of the runtimes that this machine has by itself.
pub(super) fn names() -> Vec<String> {
    let mut names: Vec<String> = ["node", "nodejs"]
        .into_iter()
        .flat_map(programs)
        .filter_map(|path| nodejs::version(&path).ok())
        .map(|version| format!("nodejs{}.x", version.major()))
        .collect();
    for directory in directories() {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        let found = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let is_python = |name: &String| name.strip_prefix("python3.").is_some_and(is_number);
        names.extend(found.filter(is_python).filter(|name| programs(name).next().is_some()));
    }
    names.sort();
    names.dedup();
    names
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What the image of a runtime is to have in it. `program` is the interpreter, where there is to be one.
///
/// # Errors
/// [`HostError`]
pub(super) fn plan(family: Family<'_>, program: Option<&Path>) -> Result<Plan, HostError> {
    let libraries = Libraries::of_host();
    let base = base::tree(&libraries);
    let plan = match (family, program) {
        (Family::Provided, None) => Ok(Plan { layers: vec![base], env: BTreeMap::new(), program: None }),
        (Family::Provided, Some(_)) => Err(HostError::NoProgram),
        (Family::Python(version), Some(program)) => python::plan(&libraries, base, program, version),
        (Family::Nodejs(version), Some(program)) => nodejs::plan(&libraries, base, program, version),
        (Family::Python(_) | Family::Nodejs(_) | Family::Other, _) => Err(HostError::ImageOnly),
    }?;
    for (path, entry) in plan.layers.iter().flat_map(Tree::entries) {
        let is_hidden = HIDDEN.iter().any(|directory| path.starts_with(directory));
        if let (Entry::Host { path, .. }, true) = (entry, is_hidden) {
            return Err(HostError::Hidden(path.display().to_string()));
        }
    }
    Ok(plan)
}

/// Programs of a name, in the order in which a shell finds them. Scripts that choose one are none.
fn programs(name: &str) -> impl Iterator<Item = PathBuf> {
    let paths: Vec<PathBuf> = directories().into_iter().map(|directory| directory.join(name)).collect();
    paths.into_iter().filter(|path| matches!(elf::read(path), Ok(Some(_))))
}

fn directories() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = std::env::split_paths(&path).filter(|directory| directory.is_absolute());
    let mut all = Vec::new();
    for directory in own.take(PROGRAM_DIRECTORIES_MAX).chain(PROGRAM_DIRECTORIES.iter().map(PathBuf::from)) {
        if !all.contains(&directory) {
            all.push(directory);
        }
    }
    all
}

/// Has an interpreter answer, with nothing of the server's environment.
fn ask(program: &Path, arguments: &[&OsStr], input: &[u8]) -> Result<Vec<u8>, HostError> {
    let failed = |reason: String| HostError::Unasked { path: program.display().to_string(), reason };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs([
        ("PATH", "/usr/bin:/bin"),
        ("HOME", "/nonexistent"),
        ("LC_ALL", "C.UTF-8"),
    ]);
    // What it compiles must not depend on chance.
    command.env("PYTHONHASHSEED", "0").current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let input = input.to_owned();
    let writing = thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
    let reading = thread::spawn(move || {
        let mut answer = Vec::new();
        stdout.map(|stdout| stdout.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut answer)).transpose().map(|_| answer)
    });
    let begun = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|error| failed(error.to_string()))? {
            Some(status) => break status,
            None if begun.elapsed() > ANSWER_LIMIT || reading.is_finished() && begun.elapsed() > ANSWER_LIMIT / 2 => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(format!("it does not answer within {} s", ANSWER_LIMIT.as_secs())));
            }
            None => thread::sleep(ANSWER_LOOK),
        }
    };
    let _ = writing.join();
    let answer = reading.join().map_err(|_| failed("its answer cannot be read".to_owned()))?;
    let answer = answer.map_err(|error| failed(error.to_string()))?;
    if !status.success() {
        return Err(failed(format!("it ends with {status}")));
    }
    if answer.len() as u64 > ANSWER_BYTES_MAX {
        return Err(failed("its answer is too long".to_owned()));
    }
    Ok(answer)
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> HostError {
    let path = path.display().to_string();
    move |source| HostError::Read { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_for_programs_of_ones_own_can_always_be_made() {
        let plan = plan(Family::Provided, None).unwrap();
        let paths: Vec<_> = plan.layers[0].entries().map(|(path, _)| path.display().to_string()).collect();
        for expected in ["etc/passwd", "etc/group", "opt", "tmp", "var/runtime", "var/task"] {
            assert!(paths.iter().any(|path| path == expected), "{expected}");
        }
        if Path::new("/bin/sh").exists() {
            assert!(plan.layers[0].has(Path::new("/bin/sh")));
            // By the name that scripts have for it.
            assert!(paths.iter().any(|path| path == "bin" || path == "bin/sh"), "{paths:?}");
        }
        assert_eq!(plan.program, None);
    }

    #[test]
    fn a_plan_is_the_same_as_long_as_the_machine_is() {
        assert_eq!(plan(Family::Provided, None).unwrap(), plan(Family::Provided, None).unwrap());
    }

    #[test]
    fn an_interpreter_that_says_nothing_is_told_of() {
        let ask =
            |script: &str| ask(Path::new("/bin/sh"), &["-c".as_ref(), script.as_ref()], b"").unwrap_err().to_string();
        assert!(ask("exit 3").contains("/bin/sh cannot be asked what it is: it ends with exit status: 3"));
        assert!(super::ask(Path::new("/nonexistent/python3"), &[], b"").is_err());
    }

    #[test]
    fn what_is_no_interpreter_of_the_version_is_refused() {
        assert!(matches!(plan(Family::Other, Some(Path::new("/bin/sh"))), Err(HostError::ImageOnly)));
        assert!(matches!(plan(Family::Provided, Some(Path::new("/bin/sh"))), Err(HostError::NoProgram)));
        assert!(matches!(plan(Family::Python("3.13"), Some(Path::new("/bin/sh"))), Err(HostError::Unasked { .. })));
    }
}
