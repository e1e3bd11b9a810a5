//! History and its compaction.

use std::time::Duration;

use store::{HistoryPolicy, Key, Range, Revision, StoreError};

use crate::bed::{Kind, key};

on_each_engine!(
    what_was_compacted_can_be_neither_watched_nor_read,
    compaction_keeps_what_is_live,
    compaction_keeps_what_the_next_event_replaced,
    the_future_cannot_be_compacted,
    a_prefix_is_compacted_without_the_others,
    compacting_a_prefix_compacts_the_prefixes_below,
    history_grows_old,
    a_busy_prefix_does_not_expire_a_quiet_ones_watch,
    the_longest_registered_prefix_decides,
    a_waiting_watch_is_not_expired_by_the_passing_of_time,
    a_watch_that_is_too_slow_is_told,
);

fn policy(keep_s: u64, events_max: u64) -> HistoryPolicy {
    HistoryPolicy { keep: Duration::from_secs(keep_s), events_max }
}

fn is_compacted<T: std::fmt::Debug>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Compacted { .. }))
}

async fn what_was_compacted_can_be_neither_watched_nor_read(kind: Kind) {
    let bed = kind.bed();
    let first = bed.put("a", "1").await;
    let second = bed.put("a", "2").await;
    bed.put("a", "3").await;
    bed.store.compact(&Key::root(), second).await.unwrap();
    assert!(is_compacted(&bed.events("a", first).await));
    assert!(is_compacted(&bed.store.range(Range::prefix(&Key::root()).at(first)).await));
    assert_eq!(bed.events("a", second).await.unwrap().len(), 1);
    assert_eq!(bed.store.range(Range::prefix(&Key::root()).at(second)).await.unwrap().entries[0].value, b"2");
}

async fn compaction_keeps_what_is_live(kind: Kind) {
    let bed = kind.bed();
    for n in 0..5 {
        bed.put("a", &n.to_string()).await;
        bed.put("b", "").await;
        bed.delete("b").await;
    }
    let revision = bed.store.revision();
    bed.store.compact(&Key::root(), revision).await.unwrap();
    assert_eq!(bed.value("a").await.unwrap(), "4");
    assert_eq!(bed.get("a").await.unwrap().version, 5);
    assert_eq!(bed.get("b").await, None);
    assert_eq!(bed.put("b", "again").await, Revision(revision.0 + 1));
}

async fn compaction_keeps_what_the_next_event_replaced(kind: Kind) {
    let bed = kind.bed();
    bed.put("a", "1").await;
    let floor = bed.put("a", "2").await;
    bed.store.compact(&Key::root(), floor).await.unwrap();
    bed.put("a", "3").await;
    bed.delete("a").await;
    let previous: Vec<_> =
        bed.events("a", floor).await.unwrap().into_iter().map(|event| event.previous.unwrap().value).collect();
    assert_eq!(previous, [b"2".to_vec(), b"3".to_vec()]);
}

async fn the_future_cannot_be_compacted(kind: Kind) {
    let bed = kind.bed();
    let refused = bed.store.compact(&Key::root(), Revision(2)).await;
    assert!(matches!(refused, Err(StoreError::FutureRevision { .. })));
}

async fn a_prefix_is_compacted_without_the_others(kind: Kind) {
    let bed = kind.bed();
    bed.put("a/x", "1").await;
    bed.put("b/x", "1").await;
    let revision = bed.put("a/x", "2").await;
    bed.store.compact(&key("a"), revision).await.unwrap();
    assert!(is_compacted(&bed.events("a", Revision(1)).await));
    assert!(is_compacted(&bed.events("a/x", Revision(1)).await));
    assert_eq!(bed.events("b", Revision(1)).await.unwrap().len(), 1);
    let root = bed.store.range(Range::prefix(&Key::root()).at(Revision(2))).await;
    assert!(is_compacted(&root));
    bed.store.range(Range::prefix(&key("b")).at(Revision(2))).await.unwrap();
}

