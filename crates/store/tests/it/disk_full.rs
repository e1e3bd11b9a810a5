//! A full disk: a clear error, nothing lost, and writes again once there is space.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use base::{Rng, SeededRng};
use store::{Range, Store, StoreError, StoreOptions, Txn};
use tempfile::TempDir;

use crate::bed::{key, put};
use crate::disk::{Disk, FORGETFUL};

#[test]
fn a_disk_that_runs_full_again_and_again_loses_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for seed in 0..20 {
        runtime.block_on(run_full_again_and_again(seed));
    }
}

async fn run_full_again_and_again(seed: u64) {
    let directory = TempDir::new().unwrap();
    Store::open(directory.path(), StoreOptions::default()).unwrap().close().await.unwrap();
    let disk = Disk::plug_in(directory.path(), seed);
    let options = StoreOptions { sqlite_vfs: Some(FORGETFUL.to_owned()), ..StoreOptions::default() };
    let store = Store::open(directory.path(), options).unwrap();
    let rng = SeededRng::new(seed);
    let (mut stored, mut refused) = (BTreeMap::new(), 0);
    for number in 0..200_u64 {
        if number % 10 == 0 {
            disk.set_free((number % 20 == 0).then(|| rng.next_u64() % 60_000));
        }
        let at = format!("a/{}", rng.next_u64() % 20);
        let value = format!("{number}:{}", "x".repeat((rng.next_u64() % 20_000) as usize));
        match store.txn(Txn { then: vec![put(&at, &value)], ..Txn::default() }).await {
            Ok(_) => drop(stored.insert(at, value)),
            Err(StoreError::Full) => refused += 1,
            Err(error) => panic!("seed {seed}: {error:?}"),
        }
    }
    disk.set_free(None);
    let last = store.txn(Txn { then: vec![put("a/last", "")], ..Txn::default() }).await.unwrap();
    stored.insert("a/last".to_owned(), String::new());
    assert!(refused > 10, "seed {seed}: the disk was full {refused} times only");
    assert_eq!(last.revision.0, 1 + 200 - refused + 1, "seed {seed}: a refused transaction has a revision");
    store.close().await.unwrap();
    let left = TempDir::new().unwrap();
    disk.remains_into(left.path());
    let store = Store::open(left.path(), StoreOptions::default()).unwrap();
    assert_eq!(all(&store).await, stored, "seed {seed}");
}

async fn all(store: &Store) -> BTreeMap<String, String> {
    let page = store.range(Range::prefix(&key("a"))).await.unwrap();
    let pair = |entry: store::Entry| (entry.key.to_string(), String::from_utf8(entry.value).unwrap());
    page.entries.into_iter().map(pair).collect()
}

/// A small file system of its own, until it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Result<Self, String> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]).arg(at).output();
        let mounted = mounted.map_err(|error| error.to_string())?;
        if mounted.status.success() {
            return Ok(Self(at.to_owned()));
        }
        Err(String::from_utf8_lossy(&mounted.stderr).trim().to_owned())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).status().unwrap();
    }
}

#[tokio::test]
async fn a_real_file_system_that_is_full_loses_nothing() {
    let mount_point = TempDir::new().unwrap();
    let small = match SmallDisk::mount(mount_point.path()) {
        Ok(small) => small,
        Err(reason) => return eprintln!("skipped: no small file system can be mounted here: {reason}"),
    };
    let directory = small.0.join("store");
    let ballast = small.0.join("ballast");
    std::fs::write(&ballast, vec![0; 1024 * 1024]).unwrap();
    let store = Store::open(&directory, StoreOptions::default()).unwrap();
    let mut stored = BTreeMap::new();
    let mut number = 0;
    let full = loop {
        let (at, value) = (format!("a/{number:04}"), "x".repeat(10_000));
        match store.txn(Txn { then: vec![put(&at, &value)], ..Txn::default() }).await {
            Ok(_) => drop(stored.insert(at, value)),
            Err(error) => break error,
        }
        number += 1;
    };
    assert!(matches!(full, StoreError::Full), "{full:?}");
    assert_eq!(full.to_string(), "no space is left for the store's data");
    assert!(number > 20, "{number}");
    assert_eq!(all(&store).await, stored, "reads go on");
    let again = store.txn(Txn { then: vec![put("a/again", &"x".repeat(10_000))], ..Txn::default() }).await;
    assert!(matches!(again, Err(StoreError::Full)), "{again:?}");
    std::fs::remove_file(ballast).unwrap();
    for number in 0..10 {
        let (at, value) = (format!("a/after-{number}"), "y".repeat(10_000));
        store.txn(Txn { then: vec![put(&at, &value)], ..Txn::default() }).await.unwrap();
        stored.insert(at, value);
    }
    store.close().await.unwrap();
    let store = Store::open(&directory, StoreOptions::default()).unwrap();
    assert_eq!(all(&store).await, stored);
    store.close().await.unwrap();
}
