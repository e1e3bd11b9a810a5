//! The server's blobs, as a joined host's images are made of them: read as they are unpacked, kept nowhere.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use images::{BlobSource, Descriptor};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::JoinError;
use super::way::Way;
use crate::gate::words::BLOBS;

/// How long the server may take for the next piece.
const PIECE_PATIENCE: Duration = Duration::from_secs(30);
/// Pieces that wait to be unpacked.
const PIECES_MAX: usize = 8;
/// How often a blob is gone on with that broke off, as long as each time something comes.
const BREAKS_MAX: u32 = 8;
/// The pause before it is gone on with.
const PAUSE: Duration = Duration::from_millis(300);

/// Blobs of the server, while it has this host prepare their images. What they hold is verified by who reads them.
#[derive(Debug, Clone)]
pub struct ServerBlobs {
    pub(super) way: Arc<Way>,
    pub(super) runtime: Handle,
}

/// A blob that is on its way.
struct Arriving {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl BlobSource for ServerBlobs {
    /// Blocks: not for the runtime's own threads.
    fn open(&self, blob: &Descriptor) -> io::Result<Option<Box<dyn Read + Send>>> {
        let (found, is_found) = oneshot::channel();
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        let path = format!("{BLOBS}{}", blob.digest);
        self.runtime.spawn(fetch(Arc::clone(&self.way), path, blob.size, found, sender));
        let is_found = is_found.blocking_recv().map_err(|_| io::Error::other("fetching broke off"))?;
        Ok(is_found?.then(|| Box::new(Arriving { pieces, piece: Bytes::new() }) as Box<dyn Read + Send>))
    }
}

impl Read for Arriving {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.piece.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

/// Fetches a blob, and goes on with it where it broke off.
async fn fetch(
    way: Arc<Way>,
    path: String,
    size: u64,
    found: oneshot::Sender<io::Result<bool>>,
    sender: mpsc::Sender<io::Result<Bytes>>,
) {
    let mut found = Some(found);
    let (mut at, mut breaks) = (0, 0);
    loop {
        let before = at;
        let failure = match pieces(&way, &path, &mut at, size, &mut found, &sender).await {
            Ok(()) => return,
            Err(failure) => failure,
        };
        breaks = if at > before { 0 } else { breaks + 1 };
        if breaks > BREAKS_MAX || failure.is_permanent() {
            let failure = io::Error::other(failure);
            match found.take() {
                Some(found) => drop(found.send(Err(failure))),
                // If nobody hears it, nobody wants it.
                None => drop(sender.send(Err(failure)).await),
            }
            return;
        }
        tracing::debug!(%failure, path, at, "a blob broke off");
        tokio::select! {
            () = sleep(PAUSE) => {}
            () = sender.closed() => return,
        }
    }
}

async fn pieces(
    way: &Way,
    path: &str,
    at: &mut u64,
    size: u64,
    found: &mut Option<oneshot::Sender<io::Result<bool>>>,
    sender: &mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), JoinError> {
    let answer = way.get(path, *at).await?;
    if let Some(found) = found.take() {
        let _ = found.send(Ok(answer.is_some()));
    }
    let Some(mut body) = answer.map(http::Response::into_body) else {
        return if *at == 0 { Ok(()) } else { Err(JoinError::Refused { message: "a blob is gone".to_owned() }) };
    };
    while *at < size {
        // Whoever unpacks may be slow; the server may not.
        let Some(frame) = timeout(PIECE_PATIENCE, body.frame()).await.map_err(|_| way.silent())? else {
            return Err(way.confused("a blob is shorter than its image says"));
        };
        let Ok(piece) = frame.map_err(|error| way.confused(error))?.into_data() else { continue };
        *at += piece.len() as u64;
        if sender.send(Ok(piece)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
