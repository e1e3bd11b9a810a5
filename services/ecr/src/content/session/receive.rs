//! Taking in what comes over a connection, piece by piece.

use std::future::Future;

use bytes::Bytes;

use super::{Session, Work, done};
use crate::content::ContentError;

/// How much is gathered before it is handed to the disk: so much that handing it over costs little beside hashing it, and
/// so little that it stays in the processor's cache. An upload has twice this in memory, and a piece.
const BATCH_BYTES: usize = 256 * 1024;

/// What comes in, piece by piece: the body of a request.
pub trait Pieces: Send {
    /// Why there is no next piece.
    type Error: Send;

    /// The next piece; none at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Self::Error>> + Send;
}

impl Session {
    /// Adds all that comes, which is hashed and written on another thread while more is received. When it breaks off, what
    /// has come before is kept, and the reason is told beside the session.
    ///
    /// # Errors
    /// [`ContentError::Full`], [`ContentError::TooLarge`]; some of what came is kept then, too.
    pub async fn receive<P: Pieces>(self, pieces: &mut P) -> Result<(Self, Result<(), P::Error>), ContentError> {
        let mut disk = Disk::Idle(self);
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let ending = loop {
            match pieces.next().await {
                Ok(Some(piece)) => {
                    bytes += piece.len();
                    batch.push(piece);
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
            if bytes >= BATCH_BYTES {
                disk = Disk::Busy(disk.idle().await?.start_append(std::mem::take(&mut batch)));
                bytes = 0;
            }
        };
        let session = disk.idle().await?;
        let session = if batch.is_empty() { session } else { session.append_all(batch).await? };
        Ok((session, ending))
    }
}

/// Who has the session: this task, or the thread that writes.
enum Disk {
    Idle(Session),
    Busy(Work<()>),
}

impl Disk {
    async fn idle(self) -> Result<Session, ContentError> {
        match self {
            Self::Idle(session) => Ok(session),
            Self::Busy(work) => done(work).await.map(|(session, ())| session),
        }
    }
}
