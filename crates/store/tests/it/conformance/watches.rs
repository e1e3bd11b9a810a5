//! Watches.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use store::limits::WATCH_EVENTS_MAX;
use store::{EventKind, Op, Revision};

use crate::bed::{Kind, key, put};

on_each_engine!(
    a_watch_sees_every_later_event_in_order_with_what_was_before,
    a_watch_sees_its_key_and_what_is_below_alone,
    a_watch_from_the_past_catches_up,
    the_events_of_one_revision_come_together,
    a_slow_watch_misses_nothing,
    a_waiting_watch_is_woken,
    a_watch_advances_past_what_is_not_its_own,
    a_watch_that_was_interrupted_goes_on,
    a_kind_is_watched_in_all_scopes,
    a_watch_of_the_future_waits_for_it,
    changes_are_counted_before_they_are_acknowledged,
);

async fn a_watch_sees_every_later_event_in_order_with_what_was_before(kind: Kind) {
    let bed = kind.bed();
    let start = bed.put("a", "0").await;
    bed.put("a", "1").await;
    bed.delete("a").await;
    bed.put("a", "2").await;
    let events = bed.events("a", start).await.unwrap();
    let seen: Vec<_> = events
        .iter()
        .map(|event| {
            let value = |entry: &store::Entry| String::from_utf8(entry.value.clone()).unwrap();
            let now = if let EventKind::Put(entry) = &event.kind { Some(value(entry)) } else { None };
            (event.revision.0 - start.0, now, event.previous.as_ref().map(value))
        })
        .collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(seen, [(1, text("1"), text("0")), (2, None, text("1")), (3, text("2"), None)]);
}

async fn a_watch_sees_its_key_and_what_is_below_alone(kind: Kind) {
    let bed = kind.bed();
    bed.then(["a", "a/b", "a/b/c", "ab", "a0", "b"].map(|at| put(at, ""))).await;
    let events = bed.events("a", Revision(1)).await.unwrap();
    assert_eq!(events.iter().map(|event| event.key().as_str()).collect::<Vec<_>>(), ["a", "a/b", "a/b/c"]);
}

async fn a_watch_from_the_past_catches_up(kind: Kind) {
    let bed = kind.bed();
    for n in 0..10 {
        bed.put("a", &n.to_string()).await;
    }
    let events = bed.events("a", Revision(6)).await.unwrap();
    assert_eq!(events.iter().map(|event| event.revision.0).collect::<Vec<_>>(), [7, 8, 9, 10, 11]);
}

async fn the_events_of_one_revision_come_together(kind: Kind) {
    let bed = kind.bed();
    // More than fit into one batch, and no whole number of revisions fits.
    const EACH: usize = 100;
    for n in 0..5 {
        bed.then((0..EACH).map(|m| put(&format!("a/{n}/{m:03}"), ""))).await;
    }
    let mut watch = bed.store.watch(&key("a"), Revision(1));
    let mut seen = 0;
    while seen < 5 * EACH {
        let events = watch.next().await.unwrap();
        assert_eq!(events.len() % EACH, 0);
        assert!(events.len() <= WATCH_EVENTS_MAX + EACH);
        seen += events.len();
        assert_eq!(watch.position(), events.last().unwrap().revision);
    }
}

async fn a_slow_watch_misses_nothing(kind: Kind) {
    let bed = kind.bed();
    let mut watch = bed.store.watch(&key("a"), Revision(1));
    let mut expected = Vec::new();
    for n in 0..1000 {
        expected.push(bed.put(&format!("a/{}", n % 7), "").await);
        bed.put("b", "").await;
    }
    let mut seen = Vec::new();
    while seen.len() < expected.len() {
        seen.extend(watch.next().await.unwrap().iter().map(|event| event.revision));
    }
    assert_eq!(seen, expected);
}

async fn a_waiting_watch_is_woken(kind: Kind) {
    let bed = kind.bed();
    let mut watch = bed.store.watch(&key("a"), bed.store.revision());
    let waiting = tokio::spawn(async move { watch.next().await.unwrap() });
    tokio::task::yield_now().await;
    bed.put("b", "").await;
    let revision = bed.put("a/x", "").await;
    let events = waiting.await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].revision, revision);
}

async fn a_watch_advances_past_what_is_not_its_own(kind: Kind) {
    let bed = kind.bed();
    let mut watch = bed.store.watch(&key("a"), Revision(1));
    let revision = bed.put("b", "").await;
    assert!(poll_once(watch.next()).is_pending());
    assert_eq!(watch.position(), revision);
}

async fn a_watch_that_was_interrupted_goes_on(kind: Kind) {
    let bed = kind.bed();
    let mut watch = bed.store.watch(&key("a"), Revision(1));
    for n in 0..300 {
        bed.put("a", &n.to_string()).await;
    }
    let mut seen = Vec::new();
    while seen.len() < 300 {
        match poll_once(watch.next()) {
            Poll::Ready(events) => seen.extend(events.unwrap()),
            Poll::Pending => seen.extend(watch.next().await.unwrap()),
        }
    }
    let revisions: Vec<u64> = seen.iter().map(|event| event.revision.0).collect();
    assert_eq!(revisions, (2..302).collect::<Vec<_>>());
}

async fn a_kind_is_watched_in_all_scopes(kind: Kind) {
    let bed = kind.bed();
    let mut watch = bed.store.watch_kind("ecs", "task", Revision(1));
    bed.then(
        ["1/eu/ecs/task/a", "1/us/ecs/task/b", "2/us/ecs/task/c", "2/us/ecs/task@cluster/d", "2/us/s3/task/e"]
            .map(|at| put(at, "")),
    )
    .await;
    let events = watch.next().await.unwrap();
    let keys: Vec<_> = events.iter().map(|event| event.key().as_str()).collect();
    assert_eq!(keys, ["1/eu/ecs/task/a", "1/us/ecs/task/b", "2/us/ecs/task/c"]);
    bed.then([Op::Delete { key: key("1/us/ecs/task/b") }]).await;
    assert_eq!(watch.next().await.unwrap().len(), 1);
}

async fn a_watch_of_the_future_waits_for_it(kind: Kind) {
    let bed = kind.bed();
    let mut watch = bed.store.watch(&key("a"), Revision(3));
    bed.put("a", "2").await;
    bed.put("a", "3").await;
    assert!(poll_once(watch.next()).is_pending());
    let revision = bed.put("a", "4").await;
    assert_eq!(watch.next().await.unwrap()[0].revision, revision);
}

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

async fn changes_are_counted_before_they_are_acknowledged(kind: Kind) {
    let bed = kind.bed();
    bed.put("a/x", "0").await;
    let count = bed.store.count_changes(&key("a"));
    let mut before = count.get();
    bed.put("b", "1").await;
    bed.put("ab", "1").await;
    assert_eq!(count.get(), before);
    for at in ["a", "a/x", "a/y/z"] {
        bed.put(at, "1").await;
        assert!(count.get() > before, "{at}");
        before = count.get();
    }
    bed.delete("a/x").await;
    assert!(count.get() > before);
}
