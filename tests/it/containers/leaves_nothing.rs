//! Nothing is left: no cgroup, process, link, rule, mount or directory; not after containers, nor after `pilvi down --purge`.

use tests::containers::Leftovers;
use tests::program::{LIMIT, until};

use super::Stage;

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
