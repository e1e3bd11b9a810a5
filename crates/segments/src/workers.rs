//! The threads of a store: two that write, one that syncs, one that seals, compacts and tidies.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crate::group::{Group, Unsynced};
use crate::shared::Shared;
use crate::{Error, lock};

/// How many threads write. A write is a copy into the kernel's memory, until that is full.
const WRITERS: usize = 2;
/// When more groups than this have been written to, the whole file system is synced instead of their files.
const GROUPS_SYNCED_MAX: usize = 32;
/// When maintenance that failed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// When memory is short, active files that take more than this are sealed; the rest is only forgotten.
const SEALED_MEMORY_BYTES: usize = 128 * 1024;

/// How often who waits for the background is put off by new work.
const SETTLE_ROUNDS_MAX: u32 = 100;

/// What the threads have to do.
#[derive(Debug, Default)]
pub(crate) struct Work {
    writes: Tasks<Arc<Group>>,
    dirty: Tasks<Arc<Group>>,
    /// Held while files are synced.
    syncing: Mutex<()>,
    upkeep: Tasks<Upkeep>,
    is_reclaiming: AtomicBool,
}

/// Something that is done in the background.
#[derive(Debug)]
enum Upkeep {
    Maintain(Arc<Group>),
    /// Learn how large all groups are.
    Measure,
    /// Close groups that are not used.
    Reclaim,
    EmptyTrash,
    /// Tell, once everything before it has been done, whether nothing has come in the meantime.
    Settle(Sender<bool>),
}

impl Work {
    /// Has a group's batches written. Answers false if the store is closed.
    pub(crate) fn write(&self, group: Arc<Group>) -> bool {
        self.writes.push(group)
    }

    /// Has a group synced.
    pub(crate) fn sync(&self, group: &Arc<Group>) {
        if !group.is_dirty.swap(true, Ordering::AcqRel) {
            self.dirty.push(Arc::clone(group));
        }
    }

    /// Has a group maintained.
    pub(crate) fn maintain(&self, group: &Arc<Group>) {
        if !group.is_waiting.swap(true, Ordering::AcqRel) {
            self.upkeep.push(Upkeep::Maintain(Arc::clone(group)));
        }
    }

    /// Has groups closed that are not used.
    pub(crate) fn reclaim(&self) {
        if !self.is_reclaiming.swap(true, Ordering::AcqRel) {
            self.upkeep.push(Upkeep::Reclaim);
        }
    }

    /// Has what is deleted removed.
    pub(crate) fn empty_trash(&self) {
        self.upkeep.push(Upkeep::EmptyTrash);
    }

    /// Has all groups measured.
    pub(crate) fn measure(&self) {
        self.upkeep.push(Upkeep::Measure);
    }

    /// Whether the background is to end.
    pub(crate) fn is_ending(&self) -> bool {
        self.upkeep.is_closed()
    }

    /// Waits until nothing is left to do in the background, but for what is to be tried again later; not for ever, when
    /// there is always more.
    pub(crate) fn settle(&self) {
        for _ in 0..SETTLE_ROUNDS_MAX {
            let (done, all_done) = std::sync::mpsc::channel();
            self.upkeep.push(Upkeep::Settle(done));
            // An error says that the store is closed.
            if all_done.recv().unwrap_or(true) {
                return;
            }
        }
    }
}

