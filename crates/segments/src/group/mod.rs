//! A group: its files, and who may change them.
//!
//! A group is closed until something is asked of it. Open, it has one active file at most, frozen ones that wait to be
//! sealed, and sealed ones; all are numbered in the order in which they were begun.

mod append;
mod delete;
mod maintain;
mod open;
mod view;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use self::append::Queue;
pub(crate) use self::append::Request;
pub(crate) use self::view::View;
use crate::files::{Root, StoredFile};
use crate::log::Log;
use crate::marks::Marks;
use crate::report::Dropped;
use crate::segment::Segment;
use crate::shared::Shared;
use crate::subscribe::Subscribers;
use crate::{Error, GroupKey, lock};

/// A group of streams.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) key: GroupKey,
    state: Mutex<State>,
    queue: Mutex<Queue>,
    pub(crate) subscribers: Subscribers,
    /// It waits for [`Group::sync`].
    pub(crate) is_dirty: AtomicBool,
    /// It waits for [`Group::maintain`].
    pub(crate) is_waiting: AtomicBool,
    /// The bytes of its files.
    bytes: AtomicU64,
    /// When it was used last, in [`Shared::next_use`]'s time.
    pub(crate) used: AtomicU64,
    refused: AtomicU64,
    capped: AtomicU64,
}

#[derive(Debug)]
enum State {
    /// What is on the disk is not known but for its size, if it has been measured.
    Closed {
        is_measured: bool,
    },
    Open(Box<Open>),
    Deleted,
}

/// What is known of a group that is open.
#[derive(Debug)]
struct Open {
    active: Option<Log>,
    /// The oldest first.
    frozen: Vec<Arc<Log>>,
    /// The oldest first; all older than the frozen ones.
    segments: Vec<Arc<Segment>>,
    marks: Marks,
    /// All files that were there at the opening have smaller numbers.
    least_number: u64,
    next_sequence: u64,
    /// Files that have been written to and not synced.
    unsynced: Vec<Arc<StoredFile>>,
    /// Names have been made that are not durable.
    has_new_names: bool,
    /// The memory that has been accounted for.
    memory_bytes: usize,
}

impl Group {
    pub(crate) fn new(key: GroupKey) -> Self {
        Self {
            key,
            state: Mutex::new(State::Closed { is_measured: false }),
            queue: Mutex::default(),
            subscribers: Subscribers::default(),
            is_dirty: AtomicBool::new(false),
            is_waiting: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
            used: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            capped: AtomicU64::new(0),
        }
    }

    /// Does something with the open group; opens it if need be.
    fn with<T>(
        self: &Arc<Self>,
        shared: &Shared,
        work: impl FnOnce(&mut Open) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut state = lock(&self.state);
        self.used.store(shared.next_use(), Ordering::Relaxed);
        let open = self.open(shared, &mut state)?;
        let answer = work(open);
        self.account(shared, open);
        if !open.frozen.is_empty() || self.is_over_cap(shared) {
            shared.work.maintain(self);
        }
        answer
    }

    fn open<'a>(&self, shared: &Shared, state: &'a mut MutexGuard<'_, State>) -> Result<&'a mut Open, Error> {
        if let State::Closed { .. } = **state {
            **state = State::Open(Box::new(Open::recover(shared, &self.key)?));
        }
        match &mut **state {
            State::Open(open) => Ok(open),
            State::Closed { .. } | State::Deleted => Err(Error::Deleted(self.key.clone())),
        }
    }

    /// Tells the store what has changed in size.
    fn account(&self, shared: &Shared, open: &mut Open) {
        let bytes = open.file_bytes();
        shared.account(self.bytes.swap(bytes, Ordering::AcqRel), bytes);
        let memory = open.memory_bytes();
        shared.account_memory(std::mem::replace(&mut open.memory_bytes, memory), memory);
        if shared.is_memory_short() {
            shared.work.reclaim();
        }
    }

    fn is_over_cap(&self, shared: &Shared) -> bool {
        self.bytes() > shared.group_bytes_max || shared.is_over_cap()
    }

    /// The bytes of its files.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    /// Learns the bytes of its files without opening it.
    pub(crate) fn measure(&self, shared: &Shared) -> Result<(), Error> {
        let mut state = lock(&self.state);
        if let State::Closed { is_measured: is_measured @ false } = &mut *state {
            let bytes = shared.root.list(self.key.as_str())?.iter().map(|file| file.size).sum();
            shared.account(self.bytes.swap(bytes, Ordering::AcqRel), bytes);
            *is_measured = true;
        }
        Ok(())
    }

