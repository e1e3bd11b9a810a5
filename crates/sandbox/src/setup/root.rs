//! A container's tree of mounts, put together within a mount namespace of its own and made its root.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;

use super::devices::{self, Source};
use super::enter::View;
use super::failure::{Doing, refused};
use super::kernel_files::{self, Owner};
use super::terminal::Terminal;
use super::{kit, process};
use crate::mounts::{self, Depth, Kind};
use crate::plan::{ContainerPlan, DevicePlan, MountFlags, MountPlan, MountSource, SandboxPlan};
use crate::protocol::ShimFailure;

/// The most mounts of a container, given and made.
const MOUNTS_MAX: usize = 1000;

/// What a root is put together from.
pub(crate) struct Parts<'a> {
    pub(crate) plan: &'a ContainerPlan,
    pub(crate) shared: &'a SandboxPlan,
    /// The root's own mount, and those that were given.
    pub(crate) root: BorrowedFd<'a>,
    pub(crate) mounts: &'a [BorrowedFd<'a>],
    /// `/sys`, made where the host's rights were.
    pub(crate) sys: OwnedFd,
    /// `/proc`, if it is not that of a process namespace of the container's own.
    pub(crate) proc: Option<OwnedFd>,
    /// The cgroup.
    pub(crate) views: Vec<View>,
    /// Devices beside the usual ones.
    pub(crate) devices: Vec<DevicePlan>,
}

/// Puts a container's root together, in a mount namespace that is a copy of the sandbox's, and makes it this process's. Answers the
/// container's terminal, if it has one.
pub(crate) fn build(parts: Parts<'_>) -> Result<Option<Terminal>, ShimFailure> {
    let Parts { plan, root, .. } = parts;
    let kit = rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .doing("opening the sandbox's directory")?;
    let kit = kit.as_fd();
    let place =
        mounts::open_within(kit, kit::ROOT, OFlags::PATH | OFlags::DIRECTORY).doing("finding the root's place")?;
    mounts::restrict(root, MountFlags::default(), Depth::Tree).doing("making the root private")?;
    mounts::attach(root, place.as_fd()).doing("attaching the root")?;
    attach_proc(&parts, kit)?;
    attach_sys(&parts, kit)?;
    let source = if parts.shared.users.is_some() { Source::Mounted(kit) } else { Source::Made };
    let terminal = devices::make(plan, &parts.devices, &source, own_directory(root, "dev")?.as_fd())?;
    mount_all(root, &plan.mounts, parts.mounts, plan.privileged)?;
    if plan.read_only_root {
        let flags = MountFlags { read_only: true, ..MountFlags::default() };
        mounts::restrict(root, flags, Depth::Alone).doing("making the root read-only")?;
    }
    change_root(root)?;
    Ok(terminal)
}

fn attach_proc(parts: &Parts<'_>, kit: BorrowedFd<'_>) -> Result<(), ShimFailure> {
    let place = own_directory(parts.root, "proc")?;
    let made;
    let proc = match &parts.proc {
        Some(given) => given.as_fd(),
        None => {
            made = kernel_files::new_proc()?;
            made.as_fd()
        }
    };
    mounts::attach(proc, place.as_fd()).doing("attaching /proc")?;
    let owns_ipc = !parts.shared.share_ipc && !parts.shared.host_ipc;
    kernel_files::set(proc, &parts.plan.sysctls, |owner| owner == Owner::Ipc && owns_ipc)?;
    if parts.plan.privileged { Ok(()) } else { kernel_files::confine_proc(proc, kit) }
}

fn attach_sys(parts: &Parts<'_>, kit: BorrowedFd<'_>) -> Result<(), ShimFailure> {
    let sys = parts.sys.as_fd();
    mounts::attach(sys, own_directory(parts.root, "sys")?.as_fd()).doing("attaching /sys")?;
    kernel_files::show_cgroups(sys, &parts.views, parts.plan.privileged)?;
    if parts.plan.privileged { Ok(()) } else { kernel_files::confine_sys(sys, kit) }
}

