//! Watching records.

use std::marker::PhantomData;

use super::envelope::decode;
use super::{Record, Scope, Versioned, kind_key};
use crate::{Event, EventKind, Key, Revision, Store, StoreError, Watch};

/// The changes of the records of one kind; see [`Watch`].
#[derive(Debug)]
pub struct RecordWatch<R> {
    watch: Watch,
    kind: PhantomData<fn() -> R>,
}

/// A record changed.
#[derive(Debug, Clone)]
pub enum Change<R> {
    /// It was created or written.
    Put {
        /// As it is now.
        record: Versioned<R>,
        /// As it was; none if it is new.
        previous: Option<Versioned<R>>,
    },
    /// It was removed.
    Removed {
        /// By which revision.
        revision: Revision,
        /// Its key.
        key: Key,
        /// As it was.
        previous: Option<Versioned<R>>,
    },
}

impl<R: Record> RecordWatch<R> {
    /// Waits for changes, each once and in order; see [`Watch::next`] for its errors.
    pub async fn next(&mut self) -> Result<Vec<Change<R>>, StoreError> {
        self.watch.next().await?.into_iter().map(change).collect()
    }

    /// The revision up to which everything has been handed out.
    pub fn position(&self) -> Revision {
        self.watch.position()
    }
}

fn change<R: Record>(event: Event) -> Result<Change<R>, StoreError> {
    let previous = event.previous.as_ref().map(decode).transpose()?;
    Ok(match event.kind {
        EventKind::Put(entry) => Change::Put { record: decode(&entry)?, previous },
        EventKind::Delete(key) => Change::Removed { revision: event.revision, key, previous },
    })
}

impl Store {
    /// Watches the records of a kind in a scope, from the first change after a revision.
    pub fn watch_records<R: Record>(&self, scope: &Scope, after: Revision) -> RecordWatch<R> {
        RecordWatch { watch: self.watch(&kind_key::<R>(scope), after), kind: PhantomData }
    }

    /// Watches the records of a kind in all scopes: what a reconciler does.
    pub fn watch_records_everywhere<R: Record>(&self, after: Revision) -> RecordWatch<R> {
        RecordWatch { watch: self.watch_kind(R::SERVICE, R::KIND, after), kind: PhantomData }
    }
}
