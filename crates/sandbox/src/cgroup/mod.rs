//! Cgroups: what a workload and each of its containers may use, and what they have used; and everything that is in them
//! frozen or killed at once. For version 1, version 2, and hosts with both.
//!
//! ```text
//! <hierarchy>/pilvi-<tag>/            of one node; made by Cgroups::open
//!     .shims/                         the processes that watch over workloads: Cgroups::shims
//!     <workload>/                     Cgroups::workload; no process is in it itself
//!         .sandbox/                   the sandbox's own process: Group::sandbox
//!         <container>/                Group::child
//! ```
//!
//! On hosts with both forms a group has a directory in each hierarchy of version 1 that is of use, and one in version 2's,
//! which controls little there but freezes and kills a whole group at once.
//!
//! Everything here is of the host and for root, blocks for a short time, and is for threads that may; [`kill`] and
//! [`oom_kills`] are for a shim, which has a [`CgroupPlan`] alone. How a process enters a group is [`crate::setup`]'s.
//!
//! Nothing of a `release_agent` is ever touched: a group has `notify_on_release` 0 as the one above it, and containers see
//! their cgroups read-only.

mod bpf;
mod detect;
mod devices;
mod disk;
mod error;
mod group;
mod haste;
mod hierarchy;
mod limits;
mod mounted;
mod reserved;
mod stats;
mod stop;
mod within;

use std::path::Path;
use std::sync::Arc;

pub use self::devices::{DEVICE_RULES_MAX, DeviceKind, DeviceRule, DeviceRules};
pub use self::error::Error;
pub use self::group::Group;
use self::haste::Haste;
pub use self::hierarchy::Version;
use self::hierarchy::{Controller, Hierarchy};
pub use self::limits::{Disk, Limits};
use self::reserved::Reserved;
pub use self::stats::Stats;
pub use self::within::{kill, oom_kills};
#[cfg(doc)]
use crate::plan::CgroupPlan;

/// The longest name of a group, in bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// How long [`Group::remove`] waits for processes to go, in milliseconds.
pub const REMOVE_WAIT_MS: u64 = 10_000;
/// How long [`Group::freeze`] waits for processes to stop, in milliseconds.
pub const FREEZE_WAIT_MS: u64 = 5_000;

/// Where the shims' processes are, beside the workloads. No workload's name begins with a dot.
const SHIMS: &str = ".shims";
/// Where a sandbox's own process is, beside the containers.
const SANDBOX: &str = ".sandbox";

/// The groups of one node.
#[derive(Debug, Clone)]
pub struct Cgroups {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    hierarchies: Vec<Hierarchy>,
    missing: Vec<Missing>,
    haste: Haste,
    reserved: Reserved,
}

/// Something that this host cannot limit or count. Limits that need it are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What.
    pub what: &'static str,
    /// Why, for a person.
    pub reason: String,
}

impl Cgroups {
    /// Finds out what the host has and makes the node's own directories in it: at the top of what is mounted, so that neither
    /// the limits nor the end of whatever started the node are the workloads', or, where nothing can be made there, beneath
    /// the node's own group.
    ///
    /// # Errors
    /// [`Error::NoHierarchy`] where no group can be made at all; [`Error::Name`].
    pub fn open(name: &str) -> Result<Self, Error> {
        check_name(name)?;
        Ok(Self { inner: Arc::new(detect::open(name)?) })
    }

    /// Which form limits memory here; on hosts with both, the one that the controllers are with.
    pub fn version(&self) -> Version {
        let limiting = [Controller::Memory, Controller::Cpu, Controller::Pids].into_iter();
        let mut holders = limiting.filter_map(|controller| self.inner.holder(controller));
        holders.next().map_or(Version::Two, |hierarchy| hierarchy.version)
    }

    /// What cannot be limited or counted on this host.
    pub fn what_is_missing(&self) -> &[Missing] {
        &self.inner.missing
    }

    /// Makes a workload's group, or takes the one that is there and limits it.
    ///
    /// # Errors
    /// [`Error::Unsupported`], [`Error::Invalid`], [`Error::Name`], [`Error::Io`]; then nothing of a new group is left.
    pub fn workload(&self, id: &str, limits: &Limits) -> Result<Group, Error> {
        check_name(id)?;
        Group::make(Arc::clone(&self.inner), id.to_owned(), limits)
    }

