//! What shims are forked from: this program, executed as nobody can change it, with one thread and nothing in its memory. A fork of
//! it shares nearly all of its pages, so that a shim costs a few hundred KiB. It does nothing else, and ends with its node.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use serde::{Deserialize, Serialize};

use crate::sys::{self, Fork, FrameRead, Incoming};

/// The argument that makes the program the launcher.
pub const ARGUMENT: &str = "shim-launcher";

/// What a launcher is asked for. It answers nothing: the shim does, over its own connection.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// Fork a shim. Descriptors: the workload's directory, and the other side of a connection.
    Shim,
}

/// Whether this process was executed to be the launcher. A program that starts shims asks this first of all in its `main`.
pub fn is_requested() -> bool {
    let mut arguments = std::env::args_os().skip(1);
    arguments.next().as_deref() == Some(OsStr::new(ARGUMENT)) && arguments.next().is_none()
}

/// Is the launcher, and in forks of it shims. Never returns; must be called before there is any thread.
pub fn main() -> ! {
    // SAFETY: this is the first that the process does: what is open beyond the three standard descriptors was left open
    // by whoever executed it, and nothing in here owns it.
    unsafe { sys::close_from(3) };
    sys::keep_no_memory();
    // Shims that end are not waited for, and neither is what they leave behind when they are killed.
    sys::ignore(&[libc::SIGCHLD, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGPIPE]);
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    let _ = rustix::thread::set_name(c"pilvi-launcher");
    let code = match serve(rustix::stdio::stdin()) {
        Ok(()) => 0,
        Err(_) => 1,
    };
    std::process::exit(code)
}

/// Forks shims until the node has gone.
fn serve(socket: BorrowedFd<'_>) -> io::Result<()> {
    let mut incoming = Incoming::default();
    loop {
        match incoming.read(socket)? {
            FrameRead::Ended => return Ok(()),
            FrameRead::Blocked => {
                let mut ready = [PollFd::from_borrowed_fd(socket, PollFlags::IN)];
                rustix::io::retry_on_intr(|| rustix::event::poll(&mut ready, None))?;
            }
            FrameRead::Frame(frame) => {
                let Ok(Ask::Shim) = serde_json::from_slice(&frame.body) else { continue };
                if let Ok([directory, connection]) = <[OwnedFd; 2]>::try_from(frame.descriptors) {
                    // That there is no shim is told by the end of its connection.
                    if let Ok(Fork::Child) = sys::fork() {
                        become_a_shim(directory, connection)
                    }
                }
            }
        }
    }
}

fn become_a_shim(directory: OwnedFd, connection: OwnedFd) -> ! {
    let _ = rustix::process::setsid();
    if let Ok(null) = std::fs::File::open("/dev/null") {
        // The launcher's own socket: who holds it keeps a launcher waiting.
        let _ = rustix::stdio::dup2_stdin(null.as_fd());
    }
    crate::shim::run(directory, connection)
}
