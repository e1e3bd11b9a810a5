//! The state itself: every version of every key, as plain maps.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::Timestamp;

use crate::engine::Changes;
use crate::history::Domains;
use crate::limits::{LEASE_KEYS_MAX, PAGE_BYTES_MAX, TXN_CHANGES_MAX};
use crate::pattern::Pattern;
use crate::queue::Receipt;
use crate::txn::check_size;
use crate::{
    Entry, Event, EventKind, Guard, HistoryPolicy, Key, LeaseId, Message, Op, Page, QueueCount, Range, Revision,
    StoreError, Txn, TxnOutcome,
};

pub(super) struct State {
    pub(super) revision: Revision,
    pub(super) domains: Domains,
    /// Each key's versions, the oldest first; none is a deletion.
    versions: BTreeMap<Key, Vec<(Revision, Option<Entry>)>>,
    leases: BTreeMap<LeaseId, Lease>,
    leases_granted: u64,
    queues: BTreeMap<String, BTreeMap<String, Queued>>,
    /// Counts what must never repeat: receipts and places in a queue.
    serial: u64,
}

struct Lease {
    ttl: Duration,
    expires: Timestamp,
}

struct Queued {
    body: Vec<u8>,
    place: u64,
    receipt: Receipt,
    received: u32,
    enqueued_at: Timestamp,
    visible_at: Timestamp,
}

/// What a write has to tell the hub.
#[derive(Default)]
pub(super) struct Committed {
    pub(super) keys: Vec<Key>,
    pub(super) queues: BTreeSet<String>,
}

/// A key's new value, or none if it is deleted.
type Changed = BTreeMap<Key, Option<(Vec<u8>, Option<LeaseId>)>>;

impl State {
    pub(super) fn new() -> Self {
        Self {
            revision: Revision::FIRST,
            domains: Domains::new(HistoryPolicy::default()),
            versions: BTreeMap::new(),
            leases: BTreeMap::new(),
            leases_granted: 0,
            queues: BTreeMap::new(),
            serial: 0,
        }
    }

    pub(super) fn live(&self, key: &Key) -> Option<&Entry> {
        self.versions.get(key)?.last()?.1.as_ref()
    }

    fn live_below<'a>(&'a self, prefix: &'a Key) -> impl Iterator<Item = &'a Entry> {
        let later = self.versions.range(prefix.clone()..);
        let near = later.take_while(|(key, _)| key.as_str().starts_with(prefix.as_str()));
        near.filter(|(key, _)| prefix.is_above(key)).filter_map(|(_, versions)| versions.last()?.1.as_ref())
    }

    pub(super) fn range(&self, range: &Range) -> Result<Page, StoreError> {
        let at = range.at.unwrap_or(self.revision);
        if at > self.revision {
            return Err(StoreError::FutureRevision { requested: at, current: self.revision });
        }
        let within: Vec<&Key> = self.versions.keys().filter(|key| range.contains(key)).collect();
        if range.at.is_some() {
            let floor = self.domains.floor_of_range(range);
            if at < floor {
                return Err(StoreError::Compacted { floor });
            }
        }
        let ordered: Box<dyn Iterator<Item = &Key>> =
            if range.reverse { Box::new(within.into_iter().rev()) } else { Box::new(within.into_iter()) };
        let mut found = ordered.filter_map(|key| {
            let versions = self.versions.get(key)?;
            versions.iter().rev().find(|(revision, _)| *revision <= at)?.1.as_ref()
        });
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let mut more = false;
        for entry in found.by_ref() {
            bytes += entry.value.len();
            if entries.len() == range.limit || (bytes > PAGE_BYTES_MAX && !entries.is_empty()) {
                more = true;
                break;
            }
            entries.push(entry.clone());
        }
        Ok(Page { entries, more, revision: at })
    }

    pub(super) fn changes(&self, pattern: &Pattern, after: Revision, limit: usize) -> Result<Changes, StoreError> {
        let floor = self.domains.floor_of(pattern);
        if after < floor {
            return Err(StoreError::Compacted { floor });
        }
        let mut events = BTreeMap::new();
        for (key, versions) in self.versions.iter().filter(|(key, _)| pattern.matches(key)) {
            for (position, (revision, entry)) in versions.iter().enumerate().filter(|(_, (it, _))| *it > after) {
                let previous = position.checked_sub(1).and_then(|before| versions[before].1.clone());
                let kind = entry.clone().map_or_else(|| EventKind::Delete(key.clone()), EventKind::Put);
                events.insert((*revision, key), Event { revision: *revision, kind, previous });
            }
        }
        let mut events: Vec<Event> = events.into_values().collect();
        let mut through = self.revision;
        if let Some(last) = events.get(limit.wrapping_sub(1)).map(|event| event.revision)
            && events.len() > limit
        {
            events.retain(|event| event.revision <= last);
            through = last;
        }
        Ok(Changes { events, through })
    }

