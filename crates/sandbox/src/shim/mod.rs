//! A shim: one process for each workload, which holds its sandbox, makes its containers, keeps what they print and how they
//! ended. It has one thread and waits for nothing but `epoll_wait`; what takes time happens in children ([`crate::setup`]).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// The socket in a workload's directory at which its shim can be reached.
pub(crate) const SOCKET_FILE: &str = "shim.sock";
/// What a shim that ends in its own order leaves in the workload's directory: its state, as JSON.
pub(crate) const LAST_WORDS_FILE: &str = "shim.last";
/// The longest that it can be, in bytes.
pub(crate) const LAST_WORDS_BYTES_MAX: u64 = 256 * 1024;

/// A path to the socket that always fits into an address, and leads to this directory whatever its own path is.
pub(crate) fn socket_path(directory: BorrowedFd<'_>) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET_FILE}", directory.as_fd().as_raw_fd()))
}

/// Is a shim.
pub(crate) fn run(directory: OwnedFd, connection: OwnedFd) -> ! {
    drop((directory, connection));
    std::process::exit(1)
}
