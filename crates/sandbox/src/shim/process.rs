//! A child of the shim's that something stands for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::protocol::{ShimFailure, ShimFailureKind};
use crate::sys;

/// A child that has not been reaped.
#[derive(Debug)]
pub(super) struct Process {
    pid: i32,
    handle: OwnedFd,
}

impl Process {
    /// Of a child that has reported, which therefore is there until it is reaped.
    pub(super) fn of(pid: i32) -> Result<Self, ShimFailure> {
        let process = Pid::from_raw(pid).ok_or_else(|| failed("a report came from process 0"))?;
        let handle = pidfd_open(process, PidfdFlags::empty())
            .map_err(|error| failed(format!("process {pid} cannot be watched: {error}")))?;
        Ok(Self { pid, handle })
    }

    pub(super) fn is(&self, pid: i32) -> bool {
        self.pid == pid
    }

    /// As the host numbers it.
    pub(super) fn number(&self) -> u32 {
        self.pid.unsigned_abs()
    }

    pub(super) fn handle(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }

    pub(super) fn signal(&self, signal: i32) -> io::Result<()> {
        sys::send_signal(self.handle(), signal)
    }

    pub(super) fn kill(&self) {
        // It can only have ended already.
        let _ = self.signal(libc::SIGKILL);
    }
}

pub(super) fn failed(message: impl Into<String>) -> ShimFailure {
    ShimFailure { kind: ShimFailureKind::Failed, message: message.into() }
}

pub(super) fn refused(message: impl Into<String>) -> ShimFailure {
    ShimFailure { kind: ShimFailureKind::Refused, message: message.into() }
}

pub(super) fn not_there(message: impl Into<String>) -> ShimFailure {
    ShimFailure { kind: ShimFailureKind::NotThere, message: message.into() }
}
