//! Sandboxes: namespaces, and a process that holds them and can do nothing else.
//!
//! Containers of a shared process namespace see that process. So it has no right, no descriptor, an empty directory as its
//! root and a filter that lets it sleep: who traces it gains nothing.

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::CapabilitySet;

use super::channel::Inner;
use super::enter::Cgroup;
use super::failure::{Doing, failed, refused};
use super::kernel_files::{self, Owner};
use super::process::{self, Side};
use super::{credentials, kit, root};
use crate::mounts::{self, Depth};
use crate::plan::{IdRange, NetworkNamespace, SandboxPlan};
use crate::protocol::ShimFailure;
use crate::seccomp;

/// The longest host name, in bytes; the kernel's limit.
const HOSTNAME_BYTES_MAX: usize = 64;

/// The helper: makes what only the host's root may make, and clones the process that holds the sandbox. `is_counted` says that it
/// is in the sandbox's cgroup already.
pub(crate) fn make(
    channel: &Inner,
    plan: &SandboxPlan,
    network: Option<BorrowedFd<'_>>,
    is_counted: bool,
) -> Result<Infallible, ShimFailure> {
    if plan.hostname.len() > HOSTNAME_BYTES_MAX {
        return Err(refused(format!("the host name is longer than {HOSTNAME_BYTES_MAX} bytes")));
    }
    if !is_counted {
        Cgroup::open(&plan.cgroup)?.enter()?;
    }
    let kit = kit::make()?;
    match (plan.network, network) {
        (NetworkNamespace::Given, Some(namespace)) => {
            process::join(namespace, libc::CLONE_NEWNET).doing("joining the network namespace")?;
        }
        (NetworkNamespace::Given, None) => return Err(refused("the network namespace was not given")),
        (_, Some(_)) => return Err(refused("a network namespace was given that nobody asked for")),
        (_, None) => {}
    }
    // The child waits for its users to be mapped: a pipe whose end closes.
    let (wait, mapped) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).doing("making a pipe")?;
    match process::clone_sibling(namespaces(plan)).doing("making namespaces")? {
        Side::Parent(pid) => {
            if let Some(users) = plan.users {
                map_users(pid, users).doing("mapping users")?;
            }
            rustix::io::write(&mapped, b"m").doing("going on")?;
            process::leave(0)
        }
        Side::Child => process::run(channel, || {
            drop(mapped);
            let is_mapped = rustix::io::read(&wait, &mut [0; 1][..]).doing("waiting for users")? == 1;
            if is_mapped { hold(channel, plan, kit) } else { Err(failed("users could not be mapped")) }
        }),
    }
}

fn namespaces(plan: &SandboxPlan) -> libc::c_int {
    let each = [
        (true, libc::CLONE_NEWNS),
        (true, libc::CLONE_NEWUTS),
        (!plan.host_processes, libc::CLONE_NEWPID),
        (!plan.host_ipc, libc::CLONE_NEWIPC),
        (plan.network == NetworkNamespace::New, libc::CLONE_NEWNET),
        (plan.users.is_some(), libc::CLONE_NEWUSER),
    ];
    each.into_iter().filter(|(is_wanted, _)| *is_wanted).fold(0, |all, (_, flag)| all | flag)
}

fn map_users(pid: i32, users: IdRange) -> io::Result<()> {
    for file in ["uid_map", "gid_map"] {
        std::fs::write(format!("/proc/{pid}/{file}"), format!("0 {} {}", users.first, users.count))?;
    }
    Ok(())
}

/// The process that holds the sandbox.
fn hold(channel: &Inner, plan: &SandboxPlan, kit: OwnedFd) -> Result<Infallible, ShimFailure> {
    if plan.users.is_some() {
        process::become_root().doing("becoming the root of the sandbox")?;
    }
    // For the time until it is done; a shim that has ended before is noticed below.
    process::die_with_parent().doing("binding to the shim")?;
    if !plan.hostname.is_empty() {
        rustix::system::sethostname(plan.hostname.as_bytes()).doing("setting the host name")?;
    }
    if plan.network == NetworkNamespace::New {
        raise_loopback().doing("raising loopback")?;
    }
    let proc = leave_host(kit.as_fd())?;
    let owns = |owner| match owner {
        Owner::Network => plan.network != NetworkNamespace::Host,
        Owner::Ipc => !plan.host_ipc,
        Owner::Other => false,
    };
    kernel_files::set(proc.as_fd(), &plan.sysctls, owns)?;
    cover(kit.as_fd(), proc.as_fd())?;
    rustix::process::setsid().doing("beginning a session")?;
    give_everything_up()?;
    process::die_with_parent().doing("binding to the shim")?;
    // One that ended before the kernel was asked to tell. Afterwards it may well have closed its end.
    if channel.is_abandoned() {
        return Err(failed("the shim has ended"));
    }
    channel.tell_sandbox(plan.share_processes.then_some(proc.as_fd()))?;
    sleep_for_ever()
}

