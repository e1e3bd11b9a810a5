//! A stream that ends when its host is removed, whoever has it then.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

use super::BoxFuture;
use crate::client::Stream;

/// The stream, the wish for its end, and its place among the host's connections.
pub(super) struct Guarded {
    stream: Box<dyn Stream>,
    gone: BoxFuture<'static, ()>,
    is_gone: bool,
    _place: Arc<OwnedSemaphorePermit>,
}

impl Guarded {
    pub(super) fn new(
        stream: impl Stream + 'static,
        gone: BoxFuture<'static, ()>,
        place: Arc<OwnedSemaphorePermit>,
    ) -> Self {
        Self { stream: Box::new(stream), gone, is_gone: false, _place: place }
    }

    fn ended() -> io::Error {
        io::Error::new(io::ErrorKind::ConnectionAborted, "the node was removed")
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Asked here alone, so that it is the reader who is woken: there always is one.
        if !self.is_gone && self.gone.as_mut().poll(context).is_ready() {
            self.is_gone = true;
        }
        if self.is_gone {
            return Poll::Ready(Err(Self::ended()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_gone {
            return Poll::Ready(Err(Self::ended()));
        }
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::sync::{Semaphore, oneshot};

    use super::*;

    #[tokio::test]
    async fn a_reader_that_waits_is_woken_when_the_host_is_removed() {
        let (near, mut far) = duplex(64);
        let (remove, removed) = oneshot::channel::<()>();
        let place = Arc::new(Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap());
        let gone = Box::pin(async move {
            let _ = removed.await;
        });
        let guarded = Guarded::new(near, gone, place);
        let (mut from, mut to) = tokio::io::split(guarded);
        far.write_all(b"a").await.unwrap();
        assert_eq!(from.read_u8().await.unwrap(), b'a');
        to.write_all(b"b").await.unwrap();
        let reading = tokio::spawn(async move { from.read_u8().await });
        tokio::task::yield_now().await;
        remove.send(()).unwrap();
        assert_eq!(reading.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        assert!(to.write_all(b"c").await.is_err());
    }
}
