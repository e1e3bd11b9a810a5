//! The command's own input and output. Both may stand still for as long as they like, and hold up nothing else: each has a
//! thread.

use std::io::{self, Read, Write};
use std::thread::{self, JoinHandle};

use node::protocol::DATA_BYTES_MAX;
use tokio::sync::mpsc;

/// Pieces that wait to be written.
const PIECES_MAX: usize = 16;

/// Something to be written, and where: 2 is standard error.
pub(super) type Piece = (u8, Vec<u8>);

/// Reads standard input.
#[derive(Debug)]
pub(super) struct Input(mpsc::Receiver<Vec<u8>>);

impl Input {
    /// Begins to read. The thread ends with the program: nothing wakes it from a terminal at which nobody types.
    pub(super) fn read() -> Self {
        let (sender, receiver) = mpsc::channel(1);
        thread::spawn(move || {
            let mut piece = vec![0; DATA_BYTES_MAX];
            let mut stdin = io::stdin().lock();
            loop {
                match stdin.read(&mut piece) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(0) | Err(_) => return,
                    Ok(read) => {
                        if sender.blocking_send(piece[..read].to_vec()).is_err() {
                            return;
                        }
                    }
                }
            }
        });
        Self(receiver)
    }

    /// What was typed next; nothing at the end. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        self.0.recv().await
    }
}

/// Writes standard output and standard error.
#[derive(Debug)]
pub(super) struct Output {
    pieces: Option<mpsc::Sender<Piece>>,
    writing: Option<JoinHandle<io::Result<()>>>,
}

impl Output {
    pub(super) fn new() -> Self {
        let (pieces, mut receiver) = mpsc::channel::<Piece>(PIECES_MAX);
        let writing = thread::spawn(move || {
            while let Some((stream, piece)) = receiver.blocking_recv() {
                if stream == 2 { write(io::stderr().lock(), &piece)? } else { write(io::stdout().lock(), &piece)? }
            }
            Ok(())
        });
        Self { pieces: Some(pieces), writing: Some(writing) }
    }

    /// Has a piece written, which is taken as soon as there is room; false if nobody reads any more. May be dropped and called
    /// again: what was not taken is still there.
    pub(super) async fn take(&self, piece: &mut Option<Piece>) -> bool {
        let Some(pieces) = &self.pieces else { return false };
        let Ok(room) = pieces.reserve().await else { return false };
        if let Some(piece) = piece.take() {
            room.send(piece);
        }
        true
    }

    /// Waits until everything is written.
    ///
    /// # Errors
    /// When it could not be: a closed pipe, a full disk.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.pieces = None;
        match self.writing.take().map(JoinHandle::join) {
            Some(Ok(written)) => written,
            _ => Ok(()),
        }
    }
}

fn write(mut to: impl Write, piece: &[u8]) -> io::Result<()> {
    to.write_all(piece)?;
    to.flush()
}
