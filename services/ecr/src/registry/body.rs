//! Receiving the bytes of an upload: while some are hashed and written, the next ones are received.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use wire::serve::{BodyError, RequestBody};

use super::refusal::{Code, Refusal};
use super::turns::Turn;
use crate::content::{ContentError, Session};

/// How many bytes are handed to the disk at once, at least, unless the body ends before: what handing over costs is little
/// beside what hashing them does.
const BATCH_BYTES: usize = 256 * 1024;

/// Where bytes come from, piece by piece.
pub(super) trait Pieces: Send {
    /// The next piece; none at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Cut>> + Send;
}

impl Pieces for RequestBody {
    async fn next(&mut self) -> Result<Option<Bytes>, Cut> {
        Self::next(self).await.map_err(Cut::Body)
    }
}

/// A body that is taken for as long as no newer request writes to the same upload.
pub(super) struct InTurn<'a, 't> {
    pub(super) body: &'a mut RequestBody,
    pub(super) turn: &'a Turn<'t>,
}

impl Pieces for InTurn<'_, '_> {
    async fn next(&mut self) -> Result<Option<Bytes>, Cut> {
        tokio::select! {
            biased;
            () = self.turn.over() => Err(Cut::Overtaken),
            piece = self.body.next() => piece.map_err(Cut::Body),
        }
    }
}

/// What has become of a body that was received into an upload.
#[derive(Debug)]
pub(super) struct Received {
    /// The upload, as long as its file can be written to.
    pub(super) session: Option<Session>,
    /// How it ended.
    pub(super) end: Result<(), Cut>,
}

/// Why a body was not received whole. What was received before is in the upload.
#[derive(Debug)]
pub(super) enum Cut {
    /// It did not come to its end.
    Body(BodyError),
    /// It could not be stored.
    Content(ContentError),
    /// There is more of it, or less, than was announced.
    Length,
    /// A newer request writes to the upload.
    Overtaken,
}

impl From<Cut> for Refusal {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::Body(error) => Self::of_body(error),
            Cut::Content(error) => Self::of_content(&error),
            Cut::Length => Self::new(Code::SizeInvalid, "The body is not as long as its Content-Range says."),
            Cut::Overtaken => Self::new(Code::BlobUploadInvalid, "A newer request goes on with the upload."),
        }
    }
}

/// Bytes on their way to the disk.
enum Batch {
    /// Small pieces, in a buffer that is used again.
    Gathered(Arc<Vec<u8>>),
    /// A piece that is large enough by itself.
    Piece(Bytes),
}

impl AsRef<[u8]> for Batch {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Gathered(bytes) => bytes,
            Self::Piece(bytes) => bytes,
        }
    }
}

/// Receives a body into an upload; of `announced` bytes, if that many were. `tell` is told how long the upload has become.
pub(super) async fn receive(
    session: Session,
    body: &mut impl Pieces,
    announced: Option<u64>,
    tell: &(impl Fn(u64) + Sync),
) -> Received {
    let mut gatherer = Gatherer { left: announced, spare: Vec::new() };
    let mut session = session;
    let (mut batch, mut end) = gatherer.gather(body).await;
    loop {
        let used = match &batch {
            Some(Batch::Gathered(bytes)) => Some(bytes.clone()),
            _ => None,
        };
        let written = match end {
            // The next batch comes while this one is written.
            None => {
                let (written, (next, next_end)) = tokio::join!(write(session, batch, tell), gatherer.gather(body));
                (batch, end) = (next, next_end);
                written
            }
            Some(end) => {
                return match write(session, batch, tell).await {
                    Ok(session) => Received { session: Some(session), end },
                    Err(error) => Received { session: None, end: Err(Cut::Content(error)) },
                };
            }
        };
        session = match written {
            Ok(session) => session,
            Err(error) => return Received { session: None, end: Err(Cut::Content(error)) },
        };
        gatherer.spare = used.and_then(Arc::into_inner).unwrap_or_default();
    }
}

/// Writes a batch, if there is one.
async fn write(session: Session, batch: Option<Batch>, tell: &(impl Fn(u64) + Sync)) -> Result<Session, ContentError> {
    let Some(batch) = batch else { return Ok(session) };
    let session = session.append(batch).await?;
    tell(session.length());
    Ok(session)
}

/// Gathers pieces until there are enough of them.
struct Gatherer {
    /// How many bytes may come still.
    left: Option<u64>,
    /// A buffer that was used before.
    spare: Vec<u8>,
}

impl Gatherer {
    /// The next batch, if there is one, and how the body ended, if it has.
    async fn gather(&mut self, body: &mut impl Pieces) -> (Option<Batch>, Option<Result<(), Cut>>) {
        let mut gathered = std::mem::take(&mut self.spare);
        gathered.clear();
        let end = loop {
            match body.next().await {
                Ok(Some(piece)) if !self.admits(piece.len()) => break Some(Err(Cut::Length)),
                Ok(Some(piece)) if gathered.is_empty() && piece.len() >= BATCH_BYTES => {
                    self.spare = gathered;
                    return (Some(Batch::Piece(piece)), None);
                }
                Ok(Some(piece)) => {
                    gathered.extend_from_slice(&piece);
                    if gathered.len() >= BATCH_BYTES {
                        break None;
                    }
                }
                Ok(None) if self.left.is_some_and(|left| left > 0) => break Some(Err(Cut::Length)),
                Ok(None) => break Some(Ok(())),
                Err(cut) => break Some(Err(cut)),
            }
        };
        let batch = (!gathered.is_empty()).then(|| Batch::Gathered(Arc::new(gathered)));
        (batch, end)
    }

    /// Counts a piece, if as much was announced.
    fn admits(&mut self, bytes: usize) -> bool {
        match &mut self.left {
            Some(left) => match left.checked_sub(bytes as u64) {
                Some(rest) => {
                    *left = rest;
                    true
                }
                None => false,
            },
            None => true,
        }
    }
}

#[cfg(test)]
mod tests;
