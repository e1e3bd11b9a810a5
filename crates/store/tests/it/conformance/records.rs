//! The typed layer.

use base::{AccountId, Region};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{
    Change, ListOptions, MigrationError, Op, Record, Revision, Scope, SecondaryKey, Store, StoreError, Tx, Versioned,
};

use crate::bed::{Kind, key};

on_each_engine!(
    a_record_is_inserted_once,
    a_record_is_replaced_only_as_it_was_read,
    a_removed_record_takes_its_secondary_keys_along,
    requirements_are_kept,
    listing_gives_ids_in_order_page_by_page,
    ids_of_many_segments_are_listed_by_their_first,
    scopes_are_apart,
    all_scopes_are_listed_page_by_page,
    a_secondary_key_finds_many_and_follows_changes,
    a_unique_key_belongs_to_one,
    a_unique_key_moves_from_one_record_to_another_in_one_transaction,
    an_update_is_tried_again_after_a_conflict,
    an_update_that_changes_nothing_is_not_written,
    an_update_can_refuse,
    an_older_document_is_migrated_with_its_secondary_keys,
    a_newer_document_is_refused,
    changes_are_watched_as_records,
    a_leased_record_keeps_its_lease_when_it_is_replaced,
);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Task {
    cluster: String,
    name: Option<String>,
    count: u32,
}

impl Record for Task {
    const SERVICE: &'static str = "ecs";
    const KIND: &'static str = "task";

    fn secondary_keys(&self) -> Vec<SecondaryKey> {
        let name = self.name.iter().map(|name| SecondaryKey::unique("name", name));
        std::iter::once(SecondaryKey::new("cluster", &self.cluster)).chain(name).collect()
    }
}

fn task(cluster: &str) -> Task {
    Task { cluster: cluster.to_owned(), name: None, count: 0 }
}

fn named(name: &str) -> Task {
    Task { name: Some(name.to_owned()), ..task("c") }
}

fn scope() -> Scope {
    Scope::new(AccountId::DEFAULT, Region::default())
}

async fn insert(store: &Store, id: &[&str], task: &Task) -> Result<Revision, StoreError> {
    let mut tx = Tx::new();
    tx.insert(&scope(), id, task);
    store.commit(tx).await
}

async fn read(store: &Store, id: &[&str]) -> Versioned<Task> {
    store.read(&scope(), id).await.unwrap().unwrap()
}

fn count_one(task: &mut Task) -> Result<(), StoreError> {
    task.count += 1;
    Ok(())
}

fn ids<R>(items: &[Versioned<R>]) -> Vec<&str> {
    items.iter().map(Versioned::name).collect()
}

async fn by_cluster(store: &Store, cluster: &str) -> Vec<String> {
    let listing = store.list_by::<Task>(&scope(), "cluster", cluster, None, 100).await.unwrap();
    listing.items.iter().map(|task| task.name().to_owned()).collect()
}

async fn a_record_is_inserted_once(kind: Kind) {
    let bed = kind.bed();
    let revision = insert(&bed.store, &["a"], &task("c")).await.unwrap();
    let again = insert(&bed.store, &["a"], &task("d")).await;
    assert!(matches!(&again, Err(StoreError::Conflict { key }) if key.as_str().ends_with("ecs/task/a")), "{again:?}");
    let stored = read(&bed.store, &["a"]).await;
    assert_eq!((&stored.value, &stored.id[..], stored.modified), (&task("c"), &["a".to_owned()][..], revision));
    assert_eq!(stored.scope, scope());
    assert_eq!(bed.store.read::<Task>(&scope(), &["b"]).await.unwrap(), None);
    let many = bed.store.read_many::<Task>(&scope(), &[&["b"], &["a"]]).await.unwrap();
    assert_eq!(many, [None, Some(stored)]);
}

async fn a_record_is_replaced_only_as_it_was_read(kind: Kind) {
    let bed = kind.bed();
    insert(&bed.store, &["a"], &task("c")).await.unwrap();
    let stale = read(&bed.store, &["a"]).await;
    for succeeds in [true, false] {
        let mut tx = Tx::new();
        tx.replace(&stale, &Task { count: 1, ..task("c") });
        assert_eq!(bed.store.commit(tx).await.is_ok(), succeeds);
    }
    let mut tx = Tx::new();
    tx.remove(&stale);
    assert!(bed.store.commit(tx).await.unwrap_err().is_conflict());
    assert_eq!(read(&bed.store, &["a"]).await.count, 1);
}

