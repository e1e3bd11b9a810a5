//! What a write or a deletion does to the versions of a key. Pure.
//!
//! A bucket that never had versioning knows null versions only, one at each key. With versioning on every write adds a version;
//! while it is suspended a write replaces the null version, wherever it is.

use base::Timestamp;
use blobs::files::FileId;

use super::beside::Aside;
use super::{Current, Older, Order, Version, VersionId};

/// The versions of a key, as far as they have been read.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Versions {
    /// What is latest.
    pub(crate) current: Option<Current>,
    /// Those of the older ones that the change needs: the null version where it may be replaced, the newest where the latest
    /// is deleted, the one that is deleted.
    pub(crate) older: Vec<Version>,
}

/// What is to be written.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Plan {
    /// What is latest afterwards; none if nothing is left.
    pub(crate) current: Option<Current>,
    /// The version that is an older one from now on.
    pub(crate) added: Option<Older>,
    /// The older versions that go, or become the latest.
    pub(crate) removed: Vec<Order>,
    /// The files that nobody needs any more, but for those that are named in what lies beside a version.
    pub(crate) unused: Vec<FileId>,
    /// What lies beside a version and nobody needs any more.
    pub(crate) beside: Vec<Aside>,
}

impl Versions {
    /// Whether the null version, or what else a write replaces, has to be read before [`Versions::write`].
    pub(crate) fn needed_to_write(&self, id: &VersionId) -> Option<Order> {
        let current = self.current.as_ref().filter(|_| id.is_null())?;
        current.older_null
    }

    /// A version is written and becomes the latest.
    pub(crate) fn write(&self, new: Version, now: Timestamp) -> Plan {
        let replaces_null = new.id.is_null();
        let mut plan = Plan { current: Some(Current { latest: new, older_null: None }), ..Plan::default() };
        let Some(before) = &self.current else { return plan };
        let is_null = before.latest.id.is_null();
        if is_null && replaces_null {
            plan.release(&before.latest);
        } else {
            plan.added = Some(Older { past: before.latest.clone(), since: now });
        }
        match before.older_null {
            Some(order) if replaces_null => {
                plan.removed.push(order);
                self.older(order).into_iter().for_each(|older| plan.release(older));
            }
            older_null => {
                let moved = (is_null && !replaces_null).then_some(before.latest.order);
                plan.set_older_null(moved.or(older_null));
            }
        }
        plan
    }

    /// A version is deleted for good; none if it is not among those that have been read.
    pub(crate) fn erase(&self, id: &VersionId) -> Option<Plan> {
        let before = self.current.as_ref()?;
        let mut plan = Plan::default();
        if before.latest.id == *id {
            plan.release(&before.latest);
            let next = self.older.iter().max_by_key(|version| version.order);
            if let Some(next) = next {
                plan.removed.push(next.order);
                let older_null = before.older_null.filter(|order| *order != next.order);
                plan.current = Some(Current { latest: next.clone(), older_null });
            }
            return Some(plan);
        }
        let erased = self.older.iter().find(|version| version.id == *id)?;
        plan.removed.push(erased.order);
        plan.release(erased);
        let older_null = before.older_null.filter(|order| *order != erased.order);
        plan.current = Some(Current { latest: before.latest.clone(), older_null });
        Some(plan)
    }

    fn older(&self, order: Order) -> Option<&Version> {
        self.older.iter().find(|version| version.order == order)
    }
}

impl Plan {
    /// Nobody needs the bytes of a version any more.
    fn release(&mut self, version: &Version) {
        let Some(object) = version.object() else { return };
        self.unused.extend(object.data.files());
        self.beside.extend(Aside::of(version));
    }

    fn set_older_null(&mut self, order: Option<Order>) {
        if let Some(current) = &mut self.current {
            current.older_null = order;
        }
    }
}
