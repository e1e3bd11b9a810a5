//! Power fails at a random moment. A kill cannot show what that does: the kernel still writes what a killed process
//! gave it. Here only what was synced is sure to be there, and of the rest any part, in torn sectors.
//!
//! `PILVI_POWER_LOSSES` sets the number of seeds: 40 unless it says otherwise.

use std::path::Path;
use std::sync::Arc;

use base::{Rng, SeededRng};
use rusqlite::{Connection, OpenFlags};
use store::{Entry, Key, Op, Range, Store, StoreError, StoreOptions, Txn};
use tempfile::TempDir;

use crate::bed::{key, put};
use crate::disk::{Disk, FORGETFUL};

const SEEDS: u64 = 40;
const WRITERS: usize = 4;
const KEYS_TOGETHER: usize = 3;

#[test]
fn no_power_loss_takes_or_halves_an_acknowledged_transaction() {
    let seeds = std::env::var("PILVI_POWER_LOSSES").map_or(SEEDS, |seeds| seeds.parse().unwrap());
    let mut acknowledged = 0;
    for seed in 0..seeds {
        acknowledged += lose_power_three_times(seed);
    }
    assert!(acknowledged > seeds, "only {acknowledged} transactions were acknowledged with {seeds} seeds");
}

/// Writes until the power fails, looks, and goes on with what was left. Answers how much was acknowledged.
fn lose_power_three_times(seed: u64) -> u64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let rng = SeededRng::new(seed);
    let mut directory = TempDir::new().unwrap();
    runtime.block_on(async { Store::open(directory.path(), StoreOptions::default()).unwrap().close().await.unwrap() });
    let (mut least, mut revision, mut total) = ([0; WRITERS], 0, 0);
    for round in 0..3 {
        let disk = Disk::plug_in(directory.path(), rng.next_u64());
        // Up to some checkpoints of the log.
        disk.fail_after(rng.next_u64() % 6000);
        let acknowledged = runtime.block_on(write_until_failure(directory.path(), &disk, &least));
        for (writer, number) in acknowledged.iter().enumerate() {
            total += number.saturating_sub(least[writer]);
            least[writer] = least[writer].max(*number);
        }
        let left = TempDir::new().unwrap();
        disk.remains_into(left.path());
        let context = format!("seed {seed}, round {round}");
        let (numbers, now) = runtime.block_on(check(left.path(), &least, &context));
        assert!(now >= revision, "{context}: the revision went back from {revision} to {now}");
        (directory, least, revision) = (left, numbers, now);
    }
    total
}

/// Writes with several writers, from what is stored on, until the disk has no power. Answers the last number that each was acknowledged.
async fn write_until_failure(directory: &Path, disk: &Disk, stored: &[u64; WRITERS]) -> [u64; WRITERS] {
    let options = StoreOptions { sqlite_vfs: Some(FORGETFUL.to_owned()), ..StoreOptions::default() };
    let store = match Store::open(directory, options) {
        Ok(store) => store,
        Err(error) => {
            assert!(disk.has_failed(), "{error:?}");
            return [0; WRITERS];
        }
    };
    let writers = (0..WRITERS).map(|writer| tokio::spawn(write(store.clone(), writer, stored[writer] + 1)));
    let mut acknowledged = [0; WRITERS];
    for (writer, task) in writers.collect::<Vec<_>>().into_iter().enumerate() {
        let (last, error) = task.await.unwrap();
        assert!(disk.has_failed(), "{error:?}");
        acknowledged[writer] = last;
    }
    acknowledged
}

async fn write(store: Store, writer: usize, first: u64) -> (u64, StoreError) {
    for number in first.. {
        let value = format!("{number}:{}", "x".repeat((number * 997 % 20_000) as usize));
        let mut then: Vec<Op> = (0..KEYS_TOGETHER).map(|n| put(&format!("writers/{writer}/{n}"), &value)).collect();
        then.push(if number % 2 == 0 {
            Op::Delete { key: key(&format!("passing/{writer}")) }
        } else {
            put(&format!("passing/{writer}"), "")
        });
        if let Err(error) = store.txn(Txn { then, ..Txn::default() }).await {
            return (number - 1, error);
        }
        if number % 20 == 0 {
            let revision = store.revision();
            drop(store.compact(&Key::root(), revision).await);
        }
    }
    unreachable!("the power fails before the numbers run out")
}

async fn check(directory: &Path, least: &[u64; WRITERS], context: &str) -> ([u64; WRITERS], u64) {
    let store = Store::open(directory, StoreOptions::default()).unwrap();
    let mut numbers = [0; WRITERS];
    for writer in 0..WRITERS {
        let entries = store.range(Range::prefix(&key(&format!("writers/{writer}")))).await.unwrap().entries;
        let found: Vec<u64> = entries.iter().map(number_in).collect();
        let number = found.first().copied().unwrap_or(0);
        let least = least[writer];
        assert!(number >= least, "{context}: writer {writer} was told of {least}, and {number} is stored");
        let whole = found.is_empty() || found.len() == KEYS_TOGETHER && found.iter().all(|it| *it == number);
        let passing = store.get(&key(&format!("passing/{writer}"))).await.unwrap().is_some();
        assert!(whole && passing == (number % 2 == 1), "{context}: half a transaction: {found:?}, {passing}");
        numbers[writer] = number;
    }
    let revision = store.revision().0;
    store.close().await.unwrap();
    let database = Connection::open(directory.join("state.db")).unwrap();
    let intact: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(intact, "ok", "{context}");
    (numbers, revision)
}

fn number_in(entry: &Entry) -> u64 {
    std::str::from_utf8(&entry.value).unwrap().split(':').next().unwrap().parse().unwrap()
}

#[test]
fn the_disk_does_forget_what_was_not_synced() {
    let mut forgotten = 0;
    for seed in 0..20 {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("unsynced.db");
        Connection::open(&path).unwrap().execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x)").unwrap();
        let disk = Disk::plug_in(directory.path(), seed);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let database = Connection::open_with_flags_and_vfs(&path, flags, FORGETFUL).unwrap();
        database.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF").unwrap();
        for n in 0..50 {
            database.execute("INSERT INTO t VALUES (?1)", [n]).unwrap();
        }
        let left = TempDir::new().unwrap();
        disk.remains_into(left.path());
        let database = Connection::open(left.path().join("unsynced.db")).unwrap();
        let rows = database.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0));
        forgotten += u32::from(rows != Ok(50));
    }
    assert!((5..20).contains(&forgotten), "it forgot something {forgotten} times of 20");
}

#[tokio::test]
async fn a_disk_that_fails_in_a_commit_stops_all_writes_until_the_store_is_opened_again() {
    let directory = TempDir::new().unwrap();
    Store::open(directory.path(), StoreOptions::default()).unwrap().close().await.unwrap();
    let disk = Disk::plug_in(directory.path(), 1);
    let options = StoreOptions { sqlite_vfs: Some(FORGETFUL.to_owned()), ..StoreOptions::default() };
    let store = Arc::new(Store::open(directory.path(), options).unwrap());
    disk.fail_after(0);
    for _ in 0..2 {
        let refused = store.txn(Txn { then: vec![put("a", "1")], ..Txn::default() }).await;
        assert!(matches!(refused, Err(StoreError::Uncertain { .. } | StoreError::Engine { .. })), "{refused:?}");
        if matches!(refused, Err(StoreError::Uncertain { .. })) {
            assert!(matches!(store.failure().await, StoreError::Uncertain { .. }));
        }
    }
}
