//! One process per directory, by a record lock: the kernel tells who holds it and lets go when that process dies,
//! however it dies.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;
use rustix::process::{Flock, FlockType, Pid, fcntl_getlk};

/// A lock held until this is dropped. The process must not open the file again meanwhile: closing any descriptor of it
/// lets a record lock go.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Who holds a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// This process.
    Process(Pid),
    /// A process in a PID namespace that cannot be seen from here, as in another container.
    Unseen,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Process(pid) => write!(f, "process {pid}"),
            Self::Unseen => f.write_str("a process in another container"),
        }
    }
}

impl Lock {
    /// Takes the lock, making its file where there is none; `Err(holder)` within when it is held.
    ///
    /// # Errors
    /// When the file cannot be opened or its file system has no locks.
    pub(crate) fn take(path: &Path) -> Result<Result<Self, Holder>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(no_follow())
            .open(path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Ok(Self { _file: file })),
            Err(Errno::AGAIN | Errno::ACCESS) => Ok(Err(query(&file)?.unwrap_or(Holder::Unseen))),
            Err(error) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
        }
    }

    /// Takes the lock, waiting for a holder that is about to go.
    ///
    /// # Errors
    /// As [`Lock::take`], and when the lock is still held after `patience`.
    pub(crate) fn take_within(path: &Path, patience: Duration) -> Result<Self> {
        let deadline = Instant::now() + patience;
        loop {
            match Self::take(path)? {
                Ok(lock) => return Ok(lock),
                Err(holder) if Instant::now() >= deadline => anyhow::bail!("{} is held by {holder}", path.display()),
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Who holds the lock of this file; nobody when there is no such file.
    ///
    /// # Errors
    /// When the file cannot be opened for reading.
    pub(crate) fn holder(path: &Path) -> io::Result<Option<Holder>> {
        match OpenOptions::new().read(true).custom_flags(no_follow()).open(path) {
            Ok(file) => query(&file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn query(file: &File) -> io::Result<Option<Holder>> {
    let held = fcntl_getlk(file, &Flock::from(FlockType::WriteLock))?;
    Ok(held.map(|lock| lock.pid.map_or(Holder::Unseen, Holder::Process)))
}

/// The directory's owner can put a link or a pipe where the file should be; root must not follow or wait for it.
fn no_follow() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.union(rustix::fs::OFlags::NONBLOCK).bits().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_nobody_holds_can_be_taken_and_has_no_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        assert_eq!(Lock::holder(&path).unwrap(), None);
        let lock = Lock::take(&path).unwrap().unwrap();
        drop(lock);
        assert_eq!(Lock::holder(&path).unwrap(), None);
        // That another process is kept out is tried by the tests that run the program.
    }

    #[test]
    fn a_link_in_the_place_of_the_lock_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &path).unwrap();
        assert!(Lock::take(&path).is_err());
        assert!(!dir.path().join("elsewhere").exists());
    }
}
