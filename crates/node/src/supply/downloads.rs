//! Blobs on their way here.
//!
//! Each is a file of its own in one directory, named by its digest, locked by whoever adds to it. When a pull breaks off the
//! file stays, so that the next one goes on where it ended; [`Downloads::sweep`] removes what nobody went on with. A blob that
//! is whole becomes one of [`Blobs`] without being copied.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use blobs::{BlobError, Blobs};
use images::remote::{Partial, Sink};
use images::{BlobSource, Descriptor, Digest};
use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;

/// How long a blob that nobody goes on with is kept.
pub const PARTIAL_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// How many bytes of such blobs are kept; the oldest go first.
pub const PARTIAL_BYTES_MAX: u64 = 32 << 30;

/// The directory, and the blobs that its files become.
#[derive(Debug, Clone)]
pub(crate) struct Downloads {
    directory: PathBuf,
    blobs: Blobs,
}

/// A blob's file, open and locked.
struct Download {
    blobs: Blobs,
    file: File,
    path: PathBuf,
    length: u64,
}

/// A blob that another pull finished while this one waited for its file.
struct Present {
    blobs: Blobs,
    digest: blobs::Digest,
    size: u64,
}

impl Downloads {
    /// The directory at `path`, which is made if it is not there.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn open(path: &Path, blobs: Blobs) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        Ok(Self { directory: path.to_owned(), blobs })
    }

    /// Removes the files that nobody has added to for `age_max`, and the oldest of the others until they have no more than
    /// `bytes_max` together. Answers how many bytes were removed. Those that are being added to stay.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn sweep(&self, now: SystemTime, age_max: Duration, bytes_max: u64) -> io::Result<u64> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let entry = entry?;
            match entry.metadata() {
                Ok(metadata) if metadata.is_file() => {
                    files.push((metadata.modified()?, metadata.len(), entry.path()));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        files.sort_unstable_by_key(|file| std::cmp::Reverse(file.0));
        let (mut kept, mut removed) = (0_u64, 0);
        for (modified, length, path) in files {
            let age = now.duration_since(modified).unwrap_or_default();
            kept = kept.saturating_add(length);
            if (age >= age_max || kept > bytes_max) && remove_unused(&path)? {
                kept -= length;
                removed += length;
            }
        }
        Ok(removed)
    }

    /// Opens a blob's file and waits until nobody else adds to it; nothing if it has become a blob meanwhile.
    fn lock(&self, digest: &Digest, name: blobs::Digest) -> io::Result<Option<File>> {
        let path = self.path(digest);
        loop {
            let nofollow = OFlags::NOFOLLOW.bits().cast_signed();
            let opened = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(nofollow)
                .open(&path);
            let file = match opened {
                // It has become a blob, which nobody may change, and its name here was not removed.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    remove(&path)?;
                    continue;
                }
                opened => opened?,
            };
            retry_on_interrupt(|| rustix::fs::flock(&file, FlockOperation::LockExclusive))?;
            match file.metadata()?.nlink() {
                // Whoever had the lock before has finished it, or swept it away.
                0 => {}
                1 => return Ok(if self.blobs.refresh(&name).map_err(disk)? { None } else { Some(file) }),
                // What is written to it would be written to the blob.
                _ => remove(&path)?,
            }
            if self.blobs.refresh(&name).map_err(disk)? {
                return Ok(None);
            }
        }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.directory.join(format!("{}-{}", digest.algorithm().name(), digest.hex()))
    }
}

impl BlobSource for Downloads {
    fn open(&self, blob: &Descriptor) -> io::Result<Option<Box<dyn Read + Send>>> {
        BlobSource::open(&self.blobs, blob)
    }
}

impl Sink for Downloads {
    fn has(&self, blob: &Descriptor) -> io::Result<bool> {
        self.blobs.refresh(&name(&blob.digest)?).map_err(disk)
    }

    fn begin(&self, blob: &Descriptor) -> io::Result<Box<dyn Partial>> {
        let digest = name(&blob.digest)?;
        match self.lock(&blob.digest, digest)? {
            Some(file) => {
                let length = file.metadata()?.len();
                let (blobs, path) = (self.blobs.clone(), self.path(&blob.digest));
                Ok(Box::new(Download { blobs, file, path, length }))
            }
            None => {
                let size = self.blobs.size(&digest).map_err(disk)?.unwrap_or_default();
                Ok(Box::new(Present { blobs: self.blobs.clone(), digest, size }))
            }
        }
    }
}

impl Partial for Download {
    fn length(&self) -> u64 {
        self.length
    }

    fn reread(&mut self) -> io::Result<Box<dyn Read + '_>> {
        self.file.seek(SeekFrom::Start(0))?;
        Ok(Box::new((&self.file).take(self.length)))
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        // What was reread, or written in vain when the disk was full, has moved the file's own position.
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.length = 0;
        Ok(())
    }

    fn finish(self: Box<Self>, digest: &Digest) -> io::Result<()> {
        let Self { blobs, file, path, length } = *self;
        // A write that failed half-way may have left more than was counted.
        file.set_len(length)?;
        blobs.adopt(&file, &name(digest)?).map_err(disk)?;
        remove(&path)
    }
}

impl Partial for Present {
    fn length(&self) -> u64 {
        self.size
    }

    fn reread(&mut self) -> io::Result<Box<dyn Read + '_>> {
        let blob = self.blobs.open(&self.digest).map_err(disk)?;
        blob.map(|blob| Box::new(blob) as Box<dyn Read>).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::Error::other("the stored blob is shorter than the registry says"))
    }

    fn clear(&mut self) -> io::Result<()> {
        Err(io::Error::other("the stored blob is damaged"))
    }

    fn finish(self: Box<Self>, digest: &Digest) -> io::Result<()> {
        if self.blobs.refresh(&name(digest)?).map_err(disk)? { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

/// The name of a blob's file.
fn name(digest: &Digest) -> io::Result<blobs::Digest> {
    digest.blob().ok_or_else(|| io::Error::new(io::ErrorKind::Unsupported, "files are kept by SHA-256 only"))
}

fn disk(error: BlobError) -> io::Error {
    match error {
        BlobError::Full => io::ErrorKind::StorageFull.into(),
        BlobError::Io { source, .. } => source,
        other => io::Error::other(other),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes a file unless somebody adds to it. Answers whether it did.
fn remove_unused(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => match std::fs::symlink_metadata(path) {
            Ok(named) if named.ino() == file.metadata()?.ino() => remove(path).map(|()| true),
            // It was finished, and another has its name, since it was opened.
            _ => Ok(false),
        },
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn retry_on_interrupt(mut call: impl FnMut() -> Result<(), Errno>) -> Result<(), Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests;
