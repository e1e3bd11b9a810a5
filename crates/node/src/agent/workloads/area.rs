//! Where what containers write is on disk, with a limit for all of it together if there is one.
//!
//! ```text
//! upper/root-<n>/       what container n wrote to its root
//! upper/etc-<n>/        files that are mounted in its /etc
//! upper/scratch/<name>/ volumes that end with the workload
//! work/<n>/             the kernel's own, for overlays
//! ```
//!
//! No name of these is a container's to change: it sees what is below them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use sandbox::disk::{Disks, Limited};
use workload::{Reason, ReasonCode, Spec, WorkloadId};

use super::users::Users;

/// Where what a workload's containers write is.
#[derive(Debug)]
pub(super) struct Area {
    disk: Limited,
    /// Whose what containers write is, if not the host's users'.
    pub(super) users: Option<Users>,
}

/// The directories of an area, for as long as mounts can be made of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a> {
    pub(super) upper: BorrowedFd<'a>,
    pub(super) work: BorrowedFd<'a>,
}

/// The most that the containers of a workload write, if there is such a limit: the workload's own, or what its containers may write
/// together if each has one.
fn bytes_max(spec: &Spec) -> Option<u64> {
    let of_containers = || {
        let limits = spec.containers.iter().map(|container| container.disk_bytes_max);
        limits.collect::<Option<Vec<u64>>>().map(|limits| limits.into_iter().fold(0, u64::saturating_add))
    };
    spec.resources.disk_bytes_max.or_else(of_containers)
}

impl Area {
    /// Makes it, or finds the one that is there.
    pub(super) fn make(disks: &Disks, id: &WorkloadId, spec: &Spec, users: Option<u32>) -> Result<Self, Reason> {
        let bytes_max = bytes_max(spec);
        let disk = match disks.find(id.as_str()) {
            Ok(Some(disk)) => Ok(disk),
            Ok(None) => match bytes_max {
                Some(bytes_max) => disks.limited(id.as_str(), bytes_max),
                None => disks.unlimited(id.as_str()),
            },
            Err(error) => Err(error),
        };
        let disk = disk.map_err(|error| {
            use sandbox::disk::Error;
            let is_refused = matches!(error, Error::Unsupported { .. } | Error::Size { .. });
            let code = if is_refused { ReasonCode::Refused } else { ReasonCode::Volume };
            Reason::new(code, error.to_string())
        })?;
        let users = users.map(Users::of).transpose().map_err(|error| {
            Reason::new(ReasonCode::Refused, format!("the workload cannot have users of its own here: {error}"))
        })?;
        Ok(Self { disk, users })
    }

    /// Does something with its directories.
    pub(super) fn within<T>(&self, make: impl FnOnce(Places<'_>) -> io::Result<T>) -> io::Result<T> {
        let made = self.disk.attached(|upper, work| make(Places { upper, work }));
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
    use workload::{Container, Resources};

    use super::*;

    #[test]
    fn a_limit_is_the_workloads_or_that_of_all_its_containers() {
        let container = |disk_bytes_max| Container { disk_bytes_max, ..Container::default() };
        let spec = |containers: &[Option<u64>], own| Spec {
            containers: containers.iter().copied().map(container).collect(),
            resources: Resources { disk_bytes_max: own, ..Resources::default() },
            ..Spec::default()
        };
        assert_eq!(bytes_max(&spec(&[None], None)), None);
        assert_eq!(bytes_max(&spec(&[Some(5), Some(7)], None)), Some(12));
        assert_eq!(bytes_max(&spec(&[Some(5), None], None)), None);
        assert_eq!(bytes_max(&spec(&[Some(5), None], Some(9))), Some(9));
    }
}
