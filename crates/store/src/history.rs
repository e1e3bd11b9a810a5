//! How long the past is kept, per key prefix.
//!
//! Each registered prefix is a domain: it governs the keys below it that no longer registered prefix covers, and has a
//! floor, the revision from which its history is whole. A busy domain moves its own floor and nobody else's, so it
//! never takes the history from under another domain's watch.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use base::Timestamp;

use crate::pattern::Pattern;
use crate::{Key, Range, Revision};

/// How much history is kept. What exceeds either bound is compacted: it can no longer be watched or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryPolicy {
    /// For how long an event can be watched. Up to a sixteenth longer, since history is cut in slices.
    pub keep: Duration,
    /// How many events are kept at most, give or take a sixteenth; counted from the start of the process.
    pub events_max: u64,
}

impl Default for HistoryPolicy {
    /// Ten minutes and 100,000 events: a client that was away for a short while resumes its watch.
    fn default() -> Self {
        Self { keep: Duration::from_secs(600), events_max: 100_000 }
    }
}

/// A bound's history is cut in this many slices, unless they would be shorter than the two that follow.
const SLICES: u32 = 16;
const SLICE_MIN: Duration = Duration::from_secs(1);
const SLICE_EVENTS_MIN: u64 = 64;

/// The registered prefixes.
#[derive(Debug, Clone)]
pub(crate) struct Domains(BTreeMap<Key, Domain>);

/// A registered prefix.
#[derive(Debug, Clone)]
pub(crate) struct Domain {
    pub(crate) policy: HistoryPolicy,
    /// Events after this revision can be watched; none before it, and not its own.
    pub(crate) floor: Revision,
    events: u64,
    marks: VecDeque<Mark>,
}

/// All that was committed up to `revision` was committed by `at`, and had `events` events.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: Timestamp,
    revision: Revision,
    events: u64,
}

impl Domains {
    /// The root alone, under this policy.
    pub(crate) fn new(policy: HistoryPolicy) -> Self {
        Self(BTreeMap::from([(Key::root(), Domain::new(policy, Revision(0)))]))
    }

    /// Registers a prefix or changes its policy.
    pub(crate) fn register(&mut self, prefix: Key, policy: HistoryPolicy) {
        let floor = self.governing(&prefix).1.floor;
        self.0.entry(prefix).or_insert_with(|| Domain::new(policy, floor)).policy = policy;
    }

    /// Takes over what was stored about a prefix.
    pub(crate) fn restore(&mut self, prefix: Key, policy: HistoryPolicy, floor: Revision) {
        self.0.insert(prefix, Domain::new(policy, floor));
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &Domain)> {
        self.0.iter()
    }

    /// The domain that a key belongs to.
    pub(crate) fn governing(&self, key: &Key) -> (&Key, &Domain) {
        key.and_above()
            .find_map(|prefix| self.0.get_key_value(prefix))
            .expect("the root is registered by every constructor and nothing unregisters")
    }

    /// The revision from which the history of all keys of a pattern is whole.
    pub(crate) fn floor_of(&self, pattern: &Pattern) -> Revision {
        let overlapping = self.0.iter().filter(|(prefix, _)| match pattern {
            Pattern::At(key) => key.is_above(prefix),
            Pattern::Kind { .. } => pattern.may_match_below(prefix),
        });
        let above = match pattern {
            Pattern::At(key) => Some(self.governing(key)),
            Pattern::Kind { .. } => None,
        };
        overlapping.chain(above).map(|(_, domain)| domain.floor).max().unwrap_or_default()
    }

    /// The revision from which a range can be read as it was.
    pub(crate) fn floor_of_range(&self, range: &Range) -> Revision {
        // The domain that governs both ends governs everything between them that no domain of its own does.
        let above = self.0.iter().filter(|(prefix, _)| {
            let (start, end) = prefix.bounds_below();
            let ends_within = end.is_none() || range.end.as_ref().is_some_and(|it| Some(it) <= end.as_ref());
            range.start >= start && ends_within
        });
        let governing = above.max_by_key(|(prefix, _)| prefix.as_str().len());
        let within = self.0.iter().filter(|(prefix, _)| {
            let begins_before_end = range.end.as_ref().is_none_or(|end| prefix.as_str() < end.as_str());
            let (_, end) = prefix.bounds_below();
            begins_before_end && end.is_none_or(|end| range.start < end) && !prefix.is_root()
        });
        // A domain above the range overlaps it as well, but only the longest of those governs any of it.
        let within = within.filter(|(prefix, _)| governing.is_none_or(|(longest, _)| longest.covers(prefix)));
        governing.into_iter().chain(within).map(|(_, domain)| domain.floor).max().unwrap_or_default()
    }