    /// The events that were lost.
    pub(crate) fn dropped(&self) -> Dropped {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Dropped { refused: count(&self.refused), capped: count(&self.capped) }
    }

    /// Whether forgetting it loses nothing.
    pub(crate) fn is_blank(&self) -> bool {
        let is_closed = matches!(*lock(&self.state), State::Closed { .. });
        is_closed && self.bytes() == 0 && self.dropped() == Dropped::default() && self.subscribers.is_empty()
    }

    /// Frees the memory that it takes, if nothing is going on. Answers whether it is closed now.
    pub(crate) fn close(&self, shared: &Shared) -> bool {
        let mut state = lock(&self.state);
        let State::Open(open) = &mut *state else { return true };
        if !open.frozen.is_empty() || !open.unsynced.is_empty() || open.has_new_names {
            return false;
        }
        shared.account_memory(open.memory_bytes, 0);
        *state = State::Closed { is_measured: true };
        true
    }

    /// Has it maintained if there is something to seal.
    pub(crate) fn check(self: &Arc<Self>, shared: &Shared) {
        if matches!(&*lock(&self.state), State::Open(open) if !open.frozen.is_empty()) {
            shared.work.maintain(self);
        }
    }

    /// What has been written since the last time, to be brought to the disk.
    pub(crate) fn take_unsynced(&self) -> Unsynced {
        match &mut *lock(&self.state) {
            State::Open(open) => Unsynced {
                files: std::mem::take(&mut open.unsynced),
                has_new_names: std::mem::take(&mut open.has_new_names),
            },
            State::Closed { .. } | State::Deleted => Unsynced::default(),
        }
    }

    /// Brings what has been written to the disk.
    pub(crate) fn sync(self: &Arc<Self>, shared: &Shared) -> Result<(), Error> {
        let unsynced = self.take_unsynced();
        let synced = sync_files(&shared.root, &self.key, &unsynced);
        if synced.is_err() {
            self.rescue(shared, unsynced);
        }
        synced
    }

    /// After a failed sync the kernel takes the pages for clean: what they hold is written anew, by sealing it.
    pub(crate) fn rescue(self: &Arc<Self>, shared: &Shared, unsynced: Unsynced) {
        if let State::Open(open) = &mut *lock(&self.state) {
            open.freeze();
            open.unsynced.extend(unsynced.files);
            open.has_new_names |= unsynced.has_new_names;
            shared.work.maintain(self);
        }
    }
}

/// What has been written to and not synced.
#[derive(Debug, Default)]
pub(crate) struct Unsynced {
    files: Vec<Arc<StoredFile>>,
    /// Names have been made that are not durable.
    has_new_names: bool,
}

fn sync_files(root: &Root, key: &GroupKey, unsynced: &Unsynced) -> Result<(), Error> {
    for file in &unsynced.files {
        let synced = file.open().and_then(|open| root.disk.sync(&open));
        match synced {
            // The group has been deleted in the meantime.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            synced => synced.map_err(Error::io("syncing events"))?,
        }
    }
    if unsynced.has_new_names { root.sync_folders(key.as_str()) } else { Ok(()) }
}

impl Open {
    /// Begins no batch in the active file any more: it waits to be sealed.
    fn freeze(&mut self) {
        if let Some(active) = self.active.take() {
            self.frozen.push(Arc::new(active));
        }
    }

    /// All active and frozen files, the oldest first.
    fn logs(&self) -> impl DoubleEndedIterator<Item = &Log> {
        self.frozen.iter().map(|log| &**log).chain(&self.active)
    }

    fn file_bytes(&self) -> u64 {
        let logs: u64 = self.logs().map(|log| log.length).sum();
        let segments: u64 = self.segments.iter().map(|segment| segment.size).sum();
        logs + segments + self.marks.file_bytes()
    }

    fn memory_bytes(&self) -> usize {
        let logs: usize = self.logs().map(Log::memory_bytes).sum();
        logs + self.segments.len() * (size_of::<Segment>() + 160) + size_of::<Self>()
    }

    /// Marks that are not after this number have nothing left to hide.
    fn clean_before(&self) -> u64 {
        let logs = self.logs().map(|log| log.totals.first_sequence);
        let segments = self.segments.iter().map(|segment| segment.totals.first_sequence.max(segment.clean_before));
        logs.chain(segments).min().unwrap_or(u64::MAX)
    }

    fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.logs().next().is_none()
    }
}

#[cfg(test)]
mod tests;
