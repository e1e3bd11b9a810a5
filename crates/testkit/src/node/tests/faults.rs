use std::time::Duration;

use scheduler::Availability;
use workload::{Phase, ReasonCode};

use super::bed::{Bed, small};

#[tokio::test]
async fn a_restart_of_the_server_starts_nothing_anew() {
    let mut bed = Bed::new();
    let id = bed.run(small()).await;
    let before = bed.workload(&id).await;
    for _ in 0..3 {
        bed.restart_server();
        bed.settle().await;
    }
    let node = &bed.nodes[&"a".parse().unwrap()];
    assert_eq!((node.starts(&id), bed.workload(&id).await.observed.clone()), (1, before.observed.clone()));
}

#[tokio::test]
async fn what_happens_while_the_server_is_away_is_told_afterwards() {
    let mut bed = Bed::new();
    let id = bed.run(small()).await;
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    bed.restart_server();
    node.exit(&id, 5);
    bed.settle().await;
    assert_eq!(bed.workload(&id).await.exit_code(), Some(5));
}

#[tokio::test]
async fn a_restart_of_the_node_starts_nothing_anew_and_loses_no_end() {
    let mut bed = Bed::new();
    let (stays, ends) = (bed.run(small()).await, bed.run(small()).await);
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    node.crash();
    node.exit(&ends, 7);
    bed.settle().await;
    assert_eq!(bed.phase(&ends).await, Phase::Running, "nobody has told of its end yet");
    node.start();
    bed.pass(Duration::from_secs(3)).await;
    assert_eq!((bed.phase(&stays).await, node.starts(&stays)), (Phase::Running, 1));
    assert_eq!(bed.workload(&ends).await.exit_code(), Some(7));
}

#[tokio::test]
async fn nothing_is_placed_on_a_node_that_does_not_answer_and_nothing_that_it_runs_is_touched() {
    let mut bed = Bed::new();
    let id = bed.run(small()).await;
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    node.crash();
    bed.pass(Duration::from_secs(10)).await;
    let away = bed.node("a").await;
    assert_eq!((away.availability, away.problem.as_deref()), (Availability::Away, Some("the node is not there")));
    let waits = bed.run(small()).await;
    assert_eq!(bed.reason(&waits).await.message, "no node takes it: 1 node out of service");
    assert_eq!(bed.phase(&id).await, Phase::Running);
    node.start();
    bed.pass(Duration::from_secs(3)).await;
    assert_eq!((bed.phase(&waits).await, node.starts(&id)), (Phase::Running, 1));
    assert_eq!(bed.node("a").await.availability, Availability::Ready);
}

#[tokio::test]
async fn what_a_lost_host_ran_has_stopped_and_is_killed_should_the_host_come_back() {
    let mut bed = Bed::new();
    let id = bed.run(small()).await;
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    node.crash();
    bed.settle().await;
    bed.workloads.host_lost(&"a".parse().unwrap(), "its lease has ended").await.unwrap();
    let lost = bed.workload(&id).await;
    assert_eq!((lost.phase(), lost.reason().unwrap().code), (Phase::Stopped, ReasonCode::HostLost));
    assert_eq!(bed.node("a").await.availability, Availability::Lost);
    assert_eq!(bed.node("a").await.reserved, scheduler::Reserved::default());

    node.start();
    bed.pass(Duration::from_secs(3)).await;
    assert_eq!(node.running(), []);
    let after = bed.workload(&id).await;
    assert_eq!(after.observed, lost.observed, "what is over is over");
    assert_eq!(bed.node("a").await.availability, Availability::Ready);
}

#[tokio::test]
async fn a_machine_that_was_started_anew_has_lost_what_it_ran() {
    let mut bed = Bed::new();
    let id = bed.run(small()).await;
    bed.nodes[&"a".parse().unwrap()].reboot();
    bed.settle().await;
    assert_eq!(bed.reason(&id).await.code, ReasonCode::HostLost);
    assert_eq!(bed.node("a").await.reserved, scheduler::Reserved::default());
    let next = bed.run(small()).await;
    assert_eq!(bed.phase(&next).await, Phase::Running);
}

#[tokio::test]
async fn what_a_node_has_forgotten_is_lost() {
    let mut bed = Bed::new();
    let id = bed.run(small()).await;
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    node.wipe();
    bed.settle().await;
    assert_eq!(bed.reason(&id).await.message, "node a does not know it any more");
    assert_eq!(node.starts(&id), 1, "it is not started a second time");
}

