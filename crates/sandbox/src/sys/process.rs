//! Processes: forked, waited for, signalled.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Which side of a fork this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fork {
    Child,
    Parent {
        /// The child.
        child: i32,
    },
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChildEnded {
    pub(crate) pid: i32,
    /// Its exit code, or 128 and the signal's number.
    pub(crate) code: i32,
    pub(crate) signal: Option<i32>,
}

/// Forks this process, which has one thread alone.
pub(crate) fn fork() -> io::Result<Fork> {
    // SAFETY: launcher and shims never start a thread, so the child has everything that the parent has: no lock is held by
    // a thread that is not there.
    match unsafe { libc::fork() } {
        0 => Ok(Fork::Child),
        child if child > 0 => Ok(Fork::Parent { child }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Ignores signals from here on. Children inherit that until they say otherwise.
pub(crate) fn ignore(signals: &[i32]) {
    for signal in signals {
        // SAFETY: no handler of ours is replaced by another; ignoring has no code that could run.
        unsafe { libc::signal(*signal, libc::SIG_IGN) };
    }
}

/// Blocks `SIGCHLD` and makes a descriptor that can be read when it comes.
pub(crate) fn signal_socket() -> io::Result<OwnedFd> {
    // Children of a process that ignores it, as the launcher does, are never told of.
    // SAFETY: no handler of ours is replaced, and the default has no code that could run.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    // SAFETY: the set is initialised by sigemptyset before it is changed and read.
    let descriptor = unsafe {
        let mut children = std::mem::zeroed();
        libc::sigemptyset(&raw mut children);
        libc::sigaddset(&raw mut children, libc::SIGCHLD);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const children, std::ptr::null_mut());
        libc::signalfd(-1, &raw const children, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC)
    };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: signalfd has just made it, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// A child that has ended. It stays as it is, and its number names it, until [`reap`] is called.
pub(crate) fn child_that_ended() -> Option<ChildEnded> {
    // SAFETY: zero is a valid value of every member.
    let mut about: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `about` is a siginfo_t of our own, which the kernel fills in.
    let answer = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut about, flags) };
    if answer != 0 {
        return None;
    }
    // SAFETY: waitid has filled in the members of SIGCHLD, or left them zero.
    let (pid, status) = unsafe { (about.si_pid(), about.si_status()) };
    if pid == 0 {
        return None;
    }
    Some(match about.si_code {
        libc::CLD_EXITED => ChildEnded { pid, code: status, signal: None },
        _ => ChildEnded { pid, code: 128 + status, signal: Some(status) },
    })
}

/// Whether there is any child, ended or not.
pub(crate) fn has_children() -> bool {
    // SAFETY: zero is a valid value of every member.
    let mut about: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: as in `child_that_ended`.
    unsafe { libc::waitid(libc::P_ALL, 0, &raw mut about, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT) == 0 }
}

/// Sends any signal to the process that a pidfd is of.
pub(crate) fn send_signal(process: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let process = process.as_raw_fd();
    // SAFETY: the descriptor is open, and no further information about the signal is given.
    let answer =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process, signal, std::ptr::null::<libc::siginfo_t>(), 0) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// From so many bytes on an allocation is the kernel's, and goes back to it when it is freed.
#[cfg(target_env = "gnu")]
const ALLOCATION_BYTES_LARGE: i32 = 64 * 1024;

/// Has memory that was needed for a while given back. Without this the allocator learns to keep it.
pub(crate) fn keep_no_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: they take numbers, and there is one thread.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, ALLOCATION_BYTES_LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, ALLOCATION_BYTES_LARGE);
    }
}

/// Forgets a child that has ended.
pub(crate) fn reap(pid: i32) {
    // SAFETY: no status is asked for, so nothing is written.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG) };
}

/// Closes every descriptor from this one on.
///
/// # Safety
/// Nothing may own any of them.
pub(crate) unsafe fn close_from(first: u32) {
    // SAFETY: the caller says that nothing owns them.
    unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
}
