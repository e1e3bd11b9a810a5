//! Users of a workload's own: what is user 0 to its containers is nobody to the host and to other workloads.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::PoisonError;

use rustix::fs::{Gid, Uid};
use sandbox::mounts::{self, Depth};
use sandbox::plan::IdRange;
use workload::{Reason, ReasonCode};

use super::Shared;

/// The first user of the host that is given away: beyond those that people and system users have, subordinate ones
/// (`/etc/subuid`) included.
const FIRST: u32 = 0x4000_0000;
/// How many users a workload has; all that images know.
const COUNT: u32 = 0x1_0000;
/// How many workloads can have some at one time.
const SLOTS_MAX: u32 = 0x4000;

/// The slots that workloads have.
pub(super) type Taken = BTreeSet<u32>;

/// The users of a slot.
pub(super) fn range(slot: u32) -> IdRange {
    IdRange { first: FIRST + slot.min(SLOTS_MAX - 1) * COUNT, count: COUNT }
}

/// Users of a workload's own.
#[derive(Debug)]
pub(super) struct Users {
    range: IdRange,
    namespace: OwnedFd,
}

impl Users {
    pub(super) fn of(slot: u32) -> io::Result<Self> {
        let range = range(slot);
        Ok(Self { range, namespace: mounts::user_namespace(range)? })
    }

    /// The one that is user 0 to the workload.
    pub(super) fn root(&self) -> u32 {
        self.range.first
    }

    /// A mount of a directory or file, attached nowhere, in which what is user 0's on disk is the workload's user 0's.
    pub(super) fn mapped(&self, place: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        let mount = mounts::clone_of(place, Depth::Alone)?;
        mounts::idmapped(mount.as_fd(), self.namespace.as_fd(), Depth::Alone)?;
        Ok(mount)
    }

    /// Makes a directory or file the workload's user 0's on disk.
    pub(super) fn give(&self, what: BorrowedFd<'_>) -> io::Result<()> {
        let (user, group) = (Uid::from_raw(self.range.first), Gid::from_raw(self.range.first));
        Ok(rustix::fs::fchown(what, Some(user), Some(group))?)
    }
}

impl Shared {
    /// Users that no workload has.
    pub(super) fn take_users(&self) -> Result<u32, Reason> {
        let mut taken = self.users_taken.lock().unwrap_or_else(PoisonError::into_inner);
        let free = (0..SLOTS_MAX).find(|slot| !taken.contains(slot));
        let slot = free.ok_or_else(|| Reason::new(ReasonCode::Refused, "no users are left for further workloads"))?;
        taken.insert(slot);
        Ok(slot)
    }

    /// They are some workload's, as an earlier node had said.
    pub(super) fn note_users(&self, slot: u32) {
        self.users_taken.lock().unwrap_or_else(PoisonError::into_inner).insert(slot);
    }

    /// Nobody has them any more.
    pub(super) fn give_users_back(&self, slot: u32) {
        self.users_taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&slot);
    }
}