/// The threads of a store.
#[derive(Debug)]
pub(crate) struct Workers {
    writers: Vec<JoinHandle<()>>,
    syncer: Option<JoinHandle<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl Workers {
    pub(crate) fn start(shared: &Arc<Shared>, sync_interval: Duration) -> Result<Self, Error> {
        let start = |name: &str, run: Box<dyn FnOnce(&Shared) + Send>| {
            let shared = Arc::clone(shared);
            let thread = Builder::new().name(format!("segments-{name}"));
            thread.spawn(move || run(&shared)).map_err(Error::io("starting a thread"))
        };
        let mut workers = Self { writers: Vec::new(), syncer: None, keeper: None };
        for _ in 0..WRITERS {
            workers.writers.push(start("write", Box::new(write_all))?);
        }
        workers.syncer = Some(start("sync", Box::new(move |shared| sync_all(shared, sync_interval)))?);
        workers.keeper = Some(start("keep", Box::new(keep))?);
        Ok(workers)
    }

    /// Writes what waits, syncs it and ends.
    pub(crate) fn stop(&mut self, shared: &Shared) {
        shared.work.writes.close();
        join(self.writers.drain(..));
        shared.work.dirty.close();
        join(self.syncer.take());
        // What is not sealed yet is sealed after the next opening.
        shared.work.upkeep.close();
        drop(shared.work.upkeep.drain());
        join(self.keeper.take());
    }
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("a thread of the store of events panicked");
        }
    }
}

fn write_all(shared: &Shared) {
    while let Some(group) = shared.work.writes.pop() {
        if group.write(shared) {
            // At the end, so that a busy group does not keep others waiting. Once the store is closed it is done here.
            while !shared.work.writes.push(Arc::clone(&group)) && group.write(shared) {}
        }
    }
}

fn sync_all(shared: &Shared, interval: Duration) {
    while shared.work.dirty.wait_for_any() {
        shared.work.dirty.wait_closed(interval);
        sync_round(shared);
    }
}

/// Syncs the groups that have been written to.
pub(crate) fn sync_round(shared: &Shared) {
    let _syncing = lock(&shared.work.syncing);
    let groups = shared.work.dirty.drain();
    // From now on a write makes it dirty again.
    groups.iter().for_each(|group| group.is_dirty.store(false, Ordering::Release));
    if groups.len() <= GROUPS_SYNCED_MAX {
        for group in groups {
            if let Err(error) = group.sync(shared) {
                tracing::error!(group = %group.key, %error, "events are written and cannot be synced");
            }
        }
        return;
    }
    let unsynced: Vec<Unsynced> = groups.iter().map(|group| group.take_unsynced()).collect();
    if let Err(error) = shared.root.sync_all() {
        tracing::error!(groups = groups.len(), %error, "events are written and cannot be synced");
        groups.iter().zip(unsynced).for_each(|(group, unsynced)| group.rescue(shared, unsynced));
    }
}

fn keep(shared: &Shared) {
    let mut failed: Vec<Arc<Group>> = Vec::new();
    let mut retry_at = None;
    loop {
        let wait = retry_at.map(|at: Instant| at.saturating_duration_since(Instant::now()));
        match shared.work.upkeep.pop_within(wait) {
            Popped::Task(Upkeep::Maintain(group)) => {
                if !maintain(shared, &group) {
                    failed.push(group);
                    retry_at.get_or_insert_with(|| Instant::now() + RETRY_AFTER);
                }
            }
            Popped::Task(Upkeep::Settle(done)) => drop(done.send(shared.work.upkeep.is_empty())),
            Popped::Task(task) => report(tidy(shared, &task)),
            Popped::Nothing => {
                retry_at = None;
                for group in failed.drain(..) {
                    shared.work.upkeep.push(Upkeep::Maintain(group));
                }
            }
            Popped::Closed => return,
        }
    }
}

/// Answers whether it is done, for better or worse.
fn maintain(shared: &Shared, group: &Arc<Group>) -> bool {
    let done = group.maintain(shared);
    let is_done = matches!(done, Ok(()) | Err(Error::Deleted(_)));
    report(done);
    if is_done {
        group.is_waiting.store(false, Ordering::Release);
        // It may have been asked for between its last look and this.
        group.check(shared);
    }
    is_done
}