/// A directory of the root's own, made if it is missing. A link in its place would have what the kernel tells attached where the
/// image likes (CVE-2019-19921, CVE-2023-27561).
fn own_directory(root: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, ShimFailure> {
    let doing = || format!("finding /{name} of the image");
    let open = || mounts::open_plain(root, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
    match open() {
        Ok(found) => Ok(found),
        Err(Errno::NOENT) => {
            rustix::fs::mkdirat(root, name, Mode::from_raw_mode(0o755)).doing_so(doing)?;
            open().doing_so(doing)
        }
        Err(Errno::LOOP | Errno::NOTDIR) => Err(refused(format!("/{name} of the image is no directory"))),
        Err(error) => Err(error).doing_so(doing),
    }
}

/// Mounts what a plan names beneath a root, in order. `given` are the descriptors of those that have one.
pub(crate) fn mount_all(
    root: BorrowedFd<'_>,
    plans: &[MountPlan],
    given: &[BorrowedFd<'_>],
    is_privileged: bool,
) -> Result<(), ShimFailure> {
    if plans.len() > MOUNTS_MAX {
        return Err(refused(format!("more than {MOUNTS_MAX} mounts")));
    }
    let mut given = given.iter();
    for plan in plans {
        let doing = || format!("mounting {}", plan.target);
        let made;
        let mount = match &plan.source {
            MountSource::Given => {
                *given.next().ok_or_else(|| refused(format!("{} came without its mount", plan.target)))?
            }
            MountSource::Tmpfs { bytes_max, mode, uid, gid } => {
                made = mounts::tmpfs(*bytes_max, *mode, *uid, *gid, plan.flags).doing_so(doing)?;
                made.as_fd()
            }
        };
        mounts::restrict(mount, plan.flags, Depth::Tree).doing_so(doing)?;
        let place = place_of(root, plan, mount, is_privileged)?;
        mounts::attach(mount, place.as_fd()).doing_so(doing)?;
    }
    match given.next() {
        None => Ok(()),
        Some(_) => Err(refused("there are more descriptors of mounts than mounts")),
    }
}

/// The place of a mount, held by descriptor: what it is later renamed to or replaced by makes no difference (CVE-2021-30465).
fn place_of(
    root: BorrowedFd<'_>,
    plan: &MountPlan,
    mount: BorrowedFd<'_>,
    is_privileged: bool,
) -> Result<OwnedFd, ShimFailure> {
    let target = plan.target.as_str();
    let doing = || format!("finding the place of {target}");
    if !target.starts_with('/') || target.split('/').all(|name| matches!(name, "" | "." | "..")) {
        return Err(refused(format!("`{target}` is no place to mount at")));
    }
    let mode = rustix::fs::fstat(mount).doing_so(doing)?.st_mode;
    let kind = if FileType::from_raw_mode(mode) == FileType::Directory { Kind::Directory } else { Kind::File };
    let place = match mounts::make_beneath(root, target, kind) {
        Err(Errno::NOTDIR | Errno::ISDIR | Errno::LOOP | Errno::INVAL) => {
            return Err(refused(format!("{target} of the container is not what can be mounted at")));
        }
        other => other.doing_so(doing)?,
    };
    // What covers files of the kernel's makes programs, ours among them, believe what is not so (CVE-2019-16884).
    let is_proc = rustix::fs::fstatfs(&place).doing_so(doing)?.f_type as u64 == libc::PROC_SUPER_MAGIC as u64;
    if is_proc && !is_privileged {
        return Err(refused(format!("{target} is in /proc, where nothing is mounted")));
    }
    Ok(place)
}

/// Makes a mount that is attached this process's root, and lets go of everything else.
pub(crate) fn change_root(root: BorrowedFd<'_>) -> Result<(), ShimFailure> {
    rustix::process::fchdir(root).doing("entering the root")?;
    match rustix::process::pivot_root(".", ".") {
        // The old root is on top of the new one; this lets go of it.
        Ok(()) => rustix::mount::unmount(".", UnmountFlags::DETACH).doing("letting go of the old root")?,
        Err(error) => return Err(error).doing("changing the root"),
    }
    rustix::process::chdir("/").doing("entering the root")
}

/// The same where the old root is the kernel's first one (a system that runs from memory), of which nothing lets go.
pub(crate) fn change_root_on_top(root: BorrowedFd<'_>) -> Result<(), ShimFailure> {
    rustix::process::fchdir(root).doing("entering the root")?;
    rustix::process::chroot(".").doing("changing the root")?;
    process::hide();
    rustix::process::chdir("/").doing("entering the root")
}
