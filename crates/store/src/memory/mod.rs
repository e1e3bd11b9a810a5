//! The engine without a disk: the model that the others are compared with, and the state of simulations.
//!
//! It answers at once, has no thread of its own and expires nothing by itself: whoever moves the clock calls
//! [`Store::maintain`](crate::Store::maintain).

mod state;

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::Clock;

use crate::engine::{Answer, Changes, Engine};
use crate::hub::Hub;
use crate::pattern::Pattern;
use crate::{
    Entry, HistoryPolicy, Key, LeaseId, Message, Page, QueueCount, Range, Revision, StoreError, Txn, TxnOutcome,
};
use state::{Committed, State};

pub(crate) struct MemoryEngine {
    clock: Arc<dyn Clock>,
    hub: Hub,
    state: Mutex<Option<State>>,
}

impl MemoryEngine {
    pub(crate) fn new(clock: Arc<dyn Clock>, history: &[(Key, HistoryPolicy)]) -> Self {
        let mut state = State::new();
        for (prefix, policy) in history {
            state.domains.register(prefix.clone(), *policy);
        }
        state.domains.recall(state.revision, clock.now());
        Self { clock, hub: Hub::new(state.revision), state: Mutex::new(Some(state)) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        // A panic between two changes of the state could only come from a failed allocation, which aborts.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, read: impl FnOnce(&State) -> Result<T, StoreError>) -> Answer<'_, T>
    where
        T: Send + 'static,
    {
        let answer = self.lock().as_ref().map_or(Err(StoreError::Closed), read);
        Box::pin(std::future::ready(answer))
    }

    fn write<T>(&self, write: impl FnOnce(&mut State, &mut Committed) -> Result<T, StoreError>) -> Answer<'_, T>
    where
        T: Send + 'static,
    {
        let mut committed = Committed::default();
        let mut state = self.lock();
        let answer = match &mut *state {
            Some(state) => write(state, &mut committed).inspect(|_| {
                self.hub.publish(state.revision, &committed.keys, committed.queues.iter().map(String::as_str));
            }),
            None => Err(StoreError::Closed),
        };
        Box::pin(std::future::ready(answer))
    }
}

impl Engine for MemoryEngine {
    fn hub(&self) -> &Hub {
        &self.hub
    }

    fn revision(&self) -> Revision {
        self.lock().as_ref().map_or(Revision(0), |state| state.revision)
    }

    fn get_many(&self, keys: Vec<Key>) -> Answer<'_, Vec<Option<Entry>>> {
        self.read(|state| Ok(keys.iter().map(|key| state.live(key).cloned()).collect()))
    }

    fn range(&self, range: Range) -> Answer<'_, Page> {
        self.read(|state| state.range(&range))
    }

    fn changes<'a>(&'a self, pattern: &'a Pattern, after: Revision, limit: usize) -> Answer<'a, Changes> {
        self.read(|state| state.changes(pattern, after, limit))
    }

    fn txn(&self, txn: Txn) -> Answer<'_, TxnOutcome> {
        let now = self.clock.now();
        self.write(|state, committed| state.txn(txn, now, committed))
    }

    fn receive(&self, queue: String, max: usize, hold: Duration) -> Answer<'_, Vec<Message>> {
        let now = self.clock.now();
        self.write(|state, _| Ok(state.receive(&queue, max, hold, now)))
    }

    fn count(&self, queue: String) -> Answer<'_, QueueCount> {
        let now = self.clock.now();
        self.read(|state| Ok(state.count(&queue, now)))
    }

    fn grant(&self, ttl: Duration) -> Answer<'_, LeaseId> {
        let now = self.clock.now();
        self.write(|state, _| Ok(state.grant(ttl, now)))
    }

    fn renew(&self, lease: LeaseId) -> Answer<'_, ()> {
        let now = self.clock.now();
        self.write(|state, _| state.renew(lease, now))
    }

    fn revoke(&self, lease: LeaseId) -> Answer<'_, ()> {
        let now = self.clock.now();
        self.write(|state, committed| state.revoke(lease, now, committed))
    }

    fn set_history(&self, prefix: Key, policy: HistoryPolicy) -> Answer<'_, ()> {
        self.write(|state, _| {
            state.domains.register(prefix, policy);
            Ok(())
        })
    }

    fn compact(&self, prefix: Key, revision: Revision) -> Answer<'_, ()> {
        self.write(|state, _| state.compact(&prefix, revision))
    }

    fn maintain(&self) -> Answer<'_, ()> {
        let now = self.clock.now();
        // One lease after the other, each published by itself, as the transactions that they are.
        loop {
            let mut expired = false;
            drop(self.write(|state, committed| {
                expired = state.expire_one(now, committed)?;
                Ok(())
            }));
            if !expired {
                break;
            }
        }
        self.write(|state, _| {
            state.compact_due(now);
            Ok(())
        })
    }

    fn backup_to(&self, path: PathBuf) -> Answer<'_, Revision> {
        let reason = format!("a store in memory cannot be backed up to {}", path.display());
        Box::pin(std::future::ready(Err(StoreError::Engine { reason })))
    }

    fn failure(&self) -> Pin<Box<dyn Future<Output = StoreError> + Send + '_>> {
        Box::pin(std::future::pending())
    }

    fn close(&self) -> Answer<'_, ()> {
        *self.lock() = None;
        self.hub.close();
        Box::pin(std::future::ready(Ok(())))
    }
}