fn tidy(shared: &Shared, task: &Upkeep) -> Result<(), Error> {
    match task {
        Upkeep::EmptyTrash => shared.root.empty_trash(),
        Upkeep::Reclaim => {
            reclaim(shared);
            Ok(())
        }
        Upkeep::Measure => {
            for key in crate::segments::group_folders(shared)? {
                if let Some(group) = shared.group(&key) {
                    group.measure(shared)?;
                }
            }
            shared.hold_total_cap()
        }
        Upkeep::Maintain(_) | Upkeep::Settle(_) => Ok(()),
    }
}

fn report(done: Result<(), Error>) {
    match done {
        Ok(()) | Err(Error::Deleted(_)) => {}
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(%error, source, "the upkeep of the store of events failed");
        }
    }
}

/// Closes the groups whose last use is longest ago, until there is room.
fn reclaim(shared: &Shared) {
    let mut groups = shared.known_groups();
    groups.sort_by_cached_key(|group| group.used.load(Ordering::Relaxed));
    for group in groups {
        if shared.has_room() {
            break;
        }
        if group.active_memory_bytes() > SEALED_MEMORY_BYTES {
            report(group.freeze(shared));
        }
        group.close(shared);
    }
    shared.forget_empty();
    shared.work.is_reclaiming.store(false, Ordering::Release);
}

/// Tasks for threads.
#[derive(Debug)]
struct Tasks<T> {
    waiting: Mutex<(VecDeque<T>, IsClosed)>,
    changed: Condvar,
}

type IsClosed = bool;

#[derive(Debug)]
enum Popped<T> {
    Task(T),
    Nothing,
    Closed,
}

impl<T> Default for Tasks<T> {
    fn default() -> Self {
        Self { waiting: Mutex::new((VecDeque::new(), false)), changed: Condvar::new() }
    }
}

impl<T> Tasks<T> {
    /// Answers false if it is closed.
    fn push(&self, task: T) -> bool {
        let mut waiting = lock(&self.waiting);
        if !waiting.1 {
            waiting.0.push_back(task);
            self.changed.notify_one();
        }
        !waiting.1
    }

    /// Waits for a task; none once it is closed and empty.
    fn pop(&self) -> Option<T> {
        match self.pop_within(None) {
            Popped::Task(task) => Some(task),
            Popped::Nothing | Popped::Closed => None,
        }
    }

    fn pop_within(&self, timeout: Option<Duration>) -> Popped<T> {
        let mut waiting = lock(&self.waiting);
        loop {
            if let Some(task) = waiting.0.pop_front() {
                return Popped::Task(task);
            }
            if waiting.1 {
                return Popped::Closed;
            }
            let Some(timeout) = timeout else {
                waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let (woken, result) = self.changed.wait_timeout(waiting, timeout).unwrap_or_else(PoisonError::into_inner);
            waiting = woken;
            if result.timed_out() && waiting.0.is_empty() {
                return Popped::Nothing;
            }
        }
    }

    /// Waits until there is a task; answers false once it is closed and empty.
    fn wait_for_any(&self) -> bool {
        let is_idle = |waiting: &mut (VecDeque<T>, IsClosed)| waiting.0.is_empty() && !waiting.1;
        let waiting = self.changed.wait_while(lock(&self.waiting), is_idle).unwrap_or_else(PoisonError::into_inner);
        !waiting.0.is_empty()
    }

    fn is_closed(&self) -> bool {
        lock(&self.waiting).1
    }

    fn is_empty(&self) -> bool {
        lock(&self.waiting).0.is_empty()
    }

    fn drain(&self) -> VecDeque<T> {
        std::mem::take(&mut lock(&self.waiting).0)
    }

    fn close(&self) {
        lock(&self.waiting).1 = true;
        self.changed.notify_all();
    }

    /// Waits for that long, or until it is closed.
    fn wait_closed(&self, timeout: Duration) {
        let waiting = lock(&self.waiting);
        let is_open = |waiting: &mut (VecDeque<T>, IsClosed)| !waiting.1;
        drop(self.changed.wait_timeout_while(waiting, timeout, is_open));
    }
}
