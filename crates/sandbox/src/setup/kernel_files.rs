//! `/proc` and `/sys` of a container: new file systems, of which what tells of or changes the host is covered or read-only.
//!
//! What is covered is found from the descriptor of a mount that was made a moment before, without following a link or leaving
//! that mount; what covers it is out of a directory that no container has ever written to. So nothing that a tenant
//! made takes part (CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2025-31133, CVE-2025-52881).

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::enter::View;
use super::failure::{Doing, failed, refused};
use super::kit;
use crate::mounts::{self, Depth};
use crate::plan::MountFlags;
use crate::protocol::ShimFailure;

/// What tells of the host (the OCI's and Docker's default), below `/proc`.
const PROC_MASKED: [&str; 10] = [
    "acpi",
    "asound",
    "interrupts",
    "kcore",
    "keys",
    "latency_stats",
    "sched_debug",
    "scsi",
    "timer_list",
    "timer_stats",
];
/// What changes the host, or has it watch over something (`pressure`), below `/proc`.
const PROC_READ_ONLY: [&str; 6] = ["bus", "fs", "irq", "pressure", "sys", "sysrq-trigger"];
/// What tells of the host, below `/sys`.
const SYS_MASKED: [&str; 2] = ["firmware", "devices/virtual/powercap"];

/// What is forbidden in all of it.
const QUIET: MountFlags = MountFlags { read_only: false, no_exec: true, no_suid: true, no_dev: true };
const QUIET_READ_ONLY: MountFlags = MountFlags { read_only: true, ..QUIET };

/// The file system of the process namespace that this process is in.
pub(crate) fn new_proc() -> Result<OwnedFd, ShimFailure> {
    mounts::new("proc", &[], QUIET).doing("making /proc")
}

/// The file system of devices and the network namespace that this process is in.
pub(crate) fn new_sys(is_privileged: bool) -> Result<OwnedFd, ShimFailure> {
    let flags = if is_privileged { QUIET } else { QUIET_READ_ONLY };
    mounts::new("sysfs", &[], flags).doing("making /sys")
}

/// Covers of `/proc` once it is attached.
pub(crate) fn confine_proc(proc: BorrowedFd<'_>, kit: BorrowedFd<'_>) -> Result<(), ShimFailure> {
    if rustix::fs::fstatfs(proc).doing("looking at /proc")?.f_type as u64 != libc::PROC_SUPER_MAGIC as u64 {
        return Err(failed("/proc is not what it should be"));
    }
    for path in PROC_MASKED {
        mask(proc, path, kit)?;
    }
    for path in PROC_READ_ONLY {
        let Some(found) = find(proc, path)? else { continue };
        let doing = || format!("making /proc/{path} read-only");
        let mount = mounts::clone_of(found.as_fd(), Depth::Alone).doing_so(doing)?;
        mounts::restrict(mount.as_fd(), QUIET_READ_ONLY, Depth::Alone).doing_so(doing)?;
        mounts::attach(mount.as_fd(), found.as_fd()).doing_so(doing)?;
    }
    Ok(())
}

/// Covers of `/sys` once it is attached.
pub(crate) fn confine_sys(sys: BorrowedFd<'_>, kit: BorrowedFd<'_>) -> Result<(), ShimFailure> {
    SYS_MASKED.iter().try_for_each(|path| mask(sys, path, kit))
}

fn mask(mount: BorrowedFd<'_>, path: &str, kit: BorrowedFd<'_>) -> Result<(), ShimFailure> {
    let Some(found) = find(mount, path)? else { return Ok(()) };
    let doing = || format!("covering {path}");
    let is_directory =
        FileType::from_raw_mode(rustix::fs::fstat(&found).doing_so(doing)?.st_mode) == FileType::Directory;
    let cover = if is_directory { kit::EMPTY } else { kit::NULL };
    let cover = mounts::open_within(kit, cover, OFlags::PATH | OFlags::NOFOLLOW).doing_so(doing)?;
    let cover = mounts::clone_of(cover.as_fd(), Depth::Alone).doing_so(doing)?;
    mounts::attach(cover.as_fd(), found.as_fd()).doing_so(doing)
}

