//! Half-fetched blobs in a directory; whole ones among the blobs.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use blobs::{BlobError, Blobs};
use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::{Partial, Sink};
use crate::{BlobSource, Descriptor, Digest};

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
        let name = stored(&blob.digest)?;
        Ok(self.blobs.size(&name).map_err(of_blobs)? == Some(blob.size)
            && self.blobs.refresh(&name).map_err(of_blobs)?)
    }

    fn begin(&self, blob: &Descriptor) -> io::Result<Box<dyn Partial>> {
        stored(&blob.digest)?;
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
        self.file.seek(SeekFrom::Start(self.length))?;
        if let Err(error) = self.file.write_all(bytes) {
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
        self.downloads.blobs.adopt(&self.file, &stored(digest)?).map_err(of_blobs)?;
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

/// The name of a blob among the blobs.
fn stored(digest: &Digest) -> io::Result<blobs::Digest> {
    let unsupported = || io::Error::new(io::ErrorKind::Unsupported, "blobs are stored by their SHA-256 alone");
    digest.blob().ok_or_else(unsupported)
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
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::Algorithm;

    const CONTENT: &[u8] = b"what a registry has";

    struct Bed {
        _directory: TempDir,
        downloads: Downloads,
    }

    impl Bed {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let blobs = Blobs::open_root(&directory.path().join("blobs")).unwrap();
            let downloads = Downloads::open(&directory.path().join("downloads"), blobs).unwrap();
            Self { _directory: directory, downloads }
        }

        fn names(&self) -> Vec<String> {
            let entries = Dir::read_from(self.downloads.directory.as_ref()).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned());
            names.filter(|name| !name.starts_with('.')).collect()
        }
    }

    fn blob(content: &[u8]) -> Descriptor {
        let digest = Digest::of(Algorithm::Sha256, content);
        let media_type = "application/vnd.oci.image.layer.v1.tar".to_owned();
        Descriptor { media_type, digest, size: content.len() as u64, platform: None }
    }

    fn read(source: &dyn BlobSource, blob: &Descriptor) -> Vec<u8> {
        let mut bytes = Vec::new();
        source.open(blob).unwrap().unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_was_begun_is_gone_on_with_and_becomes_a_blob_that_is_no_download_any_more() {
        let bed = Bed::new();
        let blob = blob(CONTENT);
        let mut partial = bed.downloads.begin(&blob).unwrap();
        partial.append(&CONTENT[..5]).unwrap();
        drop(partial);
        assert!(!bed.downloads.has(&blob).unwrap());
        let mut partial = bed.downloads.begin(&blob).unwrap();
        assert_eq!(partial.length(), 5);
        let mut there = Vec::new();
        partial.reread().unwrap().read_to_end(&mut there).unwrap();
        assert_eq!(there, &CONTENT[..5]);
        partial.append(&CONTENT[5..]).unwrap();
        partial.finish(&blob.digest).unwrap();
        assert!(bed.downloads.has(&blob).unwrap());
        assert_eq!(read(&bed.downloads, &blob), CONTENT);
        assert_eq!(bed.names(), Vec::<String>::new());
    }

    #[test]
    fn what_turned_out_to_be_something_else_is_begun_anew() {
        let bed = Bed::new();
        let blob = blob(CONTENT);
        let mut partial = bed.downloads.begin(&blob).unwrap();
        partial.append(b"another thing that is longer than the blob").unwrap();
        partial.clear().unwrap();
        assert_eq!(partial.length(), 0);
        partial.append(CONTENT).unwrap();
        partial.finish(&blob.digest).unwrap();
        assert_eq!(read(&bed.downloads, &blob), CONTENT);
    }

    #[test]
    fn a_blob_that_still_has_the_name_of_a_download_is_never_written_to() {
        let bed = Bed::new();
        let blob = blob(CONTENT);
        let mut partial = bed.downloads.begin(&blob).unwrap();
        partial.append(CONTENT).unwrap();
        // As if the process had ended between the two steps of finishing.
        let file = bed.downloads.open_file(&file_name(&blob.digest), OFlags::RDONLY).unwrap();
        bed.downloads.blobs.adopt(&file, &blob.digest.blob().unwrap()).unwrap();
        drop(partial);
        let mut partial = bed.downloads.begin(&blob).unwrap();
        assert!(partial.append(b"something else").is_err() && partial.clear().is_err());
        drop(partial);
        assert_eq!(read(&bed.downloads, &blob), CONTENT);
        assert_eq!(bed.names(), Vec::<String>::new());
    }

    #[test]
    fn sweeping_takes_what_nobody_goes_on_with_and_nothing_else() {
        let bed = Bed::new();
        let (kept, left) = (blob(b"kept"), blob(b"left"));
        let mut held = bed.downloads.begin(&kept).unwrap();
        held.append(b"ke").unwrap();
        bed.downloads.begin(&left).unwrap().append(b"le").unwrap();
        std::fs::write(format!("/proc/self/fd/{}/other", fd(&bed.downloads)), "not ours").unwrap();
        assert_eq!(bed.downloads.sweep(Duration::from_secs(3600), u64::MAX).unwrap(), 0);
        assert_eq!(bed.downloads.sweep(Duration::ZERO, u64::MAX).unwrap(), 2);
        let mut names = bed.names();
        names.sort();
        assert_eq!(names, ["other".to_owned(), file_name(&kept.digest)]);
        held.append(b"pt").unwrap();
        held.finish(&kept.digest).unwrap();
        assert!(bed.downloads.has(&kept).unwrap());
    }

    #[test]
    fn of_what_is_young_the_oldest_goes_when_it_is_too_much() {
        let bed = Bed::new();
        for (content, age) in [(b"dddd".as_slice(), 1), (b"ccc", 2), (b"bb", 3), (b"a", 4)] {
            let blob = blob(content);
            bed.downloads.begin(&blob).unwrap().append(content).unwrap();
            let file = bed.downloads.open_file(&file_name(&blob.digest), OFlags::RDWR).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(60 * age)).unwrap();
        }
        let hour = Duration::from_secs(3600);
        assert_eq!(bed.downloads.sweep(hour, 10).unwrap(), 0);
        assert_eq!(bed.downloads.sweep(hour, 8).unwrap(), 2, "one that fits after a larger one stays");
        assert_eq!(bed.downloads.sweep(hour, 8).unwrap(), 0);
        assert_eq!(bed.downloads.sweep(hour, 0).unwrap(), 8);
        assert_eq!(bed.names(), Vec::<String>::new());
    }

    #[test]
    fn whoever_waits_for_anothers_file_finds_the_blob_and_fetches_nothing() {
        let bed = Bed::new();
        let blob = blob(CONTENT);
        let mut first = bed.downloads.begin(&blob).unwrap();
        first.append(CONTENT).unwrap();
        let mut second = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| bed.downloads.begin(&blob).unwrap());
            first.finish(&blob.digest).unwrap();
            waiting.join().unwrap()
        });
        assert_eq!(second.length(), blob.size);
        let mut there = Vec::new();
        second.reread().unwrap().read_to_end(&mut there).unwrap();
        assert_eq!(there, CONTENT);
        assert!(second.append(b"more").is_err(), "the blob is nobody's to change");
        second.finish(&blob.digest).unwrap();
        assert_eq!(bed.names(), Vec::<String>::new());
        assert_eq!(read(&bed.downloads, &blob), CONTENT);
    }

    fn fd(downloads: &Downloads) -> i32 {
        std::os::fd::AsRawFd::as_raw_fd(downloads.directory.as_ref())
    }

    #[test]
    fn a_link_among_the_downloads_is_not_followed() {
        let bed = Bed::new();
        let blob = blob(CONTENT);
        let target = tempfile::NamedTempFile::new().unwrap();
        rustix::fs::symlinkat(target.path(), bed.downloads.directory.as_ref(), file_name(&blob.digest)).unwrap();
        assert!(bed.downloads.begin(&blob).is_err());
        assert_eq!(std::fs::metadata(target.path()).unwrap().len(), 0);
    }
}