    /// Notes a transaction, before its revision is counted in: `before` is the revision that it found.
    pub(crate) fn record<'a>(&mut self, keys: impl Iterator<Item = &'a Key>, before: Revision, now: Timestamp) {
        for key in keys {
            let prefix = self.governing(key).0.clone();
            if let Some(domain) = self.0.get_mut(&prefix) {
                domain.mark(before, now);
                domain.events += 1;
            }
        }
    }

    /// Adds what was known before the process started: everything up to `revision` is older than `at`.
    pub(crate) fn recall(&mut self, revision: Revision, at: Timestamp) {
        for domain in self.0.values_mut() {
            domain.marks.push_back(Mark { at, revision, events: 0 });
        }
    }

    /// Which domains' history has become too long, and the floor that each should have. `current` is the store's
    /// revision.
    pub(crate) fn due(&mut self, current: Revision, now: Timestamp) -> Vec<(Key, Revision)> {
        let mut due = Vec::new();
        for (prefix, domain) in &mut self.0 {
            if domain.marks.back().is_none_or(|mark| mark.events < domain.events) {
                domain.marks.push_back(Mark { at: now, revision: current, events: domain.events });
            }
            let floor = domain.wanted_floor(now);
            if floor > domain.floor {
                due.push((prefix.clone(), floor));
            }
        }
        due
    }

    /// Whether there is no history left that could grow too old.
    pub(crate) fn is_settled(&self) -> bool {
        self.0.values().all(|domain| {
            domain.marks.back().map_or(0, |mark| mark.events) == domain.events
                && domain.marks.back().is_none_or(|mark| mark.revision <= domain.floor)
        })
    }

    /// The longest time for which any domain keeps its history.
    pub(crate) fn keep_max(&self) -> Duration {
        self.0.values().map(|domain| domain.policy.keep).max().unwrap_or_default()
    }

    /// Which domains `compact(prefix, revision)` moves. A prefix that is not registered becomes a domain of its own.
    pub(crate) fn compacted_by(&mut self, prefix: &Key, revision: Revision) -> Vec<(Key, Revision)> {
        let policy = self.governing(prefix).1.policy;
        self.register(prefix.clone(), policy);
        let within = self.0.iter().filter(|(key, domain)| prefix.covers(key) && domain.floor < revision);
        within.map(|(key, _)| (key.clone(), revision)).collect()
    }

    /// Moves a domain's floor.
    pub(crate) fn set_floor(&mut self, prefix: &Key, floor: Revision) {
        if let Some(domain) = self.0.get_mut(prefix) {
            domain.floor = floor;
            while domain.marks.len() > 1 && domain.marks[0].revision < floor {
                domain.marks.pop_front();
            }
        }
    }
}

impl Domain {
    fn new(policy: HistoryPolicy, floor: Revision) -> Self {
        Self { policy, floor, events: 0, marks: VecDeque::new() }
    }

    /// Puts a mark where a new slice begins. So there are no more of them than slices fit into the policy.
    fn mark(&mut self, revision: Revision, now: Timestamp) {
        let begins_slice = self.marks.back().is_none_or(|last| {
            now.since(last.at) >= (self.policy.keep / SLICES).max(SLICE_MIN)
                || self.events - last.events >= (self.policy.events_max / u64::from(SLICES)).max(SLICE_EVENTS_MIN)
        });
        if begins_slice {
            self.marks.push_back(Mark { at: now, revision, events: self.events });
        }
    }

    fn wanted_floor(&self, now: Timestamp) -> Revision {
        let too_old = self.marks.iter().rev().find(|mark| now.since(mark.at) >= self.policy.keep && mark.at <= now);
        let too_many = (self.events > self.policy.events_max)
            .then(|| self.marks.iter().find(|mark| self.events - mark.events <= self.policy.events_max))
            .flatten();
        too_old.into_iter().chain(too_many).map(|mark| mark.revision).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_secs(second)
    }

    fn seconds_policy(keep_s: u64, events_max: u64) -> HistoryPolicy {
        HistoryPolicy { keep: Duration::from_secs(keep_s), events_max }
    }

    #[test]
    fn history_that_is_too_old_is_due() {
        let mut domains = Domains::new(seconds_policy(100, 1000));
        let key = Key::new(["a"]);
        domains.record([&key].into_iter(), Revision(1), second(0));
        domains.record([&key].into_iter(), Revision(2), second(60));
        assert_eq!(domains.due(Revision(3), second(99)), []);
        assert_eq!(domains.due(Revision(3), second(160)), [(Key::root(), Revision(2))]);
        assert_eq!(domains.due(Revision(3), second(300)), [(Key::root(), Revision(3))]);
    }

    #[test]
    fn a_busy_domain_moves_its_own_floor_only() {
        let mut domains = Domains::new(seconds_policy(1000, 100_000));
        let busy = Key::new(["busy"]);
        domains.register(busy.clone(), seconds_policy(1000, 1600));
        for revision in 1..=3200 {
            domains.record([&busy.child("x")].into_iter(), Revision(revision), second(1));
        }
        let due = domains.due(Revision(3201), second(1));
        assert_eq!(due.len(), 1);
        let (prefix, floor) = due[0].clone();
        assert_eq!(prefix, busy);
        assert!((1600..=1701).contains(&floor.0), "{floor}");
        domains.set_floor(&busy, floor);
        assert_eq!(domains.floor_of(&Pattern::At(Key::new(["quiet"]))), Revision(0));
        assert_eq!(domains.floor_of(&Pattern::At(busy.child("x"))), floor);
        assert_eq!(domains.floor_of(&Pattern::At(Key::root())), floor);
    }

    #[test]
    fn a_new_domain_begins_with_the_floor_of_the_one_that_it_came_from() {
        let mut domains = Domains::new(HistoryPolicy::default());
        domains.set_floor(&Key::root(), Revision(7));
        domains.register(Key::new(["a"]), HistoryPolicy::default());
        assert_eq!(domains.floor_of(&Pattern::At(Key::new(["a", "b"]))), Revision(7));
    }
}
