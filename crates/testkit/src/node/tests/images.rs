use std::time::Duration;

use platform::workloads::{DriverError, Stop};
use workload::{Phase, ReasonCode};

use super::bed::{Bed, small};
use crate::node::ImageFate;

fn unavailable() -> ImageFate {
    ImageFate::Fails(DriverError::Unavailable("the registry does not answer".to_owned()))
}

#[tokio::test]
async fn an_image_that_cannot_be_had_ends_the_workload() {
    let mut bed = Bed::new();
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    node.image("app:1", ImageFate::Fails(DriverError::Refused("there is no such image".to_owned())));
    let id = bed.run(small()).await;
    let reason = bed.reason(&id).await;
    assert_eq!((reason.code, reason.message.as_str()), (ReasonCode::CannotPull, "app:1: there is no such image"));
    assert_eq!((bed.phase(&id).await, node.has()), (Phase::Stopped, vec![]));
    assert_eq!(bed.node("a").await.reserved, scheduler::Reserved::default());
}

#[tokio::test]
async fn an_image_is_tried_again_and_not_for_ever() {
    let mut bed = Bed::new();
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    node.image("app:1", unavailable());
    let id = bed.run(small()).await;
    assert_eq!(bed.phase(&id).await, Phase::Pending);
    let why = bed.workloads.why(&bed.scope, &id).await.unwrap();
    assert_eq!(why.because, "it is tried again: app:1: the registry does not answer");
    bed.pass(Duration::from_secs(2)).await;
    assert_eq!(bed.phase(&id).await, Phase::Running);

    (0..5).for_each(|_| node.image("app:1", unavailable()));
    let never = bed.run(small()).await;
    bed.pass(Duration::from_secs(10)).await;
    assert_eq!(bed.reason(&never).await.code, ReasonCode::CannotPull);
    assert_eq!(node.images_asked_for().len(), 2 + 3);
}

#[tokio::test]
async fn an_image_that_is_long_on_its_way_holds_up_nobody_else_and_can_be_given_up() {
    let mut bed = Bed::new();
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    node.image("large:1", ImageFate::Held);
    let mut large = small();
    large.spec.containers[0].image = "large:1".to_owned();
    let large = bed.run(large).await;
    let other = bed.run(small()).await;
    assert_eq!((bed.phase(&large).await, bed.phase(&other).await), (Phase::Pending, Phase::Running));
    let why = bed.workloads.why(&bed.scope, &large).await.unwrap();
    assert_eq!(why.because, "large:1 is on its way");

    let stop = Stop { timeout_s: None, reason: "enough".to_owned() };
    bed.workloads.stop(&bed.scope, &large, &stop).await.unwrap();
    bed.settle().await;
    let stopped = bed.workload(&large).await;
    assert_eq!((stopped.phase(), stopped.reason().unwrap().message.as_str()), (Phase::Stopped, "enough"));
    assert!(!node.has().contains(&large));
}

#[tokio::test]
async fn a_kill_of_the_server_while_an_image_is_on_its_way_begins_it_anew_and_runs_it_once() {
    let mut bed = Bed::new();
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    node.image("app:1", ImageFate::Held);
    let id = bed.run(small()).await;
    bed.restart_server();
    node.release_images();
    bed.settle().await;
    assert_eq!((bed.phase(&id).await, node.starts(&id)), (Phase::Running, 1));
}

#[tokio::test]
async fn what_the_node_refuses_has_ended_and_what_it_cannot_do_now_is_tried_again() {
    let mut bed = Bed::new();
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    node.refuse(Some(DriverError::Unavailable("its disk is full".to_owned())));
    let later = bed.run(small()).await;
    assert_eq!(bed.workloads.why(&bed.scope, &later).await.unwrap().because, "it is tried again: its disk is full");
    node.refuse(None);
    bed.pass(Duration::from_secs(2)).await;
    assert_eq!(bed.phase(&later).await, Phase::Running);
    node.refuse(Some(DriverError::Refused("no such device".to_owned())));
    let never = bed.run(small()).await;
    assert_eq!(bed.reason(&never).await.code, ReasonCode::Refused);
}
