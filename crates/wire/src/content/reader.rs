//! Reading a content.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::FileExt as _;

use bytes::{Bytes, BytesMut};

use super::{Content, FileRange, FileSequence, Source};
use crate::error::Error;
use crate::serve::BodyError;

/// How much of a file is read at once.
const FILE_PIECE_BYTES: u64 = 256 * 1024;

/// What came after a body: names in small letters, each once. Empty where the client has announced none.
pub type Trailers = BTreeMap<String, String>;

/// Why a content did not come to its end. The codes of [`Error`]s made of it are S3's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// The client went away, or sent less than it said.
    #[error("You did not provide the number of bytes specified by the Content-Length HTTP header")]
    Incomplete,
    /// The client was too slow.
    #[error(
        "Your socket connection to the server was not read from or written to within the timeout period. Idle connections \
         will be closed."
    )]
    TimedOut,
    /// The bytes are not those whose hash the client has signed.
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    Sha256,
    /// A chunk, or what follows the last one, is not what the client has signed.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your key and signing method."
    )]
    ChunkSignature,
    /// What stands between chunks is not what belongs there.
    #[error("The chunked body of the request is malformed.")]
    MalformedChunk,
    /// Another chunk than the last one is too small.
    #[error("Only the last chunk is allowed to have a size less than 8192 bytes")]
    SmallChunk,
    /// What follows the last chunk cannot be read, or is not what was announced.
    #[error("The request contained trailing data that was not well-formed or did not conform to our published schema.")]
    MalformedTrailer,
    /// There is more of it than its taker wants.
    #[error("Your proposed upload exceeds the maximum allowed size")]
    TooLarge,
    /// A form that goes on where it should end.
    #[error("The body of your POST request is not well-formed multipart/form-data.")]
    MalformedForm,
    /// There is less of it than a form's policy wants.
    #[error("Your proposed upload is smaller than the minimum allowed size")]
    TooSmall,
    /// It could not be read where it is kept.
    #[error("We encountered an internal error. Please try again.")]
    Unreadable,
}

impl From<BodyError> for ContentError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Incomplete => Self::Incomplete,
            BodyError::TimedOut => Self::TimedOut,
            BodyError::TooLarge => Self::TooLarge,
        }
    }
}

impl From<ContentError> for Error {
    fn from(error: ContentError) -> Self {
        let (code, status) = match error {
            ContentError::Incomplete => ("IncompleteBody", 400),
            ContentError::TimedOut => ("RequestTimeout", 400),
            ContentError::Sha256 => ("XAmzContentSHA256Mismatch", 400),
            ContentError::ChunkSignature => ("SignatureDoesNotMatch", 403),
            ContentError::MalformedChunk => ("InvalidRequest", 400),
            ContentError::SmallChunk => ("InvalidChunkSizeError", 403),
            ContentError::MalformedTrailer => ("MalformedTrailerError", 400),
            ContentError::TooLarge => ("EntityTooLarge", 400),
            ContentError::TooSmall => ("EntityTooSmall", 400),
            ContentError::MalformedForm => ("MalformedPOSTRequest", 400),
            ContentError::Unreadable => ("InternalError", 500),
        };
        Self::new(code, status, error.to_string())
    }
}

/// Reads a content, piece by piece.
pub struct ContentReader {
    source: Option<Source>,
    length: Option<u64>,
    /// What is left of the file that is being read.
    file: Option<FileRange>,
    trailers: Trailers,
    failed: Option<ContentError>,
}

impl ContentReader {
    pub(crate) fn new(source: Option<Source>, length: Option<u64>) -> Self {
        Self { source, length, file: None, trailers: Trailers::new(), failed: None }
    }

    /// How many bytes there are to be in all, as far as that is known before. What is handed out is never more; if it is less,
    /// the end is an error.
    pub fn declared_length(&self) -> Option<u64> {
        self.length
    }

    /// The next piece, which is never empty; none at the end.
    ///
    /// Of what a client sends, a piece may be handed out **before** the signature that covers it is verified: chunks may be
    /// as long as a client likes, and are not held in memory. So nothing of it may take effect before `Ok(None)`, which says
    /// that every byte was verified as far as the client's kind of signature goes. An error before says that what was handed
    /// out is worth nothing.
    ///
    /// # Errors
    /// [`ContentError`]; the same again if asked again.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ContentError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let next = self.read().await;
        match &next {
            Ok(Some(_)) => {}
            Ok(None) => self.end(),
            Err(error) => {
                self.failed = Some(*error);
                self.source = None;
            }
        }
        next
    }

    /// The whole of it, in memory.
    ///
    /// # Errors
    /// [`ContentError::TooLarge`] where it is longer than `bytes_max`, and those of [`next`](Self::next).
    pub async fn read_to_end(&mut self, bytes_max: usize) -> Result<Bytes, ContentError> {
        if self.length.is_some_and(|length| length > bytes_max as u64) {
            return Err(ContentError::TooLarge);
        }
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await? {
            if whole.len() + piece.len() > bytes_max {
                return Err(ContentError::TooLarge);
            }
            if whole.is_empty() && self.length == Some(piece.len() as u64) {
                // It is there as one piece already; what is left is to see that it is the end.
                return match self.next().await? {
                    None => Ok(piece),
                    Some(_) => Err(ContentError::MalformedChunk),
                };
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// What came after the last byte; nothing before [`next`](Self::next) has said that this was the end.
    pub fn trailers(&self) -> &Trailers {
        &self.trailers
    }

    async fn read(&mut self) -> Result<Option<Bytes>, ContentError> {
        match &mut self.source {
            None => Ok(None),
            Some(Source::Bytes(bytes)) => Ok(Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty())),
            Some(Source::Pieces(pieces)) => pieces.next().await.map_err(unreadable),
            Some(Source::Incoming(incoming)) => incoming.next().await,
            Some(Source::Files(files)) => read_file(&mut **files, &mut self.file).await.map_err(unreadable),
        }
    }

    fn end(&mut self) {
        if let Some(Source::Incoming(mut incoming)) = self.source.take() {
            self.trailers = incoming.take_trailers();
        }
    }
}

impl From<Content> for ContentReader {
    fn from(content: Content) -> Self {
        content.into_reader()
    }
}

impl std::fmt::Debug for ContentReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContentReader")
            .field("length", &self.length)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

async fn read_file(files: &mut dyn FileSequence, open: &mut Option<FileRange>) -> io::Result<Option<Bytes>> {
    let mut part = loop {
        let part = match open.take() {
            Some(part) => part,
            None => match files.next().await? {
                Some(part) => part,
                None => return Ok(None),
            },
        };
        if part.range.start < part.range.end {
            break part;
        }
    };
    let start = part.range.start;
    let length = (part.range.end - start).min(FILE_PIECE_BYTES);
    let file = part.file.clone();
    part.range.start += length;
    *open = Some(part);
    let read = tokio::task::spawn_blocking(move || {
        let mut piece = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        file.read_exact_at(&mut piece, start).map(|()| piece)
    });
    Ok(Some(read.await.map_err(io::Error::other)??.into()))
}

fn unreadable(error: io::Error) -> ContentError {
    tracing::error!(%error, "a content could not be read");
    ContentError::Unreadable
}
