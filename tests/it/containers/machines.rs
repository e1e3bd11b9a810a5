//! Several nodes: machines that join, what is placed on which of them and why, and what becomes of it when they are killed or
//! let go. All of them are on this machine here, each with its own directory and what it is said to have.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tests::containers::Leftovers;
use tests::program::{LIMIT, until};
use tests::{Followed, Options, Server};

use super::{has_stopped, is_running};

/// A server whose nodes' port is open, and an image on it.
struct Site {
    server: Server,
    image: String,
}

/// A machine that has joined.
struct Machine {
    name: &'static str,
    directory: PathBuf,
    arguments: Vec<String>,
    process: Option<Followed>,
}

impl Site {
    /// None without root.
    fn new() -> Option<Self> {
        if !tests::is_root() {
            return None;
        }
        let arguments = ["--node-listen", "127.0.0.1:0"].map(str::to_owned).into();
        let server = Server::start(Options { keeps_address: true, arguments, ..Options::default() });
        assert!(server.has_node());
        let image = server.image("busybox");
        Some(Self { server, image })
    }

    /// Where machines join, as the log says.
    fn way_in(&self) -> String {
        let log = self.server.log();
        let line = log.lines().rfind(|line| line.contains("nodes may join")).expect("the nodes' port is open");
        line.split_once("endpoint=").unwrap().1.trim_matches('"').to_owned()
    }

    /// Joins a machine that is said to have so much.
    #[track_caller]
    fn join(&self, name: &'static str, cpus: &str, memory: &str) -> Machine {
        let token = self.server.folder().file(&format!("token-{name}"));
        let token = token.to_str().unwrap();
        self.server.command(&["node", "token", "create", "--file", token]).success();
        let directory = self.server.folder().file(&format!("machine-{name}"));
        let way_in = self.way_in();
        let words = [
            "node",
            "--join",
            &way_in,
            "--token-file",
            token,
            "--name",
            name,
            "--cpus",
            cpus,
            "--memory",
            memory,
            "--node-dir",
            directory.to_str().unwrap(),
        ];
        let arguments = words.map(str::to_owned).into();
        let mut machine = Machine { name, directory, arguments, process: None };
        machine.start(self);
        self.until_node(name, "ready");
        machine
    }

    /// What is told of a node.
    fn node(&self, name: &str) -> Option<Value> {
        let told = self.server.command(&["nodes", "--json"]).json();
        told["nodes"].as_array()?.iter().find(|node| node["id"] == name).cloned()
    }

    #[track_caller]
    fn until_node(&self, name: &str, state: &str) {
        let is_so = until(LIMIT, || self.node(name).filter(|node| node["state"] == state));
        assert!(is_so.is_some(), "{name} is not {state}: {:?}\n{}", self.node(name), self.server.log());
    }

    /// Runs a container in the background; on which node it is.
    #[track_caller]
    fn run(&self, name: &str, flags: &[&str], command: &[&str]) -> String {
        let arguments = [&["run", "-d", "--name", name], flags, &[&self.image], command].concat();
        self.server.do_pilvi(&arguments).success();
        self.server.until_container(name, is_running)["node"].as_str().unwrap().to_owned()
    }
}

impl Machine {
    fn start(&mut self, site: &Site) {
        let words: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        self.process = Some(Followed::start(&mut site.server.pilvi(&words)));
    }

    /// Ends its node at once.
    fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.end_by(Signal::KILL);
        }
    }
}

#[test]
fn machines_join_and_containers_are_placed_where_there_is_room_and_it_is_said_why() {
    let Some(site) = Site::new() else { return };
    let small = site.join("small", "0.5", "96m");
    let mut large = site.join("large", "64", "900g");
    // Told as they were declared.
    let told = site.server.command(&["nodes"]).success();
    assert!(["local", "small", "large"].iter().all(|name| told.contains(name)), "{told}");
    assert_eq!(site.node("small").unwrap()["has"]["memoryBytes"], 96 << 20, "{told}");
    assert_eq!(site.node("large").unwrap()["has"]["cpuMillis"], 64_000, "{told}");
    assert_eq!(
        site.run("needs-much", &["--memory-reservation", "500g", "-p", "80"], &["httpd", "-f", "-h", "/etc"]),
        "large"
    );
    let why = site.server.do_pilvi(&["why", "needs-much"]).success();
    assert!(why.contains("large"), "{why}");
    assert_eq!(site.server.do_pilvi(&["exec", "needs-much", "echo", "hello"]).success(), "hello\n");

    // Nobody has room: it waits, and every node's reason is told.
    let arguments = ["run", "-d", "--name", "needs-more", "--memory-reservation", "500g", &site.image, "true"];
    let waiting = site.server.follow_pilvi(&arguments);
    let why = until(LIMIT, || {
        let why = site.server.do_pilvi(&["why", "needs-more"]).stdout;
        ["local", "small", "large"].iter().all(|name| why.contains(name)).then_some(why)
    });
    let why = why.unwrap_or_else(|| panic!("{}", site.server.do_pilvi(&["why", "needs-more"]).stdout));
    assert!(why.matches("memory").count() >= 3, "{why}");
    // As soon as there is room it runs.
    site.server.do_pilvi(&["rm", "-f", "needs-much"]).success();
    site.server.until_container("needs-more", has_stopped);
    assert!(waiting.wait().0.success());
    site.server.do_pilvi(&["rm", "needs-more"]).success();

    // A machine's node is killed and started anew: what runs there goes on.
    assert_eq!(site.run("stays", &["--memory-reservation", "500g"], &["sleep", "1000"]), "large");
    let before = site.server.process_of("stays");
    large.kill();
    large.start(&site);
    assert!(
        until(LIMIT, || large.process.as_ref()?.lines().iter().any(|line| line.contains("join")).then_some(()))
            .is_some()
    );
    site.until_node("large", "ready");
    assert_eq!(site.server.until_container("stays", is_running)["observed"]["containers"][0]["restarts"], 0);
    assert_eq!(site.server.process_of("stays"), before);

    // A machine that is let go has nothing of it any more.
    site.server.command(&["node", "rm", "large"]).success();
    let process = before.unwrap();
    let gone = until(LIMIT, || (!Path::new(&format!("/proc/{process}")).exists()).then_some(()));
    assert!(gone.is_some(), "what ran on a machine that was let go goes on");
    // It is one of the nodes until nothing can run there by the server's own clock.
    let forgotten = until(LIMIT, || site.node("large").is_none().then_some(()));
    assert!(forgotten.is_some(), "{:?}", site.node("large"));
    for machine in [large, small] {
        leaves_nothing(machine);
    }
}

