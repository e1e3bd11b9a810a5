//! A store to try things on, of either engine, with a clock that the test moves.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, ManualClock, Timestamp};
use store::{Entry, Event, HistoryPolicy, Key, LeaseId, Maintenance, Op, Range, Revision, Store, StoreOptions, Txn};
use tempfile::TempDir;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Memory,
    Sqlite,
}

pub(crate) struct Bed {
    pub(crate) store: Store,
    pub(crate) clock: Arc<ManualClock>,
    directory: Option<TempDir>,
}

impl Kind {
    pub(crate) fn bed(self) -> Bed {
        self.bed_with_history(&[])
    }

    pub(crate) fn bed_with_history(self, history: &[(Key, HistoryPolicy)]) -> Bed {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_secs(1_000_000)));
        let options = StoreOptions { history: history.to_vec(), ..options(clock.clone()) };
        match self {
            Self::Memory => Bed { store: Store::in_memory(options), clock, directory: None },
            Self::Sqlite => {
                let directory = TempDir::new().unwrap();
                let store = Store::open(directory.path(), options).unwrap();
                Bed { store, clock, directory: Some(directory) }
            }
        }
    }
}

pub(crate) fn options(clock: Arc<ManualClock>) -> StoreOptions {
    StoreOptions { clock, maintenance: Maintenance::OnDemand, ..StoreOptions::default() }
}

impl Bed {
    pub(crate) fn directory(&self) -> &Path {
        self.directory.as_ref().unwrap().path()
    }

    /// Closes the store and opens it again.
    pub(crate) async fn reopened(self) -> Self {
        self.store.close().await.unwrap();
        let store = Store::open(self.directory(), options(self.clock.clone())).unwrap();
        Self { store, ..self }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets time pass, and what is due happen.
    pub(crate) async fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.store.maintain().await.unwrap();
    }

    pub(crate) async fn put(&self, at: &str, value: &str) -> Revision {
        self.then([put(at, value)]).await
    }

    pub(crate) async fn delete(&self, at: &str) -> Revision {
        self.then([Op::Delete { key: key(at) }]).await
    }

    pub(crate) async fn then(&self, ops: impl IntoIterator<Item = Op>) -> Revision {
        let txn = Txn { then: ops.into_iter().collect(), ..Txn::default() };
        self.store.txn(txn).await.unwrap().revision
    }

    pub(crate) async fn get(&self, at: &str) -> Option<Entry> {
        self.store.get(&key(at)).await.unwrap()
    }

    pub(crate) async fn value(&self, at: &str) -> Option<String> {
        self.get(at).await.map(|entry| String::from_utf8(entry.value).unwrap())
    }

    /// The keys below a prefix.
    pub(crate) async fn keys(&self, prefix: &str) -> Vec<String> {
        keys_of(self.store.range(Range::prefix(&key(prefix))).await.unwrap().entries)
    }

    /// Every event at and below a prefix, up to now.
    pub(crate) async fn events(&self, prefix: &str, after: Revision) -> Result<Vec<Event>, store::StoreError> {
        let mut watch = self.store.watch(&key(prefix), after);
        let last = self.put(&format!("{prefix}/last-of-all"), "").await;
        let mut events = Vec::new();
        loop {
            events.extend(watch.next().await?);
            if events.last().is_some_and(|event| event.revision == last) {
                events.retain(|event| !event.key().as_str().ends_with("/last-of-all"));
                return Ok(events);
            }
        }
    }
}

pub(crate) fn key(text: &str) -> Key {
    if text.is_empty() { Key::root() } else { Key::new(text.split('/')) }
}

pub(crate) fn put(at: &str, value: &str) -> Op {
    Op::Put { key: key(at), value: value.into(), lease: None }
}

pub(crate) fn put_leased(at: &str, lease: LeaseId) -> Op {
    Op::Put { key: key(at), value: b"leased".to_vec(), lease: Some(lease) }
}

pub(crate) fn keys_of(entries: Vec<Entry>) -> Vec<String> {
    entries.into_iter().map(|entry| entry.key.as_str().to_owned()).collect()
}