    pub(super) fn txn(
        &mut self,
        txn: Txn,
        now: Timestamp,
        committed: &mut Committed,
    ) -> Result<TxnOutcome, StoreError> {
        let failed = txn.guards.iter().find(|guard| !self.holds(guard)).map(Guard::key);
        let held = failed.is_none();
        let ops = if held { txn.then } else { txn.otherwise };
        let mut changed = Changed::new();
        for op in &ops {
            self.plan(op, &mut changed);
        }
        check_size("the changes of a transaction", changed.len(), TXN_CHANGES_MAX)?;
        self.check_leases(&changed)?;
        self.apply(changed, now, committed);
        for op in ops {
            self.apply_to_queue(op, now, committed);
        }
        Ok(TxnOutcome { revision: self.revision, held, failed })
    }

    fn holds(&self, guard: &Guard) -> bool {
        match guard {
            Guard::Absent(key) => self.live(key).is_none(),
            Guard::Exists(key) => self.live(key).is_some(),
            Guard::Modified(key, revision) => self.live(key).is_some_and(|entry| entry.modified == *revision),
            Guard::NoneBelow(prefix) => self.live_below(prefix).next().is_none(),
            Guard::Held { queue, id, receipt } => {
                self.queues.get(queue).and_then(|queue| queue.get(id)).is_some_and(|it| it.is_held_by(*receipt))
            }
        }
    }

    fn plan(&self, op: &Op, changed: &mut Changed) {
        match op {
            Op::Put { key, value, lease } => {
                changed.insert(key.clone(), Some((value.clone(), *lease)));
            }
            Op::Delete { key } if self.live(key).is_some() => {
                changed.insert(key.clone(), None);
            }
            Op::DeletePrefix { prefix, limit } => {
                changed.extend(self.live_below(prefix).take(*limit).map(|entry| (entry.key.clone(), None)));
            }
            _ => {}
        }
    }

    fn check_leases(&self, changed: &Changed) -> Result<(), StoreError> {
        let attached: BTreeSet<LeaseId> = changed.values().flatten().filter_map(|(_, lease)| *lease).collect();
        for lease in attached {
            self.leases.get(&lease).ok_or(StoreError::LeaseNotFound { lease })?;
            let kept = self.keys_of(lease).filter(|key| !changed.contains_key(key)).count();
            let added = changed.values().flatten().filter(|(_, it)| *it == Some(lease)).count();
            check_size("the keys of a lease", kept + added, LEASE_KEYS_MAX)?;
        }
        Ok(())
    }

    fn keys_of(&self, lease: LeaseId) -> impl Iterator<Item = Key> {
        let live = self.versions.values().filter_map(|versions| versions.last()?.1.as_ref());
        live.filter(move |entry| entry.lease == Some(lease)).map(|entry| entry.key.clone())
    }

    fn apply(&mut self, changed: Changed, now: Timestamp, committed: &mut Committed) {
        if changed.is_empty() {
            return;
        }
        self.domains.record(changed.keys(), self.revision, now);
        self.revision = self.revision.next();
        for (key, change) in changed {
            let previous = self.live(&key).map(|entry| (entry.created, entry.version));
            let entry = change.map(|(value, lease)| Entry {
                key: key.clone(),
                value,
                created: previous.map_or(self.revision, |(created, _)| created),
                modified: self.revision,
                version: previous.map_or(1, |(_, version)| version + 1),
                lease,
            });
            self.versions.entry(key.clone()).or_default().push((self.revision, entry));
            committed.keys.push(key);
        }
    }

    fn apply_to_queue(&mut self, op: Op, now: Timestamp, committed: &mut Committed) {
        match op {
            Op::Enqueue { queue, id, body, visible_at } => {
                self.serial += 1;
                let (place, receipt) = (self.serial, Receipt(self.serial));
                let message = Queued { body, place, receipt, received: 0, enqueued_at: now, visible_at };
                self.queues.entry(queue.clone()).or_default().insert(id, message);
                committed.queues.insert(queue);
            }
            Op::Ack { queue, id, receipt } => {
                if let Some(messages) = self.queues.get_mut(&queue)
                    && messages.get(&id).is_some_and(|it| it.is_held_by(receipt))
                {
                    messages.remove(&id);
                }
            }
            Op::Extend { queue, id, receipt, visible_at } => {
                let message = self.queues.get_mut(&queue).and_then(|messages| messages.get_mut(&id));
                if let Some(message) = message.filter(|it| it.is_held_by(receipt)) {
                    message.visible_at = visible_at;
                    committed.queues.insert(queue);
                }
            }
            Op::Remove { queue, id } => {
                self.queues.get_mut(&queue).and_then(|messages| messages.remove(&id));
            }
            Op::Put { .. } | Op::Delete { .. } | Op::DeletePrefix { .. } => {}
        }
    }