async fn a_removed_record_takes_its_secondary_keys_along(kind: Kind) {
    let bed = kind.bed();
    insert(&bed.store, &["a"], &named("n")).await.unwrap();
    let mut tx = Tx::new();
    tx.remove(&read(&bed.store, &["a"]).await);
    bed.store.commit(tx).await.unwrap();
    assert_eq!(bed.keys("").await, Vec::<String>::new());
}

async fn requirements_are_kept(kind: Kind) {
    let bed = kind.bed();
    insert(&bed.store, &["a", "1"], &task("c")).await.unwrap();
    let read = read(&bed.store, &["a", "1"]).await;
    let attempt = async |require: &dyn Fn(&mut Tx) -> &mut Tx| {
        let mut tx = Tx::new();
        require(&mut tx);
        bed.store.commit(tx).await.is_ok()
    };
    assert!(attempt(&|tx| tx.require(&read)).await);
    assert!(attempt(&|tx| tx.require_absent::<Task>(&scope(), &["a", "2"])).await);
    assert!(!attempt(&|tx| tx.require_absent::<Task>(&scope(), &["a", "1"])).await);
    assert!(attempt(&|tx| tx.require_none::<Task>(&scope(), &["b"])).await);
    assert!(!attempt(&|tx| tx.require_none::<Task>(&scope(), &["a"])).await);
    insert(&bed.store, &["b", "1"], &task("c")).await.unwrap();
    bed.store.update(&scope(), &["a", "1"], count_one).await.unwrap();
    assert!(!attempt(&|tx| tx.require(&read)).await);
}

async fn listing_gives_ids_in_order_page_by_page(kind: Kind) {
    let bed = kind.bed();
    for n in (0..25).rev() {
        insert(&bed.store, &[&format!("t{n:02}")], &task("c")).await.unwrap();
    }
    let (mut after, mut listed, mut pages) = (None, Vec::new(), 0);
    loop {
        let options = ListOptions { after: after.as_deref(), limit: 10, ..ListOptions::default() };
        let listing = bed.store.list::<Task>(&scope(), options).await.unwrap();
        listed.extend(listing.items.into_iter().map(|task| task.name().to_owned()));
        pages += 1;
        assert_eq!(listing.more, listing.next.is_some());
        after = listing.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, (0..25).map(|n| format!("t{n:02}")).collect::<Vec<_>>());
    assert_eq!(pages, 3);
}

async fn ids_of_many_segments_are_listed_by_their_first(kind: Kind) {
    let bed = kind.bed();
    for id in [["a", "2"], ["a", "1"], ["a/b", "1"], ["ab", "1"]] {
        insert(&bed.store, &id, &task("c")).await.unwrap();
    }
    let list = async |id_prefix: &[&str], after: Option<&str>| {
        let options = ListOptions { id_prefix, after, limit: 1, at: None };
        bed.store.list::<Task>(&scope(), options).await.unwrap()
    };
    let first = list(&["a"], None).await;
    assert_eq!(first.items[0].id, ["a", "1"]);
    let second = list(&["a"], first.next.as_deref()).await;
    assert_eq!((&second.items[0].id[..], second.more), (&["a".to_owned(), "2".to_owned()][..], false));
    assert_eq!(list(&["a/b"], None).await.items[0].id, ["a/b", "1"]);
}

async fn scopes_are_apart(kind: Kind) {
    let bed = kind.bed();
    let scopes = [scope(), Scope::global(AccountId::DEFAULT), Scope::system()];
    for (n, scope) in (0..).zip(&scopes) {
        let mut tx = Tx::new();
        tx.insert(scope, &["a"], &Task { count: n, ..named("n") });
        bed.store.commit(tx).await.unwrap();
    }
    for (n, scope) in (0..).zip(&scopes) {
        let listing = bed.store.list::<Task>(scope, ListOptions::default()).await.unwrap();
        assert_eq!((listing.items.len(), listing.items[0].count), (1, n));
        assert_eq!(bed.store.find_by::<Task>(scope, "name", "n").await.unwrap().unwrap().count, n);
    }
}

async fn all_scopes_are_listed_page_by_page(kind: Kind) {
    let bed = kind.bed();
    bed.put("short", "").await;
    let mut expected = Vec::new();
    for account in ["111111111111", "222222222222", "333333333333"] {
        for region in ["eu-north-1", "us-east-1"] {
            let scope = Scope::new(account.parse().unwrap(), region.parse().unwrap());
            bed.put(&format!("{}/s3/bucket/x", scope.key()), "").await;
            if account == "222222222222" {
                continue;
            }
            for id in ["a", "b"] {
                let mut tx = Tx::new();
                tx.insert(&scope, &[id], &task("c"));
                bed.store.commit(tx).await.unwrap();
                expected.push((scope.clone(), id.to_owned()));
            }
        }
    }
    for limit in [1, 3, 100] {
        let (mut after, mut listed) = (None, Vec::new());
        loop {
            let listing = bed.store.list_everywhere::<Task>(after.as_deref(), limit).await.unwrap();
            listed.extend(listing.items.iter().map(|task| (task.scope.clone(), task.name().to_owned())));
            after = listing.next;
            if !listing.more {
                break;
            }
        }
        assert_eq!(listed, expected, "{limit}");
    }
}

