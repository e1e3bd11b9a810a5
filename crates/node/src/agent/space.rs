//! Room on the disk that is not the server's to fill.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How many files are left to others, or a sixteenth of all that there can be if that is less: an archive of a few MiB can have a
/// million, and file systems have places for so many.
const SPARE_FILES: u64 = 64 * 1024;
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
        rustix::fs::statvfs(&self.path).is_ok_and(|stat| {
            let free_bytes = stat.f_bavail.saturating_mul(stat.f_frsize.max(1));
            free_bytes < self.spare_bytes || lacks_files(stat.f_favail, stat.f_files)
        })
    }
}

/// Whether there is room for few further files. None at all are what file systems tell that have no places for them.
fn lacks_files(free: u64, total: u64) -> bool {
    total > 0 && free < SPARE_FILES.min(total / 16)
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

    #[test]
    fn files_are_left_to_others_as_bytes_are() {
        assert!(lacks_files(65_535, 6_000_000) && !lacks_files(65_536, 6_000_000));
        assert!(lacks_files(61, 1000) && !lacks_files(62, 1000), "of a small one less");
        assert!(!lacks_files(0, 0), "one that does not tell");
    }

    #[test]
    fn a_file_system_without_places_for_files_is_short() {
        let directory = tempfile::tempdir().unwrap();
        let options = ["-t", "tmpfs", "-o", "nr_inodes=100", "tmpfs"];
        match std::process::Command::new("mount").args(options).arg(directory.path()).status() {
            Ok(status) if status.success() => {}
            other => return println!("skipped: no small file system can be mounted here: {other:?}"),
        }
        let space = || Space::new(directory.path().to_owned(), 0);
        let before = space().is_short();
        (0..95).for_each(|number| drop(std::fs::write(directory.path().join(number.to_string()), "")));
        let after = space().is_short();
        std::process::Command::new("umount").arg("--lazy").arg(directory.path()).status().unwrap();
        assert!(!before && after);
    }
}
