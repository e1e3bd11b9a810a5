//! Collecting what nobody needs.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, FlockOperation};
use rustix::io::Errno;

use crate::root::names_in;
use crate::{BlobError, Blobs, Digest};

/// While it exists, nothing is collected, by no process.
#[derive(Debug)]
pub struct Hold(pub(crate) OwnedFd);

impl Drop for Hold {
    fn drop(&mut self) {
        // Closing is not enough: a process that is just being started may still have the descriptor, until it executes
        // its program. It fails for no reason that leaves the lock held.
        let _ = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

/// What collecting did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// How many blobs were removed.
    pub removed: u64,
    /// How many bytes they had.
    pub removed_bytes: u64,
    /// How many were left.
    pub kept: u64,
    /// Whether it was broken off because somebody held it off.
    pub held_off: bool,
}

impl Blobs {
    /// Keeps blobs from being collected: for as long as a backup copies them. Waits for collection to finish with the
    /// directory that it is in.
    pub fn hold(&self) -> Result<Hold, BlobError> {
        let hold = Hold(self.lock_file()?);
        retry_on_interrupt(|| rustix::fs::flock(&hold.0, FlockOperation::LockShared))
            .map_err(BlobError::os("holding collection off"))?;
        Ok(hold)
    }

    /// Removes the blobs that `keep` does not want and that are older than `grace`, unless somebody holds it off.
    ///
    /// Whoever writes a blob references it afterwards, so `grace` must be longer than that takes, plus the age of what
    /// `keep` knows. Hours are a good choice.
    pub fn collect(&self, keep: impl Fn(&Digest) -> bool, grace: Duration) -> Result<Collected, BlobError> {
        let mut collected = Collected::default();
        for directory in self.directories()? {
            // A lock for each directory, so that writers, who wait for it, wait for little.
            let lock = Hold(self.lock_file()?);
            match retry_on_interrupt(|| rustix::fs::flock(&lock.0, FlockOperation::NonBlockingLockExclusive)) {
                Ok(()) => collect_in(&directory, &keep, grace, &mut collected)?,
                Err(Errno::WOULDBLOCK) => return Ok(Collected { held_off: true, ..collected }),
                Err(error) => return Err(BlobError::os("locking blobs for collection")(error)),
            }
        }
        let lock = Hold(self.lock_file()?);
        match retry_on_interrupt(|| rustix::fs::flock(&lock.0, FlockOperation::NonBlockingLockExclusive)) {
            Ok(()) => self.collect_aliases()?,
            Err(Errno::WOULDBLOCK) => return Ok(Collected { held_off: true, ..collected }),
            Err(error) => return Err(BlobError::os("locking blobs for collection")(error)),
        }
        Ok(collected)
    }
}

fn collect_in(
    directory: &OwnedFd,
    keep: &impl Fn(&Digest) -> bool,
    grace: Duration,
    collected: &mut Collected,
) -> Result<(), BlobError> {
    let doing = "collecting blobs";
    for name in names_in(directory.as_fd())? {
        let Ok(digest) = Digest::from_hex(&name) else { continue };
        let stat = match rustix::fs::statat(directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => continue,
            Err(error) => return Err(BlobError::os(doing)(error)),
        };
        if keep(&digest) || age(stat.st_mtime, stat.st_mtime_nsec) < grace {
            collected.kept += 1;
            continue;
        }
        rustix::fs::unlinkat(directory, &name, AtFlags::empty()).map_err(BlobError::os(doing))?;
        collected.removed += 1;
        collected.removed_bytes += u64::try_from(stat.st_size).unwrap_or_default();
    }
    Ok(())
}

/// How long ago an instant was, by the clock that the file system stamps files with; nothing, if it is still to come.
pub(crate) fn age(seconds: impl TryInto<u64>, nanoseconds: impl TryInto<u32>) -> Duration {
    let since_epoch = Duration::new(seconds.try_into().unwrap_or_default(), nanoseconds.try_into().unwrap_or_default());
    SystemTime::now().duration_since(UNIX_EPOCH + since_epoch).unwrap_or_default()
}

pub(crate) fn retry_on_interrupt(mut call: impl FnMut() -> Result<(), Errno>) -> Result<(), Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}
