//! Transactions.

use store::limits::{KEY_BYTES_MAX, PREFIX_DELETIONS_MAX, TXN_BYTES_MAX, TXN_OPERATIONS_MAX, VALUE_BYTES_MAX};
use store::{Guard, Key, Op, Revision, StoreError, Txn};

use crate::bed::{Kind, key, put};

on_each_engine!(
    a_new_store_is_empty_and_at_revision_one,
    a_value_that_was_put_is_read_back,
    writing_again_keeps_the_creation_and_counts_the_version,
    deleting_and_creating_again_starts_anew,
    the_keys_of_one_transaction_have_one_revision,
    a_transaction_that_changes_nothing_has_no_revision,
    guards_decide_between_the_branches,
    the_first_guard_that_fails_is_named,
    a_guard_on_nothing_below_sees_every_key_below,
    deleting_a_prefix_deletes_what_is_below_and_stops_at_the_limit,
    writing_a_key_twice_is_refused,
    what_exceeds_a_limit_is_refused_and_nothing_happens,
    the_root_and_empty_names_are_refused,
    concurrent_increments_are_all_counted,
    many_keys_are_read_at_one_revision_in_order,
    after_closing_everything_says_so,
);

async fn a_new_store_is_empty_and_at_revision_one(kind: Kind) {
    let bed = kind.bed();
    assert_eq!(bed.store.revision(), Revision(1));
    assert_eq!(bed.keys("").await, Vec::<String>::new());
    assert_eq!(bed.get("a").await, None);
}

async fn a_value_that_was_put_is_read_back(kind: Kind) {
    let bed = kind.bed();
    let revision = bed.put("a/b", "1").await;
    let entry = bed.get("a/b").await.unwrap();
    assert_eq!((entry.key, entry.value, entry.version), (key("a/b"), b"1".to_vec(), 1));
    assert_eq!((entry.created, entry.modified, entry.lease), (revision, revision, None));
    assert_eq!(bed.store.revision(), revision);
}

async fn writing_again_keeps_the_creation_and_counts_the_version(kind: Kind) {
    let bed = kind.bed();
    let first = bed.put("a", "1").await;
    let second = bed.put("a", "2").await;
    let entry = bed.get("a").await.unwrap();
    assert_eq!((entry.created, entry.modified, entry.version), (first, second, 2));
}

async fn deleting_and_creating_again_starts_anew(kind: Kind) {
    let bed = kind.bed();
    bed.put("a", "1").await;
    bed.put("a", "2").await;
    bed.delete("a").await;
    assert_eq!(bed.get("a").await, None);
    let again = bed.put("a", "3").await;
    let entry = bed.get("a").await.unwrap();
    assert_eq!((entry.created, entry.version), (again, 1));
}

async fn the_keys_of_one_transaction_have_one_revision(kind: Kind) {
    let bed = kind.bed();
    bed.put("c", "").await;
    let revision = bed.then([put("a", "1"), put("b", "2"), Op::Delete { key: key("c") }]).await;
    assert_eq!(revision, Revision(3));
    assert_eq!(bed.get("a").await.unwrap().modified, bed.get("b").await.unwrap().modified);
    assert_eq!(bed.keys("").await, ["a", "b"]);
}

async fn a_transaction_that_changes_nothing_has_no_revision(kind: Kind) {
    let bed = kind.bed();
    let before = bed.put("a", "1").await;
    assert_eq!(bed.delete("missing").await, before);
    assert_eq!(bed.then([]).await, before);
    let txn = Txn { guards: vec![Guard::Absent(key("a"))], then: vec![put("b", "")], ..Txn::default() };
    assert_eq!(bed.store.txn(txn).await.unwrap().revision, before);
}

async fn guards_decide_between_the_branches(kind: Kind) {
    let bed = kind.bed();
    let revision = bed.put("a", "1").await;
    for (guard, holds) in [
        (Guard::Absent(key("a")), false),
        (Guard::Absent(key("b")), true),
        (Guard::Exists(key("a")), true),
        (Guard::Exists(key("b")), false),
        (Guard::Modified(key("a"), revision), true),
        (Guard::Modified(key("a"), Revision(revision.0 - 1)), false),
        (Guard::Modified(key("b"), revision), false),
    ] {
        let (then, otherwise) = (vec![put("result", "then")], vec![put("result", "otherwise")]);
        let outcome = bed.store.txn(Txn { guards: vec![guard.clone()], then, otherwise }).await.unwrap();
        assert_eq!(outcome.held, holds, "{guard:?}");
        assert_eq!(bed.value("result").await.unwrap(), if holds { "then" } else { "otherwise" }, "{guard:?}");
    }
}

async fn the_first_guard_that_fails_is_named(kind: Kind) {
    let bed = kind.bed();
    bed.put("a", "1").await;
    let guards = vec![Guard::Exists(key("a")), Guard::Exists(key("b")), Guard::Exists(key("c"))];
    let outcome = bed.store.txn(Txn { guards, ..Txn::default() }).await.unwrap();
    assert_eq!(outcome.failed, Some(key("b")));
}

async fn a_guard_on_nothing_below_sees_every_key_below(kind: Kind) {
    let bed = kind.bed();
    bed.put("a", "itself").await;
    bed.put("ab", "beside").await;
    let guarded = || Txn { guards: vec![Guard::NoneBelow(key("a"))], ..Txn::default() };
    assert!(bed.store.txn(guarded()).await.unwrap().held);
    bed.put("a/b/c", "below").await;
    assert!(!bed.store.txn(guarded()).await.unwrap().held);
}

