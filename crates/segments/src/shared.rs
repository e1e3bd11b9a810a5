//! What everything in a store has in common.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base::Clock;

use crate::cache::Caches;
use crate::files::Root;
use crate::group::Group;
use crate::report::Reports;
use crate::workers::Work;
use crate::{Error, GroupKey, Options, lock};

/// How many deleted groups are remembered, so that what was on its way to one does not bring it back.
const DELETED_MAX: usize = 10_000;
/// How much memory the open groups may take before those that are not used are closed.
const GROUPS_BYTES_MAX: usize = 24 * 1024 * 1024;

/// The inside of a store.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) root: Arc<Root>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) group_bytes_max: u64,
    pub(crate) total_bytes_max: u64,
    pub(crate) active_bytes_max: u64,
    pub(crate) query_bytes_max: usize,
    pub(crate) caches: Caches,
    pub(crate) reports: Reports,
    pub(crate) work: Work,
    groups: Mutex<Groups>,
    /// The bytes of all groups' files, of those groups that have been measured.
    pub(crate) total_bytes: AtomicU64,
    /// The memory of all open groups.
    pub(crate) memory_bytes: AtomicUsize,
    /// Counts the uses of groups, to know which was used last.
    uses: AtomicU64,
}

#[derive(Debug, Default)]
struct Groups {
    known: HashMap<GroupKey, Arc<Group>>,
    deleted: HashSet<GroupKey>,
    /// The same, the oldest first.
    deleted_order: VecDeque<GroupKey>,
}

impl Shared {
    pub(crate) fn new(root: Arc<Root>, options: &Options) -> Self {
        Self {
            root,
            clock: Arc::clone(&options.clock),
            group_bytes_max: options.group_bytes_max,
            total_bytes_max: options.total_bytes_max,
            active_bytes_max: options.active_bytes_max,
            query_bytes_max: options.query_bytes_max,
            caches: Caches::default(),
            reports: Reports::default(),
            work: Work::default(),
            groups: Mutex::default(),
            total_bytes: AtomicU64::new(0),
            memory_bytes: AtomicUsize::new(0),
            uses: AtomicU64::new(0),
        }
    }

    /// The group with a key; none if it has been deleted.
    pub(crate) fn group(&self, key: &GroupKey) -> Option<Arc<Group>> {
        let mut groups = lock(&self.groups);
        if groups.deleted.contains(key) {
            return None;
        }
        if let Some(group) = groups.known.get(key) {
            return Some(Arc::clone(group));
        }
        let group = Arc::new(Group::new(key.clone()));
        groups.known.insert(key.clone(), Arc::clone(&group));
        Some(group)
    }

    /// The group with a key, if anything has been asked of it since the store was opened.
    pub(crate) fn known(&self, key: &GroupKey) -> Option<Arc<Group>> {
        lock(&self.groups).known.get(key).cloned()
    }

    /// All groups of which anything has been asked since the store was opened.
    pub(crate) fn known_groups(&self) -> Vec<Arc<Group>> {
        lock(&self.groups).known.values().cloned().collect()
    }

    /// No call reaches the group any more.
    pub(crate) fn forget(&self, key: &GroupKey) -> Option<Arc<Group>> {
        let mut groups = lock(&self.groups);
        if groups.deleted.insert(key.clone()) {
            groups.deleted_order.push_back(key.clone());
        }
        if groups.deleted_order.len() > DELETED_MAX
            && let Some(oldest) = groups.deleted_order.pop_front()
        {
            groups.deleted.remove(&oldest);
        }
        groups.known.remove(key)
    }

    /// Forgets groups that take only memory: closed, without files, in nobody's hands.
    pub(crate) fn forget_empty(&self) {
        lock(&self.groups).known.retain(|_, group| Arc::strong_count(group) > 1 || !group.is_blank());
    }

    /// Takes note that a group's files have grown or shrunk.
    pub(crate) fn account(&self, from: u64, to: u64) {
        if to >= from {
            self.total_bytes.fetch_add(to - from, Ordering::AcqRel);
        } else {
            self.total_bytes.fetch_sub(from - to, Ordering::AcqRel);
        }
    }

    /// Takes note that a group takes more memory, or less.
    pub(crate) fn account_memory(&self, from: usize, to: usize) {
        if to >= from {
            self.memory_bytes.fetch_add(to - from, Ordering::AcqRel);
        } else {
            self.memory_bytes.fetch_sub(from - to, Ordering::AcqRel);
        }
    }

    /// Whether all files together are more than they may be.
    pub(crate) fn is_over_cap(&self) -> bool {
        self.total_bytes.load(Ordering::Acquire) > self.total_bytes_max
    }

    /// Drops the oldest events of the biggest group of the account with the most bytes, as long as all have more bytes together
    /// than they may. So nobody pushes out another's events with many groups that are small.
    pub(crate) fn hold_total_cap(&self) -> Result<(), Error> {
        while self.is_over_cap() {
            let groups = self.known_groups();
            let mut of_accounts = HashMap::<&str, u64>::new();
            for group in &groups {
                *of_accounts.entry(group.key.account()).or_default() += group.bytes();
            }
            let size = |group: &&Arc<Group>| (of_accounts.get(group.key.account()).copied(), group.bytes());
            let Some(biggest) = groups.iter().max_by_key(size) else { break };
            match biggest.drop_oldest(self) {
                Ok(true) | Err(Error::Deleted(_)) => {}
                Ok(false) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether groups must be closed.
    pub(crate) fn is_memory_short(&self) -> bool {
        self.memory_bytes.load(Ordering::Acquire) > GROUPS_BYTES_MAX
    }

    /// Whether so many groups have been closed that there is room for some time.
    pub(crate) fn has_room(&self) -> bool {
        self.memory_bytes.load(Ordering::Acquire) < GROUPS_BYTES_MAX / 4 * 3
    }

    pub(crate) fn next_use(&self) -> u64 {
        self.uses.fetch_add(1, Ordering::Relaxed)
    }
}
