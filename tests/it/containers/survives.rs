//! Kill the server, kill the node, stop both: what runs goes on. Kill its shim: it is gone, and that is told.

use rustix::process::{Pid, Signal, kill_process};
use tests::containers::parent_of;
use tests::program::{LIMIT, until};

use super::{Stage, has_stopped, is_running};

/// The node's process.
#[track_caller]
fn node(stage: &Stage) -> Option<Pid> {
    Pid::from_raw(i32::try_from(stage.server.node_process()?).ok()?)
}

fn kill(pid: Pid) {
    kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn server_and_node_are_killed_and_nothing_that_runs_notices() {
    let Some(mut stage) = Stage::new() else { return };
    let script = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.1; done";
    let arguments = ["run", "-d", "--name", "steady", &stage.image, "sh", "-c", script];
    stage.server.do_pilvi(&arguments).success();
    let before = stage.server.process_of("steady").unwrap();
    let watched = stage.server.follow_pilvi(&["run", "--rm", "--name", "watched", &stage.image, "sh", "-c", script]);
    watched.at_least(3);

    stage.server.kill_server();
    let seen = watched.lines().len();
    watched.at_least(seen + 5);
    let killed = node(&stage).unwrap();
    kill(killed);
    let back = until(LIMIT, || node(&stage).filter(|pid| *pid != killed));
    assert!(back.is_some(), "the node is not started anew:\n{}", stage.server.log());
    let seen = watched.lines().len();
    watched.at_least(seen + 5);
    // Both looked on without a gap.
    let numbers: Vec<u64> = watched.lines().iter().filter_map(|line| line.parse().ok()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");

    let told = stage.server.until_container("steady", is_running);
    assert_eq!(stage.server.process_of("steady"), Some(before), "{told}");
    assert_eq!(told["observed"]["containers"][0]["restarts"], 0);

    // SIGTERM to `pilvi up` leaves it running; the next one finds it.
    assert!(stage.server.stop().success());
    assert!(std::path::Path::new(&format!("/proc/{before}")).exists(), "it runs without them");
    stage.server.up();
    assert!(stage.server.has_node());
    stage.server.until_container("steady", is_running);
    assert_eq!(stage.server.process_of("steady"), Some(before));
    for name in ["steady", "watched"] {
        stage.pilvi(&["rm", "-f", name]).success();
    }
}

#[test]
fn what_ended_while_nobody_looked_is_told_with_its_exit_code() {
    let Some(mut stage) = Stage::new() else { return };
    let script = "until [ -e /go ]; do sleep 0.05; done; echo last words; exit 8";
    stage.server.do_pilvi(&["run", "-d", "--name", "unseen", &stage.image, "sh", "-c", script]).success();
    let process = stage.server.process_of("unseen").unwrap();
    assert!(stage.server.stop().success());
    std::fs::write(format!("/proc/{process}/root/go"), "").unwrap();
    assert!(until(LIMIT, || (!std::path::Path::new(&format!("/proc/{process}")).exists()).then_some(())).is_some());
    stage.server.up();
    assert!(stage.server.has_node());
    let told = stage.server.until_container("unseen", has_stopped);
    assert_eq!(told["observed"]["containers"][0]["state"]["exited"]["code"], 8, "{told}");
    assert_eq!(stage.pilvi(&["logs", "unseen"]).success(), "last words\n");
    stage.pilvi(&["rm", "unseen"]).success();
}

#[test]
fn a_shim_that_is_killed_takes_its_container_along_and_that_is_told() {
    let Some(stage) = Stage::new() else { return };
    stage.server.do_pilvi(&["run", "-d", "--name", "bereft", &stage.image, "sleep", "1000"]).success();
    stage.server.do_pilvi(&["run", "-d", "--name", "other", &stage.image, "sleep", "1000"]).success();
    let (process, other) = (stage.server.process_of("bereft").unwrap(), stage.server.process_of("other").unwrap());
    let shim = parent_of(process).unwrap();
    kill(Pid::from_raw(i32::try_from(shim).unwrap()).unwrap());
    let told = stage.server.until_container("bereft", has_stopped);
    assert!(told.to_string().contains("sandboxLost"), "{told}");
    assert!(!std::path::Path::new(&format!("/proc/{process}")).exists());
    assert_eq!(stage.server.process_of("other"), Some(other), "nobody else is touched");
    for name in ["bereft", "other"] {
        stage.pilvi(&["rm", "-f", name]).success();
    }
}
