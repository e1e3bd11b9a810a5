//! A container's `/dev`: made new in memory, complete before it is attached, never out of what the image has there.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::failure::{Doing, refused};
use super::terminal::Terminal;
use crate::mounts::{self, Depth, Kind};
use crate::plan::{ContainerPlan, DevicePlan, MountFlags};
use crate::protocol::ShimFailure;

/// How much fits into `/dev` itself, in bytes: it is for names. As Docker has it.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The most devices of a plan.
const DEVICES_MAX: usize = 4096;

/// The devices that every container has (OCI runtime specification, "Default Devices"): name, major, minor.
pub(crate) const USUAL: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

/// The links that every container has.
const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
    ("ptmx", "pts/ptmx"),
];

/// How a container comes by device files.
pub(crate) enum Source<'a> {
    /// It makes them.
    Made,
    /// It is in a user namespace, where they cannot be made: these are mounted, from a directory that has the usual ones.
    Mounted(BorrowedFd<'a>),
}

/// Makes `/dev` and attaches it at `target`. Answers the container's terminal, if it has one.
pub(crate) fn make(
    plan: &ContainerPlan,
    further: &[DevicePlan],
    source: &Source<'_>,
    target: BorrowedFd<'_>,
) -> Result<Option<Terminal>, ShimFailure> {
    let flags = MountFlags { no_exec: true, no_suid: true, ..MountFlags::default() };
    let mount = mounts::tmpfs(BYTES_MAX, 0o755, 0, 0, flags).doing("making /dev")?;
    let dev = mount.as_fd();
    for (name, place) in LINKS {
        rustix::fs::symlinkat(place, dev, name).doing_so(|| format!("making /dev/{name}"))?;
    }
    for name in ["pts", "shm", "mqueue"] {
        rustix::fs::mkdirat(dev, name, Mode::from_raw_mode(0o755)).doing_so(|| format!("making /dev/{name}"))?;
    }
    if let Source::Made = source {
        for (name, major, minor) in USUAL {
            node(dev, name, FileType::CharacterDevice, (major, minor), 0o666)?;
        }
    }
    mounts::attach(dev, target).doing("attaching /dev")?;
    if let Source::Mounted(directory) = source {
        mount_usual(dev, *directory)?;
    }
    add(dev, further, source)?;
    let terminals = mount_within(dev, plan)?;
    let terminal = plan.tty.map(|size| Terminal::new(terminals.as_fd(), size)).transpose()?;
    if let Some(terminal) = &terminal {
        attach_console(dev, terminal)?;
    }
    Ok(terminal)
}

/// Terminals, shared memory and message queues. Answers the terminals.
fn mount_within(dev: BorrowedFd<'_>, plan: &ContainerPlan) -> Result<OwnedFd, ShimFailure> {
    let quiet = MountFlags { no_exec: true, no_suid: true, ..MountFlags::default() };
    let quiet_no_dev = MountFlags { no_dev: true, ..quiet };
    // Group 5 is the one that terminals belong to, in every distribution.
    let options = ["newinstance", "ptmxmode=0666", "mode=0620", "gid=5"];
    let terminals = mounts::new("devpts", &options, quiet).doing("making /dev/pts")?;
    let shared = mounts::tmpfs(plan.shm_bytes, 0o1777, 0, 0, quiet_no_dev).doing("making /dev/shm")?;
    let queues = mounts::new("mqueue", &[], quiet_no_dev).doing("making /dev/mqueue")?;
    for (name, mount) in [("pts", &terminals), ("shm", &shared), ("mqueue", &queues)] {
        let place = mounts::open_within(dev, name, OFlags::PATH | OFlags::DIRECTORY)
            .doing_so(|| format!("finding /dev/{name}"))?;
        mounts::attach(mount.as_fd(), place.as_fd()).doing_so(|| format!("attaching /dev/{name}"))?;
    }
    Ok(terminals)
}

/// `/dev/console` is the terminal. The file that it covers was made by nobody but us.
fn attach_console(dev: BorrowedFd<'_>, terminal: &Terminal) -> Result<(), ShimFailure> {
    let place = new_file(dev, "console").doing("making /dev/console")?;
    let mount = mounts::clone_of(terminal.slave.as_fd(), Depth::Alone).doing("making /dev/console")?;
    mounts::attach(mount.as_fd(), place.as_fd()).doing("attaching /dev/console")
}

fn mount_usual(dev: BorrowedFd<'_>, source: BorrowedFd<'_>) -> Result<(), ShimFailure> {
    for (name, ..) in USUAL {
        let doing = || format!("mounting /dev/{name}");
        let place = new_file(dev, name).doing_so(doing)?;
        let node = mounts::open_within(source, name, OFlags::PATH | OFlags::NOFOLLOW).doing_so(doing)?;
        let mount = mounts::clone_of(node.as_fd(), Depth::Alone).doing_so(doing)?;
        mounts::attach(mount.as_fd(), place.as_fd()).doing_so(doing)?;
    }
    Ok(())
}

/// Devices of the plan.
fn add(dev: BorrowedFd<'_>, further: &[DevicePlan], source: &Source<'_>) -> Result<(), ShimFailure> {
    if further.len() > DEVICES_MAX {
        return Err(refused(format!("more than {DEVICES_MAX} devices")));
    }
    if let (Source::Mounted(_), Some(device)) = (source, further.first()) {
        return Err(refused(format!("{}: there are no devices for users of their own", device.path)));
    }
    for device in further {
        let path = device.path.strip_prefix("/dev/").filter(|path| !path.split('/').any(|part| part == ".."));
        let path = path.ok_or_else(|| refused(format!("{}: devices are in /dev", device.path)))?;
        let kind = if device.block { FileType::BlockDevice } else { FileType::CharacterDevice };
        let doing = || format!("making {}", device.path);
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = mounts::make_beneath(dev, parent, Kind::Directory).doing_so(doing)?;
        node(parent.as_fd(), name, kind, (device.major, device.minor), device.mode)?;
    }
    Ok(())
}

/// Makes a device file. One that is there already stays.
pub(crate) fn node(
    directory: BorrowedFd<'_>,
    name: &str,
    kind: FileType,
    (major, minor): (u32, u32),
    mode: u32,
) -> Result<(), ShimFailure> {
    let numbers = rustix::fs::makedev(major, minor);
    match rustix::fs::mknodat(directory, name, kind, Mode::from_raw_mode(mode & 0o777), numbers) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error).doing_so(|| format!("making the device {name}")),
    }
}

fn new_file(directory: BorrowedFd<'_>, name: &str) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::from_raw_mode(0o600))
}
