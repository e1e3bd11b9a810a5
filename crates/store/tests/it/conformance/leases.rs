//! Leases.

use std::time::Duration;

use store::limits::{LEASE_KEYS_MAX, TXN_OPERATIONS_MAX};
use store::{EventKind, LeaseId, Revision, StoreError, Txn};

use crate::bed::{Bed, Kind, key, put, put_leased};

on_each_engine!(
    a_lease_that_is_not_renewed_takes_its_keys_with_it,
    a_lease_that_is_renewed_stays,
    revoking_a_lease_deletes_its_keys_at_once,
    a_key_can_leave_its_lease,
    a_lease_that_does_not_exist_is_refused_and_nothing_happens,
    a_lease_holds_so_many_keys_and_no_more,
    each_lease_ends_in_a_revision_of_its_own,
);

const TTL: Duration = Duration::from_secs(10);

async fn grant(bed: &Bed) -> LeaseId {
    bed.store.grant(TTL).await.unwrap()
}

fn is_gone<T: std::fmt::Debug>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::LeaseNotFound { .. }))
}

async fn a_lease_that_is_not_renewed_takes_its_keys_with_it(kind: Kind) {
    let bed = kind.bed();
    let lease = grant(&bed).await;
    bed.then([put_leased("a/1", lease), put_leased("a/2", lease), put("a/3", "")]).await;
    assert_eq!(bed.get("a/1").await.unwrap().lease, Some(lease));
    bed.pass(9).await;
    assert_eq!(bed.keys("a").await, ["a/1", "a/2", "a/3"]);
    let before = bed.store.revision();
    bed.pass(1).await;
    assert_eq!(bed.keys("a").await, ["a/3"]);
    let events = bed.events("a", before).await.unwrap();
    assert!(events.iter().all(|event| matches!(event.kind, EventKind::Delete(_))));
    assert_eq!(events.iter().map(|event| event.revision.0).collect::<Vec<_>>(), [before.0 + 1, before.0 + 1]);
    assert!(is_gone(&bed.store.renew(lease).await));
    assert!(is_gone(&bed.store.revoke(lease).await));
}

async fn a_lease_that_is_renewed_stays(kind: Kind) {
    let bed = kind.bed();
    let lease = grant(&bed).await;
    bed.then([put_leased("a", lease)]).await;
    for _ in 0..5 {
        bed.pass(8).await;
        bed.store.renew(lease).await.unwrap();
    }
    assert!(bed.get("a").await.is_some());
    bed.pass(10).await;
    assert!(bed.get("a").await.is_none());
}

async fn revoking_a_lease_deletes_its_keys_at_once(kind: Kind) {
    let bed = kind.bed();
    let (lease, other) = (grant(&bed).await, grant(&bed).await);
    assert_ne!(lease, other);
    bed.then([put_leased("a", lease), put_leased("b", other)]).await;
    bed.store.revoke(lease).await.unwrap();
    assert_eq!(bed.keys("").await, ["b"]);
    assert!(is_gone(&bed.store.revoke(lease).await));
}

async fn a_key_can_leave_its_lease(kind: Kind) {
    let bed = kind.bed();
    let (lease, other) = (grant(&bed).await, grant(&bed).await);
    bed.then([put_leased("freed", lease), put_leased("moved", lease), put_leased("gone", lease)]).await;
    bed.then([put("freed", ""), put_leased("moved", other)]).await;
    bed.delete("gone").await;
    bed.store.revoke(lease).await.unwrap();
    assert_eq!(bed.keys("").await, ["freed", "moved"]);
}

async fn a_lease_that_does_not_exist_is_refused_and_nothing_happens(kind: Kind) {
    let bed = kind.bed();
    let txn = Txn { then: vec![put("a", ""), put_leased("b", LeaseId(7))], ..Txn::default() };
    assert!(is_gone(&bed.store.txn(txn).await));
    assert_eq!(bed.store.revision(), Revision(1));
    assert!(is_gone(&bed.store.renew(LeaseId(7)).await));
}

async fn a_lease_holds_so_many_keys_and_no_more(kind: Kind) {
    let bed = kind.bed();
    let lease = grant(&bed).await;
    let all: Vec<String> = (0..LEASE_KEYS_MAX).map(|n| format!("a/{n}")).collect();
    for some in all.chunks(TXN_OPERATIONS_MAX) {
        bed.then(some.iter().map(|at| put_leased(at, lease))).await;
    }
    let one_more = bed.store.txn(Txn { then: vec![put_leased("b", lease)], ..Txn::default() }).await;
    assert!(matches!(one_more, Err(StoreError::TooLarge { .. })), "{one_more:?}");
    bed.then([put_leased("a/0", lease)]).await;
    bed.store.revoke(lease).await.unwrap();
    assert_eq!(bed.keys("").await, Vec::<String>::new());
    assert!(bed.get(&key("a/0").to_string()).await.is_none());
}

async fn each_lease_ends_in_a_revision_of_its_own(kind: Kind) {
    let bed = kind.bed();
    for n in 0..40 {
        let lease = grant(&bed).await;
        bed.then([put_leased(&format!("a/{n}"), lease)]).await;
    }
    let before = bed.store.revision();
    bed.pass(10).await;
    assert_eq!(bed.store.revision(), Revision(before.0 + 40));
    assert_eq!(bed.keys("").await, Vec::<String>::new());
}
