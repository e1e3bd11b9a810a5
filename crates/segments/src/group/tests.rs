use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{AccountId, Region, Timestamp};
use tempfile::TempDir;

use crate::{Disk, GroupKey, NewEvent, Options, Query, Segments, SystemDisk};

fn key() -> GroupKey {
    GroupKey::new(AccountId::DEFAULT, &Region::default(), "g").unwrap()
}

fn append(store: &Segments, message: &str) {
    let event = NewEvent { timestamp: Timestamp::from_millis(1), message: message.to_owned() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.append(&key(), "s", Timestamp::from_millis(1), vec![event])).unwrap();
}

fn read(store: &Segments) -> Vec<String> {
    let page = store.read(&key(), "s", Query::default()).unwrap();
    page.events.into_iter().map(|event| event.message).collect()
}

#[test]
fn a_file_that_is_removed_late_takes_no_newer_one_with_it() {
    let directory = TempDir::new().unwrap();
    let store = Segments::open(directory.path(), Options::default()).unwrap();
    append(&store, "old");
    let snapshot = store.snapshot().unwrap();
    store.expire(&key(), Timestamp::from_millis(2)).unwrap();
    store.settle();
    store.sync();
    let group = store.shared.group(&key()).unwrap();
    assert!(group.close(&store.shared), "nothing is going on");
    append(&store, "new");
    drop(snapshot);
    store.settle();
    assert!(group.freeze(&store.shared).is_ok());
    store.settle();
    assert_eq!(read(&store), ["new"]);
    drop((store, group));
    let store = Segments::open(directory.path(), Options::default()).unwrap();
    assert_eq!(read(&store), ["new"]);
}

#[test]
fn a_group_that_was_closed_is_as_it_was() {
    let directory = TempDir::new().unwrap();
    let store = Segments::open(directory.path(), Options::default()).unwrap();
    let group = store.shared.group(&key()).unwrap();
    for number in 0..5 {
        append(&store, &number.to_string());
        store.sync();
        assert!(group.close(&store.shared), "nothing is going on");
        if number == 2 {
            store.seal(&key()).unwrap();
        }
    }
    assert_eq!(read(&store), ["0", "1", "2", "3", "4"]);
}

/// Tells of each sync.
#[derive(Debug)]
struct ToldDisk(Mutex<Sender<()>>);

impl Disk for ToldDisk {
    fn write_at(&self, file: &std::fs::File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
        SystemDisk.write_at(file, bytes, offset)
    }

    fn truncate(&self, file: &std::fs::File, length: u64) -> std::io::Result<()> {
        SystemDisk.truncate(file, length)
    }

    fn sync(&self, file: &std::fs::File) -> std::io::Result<()> {
        SystemDisk.sync(file)?;
        self.0.lock().unwrap().send(()).map_err(std::io::Error::other)
    }
}

#[test]
fn what_is_appended_is_synced_without_being_asked_for_and_when_the_store_is_closed() {
    let directory = TempDir::new().unwrap();
    let (told, synced) = channel();
    let disk = Arc::new(ToldDisk(Mutex::new(told)));
    let store = Segments::open(directory.path(), Options { disk, ..Options::default() }).unwrap();
    append(&store, "one");
    synced.recv_timeout(Duration::from_secs(60)).unwrap();
    append(&store, "two");
    store.close();
    synced.try_recv().unwrap();
}
