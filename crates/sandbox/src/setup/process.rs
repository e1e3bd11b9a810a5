//! Processes: forked, cloned into namespaces, made ready, ended. Everything here is called in single-threaded processes, but for
//! [`join`] and [`unshare`], which threads may call that are then in other namespaces than the rest of their process.

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::AssertUnwindSafe;

use super::channel;
use super::failure::{Doing, failed};
use crate::protocol::ShimFailure;

/// Which side of a fork this is.
pub(crate) enum Side {
    /// The process that forked, and the child's number as it sees it.
    Parent(i32),
    /// The new process.
    Child,
}

/// `fork(2)`, with libc's own state in order afterwards.
pub(crate) fn fork() -> io::Result<Side> {
    // SAFETY: the process has one thread, so the child finds no lock taken by a thread that it does not have.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        pid => Ok(Side::Parent(pid)),
    }
}

/// `linux/sched.h`; libc's constant of this name is cut off.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// A child of this process's parent, in new namespaces by `flags` (`CLONE_NEW…`).
pub(crate) fn clone_sibling(flags: libc::c_int) -> io::Result<Side> {
    let flags = libc::c_long::from(flags | libc::CLONE_PARENT);
    // clone(2) is what the default filter of system calls lets through.
    // SAFETY: without CLONE_VM and a stack the child goes on here with a copy of everything, as after fork(2); there is one thread.
    // The arguments that are 0 (stack, thread ids, TLS) come in an order that depends on the architecture, which makes no difference.
    side_of(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) })
}

/// `fork(2)` of a process that is born in a cgroup of version 2: it need not be moved there, for which all others would wait.
fn clone_into(cgroup: BorrowedFd<'_>, exit_signal: libc::c_int) -> io::Result<Side> {
    // SAFETY: all zeroes is a valid value of a structure of integers.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.exit_signal = exit_signal.cast_unsigned().into();
    arguments.cgroup = cgroup.as_raw_fd().cast_unsigned().into();
    // SAFETY: the structure lives as long as the call and its size is told. Without CLONE_VM and a stack the child goes on here
    // with a copy of everything, as after fork(2); there is one thread.
    side_of(unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<libc::clone_args>()) })
}

fn side_of(answer: libc::c_long) -> io::Result<Side> {
    match answer {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        pid => Ok(Side::Parent(i32::try_from(pid).unwrap_or(i32::MAX))),
    }
}

/// Where a process is born, if not where its parent is.
#[derive(Clone, Copy, Default)]
pub(crate) struct Birth<'a> {
    /// In the process namespace of this process: no other one can make a namespace within that.
    pub(crate) among: Option<BorrowedFd<'a>>,
    /// In this cgroup of version 2.
    pub(crate) cgroup: Option<BorrowedFd<'a>>,
}

impl Birth<'_> {
    fn fork(self) -> io::Result<Side> {
        let Some(among) = self.among else { return self.fork_here() };
        // This process itself stays in its process namespace whatever its children are born in.
        let own = rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty())?;
        join(among, libc::CLONE_NEWPID)?;
        let forked = self.fork_here();
        match (&forked, join(own.as_fd(), libc::CLONE_NEWPID)) {
            // Each child decides for itself.
            (Ok(Side::Child), _) | (_, Ok(())) => forked,
            (_, Err(error)) => Err(error),
        }
    }

    fn fork_here(self) -> io::Result<Side> {
        self.cgroup.map_or_else(fork, |cgroup| clone_into(cgroup, libc::SIGCHLD))
    }
}

/// Forks a process that does `work` with its end of a new channel and the descriptors in `keep` alone, and tells of its failure.
/// Answers the other end.
pub(crate) fn child(
    keep: &[BorrowedFd<'_>],
    birth: Birth<'_>,
    work: impl FnOnce(&channel::Inner) -> Result<Infallible, ShimFailure>,
) -> Result<OwnedFd, ShimFailure> {
    let (ours, theirs) = channel::pair()?;
    // A process that ignores its children's ends, as one that it was forked from may have had it, would never hear of them.
    // SAFETY: SIG_DFL is no pointer that anybody calls; the default is to do nothing.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    match birth.fork().doing("forking")? {
        Side::Parent(_) => Ok(ours),
        Side::Child => {
            let kept: Vec<RawFd> = keep.iter().map(AsRawFd::as_raw_fd).chain([theirs.as_raw_fd()]).collect();
            let channel = channel::Inner::new(theirs);
            run(&channel, || {
                make_ready(&kept)?;
                work(&channel)
            })
        }
    }
}