async fn deleting_a_prefix_deletes_what_is_below_and_stops_at_the_limit(kind: Kind) {
    let bed = kind.bed();
    bed.then(["a", "a/1", "a/2", "a/3", "a/4", "ab"].map(|at| put(at, ""))).await;
    let revision = bed.then([Op::DeletePrefix { prefix: key("a"), limit: 3 }]).await;
    assert_eq!(revision, Revision(3));
    assert_eq!(bed.keys("").await, ["a", "a/4", "ab"]);
    bed.then([Op::DeletePrefix { prefix: key("a"), limit: 3 }]).await;
    assert_eq!(bed.keys("").await, ["a", "ab"]);
}

async fn writing_a_key_twice_is_refused(kind: Kind) {
    let bed = kind.bed();
    for ops in [
        vec![put("a", "1"), put("a", "2")],
        vec![put("a", "1"), Op::Delete { key: key("a") }],
        vec![put("a/b", "1"), Op::DeletePrefix { prefix: key("a"), limit: 1 }],
        vec![Op::DeletePrefix { prefix: key("a"), limit: 1 }, Op::DeletePrefix { prefix: key("a/b"), limit: 1 }],
    ] {
        let refused = bed.store.txn(Txn { then: ops, ..Txn::default() }).await;
        assert!(matches!(refused, Err(StoreError::WrittenTwice { .. })), "{refused:?}");
    }
    let both_branches = Txn { then: vec![put("a", "1")], otherwise: vec![put("a", "2")], ..Txn::default() };
    bed.store.txn(both_branches).await.unwrap();
}

async fn what_exceeds_a_limit_is_refused_and_nothing_happens(kind: Kind) {
    let bed = kind.bed();
    let value = |bytes| Op::Put { key: key("large"), value: vec![0; bytes], lease: None };
    let named = |bytes| put(&"k".repeat(bytes), "");
    let many = |count| (0..count).map(|n| put(&format!("many/{n}"), "")).collect::<Vec<_>>();
    let large = (0..=TXN_BYTES_MAX / VALUE_BYTES_MAX).map(|n| Op::Put {
        key: key(&format!("large/{n}")),
        value: vec![0; VALUE_BYTES_MAX],
        lease: None,
    });
    for ops in [
        vec![value(VALUE_BYTES_MAX + 1)],
        vec![named(KEY_BYTES_MAX + 1)],
        many(TXN_OPERATIONS_MAX + 1),
        vec![Op::DeletePrefix { prefix: key("a"), limit: PREFIX_DELETIONS_MAX + 1 }],
        large.collect(),
    ] {
        let refused = bed.store.txn(Txn { then: ops, ..Txn::default() }).await;
        assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
    }
    assert_eq!(bed.store.revision(), Revision(1));
    bed.then([value(VALUE_BYTES_MAX), named(KEY_BYTES_MAX)]).await;
    bed.then(many(TXN_OPERATIONS_MAX)).await;
    assert_eq!(bed.get("large").await.unwrap().value.len(), VALUE_BYTES_MAX);
}

async fn the_root_and_empty_names_are_refused(kind: Kind) {
    let bed = kind.bed();
    let now = bed.now();
    let nameless = Op::Enqueue { queue: String::new(), id: "a".to_owned(), body: Vec::new(), visible_at: now };
    for op in [Op::Put { key: Key::root(), value: Vec::new(), lease: None }, Op::Delete { key: Key::root() }, nameless]
    {
        let refused = bed.store.txn(Txn { then: vec![op], ..Txn::default() }).await;
        assert!(matches!(refused, Err(StoreError::EmptyKey)), "{refused:?}");
    }
}

async fn concurrent_increments_are_all_counted(kind: Kind) {
    const WRITERS: u64 = 8;
    const INCREMENTS: u64 = 20;
    let bed = kind.bed();
    bed.put("counter", "0").await;
    let writers = (0..WRITERS).map(|_| {
        let store = bed.store.clone();
        tokio::spawn(async move {
            let mut done = 0;
            while done < INCREMENTS {
                let entry = store.get(&key("counter")).await.unwrap().unwrap();
                let count: u64 = String::from_utf8(entry.value).unwrap().parse().unwrap();
                let guards = vec![Guard::Modified(key("counter"), entry.modified)];
                let then = vec![put("counter", &(count + 1).to_string())];
                done += u64::from(store.txn(Txn { guards, then, ..Txn::default() }).await.unwrap().held);
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(bed.value("counter").await.unwrap(), (WRITERS * INCREMENTS).to_string());
}

async fn many_keys_are_read_at_one_revision_in_order(kind: Kind) {
    let bed = kind.bed();
    bed.then([put("a", "1"), put("b", "2")]).await;
    let entries = bed.store.get_many(vec![key("b"), key("missing"), key("a")]).await.unwrap();
    let values: Vec<_> = entries.into_iter().map(|entry| entry.map(|entry| entry.value)).collect();
    assert_eq!(values, [Some(b"2".to_vec()), None, Some(b"1".to_vec())]);
}

async fn after_closing_everything_says_so(kind: Kind) {
    let bed = kind.bed();
    let mut watch = bed.store.watch(&Key::root(), Revision(1));
    let waiting = tokio::spawn(async move { watch.next().await });
    bed.store.close().await.unwrap();
    bed.store.close().await.unwrap();
    assert!(matches!(waiting.await.unwrap(), Err(StoreError::Closed)));
    assert!(matches!(bed.store.get(&key("a")).await, Err(StoreError::Closed)));
    assert!(matches!(bed.store.txn(Txn::default()).await, Err(StoreError::Closed)));
    assert!(matches!(bed.store.queue_signal("q").changed().await, Err(StoreError::Closed)));
}
