//! Finding blobs again.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::place::touch;
use crate::root::{names_in, open_beneath, path_of};
use crate::{BlobError, Blobs, Digest};

const VERIFY_BUFFER_BYTES: usize = 256 * 1024;

/// An open blob. Collection does not take it from whoever has it open.
#[derive(Debug)]
pub struct Blob {
    file: File,
    size: u64,
}

impl Blob {
    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The file, open for reading, at its beginning unless it has been read from.
    pub fn into_file(self) -> File {
        self.file
    }
}

impl Read for Blob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Seek for Blob {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

impl Blobs {
    /// Opens a blob; none if it is not there.
    pub fn open(&self, digest: &Digest) -> Result<Option<Blob>, BlobError> {
        match open_beneath(self.root(), &path_of(digest), OFlags::RDONLY, Mode::empty()) {
            Ok(file) => of_file(file).map(Some),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(BlobError::os("opening a blob")(error)),
        }
    }

    /// The size of a blob, in bytes; none if it is not there.
    pub fn size(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        self.directory_of(digest)?.map_or(Ok(None), |directory| size_in(&directory, &digest.hex()))
    }

    /// Reads a blob and compares it with its name. Answers its size; none if it is not there.
    ///
    /// # Errors
    /// [`BlobError::Damaged`] if it is something else.
    pub fn verify(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        let Some(mut blob) = self.open(digest)? else { return Ok(None) };
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; VERIFY_BUFFER_BYTES];
        loop {
            match blob.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => hasher.update(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(BlobError::io("reading a blob")(error)),
            }
        }
        let found = Digest::from_bytes(hasher.finalize().into());
        if found == *digest { Ok(Some(blob.size)) } else { Err(BlobError::Damaged { digest: *digest }) }
    }

    /// Makes a blob count as new again, so that it can be referenced without having been written. Answers whether it is
    /// there.
    pub fn refresh(&self, digest: &Digest) -> Result<bool, BlobError> {
        let _hold = self.hold()?;
        let Some(directory) = self.directory_of(digest)? else { return Ok(false) };
        if size_in(&directory, &digest.hex())?.is_none() {
            return Ok(false);
        }
        touch(&directory, &digest.hex())?;
        Ok(true)
    }

    /// All blobs, in no order. Some may have gone, and others come, when it returns.
    pub fn list(&self) -> Result<Vec<Digest>, BlobError> {
        let mut digests = Vec::new();
        for directory in self.directories()? {
            digests.extend(names_in(directory.as_fd())?.iter().filter_map(|name| Digest::from_hex(name).ok()));
        }
        Ok(digests)
    }

    /// The directories that blobs are in.
    pub(crate) fn directories(&self) -> Result<Vec<OwnedFd>, BlobError> {
        let names = names_in(self.blobs())?;
        let open = |name: &String| open_beneath(self.blobs(), name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
        names.iter().map(|name| open(name).map_err(BlobError::os("opening a directory of blobs"))).collect()
    }
}

/// A blob whose file has been opened.
pub(crate) fn of_file(file: OwnedFd) -> Result<Blob, BlobError> {
    let stat = rustix::fs::fstat(&file).map_err(BlobError::os("opening a blob"))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(BlobError::NoFile);
    }
    Ok(Blob { file: file.into(), size: u64::try_from(stat.st_size).unwrap_or_default() })
}

/// The size of a blob in its directory.
pub(crate) fn size_in(directory: &OwnedFd, name: &str) -> Result<Option<u64>, BlobError> {
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
            Ok(Some(u64::try_from(stat.st_size).unwrap_or_default()))
        }
        Ok(_) | Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(BlobError::os("looking for a blob")(error)),
    }
}
