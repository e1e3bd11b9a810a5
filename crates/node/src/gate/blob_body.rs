//! A blob on its way to a host, read piece by piece as the host takes it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// How much is read at a time, in bytes.
const PIECE_BYTES: usize = 128 * 1024;
/// Pieces that wait for the connection.
const PIECES_MAX: usize = 2;

/// What is sent.
pub(super) struct BlobBody {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    left: u64,
}

impl BlobBody {
    /// A file from `from` on, of which `left` bytes are sent. `turn` is held until all is read, or nobody takes it.
    pub(super) fn new(file: File, from: u64, left: u64, turn: OwnedSemaphorePermit) -> Self {
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        tokio::spawn(async move {
            read(file, from, left, sender).await;
            drop(turn);
        });
        Self { pieces, left }
    }
}

async fn read(mut file: File, from: u64, mut left: u64, sender: mpsc::Sender<io::Result<Bytes>>) {
    let mut is_at_its_place = from == 0;
    while left > 0 {
        // Nothing is read before there is room for it.
        let Ok(room) = sender.reserve().await else { return };
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let reading = tokio::task::spawn_blocking(move || {
            if !is_at_its_place {
                file.seek(SeekFrom::Start(from))?;
            }
            let mut piece = vec![0; wanted];
            file.read_exact(&mut piece)?;
            Ok::<_, io::Error>((file, Bytes::from(piece)))
        });
        match reading.await.unwrap_or_else(|_| Err(io::Error::other("reading broke off"))) {
            Ok((same, piece)) => {
                (file, is_at_its_place) = (same, true);
                left -= piece.len() as u64;
                room.send(Ok(piece));
            }
            Err(error) => return room.send(Err(error)),
        }
    }
}

impl Body for BlobBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let piece = std::task::ready!(self.pieces.poll_recv(context));
        Poll::Ready(piece.map(|piece| {
            let piece = piece?;
            self.left = self.left.saturating_sub(piece.len() as u64);
            Ok(Frame::data(piece))
        }))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
