//! Leaves room on the disk.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use images::remote::{Downloads, Partial, Sink};
use images::{BlobSource, Descriptor, Digest};

/// What downloads leave free, in bytes: the state, logs and records are on the same disk, and an image that somebody names
/// must not stop them.
pub(super) const ROOM_KEPT: u64 = 64 * 1024 * 1024;

/// Downloads that are refused before they would fill the disk.
#[derive(Debug, Clone)]
pub(super) struct Roomy {
    downloads: Downloads,
    directory: PathBuf,
    kept: u64,
    /// How many bytes are still to come of all blobs that have begun.
    expected: Arc<AtomicU64>,
}

impl Roomy {
    /// Downloads in `directory`, which leave `kept` bytes free.
    pub(super) fn new(downloads: Downloads, directory: &Path, kept: u64) -> Self {
        Self { downloads, directory: directory.to_owned(), kept, expected: Arc::default() }
    }

    /// The downloads themselves.
    pub(super) fn downloads(&self) -> &Downloads {
        &self.downloads
    }

    fn free(&self) -> io::Result<u64> {
        let disk = rustix::fs::statvfs(&self.directory)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

impl BlobSource for Roomy {
    fn open(&self, blob: &Descriptor) -> io::Result<Option<Box<dyn Read + Send>>> {
        self.downloads.open(blob)
    }
}

impl Sink for Roomy {
    fn has(&self, blob: &Descriptor) -> io::Result<bool> {
        self.downloads.has(blob)
    }

    fn begin(&self, blob: &Descriptor) -> io::Result<Box<dyn Partial>> {
        let partial = self.downloads.begin(blob)?;
        let missing = blob.size.saturating_sub(partial.length());
        let before = self.expected.fetch_add(missing, Ordering::SeqCst);
        // From here on it is given back when this is dropped.
        let expecting = Expecting { missing, all: Arc::clone(&self.expected) };
        let wanted = before.saturating_add(missing).saturating_add(self.kept);
        if missing > 0 && wanted > self.free()? {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(Box::new(Counted { partial, expecting }))
    }
}

/// Bytes that are still to come.
struct Expecting {
    missing: u64,
    all: Arc<AtomicU64>,
}

impl Expecting {
    fn came(&mut self, bytes: u64) {
        let bytes = bytes.min(self.missing);
        self.missing -= bytes;
        self.all.fetch_sub(bytes, Ordering::SeqCst);
    }
}

impl Drop for Expecting {
    fn drop(&mut self) {
        self.came(self.missing);
    }
}

/// A blob on its way, whose bytes are no longer expected when they have come.
struct Counted {
    partial: Box<dyn Partial>,
    expecting: Expecting,
}

impl Partial for Counted {
    fn length(&self) -> u64 {
        self.partial.length()
    }

    fn reread(&mut self) -> io::Result<Box<dyn Read + '_>> {
        self.partial.reread()
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.partial.append(bytes)?;
        self.expecting.came(bytes.len() as u64);
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.partial.clear()
    }

    fn finish(self: Box<Self>, digest: &Digest) -> io::Result<()> {
        self.partial.finish(digest)
    }
}

#[cfg(test)]
mod tests {
    use blobs::Blobs;
    use images::Algorithm;

    use super::*;

    struct Bed {
        _directory: tempfile::TempDir,
        roomy: Roomy,
    }

    /// Downloads that leave all that is free now, but for so many bytes.
    fn bed(room: impl FnOnce(u64) -> u64) -> Bed {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Blobs::open_root(&directory.path().join("blobs")).unwrap();
        let path = directory.path().join("downloads");
        let downloads = Downloads::open(&path, blobs).unwrap();
        let mut roomy = Roomy::new(downloads, &path, 0);
        roomy.kept = room(roomy.free().unwrap());
        Bed { _directory: directory, roomy }
    }

    fn blob(name: &[u8], size: u64) -> Descriptor {
        let digest = Digest::of(Algorithm::Sha256, name);
        Descriptor { media_type: "m".to_owned(), digest, size, platform: None }
    }

    #[test]
    fn what_would_fill_the_disk_is_refused_before_it_begins() {
        let bed = bed(|free| free);
        let error = bed.roomy.begin(&blob(b"a", u64::MAX / 2)).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(bed.roomy.expected.load(Ordering::SeqCst), 0, "it is not expected any more");
    }

    #[test]
    fn what_others_still_expect_is_no_room() {
        let bed = bed(|_| 0);
        let free = bed.roomy.free().unwrap();
        let held = bed.roomy.begin(&blob(b"a", free / 4 * 3)).unwrap();
        assert!(bed.roomy.begin(&blob(b"b", free / 4 * 3)).is_err());
        drop(held);
        assert!(bed.roomy.begin(&blob(b"b", free / 4 * 3)).is_ok());
    }

    #[test]
    fn what_has_come_is_expected_no_more() {
        let bed = bed(|_| 0);
        let blob = blob(b"hello", 5);
        let mut partial = bed.roomy.begin(&blob).unwrap();
        assert_eq!(bed.roomy.expected.load(Ordering::SeqCst), 5);
        partial.append(b"hel").unwrap();
        assert_eq!(bed.roomy.expected.load(Ordering::SeqCst), 2);
        partial.clear().unwrap();
        partial.append(b"hello").unwrap();
        partial.finish(&blob.digest).unwrap();
        assert_eq!(bed.roomy.expected.load(Ordering::SeqCst), 0);
        assert!(bed.roomy.has(&blob).unwrap());
    }
}