/// Does `work` in a child, which never returns to what its parent was doing.
pub(crate) fn run(channel: &channel::Inner, work: impl FnOnce() -> Result<Infallible, ShimFailure>) -> ! {
    let failure = match std::panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(never)) => match never {},
        Ok(Err(failure)) => failure,
        Err(_) => failed("a process that makes containers panicked"),
    };
    // If nobody listens any more there is nobody to tell.
    let _ = channel.tell_failure(&failure);
    leave(EXIT_FAILED)
}

/// What a process of ours ends with when it could not do its work. Nobody but a person who traces it sees it.
pub(crate) const EXIT_FAILED: i32 = 125;

/// Ends this process, and runs nothing that was meant for its parent.
pub(crate) fn leave(code: i32) -> ! {
    // SAFETY: it takes no pointer and does not return.
    unsafe { libc::_exit(code) }
}

/// What a forked process does first: nobody may look into it, nothing is inherited but `keep`.
fn make_ready(keep: &[RawFd]) -> Result<(), ShimFailure> {
    hide();
    close_all_but(keep).map_err(|error| failed(format!("closing descriptors: {error}")))?;
    reset_signals();
    rustix::process::umask(rustix::fs::Mode::empty());
    Ok(())
}

/// Takes the process from the sight of others of its user: its memory, descriptors, root and program (CVE-2016-9962,
/// CVE-2019-5736). `execve(2)` gives it back.
pub(crate) fn hide() {
    // SAFETY: PR_SET_DUMPABLE takes a number. It cannot fail with 0.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
}

/// Closes every descriptor but these and those of input and output. No value that owns another one may be used, or dropped,
/// afterwards.
pub(crate) fn close_all_but(keep: &[RawFd]) -> io::Result<()> {
    let mut keep: Vec<u32> = keep.iter().filter_map(|fd| u32::try_from(*fd).ok()).filter(|fd| *fd > 2).collect();
    keep.sort_unstable();
    keep.dedup();
    let mut from = 3;
    for fd in keep {
        if fd > from {
            close_range(from, fd - 1, 0)?;
        }
        from = fd + 1;
    }
    close_range(from, u32::MAX, 0)
}

/// Sees to it that no descriptor but input and outputs survives `execve(2)`.
pub(crate) fn close_on_exec() -> io::Result<()> {
    close_range(3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
}

fn close_range(first: u32, last: u32, flags: libc::c_uint) -> io::Result<()> {
    // SAFETY: no pointer is given. Descriptors that Rust values of the parent own are closed too: those values belong to frames
    // to which this process never returns, so none of them is used or dropped.
    match unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn reset_signals() {
    // Of the others, which nobody ignores, handlers go with execve(2).
    for signal in 1..=libc::SIGSYS {
        // SAFETY: SIG_DFL is no pointer that anybody calls. Failing for KILL and STOP is meant.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: the set is initialised by sigemptyset before it is read; the old mask is not asked for.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Joins namespaces of the process that a pidfd is of; `flags` are `CLONE_NEW…`.
pub(crate) fn join(process: BorrowedFd<'_>, flags: libc::c_int) -> io::Result<()> {
    // SAFETY: no memory is involved.
    match unsafe { libc::setns(process.as_raw_fd(), flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Leaves namespaces for new ones; `flags` are `CLONE_NEW…`.
pub(crate) fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: no descriptor table is unshared, and no memory is involved.
    match unsafe { libc::unshare(flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Has the kernel kill this process when its parent ends. To be called after the last change of users, and by each process for
/// itself: a child does not inherit it.
pub(crate) fn die_with_parent() -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?)
}

/// Becomes the root user of the user namespace that was just entered.
pub(crate) fn become_root() -> io::Result<()> {
    let (uid, gid) = (rustix::process::Uid::ROOT, rustix::process::Gid::ROOT);
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    hide();
    Ok(())
}
