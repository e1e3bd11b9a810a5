use std::collections::BTreeSet;
use std::sync::Arc;

use base::{AccountId, Region, SeededRng, Timestamp};
use blobs::files::Files;
use bytes::Bytes;
use platform::Platform;
use proptest::prelude::*;
use store::{Record, Tx};
use tempfile::TempDir;

use super::*;
use crate::bucket::{Bucket, Versioning};
use crate::content::{Content, Data};
use crate::notification::NoDestinations;
use crate::object::{Attributes, Object, Order, Parts, Version, VersionId, What, current_id, older_id, refs};

fn s3() -> (TempDir, S3) {
    let directory = TempDir::new().unwrap();
    let files = Files::open_root(directory.path(), Arc::new(SeededRng::new(1))).unwrap();
    (directory, S3::new(Platform::in_memory(), Content::new(files), Arc::new(NoDestinations)))
}

fn bucket() -> Bucket {
    Bucket {
        uid: "b".to_owned(),
        name: "bucket".to_owned(),
        owner: AccountId::DEFAULT,
        region: Region::default(),
        created: Timestamp::default(),
        versioning: Versioning::Never,
        ownership: None,
        acl: None,
        public_access_block: None,
        tags: Default::default(),
        settings: Default::default(),
    }
}

fn version(order: u64, is_object: bool) -> Version {
    let object = Object {
        size: 0,
        etag: String::new(),
        data: Data::Inline(Bytes::new()),
        checksum: None,
        parts: Parts::None,
        upload: None,
        attributes: Attributes::default(),
        tags: Default::default(),
        acl: None,
        storage_class: None,
    };
    Version {
        order: Order::next(Timestamp::default(), order, None),
        id: VersionId::Null,
        modified: Timestamp::default(),
        owner: AccountId::DEFAULT,
        what: if is_object { What::Object(Box::new(object)) } else { What::Marker },
    }
}

async fn put(s3: &S3, key: &str, older: u64, is_object: bool) {
    let scope = bucket().scope();
    let mut tx = Tx::new();
    let current = Current { latest: version(older, is_object), older_null: None };
    tx.insert(&scope, &refs(&current_id("b", key)), &current);
    for order in 0..older {
        let record = Older { past: version(order, true), since: Timestamp::default() };
        tx.insert(&scope, &refs(&older_id("b", key, record.past.order)), &record);
    }
    s3.platform.store.commit(tx).await.unwrap();
}

fn running<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// What a page says, as texts: prefixes end with the delimiter and come as they are.
fn texts<T>(page: &Page<T>) -> Vec<String> {
    page.items
        .iter()
        .map(|item| match item {
            Item::At(key, _) => format!("key {key}"),
            Item::Prefix(prefix) => format!("prefix {prefix}"),
        })
        .collect()
}

/// The same, from a set of keys.
fn expected(keys: &BTreeSet<String>, prefix: &str, delimiter: &str) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for key in keys.iter().filter(|key| key.starts_with(prefix)) {
        let text = match rolled_up(key, prefix, delimiter) {
            Some(prefix) => format!("prefix {prefix}"),
            None => format!("key {key}"),
        };
        if texts.last() != Some(&text) {
            texts.push(text);
        }
    }
    texts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn pages_together_are_what_the_keys_are_rolled_up_to(
        keys in prop::collection::btree_set("[ab/%\\x00\\x01é.-]{1,5}", 0..30),
        deleted in prop::collection::btree_set("[ab/%\\x00\\x01é.-]{1,5}", 0..30),
        passed_max in 1_usize..4,
        prefix in "[ab/]{0,2}",
        delimiter in prop_oneof![Just(""), Just("/"), Just("a/"), Just("é"), Just("\u{1}")],
        limit in 1_usize..5,
    ) {
        let (_directory, s3) = s3();
        running(async {
            for key in &keys {
                put(&s3, key, 0, true).await;
            }
            for key in deleted.difference(&keys) {
                put(&s3, key, 0, false).await;
            }
            let (mut listed, mut after) = (Vec::new(), After::Start);
            loop {
                let query = Query { prefix: &prefix, delimiter, after, limit };
                let page = objects_within(&s3, &bucket(), &query, passed_max).await.unwrap();
                assert!(page.items.len() <= limit && (page.items.len() == limit || page.is_short() || !page.more));
                listed.extend(texts(&page));
                match page.last().filter(|_| page.more) {
                    Some(last) => after = After::Key(last.to_owned()),
                    None => break,
                }
            }
            assert_eq!(listed, expected(&keys, &prefix, delimiter));
        });
    }

    #[test]
    fn versions_of_a_key_come_newest_first_and_pages_go_on_within_it(
        keys in prop::collection::btree_map("[ab/]{1,3}", 0_u64..4, 0..8),
        delimiter in prop_oneof![Just(""), Just("/")],
        limit in 1_usize..4,
    ) {
        let (_directory, s3) = s3();
        running(async {
            for (key, older) in &keys {
                put(&s3, key, *older, older % 2 == 0).await;
            }
            let (mut listed, mut after) = (Vec::new(), After::Start);
            loop {
                let query = Query { prefix: "", delimiter, after, limit };
                let page = versions(&s3, &bucket(), &query).await.unwrap();
                after = match page.items.last() {
                    Some(Item::At(key, last)) => After::Version(key.clone(), last.version.order.place()),
                    Some(Item::Prefix(prefix)) => After::Key(prefix.clone()),
                    None => After::Start,
                };
                listed.extend(page.items);
                if !page.more {
                    break;
                }
            }
            let mut expected = Vec::new();
            for (key, older) in &keys {
                match rolled_up(key, "", delimiter) {
                    Some(prefix) => expected.push(format!("{prefix} prefix")),
                    None => expected.extend((0..=*older).rev().map(|order| format!("{key} {order} {}", order == *older))),
                }
            }
            expected.dedup();
            let of_order = |order: Order| u64::from_str_radix(&format!("{order:X}"), 16).unwrap();
            let listed: Vec<String> = listed
                .into_iter()
                .map(|item| match item {
                    Item::At(key, it) => format!("{key} {} {}", of_order(it.version.order), it.is_latest),
                    Item::Prefix(prefix) => format!("{prefix} prefix"),
                })
                .collect();
            assert_eq!(listed, expected);
        });
    }
}

