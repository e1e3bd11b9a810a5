use workload::{Desired, Phase, PortProtocol, PublishedPort, ReasonCode};

use platform::workloads::{Filter, NewWorkload, Stop, WorkloadError};

use super::bed::{Bed, sized, small};

fn stop() -> Stop {
    Stop { timeout_s: None, reason: "a test wants it".to_owned() }
}

#[tokio::test]
async fn a_workload_is_placed_runs_and_is_told_of_to_its_end() {
    let mut bed = Bed::new();
    let id = bed.run(small()).await;
    let running = bed.workload(&id).await;
    assert_eq!((running.phase(), running.node.as_ref().unwrap().as_str()), (Phase::Running, "a"));
    assert_eq!(running.images["main"], "sha256:app:1");
    assert_eq!(bed.node("a").await.reserved.memory_bytes, 64 << 20);

    bed.nodes[&"a".parse().unwrap()].exit(&id, 3);
    bed.settle().await;
    let stopped = bed.workload(&id).await;
    assert_eq!((stopped.phase(), stopped.exit_code()), (Phase::Stopped, Some(3)));
    assert_eq!(bed.node("a").await.reserved, scheduler::Reserved::default());
    let why = bed.workloads.why(&bed.scope, &id).await.unwrap();
    let passed: Vec<&str> = why.passed.iter().map(|passed| passed.what.as_str()).collect();
    assert_eq!(passed, ["wanted by test", "placed on node a", "heard of from its node", "stopped"]);
}

#[tokio::test]
async fn a_workload_without_room_waits_and_says_why_until_there_is_some() {
    let mut bed = Bed::new();
    let first = bed.run(sized(1000, 3000)).await;
    let second = bed.run(sized(1000, 3000)).await;
    assert_eq!(bed.phase(&second).await, Phase::Pending);
    let reason = bed.reason(&second).await;
    assert_eq!(reason.code, ReasonCode::NoRoom);
    assert_eq!(reason.message, "no node takes it: 1 node with too little memory");
    let why = bed.workloads.why(&bed.scope, &second).await.unwrap();
    let refusal = why.nodes[0].refusal.as_deref().unwrap();
    assert_eq!(refusal, "3000 MiB of memory are wanted, 1096 of its 4096 are free");

    bed.workloads.stop(&bed.scope, &first, &stop()).await.unwrap();
    bed.settle().await;
    assert_eq!(bed.phase(&first).await, Phase::Stopped);
    assert_eq!(bed.phase(&second).await, Phase::Running);
    assert_eq!(bed.workload(&second).await.waiting, None);
}

#[tokio::test]
async fn a_workload_waits_for_a_node_to_be_there_at_all() {
    let mut bed = Bed::without_nodes();
    let id = bed.run(small()).await;
    assert_eq!(bed.reason(&id).await.message, "no node takes it: there is no node");
    bed.join("late", 1, 1000);
    bed.settle().await;
    assert_eq!(bed.phase(&id).await, Phase::Running);
}

#[tokio::test]
async fn a_port_of_the_host_is_free_again_when_who_had_it_has_stopped() {
    let mut bed = Bed::new();
    let with_port = || {
        let mut new = small();
        let protocol = PortProtocol::Tcp;
        new.spec.network.ports.push(PublishedPort {
            container_port: 80,
            host_port: 8080,
            host_address: None,
            protocol,
        });
        new
    };
    let first = bed.run(with_port()).await;
    let second = bed.run(with_port()).await;
    assert_eq!(bed.reason(&second).await.message, "no node takes it: 1 node where the port is taken");
    bed.workloads.stop(&bed.scope, &first, &stop()).await.unwrap();
    bed.settle().await;
    assert_eq!(bed.phase(&second).await, Phase::Running);
}

#[tokio::test]
async fn what_no_node_allows_is_refused_for_good() {
    let mut bed = Bed::new();
    let mut new = small();
    new.spec.containers[0].privileged = true;
    let id = bed.run(new).await;
    let stopped = bed.workload(&id).await;
    assert_eq!((stopped.phase(), stopped.reason().unwrap().code), (Phase::Stopped, ReasonCode::Refused));
    assert!(stopped.reason().unwrap().message.contains("pilvi.privileged"));
    assert_eq!(bed.kept("queued").await, 0);
}

