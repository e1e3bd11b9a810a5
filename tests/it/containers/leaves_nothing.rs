//! Nothing is left: no cgroup, process, link, rule, mount or directory; not after containers, nor after kills, nor after
//! `pilvi down --purge`.

use rustix::process::{Pid, Signal, kill_process};
use tests::containers::Leftovers;
use tests::program::{LIMIT, until};

use super::Stage;

/// How often something is killed. Far more often in the long job.
const ROUNDS: usize = 20;

#[track_caller]
fn assert_nothing_beyond(stage: &Stage, before: &Leftovers) {
    let clean = until(LIMIT, || stage.server.leftovers().beyond(before).is_empty().then_some(()));
    assert!(clean.is_some(), "left: {:#?}\n{}", stage.server.leftovers().beyond(before), stage.server.log());
}

/// Everything that a container can have.
const EVERYTHING: [&str; 11] =
    ["-p", "80", "-v", "/scratch", "--tmpfs", "/t:size=1m", "--storage-opt", "size=32m", "--network", "team", "--init"];

#[test]
fn after_containers_of_every_kind_nothing_is_left() {
    let Some(stage) = Stage::new() else { return };
    // The first one makes what stays for all: the bridge, the table, pools.
    stage.run(&EVERYTHING, &["true"]).success();
    let before = stage.server.leftovers();
    for command in [["true"].as_slice(), &["false"], &["/no/such/program"], &["sh", "-c", "sleep 100 & exit 3"]] {
        stage.run(&EVERYTHING, command);
    }
    stage.run(&["--memory", "16m"], &["tail", "/dev/zero"]);
    for name in ["stopped", "killed", "removed"] {
        stage.server.do_pilvi(&["run", "-d", "--name", name, &stage.image, "sleep", "1000"]).success();
    }
    stage.pilvi(&["stop", "-t", "0", "stopped"]).success();
    stage.pilvi(&["kill", "killed"]).success();
    stage.pilvi(&["rm", "-f", "stopped", "killed", "removed"]).success();
    assert_nothing_beyond(&stage, &before);
}

#[test]
fn whatever_is_killed_at_whatever_moment_nothing_is_left_and_what_should_run_runs() {
    let Some(mut stage) = Stage::new() else { return };
    stage.run(&EVERYTHING, &["true"]).success();
    let before = stage.server.leftovers();
    stage.server.do_pilvi(&["run", "-d", "--name", "steady", &stage.image, "sleep", "100000"]).success();
    let steady = stage.server.process_of("steady").unwrap();
    // Not random, so that a round that fails can be had again: moments are spread over a start by the round's number.
    for round in 0..ROUNDS {
        let name = format!("round-{round}");
        let flags = ["run", "-d", "--name", name.as_str()];
        let run =
            stage.server.follow_pilvi(&[&flags, EVERYTHING.as_slice(), &[&stage.image, "sleep", "1000"]].concat());
        std::thread::sleep(std::time::Duration::from_millis(u64::try_from(round * 37 % 200).unwrap()));
        match round % 4 {
            0 => stage.server.kill_server(),
            1 => kill_node(&stage),
            2 => kill_shim_of(&stage, &name),
            _ => kill_container(&stage, &name),
        }
        drop(run);
        let rm = || stage.pilvi(&["rm", "-f", &name]);
        // A server that is killed before it wrote the wish down knows of no container.
        let gone = until(LIMIT, || (rm().status.success() || stage.server.container(&name).is_none()).then_some(()));
        assert!(gone.is_some(), "round {round}: {:?}", rm());
    }
    assert_eq!(stage.server.process_of("steady"), Some(steady), "what nobody killed was not restarted");
    stage.pilvi(&["rm", "-f", "steady"]).success();
    assert_nothing_beyond(&stage, &before);
}

#[test]
fn down_with_purge_leaves_nothing_at_all() {
    let Some(mut stage) = Stage::new() else { return };
    for name in ["one", "two"] {
        let flags = ["run", "-d", "--name", name];
        stage.server.do_pilvi(&[&flags, EVERYTHING.as_slice(), &[&stage.image, "sleep", "1000"]].concat()).success();
    }
    let node_dir = stage.server.node_dir();
    assert!(!Leftovers::of(&node_dir).is_empty(), "there was something");
    stage.server.down_with(&["--purge"]);
    let left = Leftovers::of(&node_dir);
    assert!(left.is_empty(), "{left:#?}");
    let (bridge, table) = tests::containers::names(&node_dir);
    assert!(!std::path::Path::new("/sys/class/net").join(bridge).exists());
    assert!(!tests::containers::tables().contains(&table));
}

#[test]
fn down_stops_what_runs_and_the_next_up_does_not_start_it_again() {
    let Some(mut stage) = Stage::new() else { return };
    stage.server.do_pilvi(&["run", "-d", "--name", "one", &stage.image, "sleep", "1000"]).success();
    let process = stage.server.process_of("one").unwrap();
    stage.server.down();
    assert!(!std::path::Path::new(&format!("/proc/{process}")).exists(), "it has ended");
    stage.server.up();
    assert!(stage.server.has_node());
    assert!(super::has_stopped(&stage.server.until_container("one", |_| true)));
    stage.pilvi(&["rm", "one"]).success();
}

fn kill(pid: u32) {
    // One that has ended already is as dead as it would be.
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

fn kill_node(stage: &Stage) {
    let status = stage.server.command(&["status", "--format", "json"]).json();
    if let Some(pid) = status.pointer("/node/pid").and_then(serde_json::Value::as_u64) {
        kill(u32::try_from(pid).unwrap());
    }
}

fn kill_container(stage: &Stage, name: &str) {
    if let Some(pid) = stage.server.process_of(name) {
        kill(pid);
    }
}

fn kill_shim_of(stage: &Stage, name: &str) {
    let Some(pid) = stage.server.process_of(name) else { return };
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
    if let Some(parent) = parent {
        kill(parent);
    }
}
