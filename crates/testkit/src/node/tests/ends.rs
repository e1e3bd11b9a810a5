use std::time::Duration;

use platform::ports::LogSinkError;
use platform::workloads::{LogDestination, NewWorkload, Removed, WorkloadError};
use workload::Phase;

use super::bed::{Bed, small};

const KINDS: [&str; 5] = ["workload", "specification", "queued", "placement", "shipped"];

async fn assert_nothing_is_kept(bed: &Bed) {
    for kind in KINDS {
        assert_eq!(bed.kept(kind).await, 0, "{kind}");
    }
}

#[tokio::test]
async fn a_stopped_workload_is_kept_until_it_is_removed_and_then_nothing_is_left_of_it() {
    let mut bed = Bed::new();
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    let id = bed.run(NewWorkload { name: Some("web".to_owned()), ..small() }).await;
    let refused = bed.workloads.remove(&bed.scope, &id, false).await;
    assert!(matches!(refused, Err(WorkloadError::NotStopped { .. })));
    node.exit(&id, 0);
    bed.pass(Duration::from_secs(3600)).await;
    assert_eq!((bed.phase(&id).await, node.has()), (Phase::Stopped, vec![id.clone()]));
    assert_eq!(bed.workloads.remove(&bed.scope, &id, false).await.unwrap(), Removed::Gone);
    assert_eq!(bed.workloads.get(&bed.scope, &id).await.unwrap(), None);
    bed.settle().await;
    assert_eq!(node.has(), []);
    assert_nothing_is_kept(&bed).await;
    bed.run(NewWorkload { name: Some("web".to_owned()), ..small() }).await;
}

#[tokio::test]
async fn one_that_is_removed_by_itself_can_be_seen_for_a_while() {
    let mut bed = Bed::new();
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    let id = bed.run(NewWorkload { remove_when_stopped: true, ..small() }).await;
    node.exit(&id, 4);
    bed.settle().await;
    assert_eq!(bed.workload(&id).await.exit_code(), Some(4));
    bed.pass(Duration::from_secs(15)).await;
    assert_eq!((bed.workloads.get(&bed.scope, &id).await.unwrap(), node.has()), (None, vec![]));
    assert_nothing_is_kept(&bed).await;
}

#[tokio::test]
async fn one_that_runs_is_removed_by_force_once_it_is_dead() {
    let mut bed = Bed::new();
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    let id = bed.run(small()).await;
    assert_eq!(bed.workloads.remove(&bed.scope, &id, true).await.unwrap(), Removed::Going);
    bed.settle().await;
    assert_eq!((bed.workloads.get(&bed.scope, &id).await.unwrap(), node.has()), (None, vec![]));
    assert_nothing_is_kept(&bed).await;
}

#[tokio::test]
async fn one_without_a_node_is_removed_at_once_by_force() {
    let mut bed = Bed::without_nodes();
    let id = bed.run(small()).await;
    assert_eq!(bed.workloads.remove(&bed.scope, &id, true).await.unwrap(), Removed::Gone);
    bed.settle().await;
    assert_nothing_is_kept(&bed).await;
}

#[tokio::test]
async fn one_whose_output_nobody_takes_does_not_wait_for_ever() {
    let mut bed = Bed::new();
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    *bed.sink.refuses.lock().unwrap() = Some(LogSinkError::Unavailable);
    let destination = LogDestination { group: "g".to_owned(), stream: "s".to_owned(), creates_group: true };
    let sinks = [("main".to_owned(), destination)].into();
    let id = bed.run(NewWorkload { sinks, remove_when_stopped: true, ..small() }).await;
    assert!(node.assignment(&id).unwrap().spec.containers[0].output.ship);
    node.print(&id, "main", 1, "nobody hears me\n");
    node.exit(&id, 0);
    bed.pass(Duration::from_secs(60)).await;
    assert_eq!(bed.phase(&id).await, Phase::Stopped, "its output has not been sent on");
    bed.pass(Duration::from_secs(300)).await;
    assert_eq!((bed.workloads.get(&bed.scope, &id).await.unwrap(), node.has()), (None, vec![]));
    assert_nothing_is_kept(&bed).await;
}

#[tokio::test]
async fn a_node_that_is_forgotten_leaves_nothing_but_the_ends_of_what_it_ran() {
    let mut bed = Bed::new();
    let id = bed.run(small()).await;
    bed.nodes[&"a".parse().unwrap()].crash();
    bed.settle().await;
    bed.workloads.forget_node(&"a".parse().unwrap()).await.unwrap();
    assert_eq!(bed.phase(&id).await, Phase::Stopped);
    assert!(bed.workloads.nodes().await.unwrap().is_empty());
    assert_eq!(bed.workloads.remove(&bed.scope, &id, false).await.unwrap(), Removed::Gone);
    assert_nothing_is_kept(&bed).await;
}

#[tokio::test]
async fn whoever_waits_for_a_workload_hears_when_it_is_as_wanted() {
    let mut bed = Bed::new();
    let id = bed.create(small()).await;
    let (workloads, scope) = (bed.workloads.clone(), bed.scope.clone());
    let waited = id.clone();
    let waiting = tokio::spawn(async move {
        workloads.wait(&scope, &waited, |one| one.phase() >= Phase::Running).await.unwrap().unwrap().phase()
    });
    bed.settle().await;
    assert_eq!(waiting.await.unwrap(), Phase::Running);
}