#[tokio::test]
async fn a_name_is_had_once_and_finds_its_workload() {
    let mut bed = Bed::new();
    let named = |name: &str| NewWorkload { name: Some(name.to_owned()), ..small() };
    let id = bed.run(named("web")).await;
    let taken = bed.workloads.create(&bed.scope, named("web")).await.unwrap_err();
    assert!(matches!(taken, WorkloadError::NameTaken { by, .. } if by == id));
    for given in ["web", id.as_str(), &id.as_str()[..6]] {
        assert_eq!(bed.workloads.find(&bed.scope, given).await.unwrap().workload_id, id, "{given}");
    }
    assert!(matches!(bed.workloads.find(&bed.scope, "").await, Err(WorkloadError::NotFound { .. })));
    assert!(matches!(bed.workloads.find(&bed.scope, "xyz").await, Err(WorkloadError::NotFound { .. })));
    for _ in 0..20 {
        bed.create(small()).await;
    }
    let all = bed.workloads.list(&bed.scope, &Filter::default()).await.unwrap().workloads;
    assert_eq!(all.len(), 21);
    for digit in "0123456789abcdef".chars().map(String::from) {
        let begun: Vec<_> = all.iter().filter(|one| one.workload_id.as_str().starts_with(&digit)).collect();
        match (bed.workloads.find(&bed.scope, &digit).await, begun.len()) {
            (Ok(found), 1) => assert_eq!(found.workload_id, begun[0].workload_id),
            (Err(WorkloadError::NotFound { .. }), 0) | (Err(WorkloadError::Ambiguous { .. }), 2..) => {}
            (other, count) => panic!("{digit}: {other:?} of {count}"),
        }
    }
}

#[tokio::test]
async fn stopping_one_that_has_no_node_ends_it_at_once() {
    let mut bed = Bed::without_nodes();
    let id = bed.run(small()).await;
    bed.workloads.stop(&bed.scope, &id, &stop()).await.unwrap();
    let stopped = bed.workload(&id).await;
    assert_eq!((stopped.phase(), stopped.reason().unwrap().code), (Phase::Stopped, ReasonCode::Asked));
    let node = bed.join("late", 4, 4096);
    bed.settle().await;
    assert_eq!((node.has(), bed.kept("queued").await), (vec![], 0));
}

#[tokio::test]
async fn of_several_stops_the_shortest_timeout_holds() {
    let bed = Bed::new();
    let id = bed.create(small()).await;
    let mut bed = bed;
    bed.nodes[&"a".parse().unwrap()].behave(crate::node::Manner::Slow);
    bed.settle().await;
    let with = |timeout_s| Stop { timeout_s, reason: "r".to_owned() };
    let mut last = 1;
    for (timeout_s, expected, changes) in [
        (None, None, true),
        (Some(30), Some(30), true),
        (None, Some(30), false),
        (Some(60), Some(30), false),
        (Some(0), Some(0), true),
    ] {
        bed.workloads.stop(&bed.scope, &id, &with(timeout_s)).await.unwrap();
        let workload = bed.workload(&id).await;
        assert!(matches!(workload.desired, Desired::Stopped { timeout_s, .. } if timeout_s == expected));
        assert_eq!(workload.generation > last, changes, "{timeout_s:?}");
        last = workload.generation;
    }
}

#[tokio::test]
async fn a_large_workload_is_not_passed_over_for_a_full_node_when_another_is_empty() {
    let mut bed = Bed::new();
    bed.join("b", 4, 8192);
    bed.settle().await;
    let small_one = bed.run(sized(100, 1000)).await;
    let large = bed.run(sized(100, 8000)).await;
    assert_eq!(bed.workload(&small_one).await.node.as_ref().unwrap().as_str(), "a", "the smaller one is fuller");
    assert_eq!(bed.workload(&large).await.node.as_ref().unwrap().as_str(), "b");
}

#[tokio::test]
async fn a_workload_is_placed_by_whoever_creates_it_unless_others_wait() {
    let mut bed = Bed::new();
    bed.settle().await;
    let first = bed.create(sized(1000, 3000)).await;
    assert_eq!(bed.workload(&first).await.node.as_ref().unwrap().as_str(), "a", "nobody else has done anything yet");
    assert_eq!((bed.kept("queued").await, bed.node("a").await.reserved.memory_bytes), (0, 3000 << 20));
    let large = bed.create(sized(1000, 3000)).await;
    let fits = bed.create(small()).await;
    for waits in [&large, &fits] {
        assert_eq!(bed.workload(waits).await.node, None, "who came first is looked at first");
    }
    bed.settle().await;
    assert_eq!((bed.phase(&fits).await, bed.phase(&large).await), (Phase::Running, Phase::Pending));
}

#[tokio::test]
async fn what_a_node_has_taken_is_told_at_once() {
    let mut bed = Bed::new();
    bed.settle().await;
    let mut takes = bed.workloads.takes();
    let (first, second) = (bed.create(small()).await, bed.create(small()).await);
    bed.settle().await;
    takes.of(&second).await;
    let mut late = bed.workloads.takes();
    let missed = late.of(&first);
    assert!(done_already(missed).await.is_none());
}

/// What a future has come to already.
async fn done_already<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = future => Some(done),
        () = std::future::ready(()) => None,
    }
}