async fn a_secondary_key_finds_many_and_follows_changes(kind: Kind) {
    let bed = kind.bed();
    for (id, cluster) in [("a", "x"), ("b", "y"), ("c", "x"), ("d", "x/y")] {
        insert(&bed.store, &[id], &task(cluster)).await.unwrap();
    }
    assert_eq!(by_cluster(&bed.store, "x").await, ["a", "c"]);
    assert_eq!(by_cluster(&bed.store, "x/y").await, ["d"]);
    assert_eq!(by_cluster(&bed.store, "z").await, Vec::<String>::new());
    let first = bed.store.list_by::<Task>(&scope(), "cluster", "x", None, 1).await.unwrap();
    let second = bed.store.list_by::<Task>(&scope(), "cluster", "x", first.next.as_deref(), 1).await.unwrap();
    assert_eq!((ids(&first.items), ids(&second.items), second.more), (vec!["a"], vec!["c"], false));
    bed.store
        .update::<Task, StoreError>(&scope(), &["a"], |task| {
            task.cluster = "y".to_owned();
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(by_cluster(&bed.store, "x").await, ["c"]);
    assert_eq!(by_cluster(&bed.store, "y").await, ["a", "b"]);
}

async fn a_unique_key_belongs_to_one(kind: Kind) {
    let bed = kind.bed();
    insert(&bed.store, &["a"], &named("n")).await.unwrap();
    assert!(insert(&bed.store, &["b"], &named("n")).await.unwrap_err().is_conflict());
    insert(&bed.store, &["b"], &named("m")).await.unwrap();
    let rename = async |name: &'static str| {
        let renamed = |task: &mut Task| {
            task.name = Some(name.to_owned());
            Ok(())
        };
        bed.store.update::<Task, StoreError>(&scope(), &["b"], renamed).await
    };
    assert!(rename("n").await.unwrap_err().is_conflict());
    rename("o").await.unwrap();
    let find = async |name| bed.store.find_by::<Task>(&scope(), "name", name).await.unwrap().map(|it| it.id[0].clone());
    assert_eq!(find("n").await.as_deref(), Some("a"));
    assert_eq!(find("m").await, None);
    assert_eq!(find("o").await.as_deref(), Some("b"));
}

async fn a_unique_key_moves_from_one_record_to_another_in_one_transaction(kind: Kind) {
    let bed = kind.bed();
    insert(&bed.store, &["a"], &named("n")).await.unwrap();
    let mut tx = Tx::new();
    tx.remove(&read(&bed.store, &["a"]).await).insert(&scope(), &["b"], &named("n"));
    bed.store.commit(tx).await.unwrap();
    let found = bed.store.find_by::<Task>(&scope(), "name", "n").await.unwrap().unwrap();
    assert_eq!(found.name(), "b");
}

async fn an_update_is_tried_again_after_a_conflict(kind: Kind) {
    let bed = kind.bed();
    insert(&bed.store, &["a"], &task("c")).await.unwrap();
    let updates = (0..10).map(|_| {
        let store = bed.store.clone();
        tokio::spawn(async move { store.update(&scope(), &["a"], count_one).await.unwrap() })
    });
    for update in updates.collect::<Vec<_>>() {
        update.await.unwrap();
    }
    assert_eq!(read(&bed.store, &["a"]).await.count, 10);
}

async fn an_update_that_changes_nothing_is_not_written(kind: Kind) {
    let bed = kind.bed();
    let revision = insert(&bed.store, &["a"], &task("c")).await.unwrap();
    let unchanged = bed.store.update::<Task, StoreError>(&scope(), &["a"], |_| Ok(())).await.unwrap();
    assert_eq!((unchanged.modified, bed.store.revision()), (revision, revision));
    let changed = bed.store.update(&scope(), &["a"], count_one).await.unwrap();
    assert_eq!(changed, read(&bed.store, &["a"]).await);
}

async fn an_update_can_refuse(kind: Kind) {
    #[derive(Debug)]
    enum Refused {
        Full,
        Store(StoreError),
    }
    impl From<StoreError> for Refused {
        fn from(error: StoreError) -> Self {
            Self::Store(error)
        }
    }
    let bed = kind.bed();
    insert(&bed.store, &["a"], &task("c")).await.unwrap();
    let refused = bed.store.update::<Task, Refused>(&scope(), &["a"], |_| Err(Refused::Full)).await;
    assert!(matches!(refused, Err(Refused::Full)));
    let missing = bed.store.update::<Task, Refused>(&scope(), &["b"], |_| Ok(())).await;
    assert!(matches!(missing, Err(Refused::Store(StoreError::NotFound { .. }))));
}

/// What a later program makes of a task: the cluster is optional, and the count can be searched for.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct TaskV2 {
    place: String,
}