async fn compacting_a_prefix_compacts_the_prefixes_below(kind: Kind) {
    let bed = kind.bed_with_history(&[(key("a/b"), policy(1000, 1000))]);
    let revision = bed.put("a/b/x", "1").await;
    bed.store.compact(&key("a"), revision).await.unwrap();
    assert!(is_compacted(&bed.events("a/b", Revision(1)).await));
}

async fn history_grows_old(kind: Kind) {
    let bed = kind.bed_with_history(&[(Key::root(), policy(160, 1000))]);
    let first = bed.put("a", "1").await;
    for _ in 0..10 {
        bed.pass(10).await;
    }
    let second = bed.put("a", "2").await;
    assert_eq!(bed.events("a", Revision(1)).await.unwrap().len(), 2);
    for _ in 0..8 {
        bed.pass(10).await;
    }
    assert!(is_compacted(&bed.events("a", Revision(1)).await));
    assert_eq!(bed.events("a", first).await.unwrap()[0].revision, second);
    for _ in 0..20 {
        bed.pass(10).await;
    }
    assert!(is_compacted(&bed.events("a", second).await));
    assert_eq!(bed.value("a").await.unwrap(), "2");
}

async fn a_busy_prefix_does_not_expire_a_quiet_ones_watch(kind: Kind) {
    let bed = kind.bed_with_history(&[(key("busy"), policy(1000, 200))]);
    let mut quiet = bed.store.watch(&key("quiet"), Revision(1));
    let mut busy = bed.store.watch(&key("busy"), Revision(1));
    bed.put("quiet/a", "1").await;
    for n in 0..400 {
        bed.put("busy/a", &n.to_string()).await;
    }
    bed.pass(1).await;
    assert_eq!(quiet.next().await.unwrap().len(), 1);
    assert!(is_compacted(&busy.next().await));
    assert_eq!(bed.events("quiet", Revision(1)).await.unwrap().len(), 1);
    let left = bed.events("busy", Revision(bed.store.revision().0 - 100)).await;
    assert!(left.is_ok(), "{left:?}");
}

async fn the_longest_registered_prefix_decides(kind: Kind) {
    let bed = kind.bed_with_history(&[(Key::root(), policy(10, 1000)), (key("a/b"), policy(1000, 1000))]);
    bed.store.set_history(&key("a"), policy(100, 1000)).await.unwrap();
    for at in ["x", "a/x", "a/b/x"] {
        bed.put(at, "1").await;
        bed.put(at, "2").await;
    }
    bed.pass(20).await;
    bed.pass(20).await;
    assert!(is_compacted(&bed.events("x", Revision(1)).await));
    assert_eq!(bed.events("a/x", Revision(1)).await.unwrap().len(), 2);
    bed.pass(200).await;
    bed.pass(200).await;
    assert!(is_compacted(&bed.events("a/x", Revision(1)).await));
    assert_eq!(bed.events("a/b", Revision(1)).await.unwrap().len(), 2);
}

async fn a_waiting_watch_is_not_expired_by_the_passing_of_time(kind: Kind) {
    let bed = kind.bed_with_history(&[(Key::root(), policy(10, 1000))]);
    let mut watch = bed.store.watch(&key("quiet"), Revision(1));
    for _ in 0..10 {
        bed.put("other", "").await;
        bed.pass(20).await;
    }
    let revision = bed.put("quiet", "").await;
    assert_eq!(watch.next().await.unwrap()[0].revision, revision);
}

async fn a_watch_that_is_too_slow_is_told(kind: Kind) {
    let bed = kind.bed();
    let mut watch = bed.store.watch(&key("a"), Revision(1));
    bed.put("a", "1").await;
    let floor = bed.put("a", "2").await;
    bed.store.compact(&Key::root(), floor).await.unwrap();
    match watch.next().await {
        Err(StoreError::Compacted { floor: told }) => assert_eq!(told, floor),
        other => panic!("{other:?}"),
    }
}