    /// A workload's group that was made before.
    ///
    /// # Errors
    /// [`Error::Absent`], [`Error::Name`].
    pub fn open_workload(&self, id: &str) -> Result<Group, Error> {
        check_name(id)?;
        Group::open(Arc::clone(&self.inner), id.to_owned())
    }

    /// The group that a node puts its launcher of shims into ([`Group::add`]): it has no limits, and is not ended with
    /// whatever started the node.
    pub fn shims(&self) -> Result<Group, Error> {
        Group::make(Arc::clone(&self.inner), SHIMS.to_owned(), &Limits::default())
    }

    /// Has processes enter groups without waiting, from when this returns until [`Cgroups::rest`] or the end of this process.
    /// The first call takes some milliseconds, further ones nothing: to be called, in a thread that may block, at a node's start
    /// or when the making of a workload begins. What comes of it is seen by nothing but the time, so it never fails. On
    /// kernels before 6.0 (and where nothing can be mounted) it holds for some milliseconds alone: call it each time.
    pub fn hasten(&self) {
        let is_version_2_alone = self.inner.hierarchies.iter().all(|one| one.version == Version::Two);
        if !is_version_2_alone {
            self.inner.haste.begin();
        }
    }

    /// Undoes [`Cgroups::hasten`], for when nothing will be made for a while.
    pub fn rest(&self) {
        self.inner.haste.end();
    }

    /// What [`Cgroups::hasten`] has changed on the whole host, for a person.
    pub fn what_is_changed(&self) -> Option<&'static str> {
        self.inner.haste.what_is_changed()
    }

    /// The workloads that have a group in any hierarchy, sorted.
    pub fn list(&self) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for hierarchy in &self.inner.hierarchies {
            names.extend(hierarchy.top.children()?.into_iter().filter(|name| !name.starts_with('.')));
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// Kills everything in every group, shims too, and removes the groups and the node's own directories. Groups cannot be
    /// made after this.
    pub fn remove_all(&self) -> Result<(), Error> {
        let shims = Group::open(Arc::clone(&self.inner), SHIMS.to_owned());
        let workloads = self.list()?.into_iter().map(|id| Group::open(Arc::clone(&self.inner), id));
        for group in std::iter::once(shims).chain(workloads) {
            match group {
                Ok(group) => {
                    group.kill()?;
                    group.remove()?;
                }
                Err(Error::Absent { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        for hierarchy in &self.inner.hierarchies {
            remove_top(hierarchy.top.path())?;
        }
        Ok(())
    }
}

impl Inner {
    /// The hierarchy that has a controller.
    fn holder(&self, controller: Controller) -> Option<&Hierarchy> {
        self.hierarchies.iter().find(|hierarchy| hierarchy.controllers.contains(&controller))
    }

    /// The hierarchy by which a group is frozen and killed: version 2's if there is one.
    fn stopper(&self) -> Option<&Hierarchy> {
        let of_version_2 = self.hierarchies.iter().find(|hierarchy| hierarchy.version == Version::Two);
        of_version_2.or_else(|| self.holder(Controller::Freezer))
    }

    fn why_missing(&self, what: &str) -> String {
        let missing = self.missing.iter().find(|missing| missing.what == what);
        missing.map_or_else(|| "the kernel has no such controller".to_owned(), |missing| missing.reason.clone())
    }
}

fn remove_top(path: &Path) -> Result<(), Error> {
    match rustix::fs::rmdir(path) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(error) => Err(Error::io("removing", path)(error)),
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain);
    let is_control_file = name.split_once('.').is_some_and(|(before, _)| CONTROL_FILES.contains(&before));
    let is_control_file = is_control_file || matches!(name, "tasks" | "notify_on_release" | "release_agent");
    if fits && !is_control_file { Ok(()) } else { Err(Error::Name { name: name.to_owned() }) }
}

/// What the names of control files begin with: a group of such a name could stand in a kernel's way.
const CONTROL_FILES: [&str; 17] = [
    "cgroup",
    "cpu",
    "cpuacct",
    "cpuset",
    "memory",
    "blkio",
    "devices",
    "freezer",
    "pids",
    "io",
    "hugetlb",
    "net_cls",
    "net_prio",
    "perf_event",
    "rdma",
    "misc",
    "debug",
];

#[cfg(test)]
mod tests;