impl Record for TaskV2 {
    const SERVICE: &'static str = "ecs";
    const KIND: &'static str = "task";
    const VERSION: u32 = 2;

    fn migrate(from: u32, value: Value) -> Result<Value, MigrationError> {
        match (from, value.get("cluster")) {
            (1, Some(cluster)) => Ok(json!({ "place": cluster })),
            _ => Err(MigrationError { from, reason: "it has no cluster".to_owned() }),
        }
    }

    fn secondary_keys(&self) -> Vec<SecondaryKey> {
        vec![SecondaryKey::new("place", &self.place)]
    }
}

async fn an_older_document_is_migrated_with_its_secondary_keys(kind: Kind) {
    let bed = kind.bed();
    insert(&bed.store, &["a"], &named("n")).await.unwrap();
    let old = bed.store.read::<TaskV2>(&scope(), &["a"]).await.unwrap().unwrap();
    assert_eq!(old.value, TaskV2 { place: "c".to_owned() });
    bed.store.update::<TaskV2, StoreError>(&scope(), &["a"], |_| Ok(())).await.unwrap();
    let prefix = format!("{}/ecs", scope().key());
    assert_eq!(bed.keys(&prefix).await, [format!("{prefix}/task/a"), format!("{prefix}/task@place/c/a")]);
}

async fn a_newer_document_is_refused(kind: Kind) {
    let bed = kind.bed();
    let mut tx = Tx::new();
    tx.insert(&scope(), &["a"], &TaskV2 { place: "p".to_owned() });
    bed.store.commit(tx).await.unwrap();
    let refused = bed.store.read::<Task>(&scope(), &["a"]).await;
    assert!(matches!(&refused, Err(StoreError::Record { .. })), "{refused:?}");
    let at = key(&format!("{}/ecs/task/a", scope().key()));
    bed.then([Op::Put { key: at, value: b"no JSON".to_vec(), lease: None }]).await;
    assert!(matches!(bed.store.read::<TaskV2>(&scope(), &["a"]).await, Err(StoreError::Record { .. })));
}

async fn changes_are_watched_as_records(kind: Kind) {
    let bed = kind.bed();
    let mut here = bed.store.watch_records::<Task>(&scope(), Revision(1));
    let mut everywhere = bed.store.watch_records_everywhere::<Task>(Revision(1));
    insert(&bed.store, &["a"], &task("c")).await.unwrap();
    bed.store.update(&scope(), &["a"], count_one).await.unwrap();
    let mut tx = Tx::new();
    tx.remove(&read(&bed.store, &["a"]).await);
    let removed = bed.store.commit(tx).await.unwrap();
    for watch in [&mut here, &mut everywhere] {
        let changes = watch.next().await.unwrap();
        let [first, second, third] = &changes[..] else { panic!("{changes:?}") };
        assert!(matches!(first, Change::Put { record, previous: None } if record.count == 0));
        assert!(matches!(second, Change::Put { record, previous: Some(old) } if record.count == 1 && old.count == 0));
        assert!(
            matches!(third, Change::Removed { revision, previous: Some(old), .. } if *revision == removed && old.count == 1)
        );
    }
}

async fn a_leased_record_keeps_its_lease_when_it_is_replaced(kind: Kind) {
    let bed = kind.bed();
    let lease = bed.store.grant(std::time::Duration::from_secs(10)).await.unwrap();
    let mut tx = Tx::new();
    tx.insert_leased(&scope(), &["a"], &named("n"), lease);
    bed.store.commit(tx).await.unwrap();
    bed.store.update(&scope(), &["a"], count_one).await.unwrap();
    assert_eq!(read(&bed.store, &["a"]).await.lease, Some(lease));
    bed.store.revoke(lease).await.unwrap();
    assert_eq!(bed.keys("").await, Vec::<String>::new());
}