    pub(super) fn receive(&mut self, name: &str, max: usize, hold: Duration, now: Timestamp) -> Vec<Message> {
        let Some(queue) = self.queues.get_mut(name) else { return Vec::new() };
        let mut visible: Vec<(&String, &mut Queued)> =
            queue.iter_mut().filter(|(_, it)| it.visible_at <= now).collect();
        visible.sort_by_key(|(_, message)| (message.visible_at, message.place));
        let serial = &mut self.serial;
        let taken = visible.into_iter().take(max).map(|(id, message)| {
            *serial += 1;
            message.receipt = Receipt(*serial);
            message.received += 1;
            message.visible_at = now.plus(hold);
            Message {
                queue: name.to_owned(),
                id: id.clone(),
                body: message.body.clone(),
                receipt: message.receipt,
                received: message.received,
                enqueued_at: message.enqueued_at,
                visible_at: message.visible_at,
            }
        });
        taken.collect()
    }

    pub(super) fn count(&self, name: &str, now: Timestamp) -> QueueCount {
        let mut count = QueueCount::default();
        for message in self.queues.get(name).into_iter().flat_map(BTreeMap::values) {
            if message.visible_at <= now {
                count.visible += 1;
                continue;
            }
            *(if message.received > 0 { &mut count.held } else { &mut count.delayed }) += 1;
            let next = count.next_visible_at.map_or(message.visible_at, |next| next.min(message.visible_at));
            count.next_visible_at = Some(next);
        }
        count
    }

    pub(super) fn grant(&mut self, ttl: Duration, now: Timestamp) -> LeaseId {
        self.leases_granted += 1;
        let lease = LeaseId(self.leases_granted);
        self.leases.insert(lease, Lease { ttl, expires: now.plus(ttl) });
        lease
    }

    pub(super) fn renew(&mut self, lease: LeaseId, now: Timestamp) -> Result<(), StoreError> {
        let it = self.leases.get_mut(&lease).ok_or(StoreError::LeaseNotFound { lease })?;
        it.expires = now.plus(it.ttl);
        Ok(())
    }

    pub(super) fn revoke(
        &mut self,
        lease: LeaseId,
        now: Timestamp,
        committed: &mut Committed,
    ) -> Result<(), StoreError> {
        self.leases.remove(&lease).ok_or(StoreError::LeaseNotFound { lease })?;
        let changed = self.keys_of(lease).map(|key| (key, None)).collect();
        self.apply(changed, now, committed);
        Ok(())
    }

    /// Ends the first lease whose time has come.
    pub(super) fn expire_one(&mut self, now: Timestamp, committed: &mut Committed) -> Result<bool, StoreError> {
        let expired = self.leases.iter().find(|(_, lease)| lease.expires <= now).map(|(id, _)| *id);
        expired.map_or(Ok(false), |lease| self.revoke(lease, now, committed).map(|()| true))
    }

    pub(super) fn compact(&mut self, prefix: &Key, revision: Revision) -> Result<(), StoreError> {
        if revision > self.revision {
            return Err(StoreError::FutureRevision { requested: revision, current: self.revision });
        }
        for (domain, floor) in self.domains.compacted_by(prefix, revision) {
            self.cut(&domain, floor);
        }
        Ok(())
    }

    pub(super) fn compact_due(&mut self, now: Timestamp) {
        for (domain, floor) in self.domains.due(self.revision, now) {
            self.cut(&domain, floor);
        }
    }

    /// Drops what is older than the last version at the floor, and that too if it is a deletion.
    fn cut(&mut self, domain: &Key, floor: Revision) {
        self.domains.set_floor(domain, floor);
        let domains = &self.domains;
        self.versions.retain(|key, versions| {
            if domains.governing(key).0 == domain {
                let kept_from = versions.iter().rposition(|(revision, _)| *revision <= floor).unwrap_or(0);
                versions.drain(..kept_from);
                if versions[0].0 <= floor && versions[0].1.is_none() {
                    versions.remove(0);
                }
            }
            !versions.is_empty()
        });
    }
}

impl Queued {
    fn is_held_by(&self, receipt: Receipt) -> bool {
        self.received > 0 && self.receipt == receipt
    }
}
