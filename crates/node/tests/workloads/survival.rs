//! The node is killed, the shim is killed, the machine is another: what becomes of workloads.

use workload::{ContainerState, Observed, ReasonCode};

use crate::child::{Living, leftovers, script};
use crate::tests;

tests![
    a_node_that_is_killed_or_ends_restarts_no_container,
    what_ended_while_there_was_no_node_is_told_with_its_code,
    a_shim_that_is_killed_takes_its_workload_along_and_nothing_stays,
    a_node_that_is_killed_at_any_moment_goes_on,
    a_node_that_is_killed_while_it_stops_something_goes_on,
    what_ran_on_the_machine_before_it_was_started_anew_is_lost,
];
tests![LONG_TESTS: a_shim_that_is_silent_is_given_up_alone_and_killed];

fn pid(observed: &Observed) -> u32 {
    match observed.containers[0].state {
        ContainerState::Running { pid, .. } => pid,
        ref other => panic!("{other:?}"),
    }
}

async fn a_node_that_is_killed_or_ends_restarts_no_container() {
    let mut living = Living::new().await;
    let mut spec = script("echo started; while true; do sleep 0.05; done");
    spec.containers[0].stop_timeout_s = Some(0);
    let id = living.run(spec).await;
    let before = living.running(&id).await;
    living.until_printed(&id, "started").await;
    for round in 0..4 {
        if round % 2 == 0 {
            living.kill()
        } else {
            living.end_politely()
        }
        assert!(std::path::Path::new(&format!("/proc/{}", pid(&before))).exists());
        living.start();
        let after = living.running(&id).await;
        assert_eq!(pid(&after), pid(&before), "{after:#?}");
        assert_eq!(after.started_at, before.started_at);
        assert!(after.sequence > before.sequence);
        assert_eq!(living.exec(&id, &["echo", "hello"], b"").await, ("hello\n".to_owned(), 0));
        assert!(living.node.stats(std::slice::from_ref(&id)).await.unwrap()[0].containers["app"].pids >= 1);
    }
    living.end().await;
}

async fn what_ended_while_there_was_no_node_is_told_with_its_code() {
    let mut living = Living::new().await;
    let id = living.run(script("echo started; while ! test -e /tmp/go; do sleep 0.02; done; echo end; exit 6")).await;
    living.until_printed(&id, "started").await;
    let before = living.running(&id).await;
    living.exec(&id, &["sh", "-c", "sleep 0.3; touch /tmp/go"], b"").await;
    living.kill();
    while std::path::Path::new(&format!("/proc/{}", pid(&before))).exists() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    living.start();
    let observed = living.stopped(&id).await;
    let ContainerState::Exited(exit) = &observed.containers[0].state else { panic!("{observed:#?}") };
    assert_eq!(exit.code, Some(6), "{observed:#?}");
    assert_eq!(living.printed(&id).await, "started\nend\n");
    living.end().await;
}

async fn a_shim_that_is_killed_takes_its_workload_along_and_nothing_stays() {
    let living = Living::new().await;
    let id = living.run(script("echo started; sleep 600")).await;
    living.until_printed(&id, "started").await;
    let before = living.running(&id).await;
    let shim = parent_chain(pid(&before));
    rustix::process::kill_process(shim, rustix::process::Signal::KILL).unwrap();
    let observed = living.stopped(&id).await;
    assert_eq!(observed.reason.unwrap().code, ReasonCode::SandboxLost);
    assert!(!std::path::Path::new(&format!("/proc/{}", pid(&before))).exists());
    living.node.retire(&id).await.unwrap();
    living.end().await;
}

/// The shim of a container's process: the nearest one above it that is named so.
fn parent_chain(mut pid: u32) -> rustix::process::Pid {
    loop {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().to_owned()
        };
        if line("Name:").contains("shim") {
            return rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        }
        pid = line("PPid:").parse().unwrap();
        assert!(pid > 1, "no shim above it");
    }
}