#[tokio::test]
async fn what_nobody_here_wanted_is_killed_and_forgotten() {
    let mut bed = Bed::new();
    let id = bed.run(small()).await;
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    // Another server, which has none of this, takes the node over.
    let mut other = Bed::without_nodes();
    other.nodes.insert("a".parse().unwrap(), node.clone());
    other.restart_server();
    other.settle().await;
    assert_eq!((node.has(), node.starts(&id)), (vec![], 1));
}

#[tokio::test]
async fn an_older_report_never_replaces_a_newer_one() {
    let mut bed = Bed::new();
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    node.behave(crate::node::Manner::Slow);
    let id = bed.run(small()).await;
    let early = node.observed(&id).unwrap();
    node.run(&id);
    bed.settle().await;
    let present = bed.workload(&id).await;
    node.tell(&id, 1, early.clone());
    bed.settle().await;
    assert_eq!(bed.workload(&id).await.modified, present.modified);
    let backwards = workload::Observed { sequence: 99, ..early };
    node.tell(&id, 1, backwards);
    bed.settle().await;
    assert_eq!(bed.phase(&id).await, Phase::Running, "phases only go forward");
}

#[tokio::test]
async fn what_a_node_tells_is_made_to_fit() {
    let mut bed = Bed::new();
    let id = bed.run(small()).await;
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    let mut observed = node.observed(&id).unwrap();
    observed.sequence = 50;
    observed.reason = Some(workload::Reason { code: ReasonCode::Internal, message: "ä".repeat(500_000) });
    let container = observed.containers[0].clone();
    observed.containers.extend(std::iter::repeat_n(container, 5000));
    node.tell(&id, 1, observed);
    bed.settle().await;
    let kept = bed.workload(&id).await.value.observed.unwrap();
    assert_eq!((kept.sequence, kept.containers.len(), kept.reason.unwrap().message.len()), (50, 1, 1024));
}

#[tokio::test]
async fn a_node_that_has_not_answered_yet_is_waited_for_and_refuses_nothing_for_good() {
    let mut bed = Bed::without_nodes();
    bed.workloads.expect_node(&"a".parse().unwrap()).await.unwrap();
    let mut privileged = small();
    privileged.spec.containers[0].privileged = true;
    let id = bed.run(privileged).await;
    assert_eq!(bed.reason(&id).await.message, "no node takes it: 1 node out of service");
    let node = bed.join("a", 4, 4096);
    node.describe_as(|it| drop(it.attributes.insert("pilvi.privileged".to_owned(), None)));
    bed.settle().await;
    assert_eq!(bed.phase(&id).await, Phase::Running);
}

#[tokio::test]
async fn a_node_is_not_believed_about_what_another_one_runs() {
    let mut bed = Bed::new();
    let id = bed.run(small()).await;
    let (owner, liar) = (bed.nodes[&"a".parse().unwrap()].clone(), bed.join("b", 4, 4096));
    bed.settle().await;
    let before = bed.workload(&id).await;
    let mut observed = owner.observed(&id).unwrap();
    (observed.sequence, observed.phase) = (u64::MAX, Phase::Stopped);
    liar.tell(&id, u64::MAX, observed);
    bed.pass(Duration::from_secs(10)).await;
    assert_eq!(bed.workload(&id).await.modified, before.modified);
    assert_eq!((bed.node("a").await.reserved.workloads, bed.node("b").await.reserved.workloads), (1, 0));
    assert_eq!((owner.running(), owner.starts(&id)), (vec![id.clone()], 1));
    // Nor does what it says keep the end from being heard from whom it is on.
    owner.exit(&id, 3);
    bed.settle().await;
    assert_eq!(bed.workload(&id).await.exit_code(), Some(3));
}

#[tokio::test]
async fn steps_on_the_way_are_written_down_together_and_turns_at_once() {
    let mut bed = Bed::new();
    bed.settle().await;
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    node.behave(crate::node::Manner::Slow);
    let id = bed.create(small()).await;
    let placed = bed.workload(&id).await.modified;
    bed.settle().await;
    let mut observed = node.observed(&id).unwrap();
    for sequence in 10..20 {
        observed.sequence = sequence;
        node.tell(&id, 1, observed.clone());
        bed.settle().await;
    }
    assert_eq!(bed.workload(&id).await.modified, placed, "it is on its way, and nothing has come of it");
    bed.pass(Duration::from_millis(500)).await;
    let gathered = bed.workload(&id).await;
    assert_eq!((gathered.observed.as_ref().unwrap().sequence, gathered.accepted), (19, 1));
    observed.sequence = 20;
    observed.phase = Phase::Running;
    node.tell(&id, 1, observed);
    bed.settle().await;
    assert_eq!(bed.phase(&id).await, Phase::Running);
}
