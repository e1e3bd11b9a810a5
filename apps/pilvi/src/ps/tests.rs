use std::collections::BTreeMap;

use node::protocol::{ContainerStats, WorkloadStats};
use platform::workloads::Passed;
use workload::{
    ContainerObserved, ContainerState, ExitStatus, Health, Observed, Phase, PortBinding, PortProtocol, Reason,
    ReasonCode,
};

use super::*;
use crate::control_socket::workloads::{ContainerTold, Refusal, Resources, Why};

const NOW: i64 = 1_000_000_000;

fn at(seconds_ago: i64) -> Timestamp {
    Timestamp::from_millis(NOW - seconds_ago * 1000)
}

fn told(digit: char, state: Option<ContainerState>) -> Told {
    let observed = state.map(|state| Observed {
        sequence: 1,
        phase: if matches!(state, ContainerState::Exited(_)) { Phase::Stopped } else { Phase::Running },
        reason: None,
        containers: vec![ContainerObserved {
            name: "main".to_owned(),
            image_digest: None,
            state,
            health: Health::Healthy,
            restarts: 0,
            last_exit: None,
            output_bytes_lost: 0,
        }],
        address: None,
        ports: vec![PortBinding {
            container_port: 80,
            host_port: 8080,
            host_address: [127, 0, 0, 1].into(),
            protocol: PortProtocol::Tcp,
        }],
        steps: Vec::new(),
        started_at: None,
        stopped_at: None,
    });
    let command = ["sh", "-c", "a very long command indeed"].map(str::to_owned).to_vec();
    Told {
        id: std::iter::repeat_n(digit, 32).collect::<String>().parse().unwrap(),
        name: Some("web".to_owned()),
        owner: None,
        containers: vec![ContainerTold { name: "main".into(), image: "busybox".into(), command, tty: false }],
        created_at: at(300),
        node: None,
        is_stopping: false,
        waiting: Some(Reason::new(ReasonCode::NoRoom, "no node has room")),
        observed,
    }
}

#[test]
fn a_person_reads_a_table_of_what_runs() {
    let running = ContainerState::Running { since: at(200), pid: 7 };
    let exit =
        ExitStatus { code: Some(137), signal: Some(9), out_of_memory: true, reason: None, started_at: None, at: at(5) };
    let lines = table(
        &[told('a', Some(running)), told('b', Some(ContainerState::Exited(exit))), told('c', None)],
        Timestamp::from_millis(NOW),
    );
    assert!(lines[0].starts_with("CONTAINER     IMAGE    COMMAND"), "{}", lines[0]);
    assert!(lines[1].contains("aaaaaaaaaaaa  busybox  sh -c a very long comma…"), "{}", lines[1]);
    assert!(lines[1].contains("up 3 min (healthy)") && lines[1].contains("127.0.0.1:8080->80/tcp"), "{}", lines[1]);
    assert!(lines[2].contains("exited (137, out of memory) 5 s ago"), "{}", lines[2]);
    assert!(lines[3].contains("waiting: no node has room"), "{}", lines[3]);
}

#[test]
fn what_was_lost_is_not_said_to_have_exited() {
    let exit = |code, started_at, reason: Option<(ReasonCode, &str)>| ExitStatus {
        code,
        signal: None,
        out_of_memory: false,
        reason: reason.map(|(code, message)| Reason::new(code, message)),
        started_at,
        at: at(5),
    };
    let lost = Some((ReasonCode::SandboxLost, "its sandbox died"));
    for (exit, expected) in [
        (exit(None, Some(at(9)), lost), "lost 5 s ago: its sandbox died"),
        (exit(Some(137), Some(at(9)), lost), "lost 5 s ago: its sandbox died"),
        (exit(None, None, Some((ReasonCode::CannotCreate, "no such user"))), "never ran: no such user"),
        (exit(Some(127), None, Some((ReasonCode::CannotStart, "no such program"))), "exited (127) 5 s ago"),
        (exit(Some(143), Some(at(9)), Some((ReasonCode::Asked, "stopped"))), "exited (143) 5 s ago"),
    ] {
        let shown = shown_status(&told('a', Some(ContainerState::Exited(exit))), Timestamp::from_millis(NOW));
        assert_eq!(shown, expected);
    }
}

#[test]
fn lost_output_is_told() {
    let mut told = told('a', Some(ContainerState::Running { since: at(9), pid: 7 }));
    told.observed.as_mut().unwrap().containers[0].output_bytes_lost = 3_000_000;
    let now = Timestamp::from_millis(NOW);
    assert_eq!(shown_status(&told, now), "up 9 s (healthy), 3.00 MB of output lost");
    let because = "it runs".to_owned();
    let why = Why { workload: told, because, activity: None, refusals: Vec::new(), passed: Vec::new() };
    let lines = why::lines(&why, now).join("\n");
    assert!(lines.contains("output    main: 3.00 MB of output lost, overwritten"), "{lines}");
}

#[test]
fn why_tells_steps_and_the_refusals_of_each_node() {
    let running = ContainerState::Running { since: at(200), pid: 7 };
    let refusals = [Refusal { node: "one".to_owned(), reason: "2 GB of memory are missing".to_owned() }];
    let why = Why {
        workload: told('a', Some(running)),
        because: "no node has room".to_owned(),
        activity: Some("waits for memory".to_owned()),
        refusals: refusals.to_vec(),
        passed: vec![Passed { at: at(61), what: "network".to_owned(), took_us: Some(1500) }],
    };
    let lines = why::lines(&why, Timestamp::from_millis(NOW)).join("\n");
    for expected in
        ["web aaaa", "not on    one: 2 GB of memory", "1.5 ms  network", "no node has room", "waits for memory"]
    {
        assert!(lines.contains(expected), "{expected}: {lines}");
    }
}

#[test]
fn processor_time_is_the_difference_of_two_looks() {
    let stats = |at_ms, cpu_us| WorkloadStats {
        id: told('a', None).id,
        at_ms,
        containers: BTreeMap::from([("main".to_owned(), ContainerStats { cpu_us, ..ContainerStats::default() })]),
    };
    let lines = stats::table(&[stats(1000, 0)], &[stats(2000, 500_000)], &[told('a', None)]);
    assert!(lines[1].starts_with("aaaaaaaaaaaa  web   50.0 %  0 B     none"), "{}", lines[1]);
    let first = stats::table(&[], &[stats(2000, 500_000)], &[]);
    assert!(first[1].contains(" - "), "{}", first[1]);
}

#[test]
fn nodes_tell_what_is_set_aside_of_what_they_have() {
    let node = NodeTold {
        id: "one".parse().unwrap(),
        state: "ready".to_owned(),
        since: at(300),
        problem: None,
        workloads: 3,
        has: Resources { cpu_millis: 2000, memory_bytes: 4_000_000_000, disk_bytes: 10_000_000_000 },
        reserved: Resources { cpu_millis: 500, memory_bytes: 1_000_000_000, disk_bytes: 0 },
        attributes: BTreeMap::new(),
    };
    let lines = node_table(&[node], Timestamp::from_millis(NOW));
    assert!(
        lines[1].contains("ready for 5 min")
            && lines[1].contains("0.5 of 2.0")
            && lines[1].contains("1.00 GB of 4.00 GB"),
        "{}",
        lines[1]
    );
}
