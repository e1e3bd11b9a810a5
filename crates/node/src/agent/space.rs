//! Room on the disk that is not the server's to fill.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often the file system is asked. Within so long no disk takes more than a part of what is spared.
const EVERY: Duration = Duration::from_millis(50);

/// Watches how much is free on a file system.
#[derive(Debug)]
pub(super) struct Space {
    path: PathBuf,
    spare_bytes: u64,
    last: Mutex<Option<Instant>>,
}

impl Space {
    pub(super) fn new(path: PathBuf, spare_bytes: u64) -> Self {
        Self { path, spare_bytes, last: Mutex::new(None) }
    }

    /// Whether what is to be spared is free no more. Not looked at each time, unless it is asked for the first time.
    pub(super) fn is_short(&self) -> bool {
        // Another thread that looks right now is enough.
        let Ok(mut last) = self.last.try_lock() else { return false };
        if last.is_some_and(|last| last.elapsed() < EVERY) {
            return false;
        }
        *last = Some(Instant::now());
        // A file system that does not tell has no limit that could be kept.
        rustix::fs::statvfs(&self.path)
            .is_ok_and(|stat| stat.f_bavail.saturating_mul(stat.f_frsize.max(1)) < self.spare_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_is_short_when_less_is_free_than_is_spared() {
        let directory = tempfile::tempdir().unwrap();
        assert!(!Space::new(directory.path().to_owned(), 0).is_short());
        assert!(Space::new(directory.path().to_owned(), u64::MAX).is_short());
        assert!(!Space::new("/nowhere".into(), u64::MAX).is_short());
    }
}
