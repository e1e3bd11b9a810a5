//! Ranges.

use store::limits::{PAGE_BYTES_MAX, VALUE_BYTES_MAX};
use store::{Key, Op, Range, Revision, StoreError};

use crate::bed::{Kind, key, keys_of, put};

on_each_engine!(
    a_prefix_lists_what_is_below_it_alone,
    pages_follow_each_other_in_both_directions,
    a_page_is_bounded_in_bytes,
    a_range_is_read_as_it_was,
    pages_of_the_past_follow_each_other,
    the_future_cannot_be_read,
    a_page_tells_the_revision_that_it_was_read_at,
);

async fn a_prefix_lists_what_is_below_it_alone(kind: Kind) {
    let bed = kind.bed();
    bed.then(["a", "a/b", "a/b/c", "a!", "a0", "ab/c", "a%", "z"].map(|at| put(at, ""))).await;
    assert_eq!(bed.keys("a").await, ["a/b", "a/b/c"]);
    assert_eq!(bed.keys("").await, ["a", "a!", "a%25", "a/b", "a/b/c", "a0", "ab/c", "z"]);
    assert_eq!(bed.keys("nothing").await, Vec::<String>::new());
}

async fn pages_follow_each_other_in_both_directions(kind: Kind) {
    let bed = kind.bed();
    let all: Vec<String> = (0..25).map(|n| format!("p/{n:02}")).collect();
    bed.then(all.iter().map(|at| put(at, ""))).await;
    for reverse in [false, true] {
        let mut range = Range::prefix(&key("p")).limit(10);
        range.reverse = reverse;
        let mut listed = Vec::new();
        loop {
            let page = bed.store.range(range.clone()).await.unwrap();
            assert!(page.entries.len() == 10 || !page.more);
            range = range.after(&page.entries.last().unwrap().key);
            listed.extend(keys_of(page.entries));
            if !page.more {
                break;
            }
        }
        if reverse {
            listed.reverse();
        }
        assert_eq!(listed, all);
    }
}

async fn a_page_is_bounded_in_bytes(kind: Kind) {
    let bed = kind.bed();
    let full = PAGE_BYTES_MAX / VALUE_BYTES_MAX;
    for n in 0..full + 2 {
        bed.then([Op::Put { key: key(&format!("p/{n:02}")), value: vec![0; VALUE_BYTES_MAX], lease: None }]).await;
    }
    let page = bed.store.range(Range::prefix(&key("p"))).await.unwrap();
    assert_eq!((page.entries.len(), page.more), (full, true));
    let rest = bed.store.range(Range::prefix(&key("p")).after(&page.entries[full - 1].key)).await.unwrap();
    assert_eq!((rest.entries.len(), rest.more), (2, false));
}

async fn a_range_is_read_as_it_was(kind: Kind) {
    let bed = kind.bed();
    bed.then([put("p/a", "1"), put("p/b", "1")]).await;
    let then = bed.put("p/c", "1").await;
    let before = bed.store.range(Range::prefix(&key("p"))).await.unwrap();
    bed.put("p/a", "2").await;
    bed.put("p/a", "3").await;
    bed.delete("p/b").await;
    bed.put("p/d", "1").await;
    bed.delete("p/d").await;
    let again = bed.store.range(Range::prefix(&key("p")).at(then)).await.unwrap();
    assert_eq!(again, before);
    let reversed = bed.store.range(Range::prefix(&key("p")).at(then).reverse()).await.unwrap();
    assert_eq!(keys_of(reversed.entries), ["p/c", "p/b", "p/a"]);
}

async fn pages_of_the_past_follow_each_other(kind: Kind) {
    let bed = kind.bed();
    bed.then((0..10).map(|n| put(&format!("p/{n}"), "old"))).await;
    let first = bed.store.range(Range::prefix(&key("p")).limit(4)).await.unwrap();
    bed.then((0..10).map(|n| Op::Delete { key: key(&format!("p/{n}")) })).await;
    let rest = Range::prefix(&key("p")).at(first.revision).after(&first.entries[3].key);
    let rest = bed.store.range(rest).await.unwrap();
    assert_eq!(keys_of(rest.entries), ["p/4", "p/5", "p/6", "p/7", "p/8", "p/9"]);
}

async fn the_future_cannot_be_read(kind: Kind) {
    let bed = kind.bed();
    let refused = bed.store.range(Range::prefix(&Key::root()).at(Revision(2))).await;
    assert!(matches!(refused, Err(StoreError::FutureRevision { requested: Revision(2), current: Revision(1) })));
}

async fn a_page_tells_the_revision_that_it_was_read_at(kind: Kind) {
    let bed = kind.bed();
    let revision = bed.put("a", "1").await;
    assert_eq!(bed.store.range(Range::prefix(&key("nothing"))).await.unwrap().revision, revision);
}
