//! A connection on which the other side has begun to speak.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::client::Stream;

/// The connection, and its first byte, which comes again.
pub(super) struct Begun {
    first: Option<u8>,
    stream: Box<dyn Stream>,
}

impl Begun {
    /// Waits for the first byte, however long it takes.
    pub(super) async fn wait(mut stream: Box<dyn Stream>) -> io::Result<Self> {
        let first = stream.read_u8().await?;
        Ok(Self { first: Some(first), stream })
    }
}

impl AsyncRead for Begun {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() > 0
            && let Some(first) = self.first.take()
        {
            buffer.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Begun {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
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
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn what_was_looked_at_comes_again_and_the_rest_after_it() {
        let (near, mut far) = tokio::io::duplex(64);
        far.write_all(b"hello").await.unwrap();
        let mut begun = Begun::wait(Box::new(near)).await.unwrap();
        drop(far);
        let mut all = String::new();
        begun.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "hello");
    }

    #[tokio::test]
    async fn an_end_before_the_first_byte_is_an_error() {
        let (near, far) = tokio::io::duplex(64);
        drop(far);
        assert!(Begun::wait(Box::new(near)).await.is_err());
    }
}
