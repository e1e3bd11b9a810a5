use base::{AccountId, Region};
use workload::{Container, Resources, Spec};

use super::super::{Description, NewWorkload, Stop};
use super::*;
use crate::Platform;

fn node() -> NodeId {
    "a".parse().unwrap()
}

fn scope() -> Scope {
    Scope::new(AccountId::DEFAULT, Region::default())
}

/// A node with 100 MiB, and so many workloads that want 40 MiB each and have no node.
async fn bed(count: usize) -> (Place, Vec<WorkloadId>) {
    let place = Place(Workloads::new(&Platform::in_memory()));
    let (mut ids, name, image) = (Vec::new(), "main".to_owned(), "app:1".to_owned());
    let container = Container { name, image, essential: true, ..Container::default() };
    let resources = Resources { memory_bytes_reserved: 40 << 20, ..Resources::default() };
    for _ in 0..count {
        let spec = Spec { containers: vec![container.clone()], resources, ..Spec::default() };
        ids.push(place.0.create(&scope(), NewWorkload { spec, ..NewWorkload::default() }).await.unwrap());
    }
    // Not before: what finds a node with room when it is created is placed at once.
    let description = Description { memory_bytes: 100 << 20, boot_id: "1".to_owned(), ..Description::default() };
    place.0.register(&node(), &description).await.unwrap();
    (place, ids)
}

async fn placed(place: &Place, ids: &[WorkloadId]) -> usize {
    let mut count = 0;
    for id in ids {
        count += usize::from(place.0.get(&scope(), id).await.unwrap().unwrap().node.is_some());
    }
    count
}

#[tokio::test]
async fn a_plan_for_a_node_that_has_changed_is_not_carried_out() {
    let (place, ids) = bed(2).await;
    let mut stale = place.look().await.unwrap().unwrap();
    let plan = std::mem::take(&mut stale.plan);
    assert_eq!(plan.placed.len(), 2);
    place.0.away(&node(), "it was just killed").await.unwrap();
    assert!(place.commit(&mut stale, &plan.placed).await.unwrap_err().is_conflict());
    assert_eq!(placed(&place, &ids).await, 0);
}

#[tokio::test]
async fn two_who_place_at_one_time_do_not_give_a_node_more_than_it_has() {
    let (place, ids) = bed(4).await;
    let (mut one, mut other) = (place.look().await.unwrap().unwrap(), place.look().await.unwrap().unwrap());
    let plan = std::mem::take(&mut one.plan);
    place.commit(&mut one, &plan.placed).await.unwrap();
    let plan = std::mem::take(&mut other.plan);
    assert!(place.commit(&mut other, &plan.placed).await.unwrap_err().is_conflict());
    assert_eq!(place.round().await.unwrap().due, None);
    assert_eq!(placed(&place, &ids).await, 2, "80 of 100 MiB");
    assert_eq!(place.0.node(&node()).await.unwrap().reserved.memory_bytes, 80 << 20);
}

#[tokio::test]
async fn what_was_stopped_since_it_was_looked_at_is_not_placed_and_keeps_no_other_waiting() {
    let (place, ids) = bed(2).await;
    let mut stale = place.look().await.unwrap().unwrap();
    let plan = std::mem::take(&mut stale.plan);
    let stop = Stop { timeout_s: None, reason: "enough".to_owned() };
    place.0.stop(&scope(), &ids[0], &stop).await.unwrap();
    assert!(place.commit(&mut stale, &plan.placed).await.unwrap_err().is_conflict());
    place.round().await.unwrap();
    assert_eq!(placed(&place, &ids).await, 1);
    assert!(place.look().await.unwrap().is_none(), "nothing waits any more");
}
