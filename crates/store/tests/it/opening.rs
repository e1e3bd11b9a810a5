//! Creating, opening, closing; what is found damaged.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, ManualClock, Timestamp};
use rusqlite::Connection;
use store::{HistoryPolicy, Key, LeaseId, Maintenance, Revision, Store, StoreError, StoreOptions};
use tempfile::TempDir;

use crate::bed::{Kind, key, put_leased};

fn open(directory: &TempDir) -> Result<Store, StoreError> {
    Store::open(directory.path(), StoreOptions::default())
}

#[tokio::test]
async fn what_was_written_is_there_when_the_store_is_opened_again() {
    let bed = Kind::Sqlite.bed();
    let revision = bed.put("a", "1").await;
    let bed = bed.reopened().await;
    assert_eq!(bed.value("a").await.unwrap(), "1");
    assert_eq!(bed.store.revision(), revision);
    assert_eq!(bed.events("a", Revision(1)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn dropping_the_last_handle_closes_the_store() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).unwrap();
    let watch = store.watch(&key("a"), Revision(1));
    drop(store);
    assert!(matches!(open(&directory), Err(StoreError::Locked { .. })));
    drop(watch);
    open(&directory).unwrap();
}

#[tokio::test]
async fn a_second_opener_is_refused() {
    let directory = TempDir::new().unwrap();
    let first = open(&directory).unwrap();
    match open(&directory) {
        Err(error @ StoreError::Locked { .. }) => {
            assert_eq!(error.to_string(), format!("{} is in use by another process", directory.path().display()));
        }
        other => panic!("{other:?}"),
    }
    first.close().await.unwrap();
    open(&directory).unwrap();
}

#[tokio::test]
async fn only_the_owner_can_read_the_files() {
    let outer = TempDir::new().unwrap();
    let directory = outer.path().join("made/on/the/way");
    let store = Store::open(&directory, StoreOptions::default()).unwrap();
    store.grant(Duration::from_secs(1)).await.unwrap();
    let mut found = Vec::new();
    for entry in fs::read_dir(&directory).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
        found.push(entry.file_name().into_string().unwrap());
    }
    found.sort();
    assert_eq!(found, ["lock", "state.db", "state.db-shm", "state.db-wal"]);
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn every_lease_has_its_full_time_again_after_opening() {
    let bed = Kind::Sqlite.bed();
    let lease = bed.store.grant(Duration::from_secs(10)).await.unwrap();
    bed.then([put_leased("a", lease)]).await;
    bed.clock.advance(Duration::from_secs(1000));
    let bed = bed.reopened().await;
    bed.pass(9).await;
    assert!(bed.get("a").await.is_some());
    bed.store.renew(lease).await.unwrap();
    bed.pass(10).await;
    assert!(bed.get("a").await.is_none());
    assert_eq!(bed.store.grant(Duration::from_secs(10)).await.unwrap(), LeaseId(lease.0 + 1));
}

#[tokio::test]
async fn leases_end_by_themselves() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).unwrap();
    let lease = store.grant(Duration::from_millis(20)).await.unwrap();
    let mut watch = store.watch(&key("a"), Revision(2));
    store.txn(store::Txn { then: vec![put_leased("a", lease)], ..store::Txn::default() }).await.unwrap();
    let events = watch.next().await.unwrap();
    assert!(matches!(&events[0].kind, store::EventKind::Delete(_)), "{events:?}");
}

#[tokio::test]
async fn history_that_was_old_before_opening_is_old_afterwards() {
    let clock = Arc::new(ManualClock::starting_at(Timestamp::from_secs(1_000_000)));
    let policy = HistoryPolicy { keep: Duration::from_secs(600), events_max: 1000 };
    let options = || StoreOptions {
        clock: clock.clone(),
        history: vec![(Key::root(), policy)],
        maintenance: Maintenance::OnDemand,
        ..StoreOptions::default()
    };
    let directory = TempDir::new().unwrap();
    for _ in 0..10 {
        // A process that is started again every two minutes would keep all history, if each start made it young.
        let store = Store::open(directory.path(), options()).unwrap();
        for _ in 0..3 {
            store.txn(store::Txn { then: vec![crate::bed::put("a", "1")], ..Default::default() }).await.unwrap();
            clock.advance(Duration::from_secs(61));
        }
        store.maintain().await.unwrap();
        store.close().await.unwrap();
    }
    let rows = Connection::open(directory.path().join("state.db")).unwrap();
    let kept: i64 = rows.query_row("SELECT count(*) FROM log", [], |row| row.get(0)).unwrap();
    assert!(kept < 16, "{kept} rows are kept at {:?}", clock.now());
}

#[tokio::test]
async fn a_policy_is_kept_with_the_store() {
    let bed = Kind::Sqlite.bed();
    let policy = HistoryPolicy { keep: Duration::from_secs(10), events_max: 1000 };
    bed.store.set_history(&key("a"), policy).await.unwrap();
    let bed = bed.reopened().await;
    bed.put("a/x", "1").await;
    bed.put("b/x", "1").await;
    bed.pass(20).await;
    bed.pass(20).await;
    assert!(matches!(bed.events("a", Revision(1)).await, Err(StoreError::Compacted { .. })));
    assert_eq!(bed.events("b", Revision(1)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_told_apart() {
    for content in [&b""[..], b"short", &[b'x'; 8192]] {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("state.db"), content).unwrap();
        let refused = open(&directory);
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn another_programs_database_is_refused() {
    let directory = TempDir::new().unwrap();
    Connection::open(directory.path().join("state.db")).unwrap().execute("CREATE TABLE t (x)", []).unwrap();
    assert!(matches!(open(&directory), Err(StoreError::Corrupt { .. })));
}

#[tokio::test]
async fn a_log_without_its_database_is_not_taken_over() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("state.db-wal"), "left over").unwrap();
    assert!(matches!(open(&directory), Err(StoreError::Corrupt { .. })));
}

#[tokio::test]
async fn damage_is_reported_when_it_is_met() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory).unwrap();
    for n in 0..200 {
        let txn =
            store::Txn { then: vec![crate::bed::put(&format!("a/{n}"), &"v".repeat(1000))], ..Default::default() };
        store.txn(txn).await.unwrap();
    }
    store.close().await.unwrap();
    let path = directory.path().join("state.db");
    let mut bytes = fs::read(&path).unwrap();
    assert!(bytes.len() > 100_000);
    bytes[8192..].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    let met = match open(&directory) {
        Ok(store) => store.range(store::Range::prefix(&key("a"))).await.map(drop),
        Err(error) => Err(error),
    };
    assert!(matches!(met, Err(StoreError::Corrupt { .. })), "{met:?}");
}

#[tokio::test]
async fn a_store_of_a_later_program_is_refused() {
    let directory = TempDir::new().unwrap();
    open(&directory).unwrap().close().await.unwrap();
    let database = Connection::open(directory.path().join("state.db")).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    drop(database);
    assert!(matches!(open(&directory), Err(StoreError::Newer { found: 99, .. })));
}

#[tokio::test]
async fn what_a_crash_left_of_making_the_database_is_cleared_away() {
    let directory = TempDir::new().unwrap();
    for name in ["state.db.new", "state.db.new-wal", "state.db.new-shm"] {
        fs::write(directory.path().join(name), "half").unwrap();
    }
    open(&directory).unwrap().close().await.unwrap();
    let left: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(left.iter().all(|name| !name.contains("new")), "{left:?}");
}
