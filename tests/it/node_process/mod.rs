//! The node beside the server: each is killed and started again alone, and neither can do what is the other's.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::Uid;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tests::program::{self, until};
use tests::{Folder, Options, Server};

const PATIENCE: Duration = Duration::from_secs(60);
/// A user that has nothing to do with the server's.
const STRANGER: u32 = 65_112;

/// Only root has a node.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn status(server: &Server) -> Value {
    server.command(&["status", "--format", "json"]).json()
}

/// The node's process, once it answers and is not `but`.
#[track_caller]
fn node_pid(server: &Server, but: Option<i64>) -> i64 {
    let answers = |status: &Value| status.pointer("/node/answer/pid").and_then(Value::as_i64);
    let found = until(PATIENCE, || answers(&status(server)).filter(|pid| Some(*pid) != but));
    found.unwrap_or_else(|| panic!("no node answers:\n{}", server.log()))
}

fn server_pid(server: &Server) -> i64 {
    status(server).pointer("/server/pid").and_then(Value::as_i64).unwrap()
}

fn pid(number: i64) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

/// A line of what the kernel tells of a process.
fn told(process: i64, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn server_and_node_are_killed_alone_and_come_back_alone() {
    if !is_root() {
        return;
    }
    let mut server = Server::start(Options::default());
    let (node, serves) = (node_pid(&server, None), server_pid(&server));
    kill_process(pid(node), Signal::KILL).unwrap();
    let next = node_pid(&server, Some(node));
    assert_eq!(server_pid(&server), serves, "the server was started anew, too");
    assert_eq!(status(&server).pointer("/node/restarts").and_then(Value::as_i64), Some(1));
    server.kill_server();
    assert_ne!(server_pid(&server), serves);
    assert_eq!(node_pid(&server, None), next, "the node was started anew, too");
    server.kill();
    let gone = until(PATIENCE, || {
        let stat = fs::read_to_string(format!("/proc/{next}/stat")).unwrap_or_default();
        let runs = stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'));
        (!runs).then_some(())
    });
    assert!(gone.is_some(), "the node has outlived `pilvi up`");
    server.up();
    assert!(node_pid(&server, None) != next);
    assert!(server.stop().success());
    assert!(!server.node_dir().join("node.sock").exists());
}

#[test]
fn a_node_has_roots_files_to_itself_and_not_all_of_its_rights() {
    if !is_root() {
        return;
    }
    let server = Server::start(Options::default());
    let node = node_pid(&server, None);
    assert_eq!(told(node, "Uid"), "0 0 0 0");
    assert_eq!(told(node, "Groups"), "");
    // No other code in the kernel, no raw access to the machine, no clock, no reboot, no security modules.
    for set in ["CapPrm", "CapBnd"] {
        let kept = u64::from_str_radix(&told(node, set), 16).unwrap();
        assert_eq!(kept & 0x0000_000b_0253_0000, 0, "{set} {kept:x}");
    }
    assert_eq!(told(node, "CapEff"), told(node, "CapPrm"));
    let of = |path: &Path| {
        let metadata = fs::symlink_metadata(path).unwrap();
        (metadata.uid(), metadata.mode() & 0o7777)
    };
    let owner = fs::metadata(server.data_dir()).unwrap().uid();
    let directory = server.node_dir();
    assert_eq!(of(&directory), (0, 0o711));
    assert_eq!(of(&directory.join("images")), (0, 0o700));
    assert_eq!(of(&directory.join("lock")), (0, 0o600));
    assert_eq!(of(&directory.join("node.sock")), (owner, 0o600));
    // Even if the mode let somebody through, the kernel tells who it is.
    let socket = directory.join("node.sock");
    fs::set_permissions(&socket, Permissions::from_mode(0o666)).unwrap();
    let heard = std::thread::spawn(move || {
        use std::io::{Read, Write};
        rustix::thread::set_thread_res_uid(None, Uid::from_raw(STRANGER), None).unwrap();
        let mut stream = UnixStream::connect(socket).unwrap();
        let _ = stream.write_all(b"{\"versions\":[1],\"program\":\"0\"}\n");
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard);
        heard
    });
    assert_eq!(heard.join().unwrap(), b"");
}

/// What `pilvi up` says when it does not start.
#[track_caller]
fn refused(folder: &Folder, data: &str, node_dir: &Path) -> String {
    let mut up = Command::new(tests::pilvi());
    up.args(["up", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.data_dir(data)).arg("--node-dir").arg(node_dir);
    program::run(up.stdin(Stdio::null())).failure()
}

#[test]
fn a_directory_that_another_has_or_the_servers_user_could_change_is_no_nodes() {
    if !is_root() {
        return;
    }
    let server = Server::start(Options::default());
    let folder = Folder::new();
    let told = refused(&folder, "a", &server.node_dir());
    assert!(told.contains("holds it") && told.contains("--node-dir"), "{told}");
    let theirs = folder.data_dir("b");
    let told = refused(&folder, "c", &theirs.join("node"));
    assert!(told.contains("others than root can change"), "{told}");
    let told = refused(&folder, "d", folder.path());
    assert!(told.contains("neither empty"), "{told}");
}

#[test]
fn without_root_there_is_no_node_and_that_is_said() {
    if !is_root() {
        return;
    }
    let folder = Folder::new();
    let program = folder.file("pilvi");
    fs::copy(tests::pilvi(), &program).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let data = folder.data_dir("data");
    chown(&data, Some(STRANGER), Some(STRANGER)).unwrap();
    let log = fs::File::create(folder.file("log")).unwrap();
    let mut up = Command::new(&program);
    up.args(["up", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&data).uid(STRANGER).gid(STRANGER).env_clear();
    let mut up = up.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    let said = until(PATIENCE, || {
        let said = fs::read_to_string(folder.file("log")).unwrap();
        said.contains("Ctrl-C").then_some(said)
    });
    let status = program::run(Command::new(&program).args(["status", "--data-dir"]).arg(&data));
    kill_process(Pid::from_child(&up), Signal::TERM).unwrap();
    assert!(program::wait(&mut up, PATIENCE).unwrap().success());
    assert!(said.unwrap().contains("node      none: only root can unpack images"));
    assert!(status.success().contains("node      none: only root can unpack images"));
}