/// Makes the sandbox's directory the root, with the process namespace's files below it, and lets go of the host's mounts.
fn leave_host(kit: BorrowedFd<'_>) -> Result<OwnedFd, ShimFailure> {
    let host = rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .doing("opening the host's root")?;
    // Nothing that is done here is seen on the host from now on.
    mounts::restrict(host.as_fd(), crate::plan::MountFlags::default(), Depth::Tree)
        .doing("leaving the host's mounts")?;
    mounts::attach(kit, host.as_fd()).doing("attaching the sandbox's directory")?;
    // While the host's is still seen: a user namespace may make another only where one is.
    let proc = kernel_files::new_proc()?;
    let place = mounts::open_within(kit, kit::PROC, OFlags::PATH | OFlags::DIRECTORY).doing("attaching /proc")?;
    mounts::attach(proc.as_fd(), place.as_fd()).doing("attaching /proc")?;
    match root::change_root(kit) {
        Ok(()) => {}
        Err(_) if is_first_root(host.as_fd()) => root::change_root_on_top(kit)?,
        Err(failure) => return Err(failure),
    }
    Ok(proc)
}

/// Whether a root is the file system that the kernel started from, which is no mount that anything can take the place of.
fn is_first_root(root: BorrowedFd<'_>) -> bool {
    const RAMFS_MAGIC: u64 = 0x8584_58f6;
    let kind = rustix::fs::fstatfs(root).map(|stat| stat.f_type as u64);
    matches!(kind, Ok(RAMFS_MAGIC)) || matches!(kind, Ok(kind) if kind == libc::TMPFS_MAGIC as u64)
}

/// Nothing is seen of `/proc` by paths: it is for containers' own mounts alone, which are confined.
fn cover(kit: BorrowedFd<'_>, proc: BorrowedFd<'_>) -> Result<(), ShimFailure> {
    let empty = mounts::open_within(kit, kit::EMPTY, OFlags::PATH | OFlags::DIRECTORY).doing("covering /proc")?;
    let cover = mounts::clone_of(empty.as_fd(), Depth::Alone).doing("covering /proc")?;
    mounts::attach(cover.as_fd(), proc).doing("covering /proc")
}

fn give_everything_up() -> Result<(), ShimFailure> {
    // Processes that lost their parents end here, and are forgotten at once.
    // SAFETY: SIG_IGN is no pointer that anybody calls.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    credentials::drop_bounding(0)?;
    credentials::set_capabilities(CapabilitySet::empty()).doing("dropping capabilities")?;
    rustix::thread::set_no_new_privs(true).doing("giving up new privileges")?;
    process::hide();
    Ok(())
}

/// Sleeps until it is killed, with no descriptor open.
fn sleep_for_ever() -> Result<Infallible, ShimFailure> {
    let filter = seccomp::holder();
    // Whoever listens is told of the end, too.
    // SAFETY: as in `process`: no value that owns a descriptor is used again; this function does not return once it succeeds.
    unsafe { libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0) };
    if seccomp::install(&filter).is_err() {
        process::leave(process::EXIT_FAILED);
    }
    loop {
        // SAFETY: no descriptors, no time and no mask are given: it waits for signals alone.
        unsafe { libc::syscall(libc::SYS_ppoll, 0, 0, 0, 0, 0) };
    }
}

fn raise_loopback() -> io::Result<()> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType};
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: all zeroes is a valid value of a structure of integers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the structure lives as long as the call; its name ends with NUL.
    match unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What a container is mounted from when it shares the sandbox's processes: a copy of its `/proc`, made where that is attached.
pub(crate) fn copy_of_proc(processes: BorrowedFd<'_>) -> Result<OwnedFd, ShimFailure> {
    match mounts::clone_of(processes, Depth::Alone) {
        Err(Errno::INVAL) => Err(failed("the sandbox's processes are not those of the sandbox")),
        other => other.doing("copying /proc"),
    }
}
