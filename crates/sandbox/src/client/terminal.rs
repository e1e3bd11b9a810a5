//! What a node does by itself with what shims hand out.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::time::{ClockId, clock_gettime};

use crate::plan::TerminalSize;

/// Makes a terminal, whose other side this is, so large. Its foreground processes get `SIGWINCH`.
pub fn resize(terminal: BorrowedFd<'_>, size: TerminalSize) -> io::Result<()> {
    let size = rustix::termios::Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(rustix::termios::tcsetwinsize(terminal, size)?)
}

/// The time that a fence is told in: nanoseconds since the machine was started, those included in which it was suspended.
pub fn boot_time_ns() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}
