//! Pseudo terminals. The other side is had from the terminal itself, never by a path (CVE-2016-2779, CVE-2025-52565).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use super::failure::{Doing, failed};
use crate::mounts;
use crate::plan::TerminalSize;
use crate::protocol::ShimFailure;

/// What terminals' file system says that it is.
const DEVPTS_MAGIC: u64 = 0x1cd1;
/// The numbers of the device that makes terminals.
const PTMX: (u32, u32) = (5, 2);

/// A terminal.
pub(crate) struct Terminal {
    /// The side that a person is at.
    pub(crate) master: OwnedFd,
    /// The side that the container is at.
    pub(crate) slave: OwnedFd,
}

impl Terminal {
    /// A terminal of a file system that was just mounted.
    pub(crate) fn new(terminals: BorrowedFd<'_>, size: TerminalSize) -> Result<Self, ShimFailure> {
        let master =
            mounts::open_within(terminals, "ptmx", OFlags::RDWR | OFlags::NOCTTY).doing("making a terminal")?;
        Self::of(master, size)
    }

    /// A terminal of a container that runs, whose files may be anything.
    pub(crate) fn of_container(size: TerminalSize) -> Result<Self, ShimFailure> {
        let doing = "making a terminal in the container";
        let root =
            rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).doing(doing)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW;
        let found = mounts::open_plain(root.as_fd(), "dev/pts/ptmx", flags, Mode::empty()).doing(doing)?;
        // Looked at before it is opened: opening a device may do things.
        let stat = rustix::fs::fstat(&found).doing(doing)?;
        let numbers = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
        let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && numbers == PTMX;
        if !is_device || rustix::fs::fstatfs(&found).doing(doing)?.f_type as u64 != DEVPTS_MAGIC {
            return Err(failed("/dev/pts/ptmx of the container is not what it should be"));
        }
        let terminals = mounts::open_plain(root.as_fd(), "dev/pts", OFlags::PATH | OFlags::DIRECTORY, Mode::empty())
            .doing(doing)?;
        if rustix::fs::fstatfs(&terminals).doing(doing)?.f_type as u64 != DEVPTS_MAGIC {
            return Err(failed("/dev/pts of the container is not what it should be"));
        }
        Self::new(terminals.as_fd(), size)
    }

    fn of(master: OwnedFd, size: TerminalSize) -> Result<Self, ShimFailure> {
        rustix::pty::unlockpt(&master).doing("unlocking a terminal")?;
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags).doing("opening a terminal's other side")?;
        let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&master, size).doing("setting a terminal's size")?;
        Ok(Self { master, slave })
    }
}
