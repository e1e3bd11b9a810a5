//! A process's way into its cgroups, before it has namespaces.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use super::failure::{Doing, refused};
use crate::mounts;
use crate::plan::{CgroupPlan, MountFlags};
use crate::protocol::ShimFailure;

/// The most directories: the hierarchies that kernels have, and then some.
const DIRECTORIES_MAX: usize = 32;
/// The file system of version 2.
const CGROUP2_MAGIC: u64 = libc::CGROUP2_SUPER_MAGIC as u64;
/// Where hierarchies are by convention of every distribution.
const CONVENTIONAL: &str = "/sys/fs/cgroup/";

/// Open directories of a plan.
pub(crate) struct Cgroup {
    directories: Vec<Directory>,
}

struct Directory {
    path: String,
    fd: OwnedFd,
    is_version_2: bool,
}

/// A cgroup as a container sees it.
pub(crate) struct View {
    /// The name of its directory below `/sys/fs/cgroup`; empty for that directory itself.
    pub(crate) name: String,
    /// The mount, which is attached nowhere.
    pub(crate) mount: OwnedFd,
}

/// The directory into which a plan's processes can be born, if there is one: that of version 2, alone.
pub(crate) fn birthplace(plan: &CgroupPlan) -> Result<Option<OwnedFd>, ShimFailure> {
    let [path] = plan.directories.as_slice() else { return Ok(None) };
    let directory = Directory::open(path)?;
    Ok(directory.is_version_2.then_some(directory.fd))
}

impl Cgroup {
    /// Opens a plan's directories.
    pub(crate) fn open(plan: &CgroupPlan) -> Result<Self, ShimFailure> {
        if plan.directories.len() > DIRECTORIES_MAX {
            return Err(refused(format!("more than {DIRECTORIES_MAX} cgroup directories")));
        }
        let directories = plan.directories.iter().map(|path| Directory::open(path)).collect::<Result<_, _>>()?;
        Ok(Self { directories })
    }

    /// Has this process enter it.
    pub(crate) fn enter(&self) -> Result<(), ShimFailure> {
        for directory in &self.directories {
            let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            let doing = || format!("entering the cgroup {}", directory.path);
            let file = rustix::fs::openat(&directory.fd, "cgroup.procs", flags, Mode::empty()).doing_so(doing)?;
            rustix::io::write(&file, b"0").doing_so(doing)?;
        }
        Ok(())
    }

    /// Mounts of its directories, attached nowhere. Their names are those of the hierarchies.
    pub(crate) fn views(&self, read_only: bool) -> Result<Vec<View>, ShimFailure> {
        let flags = MountFlags { read_only, no_exec: true, no_suid: true, no_dev: true };
        let is_alone = matches!(self.directories.as_slice(), [only] if only.is_version_2);
        let mut views = Vec::with_capacity(self.directories.len());
        for directory in &self.directories {
            let name = if is_alone { Some("") } else { directory.hierarchy() };
            let Some(name) = name else { continue };
            let doing = || format!("showing the cgroup {}", directory.path);
            let mount = mounts::clone_of(directory.fd.as_fd(), mounts::Depth::Alone).doing_so(doing)?;
            mounts::restrict(mount.as_fd(), flags, mounts::Depth::Alone).doing_so(doing)?;
            views.push(View { name: name.to_owned(), mount });
        }
        Ok(views)
    }
}

impl Directory {
    fn open(path: &str) -> Result<Self, ShimFailure> {
        let doing = || format!("opening the cgroup {path}");
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd = rustix::fs::open(path, flags, Mode::empty()).doing_so(doing)?;
        let kind = rustix::fs::fstatfs(&fd).doing_so(doing)?.f_type;
        Ok(Self { path: path.to_owned(), fd, is_version_2: kind as u64 == CGROUP2_MAGIC })
    }

    /// `memory` of `/sys/fs/cgroup/memory/…`. None for hierarchies elsewhere: containers do without.
    fn hierarchy(&self) -> Option<&str> {
        let (name, _) = self.path.strip_prefix(CONVENTIONAL)?.split_once('/')?;
        (!name.is_empty() && !name.starts_with('.')).then_some(name)
    }
}
