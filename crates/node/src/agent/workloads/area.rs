//! Where what containers write is on disk: what has a limit of its own in a place of its own, everything else in one that the whole
//! workload has.
//!
//! ```text
//! upper/root-<n>/       what container n wrote to its root
//! upper/etc-<n>/        files that are mounted in its /etc
//! upper/scratch/<name>/ volumes that end with the workload
//! work/<n>/             the kernel's own, for overlays
//! ```
//!
//! No name of these is a container's to change: it sees what is below them.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use sandbox::disk::{BYTES_MIN, Disks, Error, Limited};
use workload::{Reason, ReasonCode, Spec, VolumeSource, WorkloadId};

use super::users::Users;

/// Where what a workload's containers write is.
#[derive(Debug)]
pub(super) struct Area {
    shared: Limited,
    own: HashMap<Whose, Limited>,
    /// Whose what containers write is, if not the host's users'.
    pub(super) users: Option<Users>,
}

/// What can have a limit of its own, by its place in the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    Container(usize),
    Scratch(usize),
}

/// The directories of a place, for as long as mounts can be made of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a> {
    pub(super) upper: BorrowedFd<'a>,
    pub(super) work: BorrowedFd<'a>,
}

/// How much fits where.
#[derive(Debug, PartialEq, Eq)]
struct Sizes {
    own: Vec<(Whose, u64)>,
    shared: Option<u64>,
}

impl Sizes {
    /// What the specification says; none if the limits of single parts leave nothing of the workload's.
    fn of(spec: &Spec) -> Option<Self> {
        let containers = spec.containers.iter().map(|container| container.disk_bytes_max).enumerate();
        let containers = containers.map(|(index, max)| (Whose::Container(index), max));
        let scratch = spec.volumes.iter().enumerate().filter_map(|(index, volume)| match volume.source {
            VolumeSource::Scratch { bytes_max } => Some((Whose::Scratch(index), bytes_max)),
            _ => None,
        });
        let (limited, unlimited): (Vec<_>, Vec<_>) = containers.chain(scratch).partition(|(_, max)| max.is_some());
        let own: Vec<(Whose, u64)> = limited.into_iter().filter_map(|(whose, max)| Some((whose, max?))).collect();
        let sum = |own: &[(Whose, u64)]| own.iter().fold(0u64, |sum, (_, max)| sum.saturating_add(*max));
        let shared = match spec.resources.disk_bytes_max {
            Some(all) => {
                let left = all.checked_sub(sum(&own))?;
                if unlimited.is_empty() { None } else { Some(left).filter(|left| *left >= BYTES_MIN).map(Some)? }
            }
            // Where each container has a limit their volumes are not without one either.
            None if unlimited.iter().all(|(whose, _)| matches!(whose, Whose::Scratch(_))) => {
                let of_containers: Vec<_> =
                    own.iter().copied().filter(|(whose, _)| matches!(whose, Whose::Container(_))).collect();
                Some(sum(&of_containers)).filter(|_| !unlimited.is_empty())
            }
            None => None,
        };
        Some(Self { own, shared })
    }
}

/// What the places of a workload are called.
fn name(id: &WorkloadId, whose: Whose) -> String {
    match whose {
        Whose::Container(index) => format!("{id}-c{index}"),
        Whose::Scratch(index) => format!("{id}-v{index}"),
    }
}

/// Whose a place is.
pub(super) fn owner(name: &str) -> &str {
    name.split_once('-').map_or(name, |(id, _)| id)
}

/// Removes what a workload's containers wrote. Gone already is success.
pub(super) fn remove(disks: &Disks, id: &WorkloadId, spec: &Spec) -> Result<(), Error> {
    let own = Sizes::of(spec).map(|sizes| sizes.own).unwrap_or_default();
    own.into_iter().try_for_each(|(whose, _)| disks.remove(&name(id, whose)))?;
    disks.remove(id.as_str())
}

