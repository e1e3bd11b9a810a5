//! Backing up while writes go on, and restoring.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base::{AccountId, Region};
use blobs::Digest;
use serde::{Deserialize, Serialize};
use store::{
    Key, LeaseId, Op, RESTORED_REVISION_LEAP, Range, Record, Revision, Scope, Store, StoreError, StoreOptions, Tx, Txn,
    backup_directory, blobs_referenced_in, restore_directory,
};
use tempfile::TempDir;

use crate::bed::{Kind, key, put, put_leased};

fn open(directory: &Path) -> Result<Store, StoreError> {
    Store::open(directory, StoreOptions::default())
}

async fn write(store: &Store, ops: Vec<Op>) -> Revision {
    store.txn(Txn { then: ops, ..Txn::default() }).await.unwrap().revision
}

#[tokio::test]
async fn a_copy_made_under_load_is_of_one_revision() {
    let (directory, copies) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = open(directory.path()).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4).map(|writer| tokio::spawn(count_up(store.clone(), writer, done.clone()))).collect();
    for n in 0..10 {
        let copy = copies.path().join(format!("{n}.db"));
        // In turn as the process that has the store open does it, and as another one.
        let least = store.revision();
        let revision = match n % 2 {
            0 => store.backup_to(&copy).await.unwrap(),
            _ => backup_directory(directory.path(), &copy).unwrap(),
        };
        assert!(revision >= least);
        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
        check_copy(&copy, revision).await;
        write(&store, vec![put("between", &n.to_string())]).await;
    }
    done.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    let left: Vec<_> = fs::read_dir(copies.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 10, "{left:?}");
}

async fn count_up(store: Store, writer: usize, done: Arc<AtomicBool>) {
    for number in 0.. {
        let value = format!("{number}{}", " ".repeat(3000));
        write(&store, (0..3).map(|n| put(&format!("{writer}/{n}"), &value)).collect()).await;
        if done.load(Ordering::Relaxed) {
            break;
        }
    }
}

async fn check_copy(copy: &Path, revision: Revision) {
    let restored = TempDir::new().unwrap();
    let leaped = restore_directory(copy, restored.path()).unwrap();
    assert_eq!(leaped.0, revision.0 + RESTORED_REVISION_LEAP);
    let store = open(restored.path()).unwrap();
    assert_eq!(store.revision(), leaped);
    for writer in 0..4 {
        let entries = store.range(Range::prefix(&key(&writer.to_string()))).await.unwrap().entries;
        let values: BTreeSet<_> = entries.iter().map(|entry| &entry.value).collect();
        assert!(values.len() <= 1 && matches!(entries.len(), 0 | 3), "half a transaction is in the copy");
        assert!(entries.iter().all(|entry| entry.modified <= revision));
    }
}

#[tokio::test]
async fn a_restored_store_has_everything_but_the_past() {
    let bed = Kind::Sqlite.bed();
    let lease = bed.store.grant(Duration::from_secs(10)).await.unwrap();
    bed.then([put("a/1", "old"), put("a/2", "gone"), put_leased("leased", lease)]).await;
    bed.put("a/1", "new").await;
    bed.delete("a/2").await;
    bed.store.enqueue("q", "m", b"body".to_vec(), bed.now()).await.unwrap();
    let files = TempDir::new().unwrap();
    let copy = files.path().join("copy.db");
    bed.store.backup_to(&copy).await.unwrap();
    // What happens after the copy is lost with the original; watchers have seen it.
    let seen = bed.put("a/3", "lost").await;

    let directory = files.path().join("restored");
    let revision = restore_directory(&copy, &directory).unwrap();
    let store = open(&directory).unwrap();
    let text = async |at: &str| store.get(&key(at)).await.unwrap().map(|entry| String::from_utf8(entry.value).unwrap());
    assert_eq!(text("a/1").await.as_deref(), Some("new"));
    assert_eq!((text("a/2").await, text("a/3").await), (None, None));
    let message = store.receive("q", 1, Duration::ZERO).await.unwrap().remove(0);
    assert_eq!(message.body, b"body");
    store.renew(lease).await.unwrap();
    // The original may have given out receipts and leases after the copy was made: none of them comes again.
    assert!(message.receipt.0 > RESTORED_REVISION_LEAP);
    assert_eq!(store.grant(Duration::from_secs(1)).await.unwrap(), LeaseId(lease.0 + RESTORED_REVISION_LEAP + 1));

    for stale in [Revision(1), seen, Revision(seen.0 + 1000)] {
        let told = store.watch(&key("a"), stale).next().await;
        assert!(matches!(told, Err(StoreError::Compacted { floor }) if floor == revision), "{stale}: {told:?}");
        let told = store.range(Range::prefix(&key("a")).at(stale)).await;
        assert!(matches!(told, Err(StoreError::Compacted { .. })), "{stale}: {told:?}");
    }
    let mut watch = store.watch(&key("a"), revision);
    assert_eq!(write(&store, vec![put("a/1", "newest")]).await, Revision(revision.0 + 1));
    let events = watch.next().await.unwrap();
    assert_eq!(events[0].previous.as_ref().unwrap().value, b"new");
}