/// Ends a machine's node, by which nothing runs any more: nothing of it is left.
#[track_caller]
fn leaves_nothing(mut machine: Machine) {
    let Some(process) = machine.process.take() else { return };
    let runs = || Leftovers::of(&machine.directory).0.contains_key("workloads");
    assert!(until(LIMIT, || (!runs()).then_some(())).is_some(), "{:#?}", Leftovers::of(&machine.directory));
    process.end_by(Signal::TERM);
    // What shims are forked from ends when it sees that its node has. What is to be deleted is when there is a node again.
    let left = || {
        let mut left = Leftovers::of(&machine.directory);
        left.0.retain(|kind, names| *kind != "disks" || !names.iter().all(|name| name.starts_with("trash/")));
        left
    };
    let name = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let names = || tests::containers::processes(&machine.directory).iter().map(name).collect::<Vec<_>>();
    assert!(
        until(LIMIT, || left().is_empty().then_some(())).is_some(),
        "{}: {:#?} {:?}",
        machine.name,
        left(),
        names()
    );
}

#[test]
fn a_machine_that_is_lost_loses_what_ran_there_and_that_is_told() {
    let Some(site) = Site::new() else { return };
    let mut machine = site.join("lost", "64", "900g");
    assert_eq!(site.run("doomed", &["--memory-reservation", "500g"], &["sleep", "1000"]), "lost");
    let process = site.server.process_of("doomed").unwrap();
    machine.kill();
    // Its shims end it before anybody may have it run elsewhere.
    let told = site.server.until_container("doomed", has_stopped);
    assert!(!Path::new(&format!("/proc/{process}")).exists(), "{told}");
    site.until_node("lost", "lost");
    site.server.do_pilvi(&["rm", "-f", "doomed"]).success();
    // It comes back, and clears up.
    machine.start(&site);
    site.until_node("lost", "ready");
    site.server.command(&["node", "rm", "lost"]).success();
    leaves_nothing(machine);
}

#[test]
fn a_token_is_good_once_and_for_nobody_who_meets_another_server() {
    let Some(site) = Site::new() else { return };
    let machine = site.join("first", "1", "64m");
    let used = site.server.folder().file("token-first");
    let join = |name: &str, way_in: &str, token: &Path| {
        let directory = site.server.folder().file(&format!("machine-{name}"));
        let arguments =
            ["node", "--join", way_in, "--name", name, "--token-file", token.to_str().unwrap(), "--node-dir"];
        let refused = site.server.do_pilvi(&[arguments.as_slice(), &[directory.to_str().unwrap()]].concat());
        assert!(!refused.status.success(), "{refused:?}");
        refused.stderr
    };
    let again = join("second", &site.way_in(), &used);
    assert!(!again.trim().is_empty() && site.node("second").is_none(), "{again}");
    // The token says by which certificate the server is known.
    let other = Site::new().unwrap();
    let token = other.server.folder().file("token-other");
    other.server.command(&["node", "token", "create", "--file", token.to_str().unwrap()]).success();
    let elsewhere = join("third", &site.way_in(), &token);
    assert!(!elsewhere.contains(fs::read_to_string(&token).unwrap().trim()), "the token is told: {elsewhere}");
    assert!(site.node("third").is_none() && other.node("third").is_none());
    if let Some(process) = &machine.process {
        assert!(
            process
                .lines()
                .iter()
                .all(|line| !line.contains(fs::read_to_string(&used).unwrap_or_default().trim()) || line.is_empty())
        );
    }
    leaves_nothing(machine);
}

/// A machine whose test has failed leaves no process behind.
impl Drop for Machine {
    fn drop(&mut self) {
        self.kill();
        for pid in tests::containers::processes(&self.directory) {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}
