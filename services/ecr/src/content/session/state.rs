//! What an open upload holds: its file, and the hash of what is in it.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use blobs::{Blobs, Digest};
use sha2::{Digest as _, Sha256, Sha512};

use super::UPLOAD_BYTES_MAX;
use crate::content::ContentError;
use crate::content::file::{Directory, Opened, each_piece};
use crate::digest::{Algorithm, ContentDigest};

/// An open upload.
#[derive(Debug)]
pub(super) struct State {
    file: File,
    pub(super) length: u64,
    hasher: Sha256,
    /// Whether the file has become a blob. It is not written to any more then: whoever goes on gets a copy first.
    is_blob: bool,
    /// What it was when it was last taken by a request, to which it may go back.
    mark: Mark,
}

/// A length, and the hash of so many bytes.
#[derive(Debug)]
struct Mark {
    length: u64,
    hasher: Sha256,
}

impl State {
    /// Opens an upload's file and reads what is in it.
    pub(super) fn open(directory: &Directory, id: &str) -> Result<Self, ContentError> {
        let Opened { file, is_blob } = directory.file(id)?;
        let mark = Mark { length: 0, hasher: Sha256::new() };
        let mut state = Self { file, length: 0, hasher: Sha256::new(), is_blob, mark };
        state.read()?;
        state.mark();
        Ok(state)
    }

    /// Notes what it is now: to go back to that later takes no reading.
    pub(super) fn mark(&mut self) {
        self.mark = Mark { length: self.length, hasher: self.hasher.clone() };
    }

    /// Hashes the file. It stands at its end afterwards.
    fn read(&mut self) -> Result<(), ContentError> {
        let mut hasher = Sha256::new();
        self.file.seek(SeekFrom::Start(0))?;
        self.length = each_piece(&self.file, |piece| {
            hasher.update(piece);
            Ok(())
        })?;
        self.hasher = hasher;
        Ok(())
    }

    /// Adds pieces: all of them, or none.
    pub(super) fn append(
        &mut self,
        directory: &Directory,
        id: &str,
        pieces: &[impl AsRef<[u8]>],
    ) -> Result<(), ContentError> {
        let added: u64 = pieces.iter().map(|piece| piece.as_ref().len() as u64).sum();
        let length = self.length.saturating_add(added);
        if length > UPLOAD_BYTES_MAX {
            return Err(ContentError::TooLarge);
        }
        if !directory.has_room(added) {
            return Err(ContentError::Full);
        }
        self.own(directory, id)?;
        if let Err(error) = pieces.iter().try_for_each(|piece| self.file.write_all(piece.as_ref())) {
            // What came of it is taken back, so that the file is again what was acknowledged.
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::Start(self.length))?;
            return Err(error.into());
        }
        // They are in the processor's cache still: nobody reads them from memory a second time.
        pieces.iter().for_each(|piece| self.hasher.update(piece.as_ref()));
        self.length = length;
        Ok(())
    }

    pub(super) fn shorten(&mut self, directory: &Directory, id: &str, length: u64) -> Result<(), ContentError> {
        if length >= self.length {
            return Ok(());
        }
        self.own(directory, id)?;
        self.file.set_len(length)?;
        if length != self.mark.length {
            return self.read();
        }
        self.file.seek(SeekFrom::Start(length))?;
        (self.length, self.hasher) = (length, self.mark.hasher.clone());
        Ok(())
    }

    /// Makes sure that the file is nobody else's.
    fn own(&mut self, directory: &Directory, id: &str) -> Result<(), ContentError> {
        if self.is_blob {
            self.file = directory.copy(&self.file, id)?;
            self.is_blob = false;
        }
        Ok(())
    }

    /// Makes the file a blob, if it has this digest.
    pub(super) fn publish(&mut self, blobs: &Blobs, expected: &ContentDigest) -> Result<Digest, ContentError> {
        let found = self.digest(expected.algorithm())?;
        if found != *expected {
            return Err(ContentError::Mismatch { found });
        }
        let digest = Digest::from_bytes(self.hasher.clone().finalize().into());
        // Before, since nobody knows how far it has come should it fail.
        self.is_blob = true;
        blobs.adopt(&self.file, &digest)?;
        if let Some(long) = expected.long() {
            blobs.alias(&digest, &long)?;
        }
        Ok(digest)
    }

    /// Its digest by an algorithm.
    fn digest(&mut self, algorithm: Algorithm) -> Result<ContentDigest, ContentError> {
        match algorithm {
            Algorithm::Sha256 => Ok(ContentDigest::from_sha256(&self.hasher.clone().finalize().into())),
            Algorithm::Sha512 => {
                let mut hasher = Sha512::new();
                self.file.seek(SeekFrom::Start(0))?;
                each_piece(&self.file, |piece| {
                    hasher.update(piece);
                    Ok(())
                })?;
                Ok(ContentDigest::from_sha512(&hasher.finalize().into()))
            }
        }
    }
}
