//! Lines of JSON on a socket, bounded in length and in time.

use std::io;
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use crate::protocol::LINE_BYTES_MAX;

/// How long the rest of a line may take once it has begun, and how long a line may wait for its reader.
const LINE_PATIENCE: Duration = Duration::from_secs(10);
/// What is read at a time. Idle connections keep so much; a line that is longer only while it is looked at.
const BUFFER_BYTES: usize = 4 * 1024;

/// Why no line came, or none could be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    /// It has no end within the limit.
    #[error("a line has more than {LINE_BYTES_MAX} bytes")]
    TooLong,
    /// The other side stopped within a line, or does not take one.
    #[error("the other side stopped in the middle of a line")]
    Broken,
    /// The operating system said so.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// What was to be sent is no JSON.
    #[error("a message cannot be written")]
    Json(#[from] serde_json::Error),
}

/// Reads lines.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader: BufReader::with_capacity(BUFFER_BYTES, reader), line: Vec::new() }
    }

    /// The next line, without its end, however long it takes to begin; none when the other side has ended. A line that was
    /// broken off by dropping this future is lost.
    pub(crate) async fn next(&mut self) -> Result<Option<&[u8]>, LineError> {
        // Not cleared but given back: one long line does not keep its memory for good.
        self.line = Vec::new();
        if self.reader.fill_buf().await?.is_empty() {
            return Ok(None);
        }
        timeout(LINE_PATIENCE, self.rest()).await.map_err(|_| LineError::Broken)??;
        Ok(Some(&self.line))
    }

    /// What is left to read, without a line more: what has been read of it already included.
    pub(crate) fn into_rest(self) -> BufReader<R> {
        self.reader
    }

    async fn rest(&mut self) -> Result<(), LineError> {
        loop {
            let available = self.reader.fill_buf().await?;
            if available.is_empty() {
                return Err(LineError::Broken);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let length = end.unwrap_or(available.len());
            if self.line.len() + length >= LINE_BYTES_MAX {
                return Err(LineError::TooLong);
            }
            self.line.extend_from_slice(&available[..length]);
            self.reader.consume(end.map_or(length, |end| end + 1));
            if end.is_some() {
                return Ok(());
            }
        }
    }
}

/// A message as a line.
pub(crate) fn line(message: &impl Serialize) -> Result<Vec<u8>, LineError> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    if line.len() > LINE_BYTES_MAX { Err(LineError::TooLong) } else { Ok(line) }
}

/// Sends a line. Whoever does not read it in time is given up.
pub(crate) async fn send(writer: &mut (impl AsyncWrite + Unpin), line: &[u8]) -> Result<(), LineError> {
    timeout(LINE_PATIENCE, writer.write_all(line)).await.map_err(|_| LineError::Broken)??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn read(sent: &[u8]) -> Vec<Result<Option<Vec<u8>>, LineError>> {
        let (mut near, far) = tokio::io::duplex(64);
        let sent = sent.to_vec();
        let writing = tokio::spawn(async move {
            let _ = near.write_all(&sent).await;
        });
        let mut lines = Lines::new(far);
        let mut found = Vec::new();
        loop {
            let next = lines.next().await.map(|line| line.map(<[u8]>::to_vec));
            let is_last = !matches!(next, Ok(Some(_)));
            found.push(next);
            if is_last {
                drop(lines);
                writing.await.unwrap();
                return found;
            }
        }
    }

    #[tokio::test]
    async fn lines_come_one_by_one_until_the_end() {
        let found = read(b"one\n\ntwo\n").await;
        let lines: Vec<_> = found.into_iter().map(|line| line.unwrap()).collect();
        assert_eq!(lines, [Some(b"one".to_vec()), Some(Vec::new()), Some(b"two".to_vec()), None]);
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_broken() {
        let found = read(b"one\ntw").await;
        assert!(matches!(found[..], [Ok(Some(_)), Err(LineError::Broken)]), "{found:?}");
    }

    #[tokio::test]
    async fn a_line_is_taken_up_to_its_limit_and_not_beyond() {
        let mut longest = vec![b'x'; LINE_BYTES_MAX - 1];
        longest.push(b'\n');
        let found = read(&longest).await;
        assert!(matches!(&found[0], Ok(Some(line)) if line.len() == LINE_BYTES_MAX - 1));
        longest.insert(0, b'x');
        assert!(matches!(read(&longest).await[..], [Err(LineError::TooLong)]));
        assert!(line(&"x".repeat(LINE_BYTES_MAX - 3)).is_ok());
        assert!(matches!(line(&"x".repeat(LINE_BYTES_MAX - 2)), Err(LineError::TooLong)));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_stops_within_a_line_is_given_up() {
        let (mut near, far) = tokio::io::duplex(64);
        near.write_all(b"half a li").await.unwrap();
        assert!(matches!(Lines::new(far).next().await, Err(LineError::Broken)));
        let (mut near, _far) = tokio::io::duplex(8);
        assert!(matches!(send(&mut near, b"nobody reads this").await, Err(LineError::Broken)));
    }
}