impl Area {
    /// Makes it, or finds the one that is there.
    pub(super) fn make(disks: &Disks, id: &WorkloadId, spec: &Spec, users: Option<u32>) -> Result<Self, Reason> {
        let refused = |message: &str| Reason::new(ReasonCode::Refused, message);
        let sizes = Sizes::of(spec)
            .ok_or_else(|| refused("what single containers and volumes may write leaves nothing of what all may"))?;
        let failed = |error: Error| {
            let is_refused = matches!(error, Error::Unsupported { .. } | Error::Size { .. });
            Reason::new(if is_refused { ReasonCode::Refused } else { ReasonCode::Volume }, error.to_string())
        };
        let found = disks.find(id.as_str()).map_err(failed)?;
        let mut own = HashMap::new();
        for (whose, bytes_max) in sizes.own {
            let name = name(id, whose);
            let place = match disks.find(&name).map_err(failed)? {
                Some(place) => place,
                None if found.is_none() => disks.limited(&name, bytes_max).map_err(failed)?,
                // The shared one is made last: an older program has made it, which knew no other ones.
                None => continue,
            };
            own.insert(whose, place);
        }
        let shared = match (found, sizes.shared) {
            (Some(found), _) => found,
            (None, Some(bytes_max)) => disks.limited(id.as_str(), bytes_max).map_err(failed)?,
            (None, None) => disks.unlimited(id.as_str()).map_err(failed)?,
        };
        let users = users.map(Users::of).transpose().map_err(|error| {
            Reason::new(ReasonCode::Refused, format!("the workload cannot have users of its own here: {error}"))
        })?;
        Ok(Self { shared, own, users })
    }

    /// Does something with the directories of a part of the workload.
    pub(super) fn within<T>(&self, whose: Whose, make: impl FnOnce(Places<'_>) -> io::Result<T>) -> io::Result<T> {
        let place = self.own.get(&whose).unwrap_or(&self.shared);
        let made = place.attached(|upper, work| make(Places { upper, work }));
        made.map_err(|error| io::Error::other(error.to_string()))?
    }
}

/// A directory in another, which is made if it is not there. Containers of any user look into it, whatever the node's umask.
pub(super) fn directory(at: BorrowedFd<'_>, names: &[&str]) -> io::Result<OwnedFd> {
    let mut at = at.try_clone_to_owned()?;
    for name in names {
        let is_new = match rustix::fs::mkdirat(&at, *name, Mode::RWXU) {
            Ok(()) => true,
            Err(rustix::io::Errno::EXIST) => false,
            Err(error) => return Err(error.into()),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        at = rustix::fs::openat(&at, *name, flags, Mode::empty())?;
        if is_new {
            rustix::fs::fchmod(&at, Mode::from_raw_mode(0o755))?;
        }
    }
    Ok(at)
}

/// An empty one: what was there before is removed.
pub(super) fn empty_directory(at: BorrowedFd<'_>, names: &[&str]) -> io::Result<OwnedFd> {
    let directory = directory(at, names)?;
    images::remove_all_in(directory.as_fd())?;
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use workload::{Container, Resources, Volume};

    use super::*;

    #[test]
    fn what_has_a_limit_has_a_place_and_what_is_left_is_shared() {
        const MIB: u64 = 1 << 20;
        let container = |disk_bytes_max| Container { disk_bytes_max, ..Container::default() };
        let volume = |bytes_max| Volume { name: "data".to_owned(), source: VolumeSource::Scratch { bytes_max } };
        let sizes = |containers: &[Option<u64>], volumes: &[Option<u64>], all| {
            let sizes = Sizes::of(&Spec {
                containers: containers.iter().copied().map(container).collect(),
                volumes: volumes.iter().copied().map(volume).collect(),
                resources: Resources { disk_bytes_max: all, ..Resources::default() },
                ..Spec::default()
            })?;
            Some((sizes.own.iter().map(|(_, max)| *max / MIB).collect::<Vec<_>>(), sizes.shared.map(|max| max / MIB)))
        };
        let mib = |count: u64| Some(count * MIB);
        assert_eq!(sizes(&[None], &[], None), Some((vec![], None)));
        assert_eq!(sizes(&[mib(5), None], &[None], None), Some((vec![5], None)));
        assert_eq!(sizes(&[mib(5), mib(7)], &[], None), Some((vec![5, 7], None)));
        assert_eq!(sizes(&[mib(5), mib(7)], &[None], None), Some((vec![5, 7], Some(12))));
        assert_eq!(sizes(&[None], &[mib(3)], mib(9)), Some((vec![3], Some(6))));
        assert_eq!(sizes(&[mib(9)], &[], mib(9)), Some((vec![9], None)));
        assert_eq!(sizes(&[mib(9)], &[None], mib(9)), None, "nothing is left for the volume");
        assert_eq!(sizes(&[mib(9), mib(9)], &[], mib(9)), None);
    }

    #[test]
    fn a_place_is_called_after_its_workload() {
        let id: WorkloadId = "0123456789abcdef0123456789abcdef".parse().unwrap();
        for name in [name(&id, Whose::Container(3)), name(&id, Whose::Scratch(0)), id.to_string()] {
            assert_eq!(owner(&name), id.as_str());
        }
    }
}
