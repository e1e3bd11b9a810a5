//! A stream, and what holds for it whoever has it: by whom it can be ended, whose place it takes, what was read of it already.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

use super::BoxFuture;
use crate::client::Stream;

/// The stream.
pub(crate) struct Held {
    stream: Box<dyn Stream>,
    /// A byte that was read already, and comes again.
    first: Option<u8>,
    gone: Option<BoxFuture<'static, ()>>,
    is_gone: bool,
    _place: Arc<OwnedSemaphorePermit>,
}

impl Held {
    /// A stream that takes a place for as long as it is there.
    pub(crate) fn new(stream: impl Stream + 'static, place: Arc<OwnedSemaphorePermit>) -> Self {
        Self { stream: Box::new(stream), first: None, gone: None, is_gone: false, _place: place }
    }

    /// The same, which ends when its host is removed.
    pub(crate) fn until(self, gone: BoxFuture<'static, ()>) -> Self {
        Self { gone: Some(gone), ..self }
    }

    /// The same, once the other side has said something, however long it takes.
    ///
    /// # Errors
    /// When it has ended before.
    pub(crate) async fn once_spoken_to(mut self) -> io::Result<Self> {
        let first = self.read_u8().await?;
        Ok(Self { first: Some(first), ..self })
    }

    fn ended() -> io::Error {
        io::Error::new(io::ErrorKind::ConnectionAborted, "the node was removed")
    }
}

impl AsyncRead for Held {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Asked here alone, so that it is the reader who is woken: there always is one.
        if self.gone.as_mut().is_some_and(|gone| gone.as_mut().poll(context).is_ready()) {
            (self.gone, self.is_gone) = (None, true);
        }
        if self.is_gone {
            return Poll::Ready(Err(Self::ended()));
        }
        if buffer.remaining() > 0
            && let Some(first) = self.first.take()
        {
            buffer.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Held {
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
    use tokio::io::{AsyncWriteExt, duplex};
    use tokio::sync::{Semaphore, oneshot};

    use super::*;

    async fn held(stream: impl Stream + 'static) -> Held {
        Held::new(stream, Arc::new(Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap()))
    }

    #[tokio::test]
    async fn a_reader_that_waits_is_woken_when_the_host_is_removed() {
        let (near, mut far) = duplex(64);
        let (remove, removed) = oneshot::channel::<()>();
        let gone = Box::pin(async move {
            let _ = removed.await;
        });
        let (mut from, mut to) = tokio::io::split(held(near).await.until(gone));
        far.write_all(b"a").await.unwrap();
        assert_eq!(from.read_u8().await.unwrap(), b'a');
        to.write_all(b"b").await.unwrap();
        let reading = tokio::spawn(async move { from.read_u8().await });
        tokio::task::yield_now().await;
        remove.send(()).unwrap();
        assert_eq!(reading.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        assert!(to.write_all(b"c").await.is_err());
    }

    #[tokio::test]
    async fn what_was_looked_at_comes_again_and_the_rest_after_it() {
        let (near, mut far) = duplex(64);
        far.write_all(b"hello").await.unwrap();
        let mut begun = held(near).await.once_spoken_to().await.unwrap();
        drop(far);
        let mut all = String::new();
        begun.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "hello");
    }

    #[tokio::test]
    async fn an_end_before_the_first_byte_is_an_error() {
        let (near, far) = duplex(64);
        drop(far);
        assert!(held(near).await.once_spoken_to().await.is_err());
    }

    #[tokio::test]
    async fn a_place_is_free_again_when_its_stream_is_dropped() {
        let places = Arc::new(Semaphore::new(1));
        let place = Arc::new(Arc::clone(&places).acquire_owned().await.unwrap());
        let held = Held::new(duplex(8).0, place);
        assert_eq!(places.available_permits(), 0);
        drop(held);
        assert_eq!(places.available_permits(), 1);
    }
}