async fn a_node_that_is_killed_at_any_moment_goes_on() {
    use base::{Rng, SystemRng};
    let kills = std::env::var("PILVI_WORKLOAD_KILLS").map_or(10, |kills| kills.parse().unwrap());
    let mut living = Living::new().await;
    for _ in 0..kills {
        let id = living.run(script("echo once; exit 3")).await;
        tokio::time::sleep(std::time::Duration::from_micros(SystemRng.next_u64() % 60_000)).await;
        living.kill();
        living.start();
        let observed = living.stopped(&id).await;
        let ContainerState::Exited(exit) = &observed.containers[0].state else { panic!("{observed:#?}") };
        assert_eq!(exit.code, Some(3), "{observed:#?}");
        assert_eq!(living.printed(&id).await, "once\n", "it ran exactly once");
        living.node.retire(&id).await.unwrap();
    }
    living.end().await;
}

async fn a_node_that_is_killed_while_it_stops_something_goes_on() {
    use base::{Rng, SystemRng};
    let mut living = Living::new().await;
    for _ in 0..10 {
        let spec = script("trap 'echo heard; exit 4' TERM; echo ready; while true; do sleep 0.01; done");
        let id = living.run(spec.clone()).await;
        living.until_printed(&id, "ready").await;
        living.stop(&id, spec, Some(60)).await;
        tokio::time::sleep(std::time::Duration::from_micros(SystemRng.next_u64() % 60_000)).await;
        living.kill();
        living.start();
        let observed = living.stopped(&id).await;
        let ContainerState::Exited(exit) = &observed.containers[0].state else { panic!("{observed:#?}") };
        assert_eq!((exit.code, observed.reason.unwrap().code), (Some(4), ReasonCode::Asked));
        living.node.retire(&id).await.unwrap();
    }
    living.end().await;
}

async fn what_ran_on_the_machine_before_it_was_started_anew_is_lost() {
    // How far it was may have been forgotten with the power.
    for is_known in [true, false] {
        let mut living = Living::new().await;
        let id = living.run(script("echo started; sleep 600")).await;
        living.until_printed(&id, "started").await;
        let before = living.running(&id).await;
        living.kill();
        let home = living.bed.node_dir().join("workloads").join(id.as_str());
        for name in ["state.json", "assignment.json"] {
            let text = std::fs::read_to_string(home.join(name)).unwrap();
            let mut last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
            last["boot_id"] = "another".into();
            std::fs::write(home.join(name), last.to_string()).unwrap();
        }
        if !is_known {
            std::fs::write(home.join("state.json"), "").unwrap();
        }
        // The machine's other life took the processes along.
        rustix::process::kill_process(parent_chain(pid(&before)), rustix::process::Signal::KILL).unwrap();
        living.start();
        let observed = living.stopped(&id).await;
        assert!(observed.sequence > before.sequence);
        assert_eq!(observed.reason.unwrap().code, ReasonCode::HostLost);
        assert_eq!(living.printed(&id).await, "started\n", "it is not executed again");
        living.node.retire(&id).await.unwrap();
        assert!(leftovers(&living.bed.node_dir()).await.iter().all(|line| !line.contains(id.as_str())));
        living.end().await;
    }
}

async fn a_shim_that_is_silent_is_given_up_alone_and_killed() {
    let mut living = Living::new().await;
    let silent = living.run(script("echo started; sleep 600")).await;
    living.until_printed(&silent, "started").await;
    let before = living.running(&silent).await;
    let shim = parent_chain(pid(&before));
    let other = living.run(script("echo started; sleep 600")).await;
    living.until_printed(&other, "started").await;
    rustix::process::kill_process(shim, rustix::process::Signal::STOP).unwrap();
    living.kill();
    living.start();
    let observed = living.stopped(&silent).await;
    assert_eq!(observed.reason.unwrap().code, ReasonCode::SandboxLost);
    let process = |pid: u32| std::path::PathBuf::from(format!("/proc/{pid}/exe"));
    assert!(!process(shim.as_raw_nonzero().get().unsigned_abs()).exists() && !process(pid(&before)).exists());
    assert_eq!(living.exec(&other, &["echo", "hello"], b"").await, ("hello\n".to_owned(), 0));
    living.end().await;
}
