//! Half-fetched blobs in a directory; whole ones among the blobs.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use blobs::{BlobError, Blobs};
use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::{Partial, Sink};
use crate::digest::Hasher;
use crate::{Algorithm, BlobSource, Descriptor, Digest};

/// A directory of blobs that are being fetched. What is whole is put among [`Blobs`] without being copied; what is not stays, to
/// go on with in a later attempt or another process.
///
/// Each file is locked by whoever fetches it. Several processes may use one directory.
#[derive(Debug, Clone)]
pub struct Downloads {
    directory: Arc<OwnedFd>,
    blobs: Blobs,
}

/// How often a file is opened anew that somebody takes away meanwhile.
const OPEN_ATTEMPTS: usize = 100;
const HASH_BUFFER_BYTES: usize = 256 * 1024;

impl Downloads {
    /// Opens a directory, which is made if it is not there. It must be on the file system of the blobs to save the copy.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn open(path: &Path, blobs: Blobs) -> io::Result<Self> {
        match rustix::fs::mkdir(path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = Arc::new(rustix::fs::open(path, flags, Mode::empty())?);
        Ok(Self { directory, blobs })
    }

    /// Removes what nobody has gone on with for so long, and of what is younger the oldest, until there are no more than
    /// `bytes_max` bytes of it. What somebody is about to fetch stays. Answers how many bytes that freed.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn sweep(&self, unused: Duration, bytes_max: u64) -> io::Result<u64> {
        let mut files = Vec::new();
        for entry in Dir::read_from(self.directory.as_ref())? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if digest_of(name).is_none() {
                continue;
            }
            match self.open_file(name, OFlags::RDONLY) {
                Ok(file) => {
                    let metadata = file.metadata()?;
                    files.push((metadata.modified()?, metadata.len(), name.to_owned()));
                }
                Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        files.sort_unstable_by_key(|(modified, ..)| std::cmp::Reverse(*modified));
        let (now, mut kept, mut freed) = (SystemTime::now(), 0_u64, 0_u64);
        for (modified, length, name) in files {
            let age = now.duration_since(modified).unwrap_or_default();
            kept = kept.saturating_add(length);
            if (age >= unused || kept > bytes_max) && self.remove_unused(&name)? {
                kept = kept.saturating_sub(length);
                freed += length;
            }
        }
        Ok(freed)
    }

    /// Makes a blob that is there count as new, so that collection leaves it for the time of grace. Answers its own name among
    /// the blobs, which is its SHA-256 whatever the descriptor knows it by; none if it is not there.
    ///
    /// # Errors
    /// What the disk says.
    pub fn refresh(&self, blob: &Descriptor) -> io::Result<Option<blobs::Digest>> {
        let name = match (blob.digest.blob(), blob.digest.long_blob()) {
            (Some(name), _) => name,
            (None, Some(long)) => match self.blobs.open_long(&long).map_err(of_blobs)? {
                Some(file) if file.size() == blob.size => sha256(file)?,
                _ => return Ok(None),
            },
            (None, None) => return Ok(None),
        };
        let is_there = self.blobs.size(&name).map_err(of_blobs)? == Some(blob.size)
            && self.blobs.refresh(&name).map_err(of_blobs)?;
        Ok(is_there.then_some(name))
    }

    /// Removes a file unless somebody writes to it. Answers whether it did.
    fn remove_unused(&self, name: &str) -> io::Result<bool> {
        let file = match self.open_file(name, OFlags::RDONLY) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let is_free = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
        let is_taken = is_free && self.is_named(&file, name)?;
        if is_taken {
            self.remove(name)?;
        }
        Ok(is_taken)
    }