fn find(mount: BorrowedFd<'_>, path: &str) -> Result<Option<OwnedFd>, ShimFailure> {
    match mounts::open_within(mount, path, OFlags::PATH | OFlags::NOFOLLOW) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error).doing_so(|| format!("looking for {path}")),
    }
}

/// Shows the cgroup at `/sys/fs/cgroup`: version 2 there, the hierarchies of version 1 in directories of their names.
pub(crate) fn show_cgroups(sys: BorrowedFd<'_>, views: &[View], is_privileged: bool) -> Result<(), ShimFailure> {
    let doing = "attaching /sys/fs/cgroup";
    let Some(place) = find(sys, "fs/cgroup")? else { return Ok(()) };
    if let [only] = views
        && only.name.is_empty()
    {
        return mounts::attach(only.mount.as_fd(), place.as_fd()).doing(doing);
    }
    let directory = mounts::tmpfs(CGROUP_BYTES, 0o755, 0, 0, QUIET).doing(doing)?;
    mounts::attach(directory.as_fd(), place.as_fd()).doing(doing)?;
    for view in views {
        let doing = || format!("attaching /sys/fs/cgroup/{}", view.name);
        rustix::fs::mkdirat(&directory, &view.name, Mode::from_raw_mode(0o755)).doing_so(doing)?;
        let place =
            mounts::open_within(directory.as_fd(), &view.name, OFlags::PATH | OFlags::DIRECTORY).doing_so(doing)?;
        mounts::attach(view.mount.as_fd(), place.as_fd()).doing_so(doing)?;
        // `cpu,cpuacct` is found as `cpu` and as `cpuacct`, too.
        for alone in view.name.split(',').filter(|alone| *alone != view.name) {
            rustix::fs::symlinkat(&view.name, &directory, alone).doing_so(doing)?;
        }
    }
    let flags = if is_privileged { QUIET } else { QUIET_READ_ONLY };
    mounts::restrict(directory.as_fd(), flags, Depth::Alone).doing(doing)
}

/// How much fits into the directory of hierarchies, in bytes: it is for names.
const CGROUP_BYTES: u64 = 1024 * 1024;

/// Whose kernel settings these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The network namespace.
    Network,
    /// The IPC namespace.
    Ipc,
    /// The host, or nobody.
    Other,
}

/// Settings of the IPC namespace.
const IPC_SETTINGS: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];
/// The most settings.
const SETTINGS_MAX: usize = 256;

/// Whose a setting is, by its name with dots.
pub(crate) fn owner(name: &str) -> Owner {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/'));
    let has_empty = name.split(['.', '/']).any(str::is_empty);
    match name {
        _ if !is_plain || has_empty => Owner::Other,
        _ if IPC_SETTINGS.contains(&name) || name.starts_with("fs.mqueue.") => Owner::Ipc,
        _ if name.starts_with("net.") => Owner::Network,
        _ => Owner::Other,
    }
}

/// Writes kernel settings through `/proc`'s mount, before any of it is read-only. `owned` tells which namespaces are not the host's.
pub(crate) fn set(
    proc: BorrowedFd<'_>,
    settings: &BTreeMap<String, String>,
    owned: impl Fn(Owner) -> bool,
) -> Result<(), ShimFailure> {
    if settings.len() > SETTINGS_MAX {
        return Err(refused(format!("more than {SETTINGS_MAX} kernel settings")));
    }
    for (name, value) in settings {
        let whose = owner(name);
        if whose == Owner::Other || !owned(whose) {
            return Err(refused(format!("the kernel setting {name} is not the container's own")));
        }
        // As sysctl(8) has it: a slash in a name stands for a dot in a file's name, an interface's.
        let path: String = name
            .chars()
            .map(|c| {
                if c == '.' {
                    '/'
                } else if c == '/' {
                    '.'
                } else {
                    c
                }
            })
            .collect();
        let doing = || format!("setting {name}");
        let file = mounts::open_within(proc, &format!("sys/{path}"), OFlags::WRONLY).doing_so(doing)?;
        mounts::write_all(file.as_fd(), value.as_bytes()).doing_so(doing)?;
    }
    Ok(())
}
