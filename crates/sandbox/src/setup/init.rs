//! A small init: process 1 of a container that wants one. It reaps what lost its parents, hands on signals, and ends as its program
//! does. It is as confined as the program.

use std::convert::Infallible;

use super::channel::Inner;
use super::execute::Ready;
use super::failure::{Doing, failed};
use super::process::{self, Side};
use crate::protocol::ShimFailure;

/// Executes the program as a child and looks after it.
pub(crate) fn supervise(ready: Ready, channel: &Inner) -> Result<Infallible, ShimFailure> {
    // Without a process namespace of its own it is process 1 by this alone.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).doing("becoming the container's init")?;
    let all = block_signals().doing("blocking signals")?;
    channel.tell_executing(None)?;
    match process::fork().doing("forking the program")? {
        Side::Child => process::run(channel, || {
            unblock_signals().doing("unblocking signals")?;
            ready.execute()
        }),
        Side::Parent(program) => {
            drop(ready);
            // Nothing of the program's is held open here.
            // SAFETY: no value that owns a descriptor is used again: this process goes on to wait until it ends.
            unsafe { libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0) };
            process::leave(wait_for(program, &all))
        }
    }
}

fn wait_for(program: i32, all: &libc::sigset_t) -> i32 {
    loop {
        // SAFETY: the set lives as long as the call; nothing is asked for but the number.
        let signal = unsafe { libc::sigwaitinfo(all, std::ptr::null_mut()) };
        match signal {
            libc::SIGCHLD => {
                if let Some(code) = reap(program) {
                    return code;
                }
            }
            1.. => {
                // SAFETY: no memory is involved. The program is this process's child and not yet reaped, so the number is its.
                unsafe { libc::kill(program, signal) };
            }
            _ => {}
        }
    }
}

/// Reaps all that have ended. The program's exit code, once it is among them.
fn reap(program: i32) -> Option<i32> {
    let mut code = None;
    loop {
        let mut status = 0;
        // SAFETY: the number lives as long as the call, which writes to it.
        match unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) } {
            ended if ended == program => {
                code = Some(if libc::WIFSIGNALED(status) {
                    128 + libc::WTERMSIG(status)
                } else {
                    libc::WEXITSTATUS(status)
                });
            }
            1.. => {}
            _ => return code,
        }
    }
}

fn block_signals() -> Result<libc::sigset_t, ShimFailure> {
    // SAFETY: the set is filled before it is read; the old mask is not asked for.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        // What the processor says of this process itself is no message to anybody.
        for signal in
            [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT, libc::SIGTRAP, libc::SIGSYS]
        {
            libc::sigdelset(&raw mut all, signal);
        }
        match libc::sigprocmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut()) {
            0 => Ok(all),
            _ => Err(failed(std::io::Error::last_os_error().to_string())),
        }
    }
}

fn unblock_signals() -> Result<(), ShimFailure> {
    // SAFETY: as above.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        match libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()) {
            0 => Ok(()),
            _ => Err(failed(std::io::Error::last_os_error().to_string())),
        }
    }
}
