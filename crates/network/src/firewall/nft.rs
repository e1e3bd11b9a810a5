//! The program `nft`.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::{Error, limits};

/// Where distributions put it. Nothing is looked for along a PATH: the node is root.
const PLACES: [&str; 5] = ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft", "/bin/nft", "/usr/local/sbin/nft"];

/// The program `nft`.
#[derive(Debug, Clone)]
pub(crate) struct Nft(PathBuf);

impl Nft {
    /// The program, if this host has it.
    pub(crate) fn find() -> Option<Self> {
        PLACES.iter().map(Path::new).find(|path| path.is_file()).map(|path| Self(path.to_owned()))
    }

    /// Runs a script, all of it or nothing. Blocks.
    pub(crate) fn run(&self, script: &str) -> Result<(), Error> {
        let Said { worked, errors, .. } = self.call(&["-f", "-"], script)?;
        if worked { Ok(()) } else { Err(refused(&errors)) }
    }

    /// Whether a table is there. Blocks.
    pub(crate) fn has_table(&self, table: &str) -> Result<bool, Error> {
        self.call(&["-t", "list", "table", "inet", table], "").map(|said| said.worked)
    }

    /// The tables of others that drop every packet on its way through the host which their rules do not let pass. Blocks.
    pub(crate) fn tables_that_drop(&self) -> Result<Vec<String>, Error> {
        self.call(&["list", "chains"], "").map(|said| tables_that_drop(&said.output))
    }

    fn call(&self, arguments: &[&str], input: &str) -> Result<Said, Error> {
        let failed = |what: &str| Error::io(format!("{what} {}", self.0.display()));
        let mut child = Command::new(&self.0)
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed("execute"))?;
        let watch = Watch::over(&child)?;
        // It reads its script to the end before it says anything, so writing cannot wait for reading. A broken pipe is told by
        // what it says itself.
        if let Some(mut stdin) = child.stdin.take() {
            let _ = stdin.write_all(input.as_bytes());
        }
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (output, errors) = std::thread::scope(|scope| {
            let output = scope.spawn(|| read(stdout));
            let errors = read(stderr);
            (output.join().unwrap_or_default(), errors)
        });
        let status = child.wait().map_err(failed("wait for"))?;
        drop(watch);
        Ok(Said { worked: status.success(), output, errors })
    }
}

/// What the program said.
struct Said {
    worked: bool,
    output: String,
    errors: String,
}

/// As much as is kept of what a program says. What it says beyond that finds nobody, which ends it.
fn read(from: Option<impl Read>) -> String {
    let mut said = Vec::new();
    if let Some(from) = from {
        // What was read before an error is what there is.
        let _ = from.take(limits::NFT_OUTPUT_BYTES_MAX).read_to_end(&mut said);
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// Reads what `nft list chains` says.
fn tables_that_drop(chains: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut table = "";
    for line in chains.lines() {
        if let Some(name) = line.strip_prefix("table ") {
            table = name.trim_end_matches([' ', '{']);
        }
        if line.contains("hook forward") && line.contains("policy drop") {
            found.push(table.to_owned());
        }
    }
    found
}

fn refused(said: &str) -> Error {
    let mut problem = said.lines().find(|line| line.contains("rror")).unwrap_or("it ended without a word").to_owned();
    problem.truncate(problem.floor_char_boundary(300));
    Error::Nft { problem }
}

/// Kills a program that takes too long, until dropped.
struct Watch {
    done: std::sync::mpsc::Sender<()>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watch {
    fn over(child: &Child) -> Result<Self, Error> {
        let raw =
            i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process's id is above 0");
        // A descriptor, so that what is killed is this process and no later one of the same number.
        let process = rustix::process::pidfd_open(raw, rustix::process::PidfdFlags::empty())
            .map_err(Error::io("watch over nft"))?;
        let (done, ended) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("network-nft".to_owned())
            .spawn(move || {
                let limit = Duration::from_secs(limits::NFT_TIMEOUT_S);
                if ended.recv_timeout(limit) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                    let _ = rustix::process::pidfd_send_signal(&process, rustix::process::Signal::KILL);
                }
            })
            .map_err(Error::io("watch over nft"))?;
        Ok(Self { done, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.done.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_whose_policy_is_to_drop_are_found() {
        let chains = "table ip filter {\n\tchain FORWARD {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n\
                      table inet other {\n\tchain f {\n\t\ttype filter hook forward priority 0; policy accept;\n\t}\n\
                      \tchain i {\n\t\ttype filter hook input priority 0; policy drop;\n\t}\n}\n";
        assert_eq!(tables_that_drop(chains), ["ip filter"]);
    }

    #[test]
    fn what_nft_says_first_is_told() {
        let said = "/dev/stdin:81:24-38: Error: invalid priority\n\t\ttype nat\n";
        assert_eq!(refused(said).to_string(), "nft: /dev/stdin:81:24-38: Error: invalid priority");
        assert_eq!(refused("").to_string(), "nft: it ended without a word");
    }
}
