//! What system calls a container may make: the default profile of Docker and the OCI's engines, as a table of our own, compiled to a
//! filter by a search tree over the calls' numbers.
//!
//! A filter of the kernel's is run for every call, and, when it is installed, once for each number there is, as the kernel
//! remembers which calls are always allowed. A tree makes both a matter of some ten steps instead of hundreds.

mod compat;
mod profile;
mod program;
#[cfg(test)]
mod tests;

use std::io;

pub(crate) use program::Program;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is made.
    Allow,
    /// It fails with this error.
    Errno(u16),
    /// It is made unless the lower half of the argument of that place has one of these bits.
    UnlessBits(u8, u32),
    /// It is made unless the lower half of the argument of that place is this.
    Unless(u8, u32),
    /// It is made if the lower half of the argument of that place is one of these.
    If(u8, &'static [u32]),
}

/// The default profile for a container of these capabilities.
pub(crate) fn default_profile(capabilities: u64) -> Program {
    profile::default(capabilities)
}

/// What the process that holds a sandbox may still do: sleep, and end.
pub(crate) fn holder() -> Program {
    let calls = [libc::SYS_ppoll, libc::SYS_restart_syscall, libc::SYS_exit_group, libc::SYS_rt_sigreturn];
    Program::new(&calls.map(|number| (number as u32, Verdict::Allow)), None)
}

/// Has this process, and all that it executes, make only the calls that a filter lets through.
///
/// # Errors
/// `EACCES` for a process that may still gain rights and has not the capability to administer.
pub(crate) fn install(program: &Program) -> io::Result<()> {
    let instructions = program.instructions();
    let filter = libc::sock_fprog {
        len: u16::try_from(instructions.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: instructions.as_ptr().cast_mut(),
    };
    // SAFETY: the structure and the instructions that it points to live as long as the call, which only reads them; the length
    // is theirs.
    let answer = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const filter) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