    /// The file of a blob, and the right to write to it: waits for whoever is about to stop.
    fn lock(&self, name: &str) -> io::Result<File> {
        for _ in 0..OPEN_ATTEMPTS {
            let file = match self.open_file(name, OFlags::RDWR | OFlags::CREATE) {
                Ok(file) => file,
                // It is a blob by now, and kept its name here because a process ended between the two.
                Err(Errno::ACCESS) => {
                    self.remove(name)?;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
            let stat = rustix::fs::fstat(&file)?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                return Err(io::Error::other("what lies among the downloads is no file"));
            }
            if !self.is_named(&file, name)? {
                continue;
            }
            if stat.st_nlink == 1 {
                return Ok(file);
            }
            // The same, seen by a user to whom everything is writable.
            self.remove(name)?;
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn open_file(&self, name: &str, flags: OFlags) -> Result<File, Errno> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        rustix::fs::openat(self.directory.as_ref(), name, flags, Mode::RUSR | Mode::WUSR).map(File::from)
    }

    /// Whether the name is still the file's.
    fn is_named(&self, file: &File, name: &str) -> io::Result<bool> {
        let own = rustix::fs::fstat(file)?;
        match rustix::fs::statat(self.directory.as_ref(), name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(named) => Ok((named.st_dev, named.st_ino) == (own.st_dev, own.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(self.directory.as_ref(), name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl BlobSource for Downloads {
    fn open(&self, blob: &Descriptor) -> io::Result<Option<Box<dyn Read + Send>>> {
        BlobSource::open(&self.blobs, blob)
    }
}

impl Sink for Downloads {
    /// A blob that is there counts as new from then on: collection leaves it for the time of grace.
    fn has(&self, blob: &Descriptor) -> io::Result<bool> {
        self.refresh(blob).map(|name| name.is_some())
    }

    fn begin(&self, blob: &Descriptor) -> io::Result<Box<dyn Partial>> {
        let name = file_name(&blob.digest);
        let file = self.lock(&name)?;
        if self.has(blob)? {
            // Whoever had the file before has finished it.
            self.remove(&name)?;
            return Ok(Box::new(Whole { downloads: self.clone(), blob: blob.clone() }));
        }
        let length = file.metadata()?.len();
        Ok(Box::new(PartialFile { downloads: self.clone(), name, file, length }))
    }
}

struct PartialFile {
    downloads: Downloads,
    name: String,
    file: File,
    length: u64,
}

impl Partial for PartialFile {
    fn length(&self) -> u64 {
        self.length
    }

    fn reread(&mut self) -> io::Result<Box<dyn Read + '_>> {
        self.file.seek(SeekFrom::Start(0))?;
        Ok(Box::new(&self.file))
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        // Where it was read last is not where it ends.
        if let Err(error) = self.file.write_all_at(bytes, self.length) {
            // What is counted is there, and nothing else.
            let _ = self.file.set_len(self.length);
            return Err(error);
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.length = 0;
        Ok(())
    }

    fn finish(self: Box<Self>, digest: &Digest) -> io::Result<()> {
        let blobs = &self.downloads.blobs;
        match (digest.blob(), digest.long_blob()) {
            (Some(name), _) => blobs.adopt(&self.file, &name).map_err(of_blobs)?,
            (None, Some(long)) => {
                (&self.file).seek(SeekFrom::Start(0))?;
                let name = sha256(&self.file)?;
                blobs.adopt(&self.file, &name).map_err(of_blobs)?;
                if !blobs.alias(&name, &long).map_err(of_blobs)? {
                    return Err(io::ErrorKind::NotFound.into());
                }
            }
            (None, None) => return Err(io::ErrorKind::Unsupported.into()),
        }
        self.downloads.remove(&self.name)
    }
}

/// A blob that somebody else finished while its file was waited for.
struct Whole {
    downloads: Downloads,
    blob: Descriptor,
}

impl Partial for Whole {
    fn length(&self) -> u64 {
        self.blob.size
    }

    fn reread(&mut self) -> io::Result<Box<dyn Read + '_>> {
        let opened = BlobSource::open(&self.downloads, &self.blob)?;
        opened.map(|blob| blob as Box<dyn Read>).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::Error::other("the stored blob is shorter than its size"))
    }

    fn clear(&mut self) -> io::Result<()> {
        Err(io::Error::other("the stored blob is not what its digest says"))
    }

    fn finish(self: Box<Self>, _: &Digest) -> io::Result<()> {
        if self.downloads.has(&self.blob)? { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}

/// The name among the blobs of what somebody knows by its SHA-512.
fn sha256(mut content: impl Read) -> io::Result<blobs::Digest> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut buffer = vec![0; HASH_BUFFER_BYTES];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    hasher.finish().blob().ok_or_else(|| io::ErrorKind::Unsupported.into())
}

fn file_name(digest: &Digest) -> String {
    format!("{}-{}", digest.algorithm().name(), digest.hex())
}

fn digest_of(name: &str) -> Option<Digest> {
    let (algorithm, digits) = name.split_once('-')?;
    format!("{algorithm}:{digits}").parse().ok()
}

fn of_blobs(error: BlobError) -> io::Error {
    match error {
        BlobError::Full => io::ErrorKind::StorageFull.into(),
        BlobError::Io { source, .. } => source,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests;
