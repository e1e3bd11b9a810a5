//! What the tests have in common.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use base::{AccountId, ManualClock, Region, Timestamp};
use segments::{Direction, Event, GroupKey, NewEvent, Options, Query, Scan, Segments};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The time at which tests begin: 2026-11-23T00:00:00Z.
pub(crate) const NOW: i64 = 1_795_392_000_000;

pub(crate) fn group(id: &str) -> GroupKey {
    GroupKey::new(AccountId::DEFAULT, &Region::default(), id).unwrap()
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn event(timestamp: i64, message: impl Into<String>) -> NewEvent {
    NewEvent { timestamp: at(timestamp), message: message.into() }
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A clock that stands still, and active files that are full soon.
pub(crate) fn options(active_bytes_max: u64) -> Options {
    let clock = Arc::new(ManualClock::starting_at(at(NOW)));
    Options { clock, active_bytes_max, ..Options::default() }
}

/// A store in a directory of its own.
pub(crate) struct Bed {
    pub(crate) directory: TempDir,
    pub(crate) store: Arc<Segments>,
    runtime: Runtime,
}

impl Bed {
    pub(crate) fn new(options: Options) -> Self {
        let directory = TempDir::new().unwrap();
        let store = Segments::open(directory.path(), options).unwrap();
        Self { directory, store, runtime: runtime() }
    }

    /// Closes the store and opens it again.
    pub(crate) fn reopen(&mut self, options: Options) {
        self.store.close();
        let closed = TempDir::new().unwrap();
        self.store = Segments::open(closed.path(), Options::default()).unwrap();
        self.store = Segments::open(self.directory.path(), options).unwrap();
    }

    pub(crate) fn append(&self, group: &GroupKey, stream: &str, events: Vec<NewEvent>) {
        self.runtime.block_on(self.store.append(group, stream, at(NOW), events)).unwrap();
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

/// All events of a stream, page by page.
pub(crate) fn read_all(store: &Segments, group: &GroupKey, stream: &str, direction: Direction) -> Vec<Event> {
    let mut query = Query { direction, limit_events: 7, ..Query::default() };
    let mut all = Vec::new();
    loop {
        let mut page = store.read(group, stream, query).unwrap();
        match direction {
            Direction::Forward => all.append(&mut page.events),
            Direction::Backward => all = page.events.into_iter().chain(all).collect(),
        }
        if page.exhausted {
            return all;
        }
        query.from = Some(page.next);
    }
}

/// All events that a scan passes, some at a time.
pub(crate) fn scan_all(store: &Segments, group: &GroupKey, scan: &Scan) -> Vec<Event> {
    let mut scan = Scan { limit_events: 11, ..scan.clone() };
    let mut all = Vec::new();
    loop {
        let keep = &mut |event: segments::EventRef<'_>| {
            all.push(event.to_event());
            ControlFlow::Continue(())
        };
        match store.scan(group, &scan, keep).unwrap().next {
            Some(next) => scan.from = Some(next),
            None => return all,
        }
    }
}

pub(crate) fn messages(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.message.as_str()).collect()
}

/// The files of a group, by name.
pub(crate) fn files_of(directory: &Path, group: &GroupKey) -> Vec<String> {
    let folder = directory.join(group.as_str());
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A line that does not compress.
pub(crate) fn noise(number: i64) -> String {
    let mut state = (number as u64).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 16
    };
    (0..20).map(|_| format!("{:x}", next())).collect()
}
