//! A connection's first bytes, which tell its version.
//!
//! hyper's own way to tell the versions apart leaves no way to bound heads otherwise than by how much is read at once.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// With what connections of HTTP/2 begin (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How a connection is spoken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    /// HTTP/1.0 or HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// A connection whose first bytes have been looked at and come again.
#[derive(Debug)]
pub(super) struct Opened<S> {
    stream: S,
    beginning: [u8; PREFACE.len()],
    /// How many of them have come, and how many have come again.
    read: usize,
    given: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Opened<S> {
    /// Waits for as many bytes as it takes to tell the version. A connection that ends before is one of HTTP/1.
    pub(super) async fn new(stream: S) -> io::Result<(Self, Spoken)> {
        let mut opened = Self { stream, beginning: [0; PREFACE.len()], read: 0, given: 0 };
        while opened.read < PREFACE.len() {
            let read = opened.stream.read(&mut opened.beginning[opened.read..]).await?;
            opened.read += read;
            if read == 0 || opened.beginning[..opened.read] != PREFACE[..opened.read] {
                return Ok((opened, Spoken::Http1));
            }
        }
        Ok((opened, Spoken::Http2))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opened<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.given < self.read {
            let count = buffer.remaining().min(self.read - self.given);
            buffer.put_slice(&self.beginning[self.given..self.given + count]);
            self.given += count;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opened<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// What a connection that carries `pieces` is taken for, and what is read of it then.
    async fn opened(pieces: &[&[u8]]) -> (Spoken, Vec<u8>) {
        let (mut client, server) = tokio::io::duplex(1000);
        let pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.to_vec()).collect();
        let writing = tokio::spawn(async move {
            for piece in pieces {
                client.write_all(&piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let (mut opened, spoken) = Opened::new(server).await.unwrap();
        let mut read = Vec::new();
        opened.read_to_end(&mut read).await.unwrap();
        writing.await.unwrap();
        (spoken, read)
    }

    #[tokio::test]
    async fn the_preface_tells_the_version_and_every_byte_comes_again() {
        let whole = [&PREFACE[..], b"frames"].concat();
        assert_eq!(opened(&[&whole]).await, (Spoken::Http2, whole.clone()));
        assert_eq!(opened(&[&whole[..3], &whole[3..]]).await, (Spoken::Http2, whole.clone()));
        let bytes: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(opened(&bytes).await, (Spoken::Http2, whole.clone()));
    }

    #[tokio::test]
    async fn all_else_is_http_1() {
        for text in ["", "G", "GET / HTTP/1.1\r\n\r\n", "PUT /", "PRI * HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r"]
        {
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(opened(&bytes).await, (Spoken::Http1, text.into()));
            assert_eq!(opened(&[text.as_bytes()]).await, (Spoken::Http1, text.into()));
        }
    }
}