#[tokio::test]
async fn delete_markers_are_no_objects() {
    let (_directory, s3) = s3();
    put(&s3, "a", 1, false).await;
    put(&s3, "b", 0, true).await;
    let query = Query { limit: PAGE_MAX, ..Query::default() };
    assert_eq!(texts(&objects(&s3, &bucket(), &query).await.unwrap()), ["key b"]);
    assert_eq!(versions(&s3, &bucket(), &query).await.unwrap().items.len(), 3);
    assert!(!objects(&s3, &bucket(), &Query { limit: 1, ..Query::default() }).await.unwrap().more);
}

#[tokio::test]
async fn a_page_begins_after_a_key_that_need_not_be_there() {
    let (_directory, s3) = s3();
    for key in ["a", "a/b", "a/c", "b"] {
        put(&s3, key, 0, true).await;
    }
    let page = |after: &str, delimiter: &'static str| {
        let after = After::Key(after.to_owned());
        let (s3, bucket) = (s3.clone(), bucket());
        async move { texts(&objects(&s3, &bucket, &Query { prefix: "", delimiter, after, limit: 10 }).await.unwrap()) }
    };
    assert_eq!(page("a/b", "").await, ["key a/c", "key b"]);
    assert_eq!(page("a/b", "/").await, ["prefix a/", "key b"]);
    assert_eq!(page("a/", "/").await, ["key b"]);
    assert_eq!(page("aa", "/").await, ["key b"]);
}

#[tokio::test]
async fn a_page_ends_where_too_many_deleted_keys_were_passed_over() {
    let (_directory, s3) = s3();
    for n in 0..40 {
        put(&s3, &format!("k{n:02}/"), 0, n % 20 == 19).await;
    }
    let page = |after, delimiter| {
        let (s3, bucket) = (s3.clone(), bucket());
        async move {
            let query = Query { delimiter, after, limit: 10, ..Query::default() };
            objects_within(&s3, &bucket, &query, 5).await.unwrap()
        }
    };
    let first = page(After::Start, "").await;
    assert_eq!((first.items.len(), first.more, first.last()), (0, true, Some("k04/")));
    for delimiter in ["", "/"] {
        let (mut pages, mut after, mut listed) = (0, After::Start, Vec::new());
        loop {
            let page = page(after, delimiter).await;
            listed.extend(texts(&page));
            pages += 1;
            match page.last().filter(|_| page.more) {
                Some(last) => after = After::Key(last.to_owned()),
                None => break,
            }
        }
        let what = if delimiter.is_empty() { "key" } else { "prefix" };
        assert_eq!((pages, listed), (8, vec![format!("{what} k19/"), format!("{what} k39/")]));
    }
}

#[tokio::test]
async fn a_walk_at_a_revision_sees_nothing_of_what_came_after() {
    let (_directory, s3) = s3();
    let keys: Vec<String> = (0..200).map(|n| format!("k{n:03}")).collect();
    for key in &keys {
        put(&s3, key, 0, true).await;
    }
    let (bucket, revision) = (bucket(), s3.platform.store.revision());
    let above = below::<Current>(&bucket.scope(), &bucket.uid);
    let mut walk = Walk::new(&s3, &above, "k", None, |record: Versioned<Current>| record.modified).at(revision);
    let mut met = Vec::new();
    while let Some((key, modified)) = walk.next().await.unwrap() {
        assert!(modified <= revision, "{key}");
        met.push(key);
        // All that has not been met yet is gone by now, and there is as much of something else.
        if met.len() == 10 {
            for key in &keys[10..] {
                let mut tx = Tx::new();
                tx.op(store::Op::Delete { key: Current::key(&bucket.scope(), &refs(&current_id("b", key))) });
                s3.platform.store.commit(tx).await.unwrap();
                put(&s3, &format!("{key}x"), 0, true).await;
            }
        }
    }
    assert_eq!(met, keys);
}
