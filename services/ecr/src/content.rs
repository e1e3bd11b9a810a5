//! Bytes: blobs that are there, and uploads that are to become some.
//!
//! Nothing here knows a repository. Blobs are shared by all of them; which are needed is told by records
//! ([`store::Record::blobs`]). An upload is a file of its own until it is whole: it survives the process, is hashed while
//! it is written, and is in nobody's way when it is given up.
//!
//! Everything that touches the disk does so on a blocking thread.

mod file;
mod room;
mod session;
mod small;

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use blobs::{Blob, BlobError, Blobs, Digest};
use bytes::Bytes;

use crate::digest::ContentDigest;

pub use session::{Published, Session, UPLOAD_BYTES_MAX};

use session::Sessions;
use small::Small;

/// The content of all repositories; a handle that is cheap to clone.
#[derive(Debug, Clone)]
pub struct Content {
    blobs: Blobs,
    sessions: Arc<Sessions>,
    small: Arc<Small>,
}

/// Why content was not stored or read.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// The disk is full. What was there before is there still.
    #[error("no space is left for content")]
    Full,
    /// The upload is not what it was announced to be.
    #[error("the content is {found}")]
    Mismatch {
        /// Its digest.
        found: ContentDigest,
    },
    /// The upload is larger than any may be.
    #[error("the content is larger than {UPLOAD_BYTES_MAX} bytes")]
    TooLarge,
    /// The operating system refused, or a stored file is damaged.
    #[error("content cannot be stored or read: {0}")]
    Broken(String),
}

impl From<BlobError> for ContentError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Full => Self::Full,
            BlobError::TooLarge { .. } => Self::TooLarge,
            BlobError::Io { doing, source } => Self::Broken(format!("{doing}: {source}")),
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<std::io::Error> for ContentError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Broken(error.to_string()),
        }
    }
}

impl Content {
    /// The content in `blobs`, with uploads in the directory `uploads`, which is made if it is not there. One process has
    /// a directory of uploads at a time.
    ///
    /// # Errors
    /// [`ContentError::Broken`] if the directory can be neither made nor opened.
    pub fn open(blobs: Blobs, uploads: &Path) -> Result<Self, ContentError> {
        let sessions = Arc::new(Sessions::open(blobs.clone(), uploads)?);
        Ok(Self { blobs, sessions, small: Arc::default() })
    }

    /// Where the blobs are.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Stores bytes that are in memory.
    ///
    /// # Errors
    /// [`ContentError`]
    pub async fn put(&self, bytes: Vec<u8>) -> Result<Digest, ContentError> {
        let (blobs, sessions) = (self.blobs.clone(), self.sessions.clone());
        let store = move || {
            if sessions.has_room(bytes.len() as u64) { Ok(blobs.put(&bytes)?) } else { Err(ContentError::Full) }
        };
        blocking(store).await
    }

    /// Lets a blob be found by the digest that its clients know it by, if that is not its own.
    ///
    /// # Errors
    /// [`ContentError`]
    pub async fn name(&self, digest: Digest, known_as: &ContentDigest) -> Result<(), ContentError> {
        let Some(long) = known_as.long() else { return Ok(()) };
        let blobs = self.blobs.clone();
        blocking(move || Ok(blobs.alias(&digest, &long).map(drop)?)).await
    }

    /// Opens a blob; none if it is not there.
    ///
    /// # Errors
    /// [`ContentError`]
    pub async fn open_blob(&self, digest: Digest) -> Result<Option<Blob>, ContentError> {
        let blobs = self.blobs.clone();
        blocking(move || Ok(blobs.open(&digest)?)).await
    }

    /// Reads a whole blob that a record needs and that has `size` bytes. Small ones come from memory the next time.
    ///
    /// # Errors
    /// [`ContentError::Broken`] if it is not there, which no record of ours should bring about.
    pub async fn read(&self, digest: Digest, size: u64) -> Result<Bytes, ContentError> {
        if let Some(bytes) = self.small.get(&digest) {
            return Ok(bytes);
        }
        let (blobs, small) = (self.blobs.clone(), self.small.clone());
        blocking(move || {
            let blob = blobs.open(&digest)?.ok_or_else(|| ContentError::Broken(format!("{digest} is missing")))?;
            let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
            blob.take(size).read_to_end(&mut bytes)?;
            let bytes = Bytes::from(bytes);
            if bytes.len() as u64 == size && size <= small::BYTES_EACH_MAX {
                small.keep(digest, bytes.clone());
            }
            Ok(bytes)
        })
        .await
    }

    /// Makes a blob count as new, so that collection spares it until a record needs it. Answers whether it is there.
    ///
    /// # Errors
    /// [`ContentError`]
    pub async fn refresh(&self, digest: Digest) -> Result<bool, ContentError> {
        let blobs = self.blobs.clone();
        blocking(move || Ok(blobs.refresh(&digest)?)).await
    }

    /// The upload of this id, alone: whoever else wants it waits until the session is dropped. It is empty if nothing has
    /// been written to it yet.
    ///
    /// # Errors
    /// [`ContentError`]
    pub async fn session(&self, upload_id: &str) -> Result<Session, ContentError> {
        Sessions::session(&self.sessions, upload_id).await
    }

    /// Removes an upload's file, if there is one, without anybody waiting for it.
    pub fn discard(&self, upload_id: &str) {
        Sessions::discard(&self.sessions, upload_id);
    }

    /// The ids of all uploads that have a file.
    ///
    /// # Errors
    /// [`ContentError`]
    pub async fn uploads(&self) -> Result<Vec<String>, ContentError> {
        let sessions = self.sessions.clone();
        blocking(move || sessions.list()).await
    }
}

/// Does what blocks on the disk.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ContentError> + Send + 'static,
) -> Result<T, ContentError> {
    joined(tokio::task::spawn_blocking(work).await)
}

/// What came of work on another thread.
fn joined<T>(done: Result<Result<T, ContentError>, tokio::task::JoinError>) -> Result<T, ContentError> {
    // A panic in there has been printed; nothing else keeps the work from ending.
    done.map_err(|_| ContentError::Broken("its thread ended".to_owned()))?
}
