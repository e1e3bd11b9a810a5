//! The bytes of objects: taken in from a stream, given out in ranges, removed when nobody has them any more.
//!
//! Small content is in the record that it belongs to, or in one beside that; larger content is in files, whose bytes are on
//! disk before a record says so. A file has one owner; a copy is a name of its own.

mod give;
mod intake;
mod lane;
mod sums;
mod unrecorded;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blobs::files::{FileId, Files};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Error;
use lane::Shop;
use unrecorded::Unrecorded;

pub use give::{ByteRange, Span, resolve_range};
pub use intake::{Announced, Intake, Received};

/// The largest content that lies in records, in bytes.
pub const INLINE_BYTES_MAX: usize = 8 * 1024;

/// Where the bytes of an object or of a part of an upload are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Data {
    /// Here.
    #[serde(rename = "i")]
    Inline(#[serde(with = "inline")] Bytes),
    /// So many in a record beside the version's. (See [`crate::object`].)
    #[serde(rename = "b")]
    Beside(u64),
    /// In files, one after the other.
    #[serde(rename = "f")]
    Files(Vec<Piece>),
    /// In so many files, of so many bytes together, which are named beside the version's record.
    #[serde(rename = "p")]
    Pieces(u32, u64),
}

/// A file that is all or a part of some content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(FileId, u64)", into = "(FileId, u64)")]
pub struct Piece {
    /// The file.
    pub file: FileId,
    /// How many bytes it has.
    pub size: u64,
}

impl Data {
    /// How many bytes there are.
    pub fn size(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Beside(size) | Self::Pieces(_, size) => *size,
            Self::Files(pieces) => pieces.iter().map(|piece| piece.size).sum(),
        }
    }

    /// The files that go when it does, but for those that are named elsewhere.
    pub fn files(&self) -> impl Iterator<Item = FileId> + '_ {
        let pieces = match self {
            Self::Inline(_) | Self::Beside(_) | Self::Pieces(..) => &[],
            Self::Files(pieces) => pieces.as_slice(),
        };
        pieces.iter().map(|piece| piece.file)
    }
}

impl From<(FileId, u64)> for Piece {
    fn from((file, size): (FileId, u64)) -> Self {
        Self { file, size }
    }
}

impl From<Piece> for (FileId, u64) {
    fn from(piece: Piece) -> Self {
        (piece.file, piece.size)
    }
}

/// Where content is kept. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Content {
    files: Files,
    /// Of those who write and hash what comes.
    shop: Shop,
}

impl Content {
    /// Content in a directory of files.
    pub fn new(files: Files) -> Self {
        Self { files, shop: Shop::new() }
    }

    /// The files.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Makes content of its own of what another object has; none if that has gone in the meantime.
    ///
    /// # Errors
    /// [`Error::Files`]
    pub async fn duplicate(&self, data: &Data) -> Result<Option<Data>, Error> {
        let pieces = match data {
            Data::Inline(_) => return Ok(Some(data.clone())),
            Data::Beside(_) | Data::Pieces(..) => return Err(beside()),
            Data::Files(pieces) => pieces,
        };
        let (files, pieces) = (self.files.clone(), pieces.clone());
        let copied = blocking(move || {
            let originals: Vec<FileId> = pieces.iter().map(|piece| piece.file).collect();
            let pin = originals.first().map(|first| files.pin(first));
            let copies = files.duplicate_all(&originals)?;
            drop(pin);
            let copy = |(file, piece): (FileId, Piece)| Piece { file, size: piece.size };
            // Whoever does not wait for them any more leaves none.
            Ok(copies.map(|copies| {
                let unrecorded = Unrecorded::new(&files, copies.clone());
                (unrecorded, Data::Files(copies.into_iter().zip(pieces).map(copy).collect()))
            }))
        });
        Ok(copied.await?.map(|(unrecorded, data)| {
            unrecorded.release();
            data
        }))
    }

    /// Removes what was to be recorded and was not, for this reason. Where nobody knows whether a record names it now, it
    /// stays: a sweep removes it once the store can tell.
    pub(crate) async fn discard_after(&self, error: &Error, data: &Data) {
        if !error.is_uncertain() {
            self.discard(data).await;
        }
    }

    /// Removes what no record has ever named. What cannot be removed now is an orphan, which a sweep finds.
    pub async fn discard(&self, data: &Data) {
        let files: Vec<FileId> = data.files().collect();
        if files.is_empty() {
            return;
        }
        let own = self.files.clone();
        let removed = blocking(move || Ok(own.remove(&files)?)).await;
        if let Err(error) = removed {
            tracing::warn!(%error, "a file that is of no use could not be removed yet");
        }
    }
}

/// That what lies beside a version was not looked up by whoever has read it.
fn beside() -> Error {
    Error::Internal("what lies beside a version was not looked up".to_owned())
}

/// Runs what waits for the disk where that stops nobody.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Error::Internal(format!("work on files broke off: {error}"))),
    }
}

/// Bytes as base64, which JSON can carry.
pub(crate) mod inline {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        STANDARD.decode(text.as_bytes()).map(Bytes::from).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
