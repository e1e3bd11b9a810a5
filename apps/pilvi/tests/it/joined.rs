//! Machines that join: here each is a further node of this one.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Up, as_person, pilvi, root, send, stdout, sudo, text, wait_for, writable};

/// A server where machines may join, and a place for what they keep.
struct Bed {
    up: Up,
    directory: tempfile::TempDir,
    _data: tempfile::TempDir,
}

/// A `pilvi node --join`, which is killed at the end of the test if it still runs.
struct Joined(Child);

impl Drop for Joined {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Bed {
    fn new() -> Self {
        let data = writable();
        let up = Up::start(sudo(), &data.path().join("pilvi"), &["--node-listen", "127.0.0.1:0"]);
        let directory = tempfile::tempdir().unwrap();
        Self { up, directory, _data: data }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A token in a file, and where to go with it.
    fn token(&self, name: &str) -> (PathBuf, String) {
        let file = self.file(name);
        let said = self.up.ask(pilvi(), &["node", "token", "create", "--ttl", "10m", "--file", shown(&file)]);
        let said = stdout(&said);
        let endpoint = said.split_whitespace().find(|word| word.starts_with("https://")).unwrap().to_owned();
        (file, endpoint)
    }

    fn join(&self, endpoint: &str, name: &str, token: Option<&Path>) -> Joined {
        Joined(self.joining(endpoint, name, token).spawn().unwrap())
    }

    fn joining(&self, endpoint: &str, name: &str, token: Option<&Path>) -> Command {
        let mut command = pilvi();
        let directory = self.file(&format!("node-{name}"));
        command.args(["node", "--join", endpoint, "--name", name, "--cpus", "0.5", "--memory", "256m"]);
        command.arg("--node-dir").arg(directory);
        if let Some(token) = token {
            command.arg("--token-file").arg(token);
        }
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// How a node is, as the server says.
    fn state_of(&self, name: &str) -> Option<Value> {
        let said = self.up.ask(pilvi(), &["nodes", "--json"]);
        if !said.status.success() {
            // The server is being started again.
            return None;
        }
        let told: Value = serde_json::from_slice(&said.stdout).unwrap();
        let nodes = told["nodes"].as_array().unwrap();
        nodes.iter().find(|node| node["id"] == name || node["name"] == name).cloned()
    }

    fn until_ready(&self, name: &str) -> Value {
        wait_for("a node that is ready", || {
            let node = self.state_of(name)?;
            node.to_string().contains("ready").then_some(node)
        })
    }
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_machine_joins_stays_through_kills_of_both_sides_and_is_let_go() {
    if !root() {
        return;
    }
    let bed = Bed::new();
    let (token, endpoint) = bed.token("token");
    let mut joined = bed.join(&endpoint, "worker-1", Some(&token));
    let node = bed.until_ready("worker-1");
    assert!(node.to_string().contains("500"), "it has what it was said to have: {node}");

    // Without the token: it is used, and not needed any more.
    joined.0.kill().unwrap();
    joined.0.wait().unwrap();
    let mut joined = bed.join(&endpoint, "worker-1", None);
    bed.until_ready("worker-1");
    send(bed.up.server_pid(), Signal::KILL);
    bed.until_ready("worker-1");

    // Nobody else comes in with it, and nobody takes the name.
    let refused = bed.joining(&endpoint, "worker-2", Some(&token)).output().unwrap();
    assert!(!refused.status.success() && text(&refused).contains("was used before"), "{}", text(&refused));
    let (second, _) = bed.token("second");
    for name in ["worker-1", "local"] {
        let refused = elsewhere(&bed, &endpoint, name, &second).output().unwrap();
        assert!(text(&refused).contains("a node of this name already"), "{name}: {}", text(&refused));
    }

    assert_eq!(stdout(&bed.up.ask(pilvi(), &["node", "rm", "worker-1"])), "worker-1\n");
    let ended = wait_for("the end of a node that was removed", || joined.0.try_wait().unwrap());
    assert!(!ended.success());
    // It is one of the nodes until nothing of what it ran can be alive.
    wait_for("the node's being forgotten", || bed.state_of("worker-1").is_none().then_some(()));
    let missing = bed.up.ask(pilvi(), &["node", "rm", "worker-1"]);
    assert!(!missing.status.success() && text(&missing).contains("no machine joined as worker-1"));

    // With a new token it comes back, in the same place.
    let mut joined = bed.join(&endpoint, "worker-1", Some(&second));
    bed.until_ready("worker-1");

    // Nothing of the test stays on the machine.
    stdout(&bed.up.ask(pilvi(), &["node", "rm", "worker-1"]));
    wait_for("the end of a node that was removed", || joined.0.try_wait().unwrap());
    stdout(&bed.up.ask(pilvi(), &["down", "--purge"]));
}

/// Joining in another directory: that of the node itself is in use.
fn elsewhere(bed: &Bed, endpoint: &str, name: &str, token: &Path) -> Command {
    let mut command = pilvi();
    command.args(["node", "--join", endpoint, "--name", name, "--token-file", shown(token)]);
    command.arg("--node-dir").arg(bed.file("other"));
    command
}

#[test]
fn who_cannot_be_a_node_is_told_why() {
    let token = tempfile::NamedTempFile::new().unwrap();
    let shown = token.path().to_str().unwrap();
    let join = ["node", "--join", "https://127.0.0.1:1", "--name", "a"];
    let refused = as_person().args(join).args(["--token-file", shown]).output().unwrap();
    assert!(!refused.status.success() && text(&refused).contains("only root"), "{}", text(&refused));
    for (arguments, why) in [
        (vec!["node", "--join", "http://127.0.0.1:1"], "is not https://HOST:PORT"),
        (vec!["node", "--join", "https://127.0.0.1"], "is not https://HOST:PORT"),
        (vec!["node"], "Usage:"),
    ] {
        let refused = pilvi().args(&arguments).output().unwrap();
        assert!(!refused.status.success() && text(&refused).contains(why), "{arguments:?}: {}", text(&refused));
    }
    if root() {
        let directory = tempfile::tempdir().unwrap();
        let node_dir = directory.path().join("node");
        let refused = pilvi().args(join).arg("--node-dir").arg(&node_dir).output().unwrap();
        assert!(text(&refused).contains("--token-file FILE is needed"), "{}", text(&refused));
        let refused = pilvi().args(join).args(["--token-file", shown]).output().unwrap();
        assert!(text(&refused).contains("holds no token"), "{}", text(&refused));
    }
}

#[test]
fn where_no_machine_can_join_it_is_said_how_it_could() {
    let data = writable();
    let up = Up::start(as_person(), &data.path().join("pilvi"), &[]);
    let refused = up.ask(as_person(), &["node", "token", "create"]);
    assert!(!refused.status.success() && text(&refused).contains("--node-listen"), "{}", text(&refused));
}