#[tokio::test]
async fn a_store_can_be_restored_again_and_again() {
    let files = TempDir::new().unwrap();
    let first = files.path().join("0");
    let store = open(&first).unwrap();
    write(&store, vec![put("a", "1")]).await;
    store.close().await.unwrap();
    let mut last = Revision(0);
    for n in 0..4 {
        let copy = files.path().join(format!("{n}.db"));
        backup_directory(&files.path().join(n.to_string()), &copy).unwrap();
        let next = files.path().join((n + 1).to_string());
        let revision = restore_directory(&copy, &next).unwrap();
        assert!(revision.0 >= last.0 + RESTORED_REVISION_LEAP);
        let store = open(&next).unwrap();
        assert_eq!(store.get(&key("a")).await.unwrap().unwrap().value, b"1");
        store.close().await.unwrap();
        last = revision;
    }
}

#[tokio::test]
async fn what_a_killed_process_left_in_its_log_is_in_the_copy() {
    let (directory, killed) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = open(directory.path()).unwrap();
    let revision = write(&store, vec![put("a", "1")]).await;
    for name in ["state.db", "state.db-wal"] {
        fs::copy(directory.path().join(name), killed.path().join(name)).unwrap();
    }
    let copy = killed.path().join("copy.db");
    assert_eq!(backup_directory(killed.path(), &copy).unwrap(), revision);
}

#[tokio::test]
async fn a_copy_overwrites_nothing() {
    let bed = Kind::Sqlite.bed();
    let copy = bed.directory().join("taken");
    fs::write(&copy, "precious").unwrap();
    assert!(matches!(bed.store.backup_to(&copy).await, Err(StoreError::Io { .. })));
    assert_eq!(fs::read(&copy).unwrap(), b"precious");
    let nowhere = TempDir::new().unwrap();
    let copy = nowhere.path().join("copy.db");
    backup_directory(&nowhere.path().join("missing"), &copy).unwrap_err();
    assert!(!copy.exists());
}

#[tokio::test]
async fn a_store_is_not_restored_over() {
    let bed = Kind::Sqlite.bed();
    bed.put("a", "kept").await;
    let files = TempDir::new().unwrap();
    let copy = files.path().join("copy.db");
    bed.store.backup_to(&copy).await.unwrap();
    assert!(matches!(restore_directory(&copy, bed.directory()), Err(StoreError::Locked { .. })));
    bed.store.close().await.unwrap();
    assert!(matches!(restore_directory(&copy, bed.directory()), Err(StoreError::Corrupt { .. })));
    assert_eq!(bed.reopened().await.value("a").await.unwrap(), "kept");
}

#[tokio::test]
async fn a_damaged_copy_is_not_put_in_place() {
    let bed = Kind::Sqlite.bed();
    for n in 0..100 {
        bed.put(&format!("a/{n}"), &"v".repeat(2000)).await;
    }
    let files = TempDir::new().unwrap();
    let copy = files.path().join("copy.db");
    bed.store.backup_to(&copy).await.unwrap();
    let whole = fs::read(&copy).unwrap();
    let mut torn = whole.clone();
    torn[20_000..60_000].fill(0xa5);
    for (n, bytes) in [&whole[..whole.len() / 2], &torn, b"", b"no database"].into_iter().enumerate() {
        fs::write(&copy, bytes).unwrap();
        let directory = files.path().join(n.to_string());
        let refused = restore_directory(&copy, &directory);
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{n}: {refused:?}");
        let left: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["lock"]);
    }
}

#[derive(Serialize, Deserialize)]
struct Layer(String);

impl Record for Layer {
    const SERVICE: &'static str = "ecr";
    const KIND: &'static str = "layer";

    fn blobs(&self) -> Vec<Digest> {
        vec![Digest::of(self.0.as_bytes()), Digest::of(b"shared")]
    }
}

#[tokio::test]
async fn the_blobs_that_records_need_are_told_of_the_store_and_of_its_copy() {
    let bed = Kind::Sqlite.bed();
    let scope = Scope::new(AccountId::DEFAULT, Region::default());
    let mut tx = Tx::new();
    tx.insert(&scope, &["a"], &Layer("a".to_owned())).insert(&scope, &["b"], &Layer("b".to_owned()));
    tx.op(put("raw", "no record"));
    bed.store.commit(tx).await.unwrap();
    let mut tx = Tx::new();
    tx.remove(&bed.store.read::<Layer>(&scope, &["b"]).await.unwrap().unwrap());
    bed.store.commit(tx).await.unwrap();
    let expected = BTreeSet::from([Digest::of(b"a"), Digest::of(b"shared")]);
    assert_eq!(bed.store.referenced_blobs().await.unwrap(), expected);
    let files = TempDir::new().unwrap();
    let copy = files.path().join("copy.db");
    bed.store.backup_to(&copy).await.unwrap();
    assert_eq!(blobs_referenced_in(&copy).unwrap(), expected);
    bed.then([Op::Put { key: Key::new(["broken"]), value: b"{".to_vec(), lease: None }]).await;
    assert!(matches!(bed.store.referenced_blobs().await, Err(StoreError::Record { .. })));
}
