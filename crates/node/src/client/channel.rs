//! The way to what is served near a workload.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;
use workload::WorkloadId;

use super::connection::{Unopened, greet};
use super::{Node, NodeError, QUICK, Stream, Talk};
use crate::lines;
use crate::protocol::{Channelled, DATA_BYTES_MAX, Event, Input, Request, Session, ToNode};

/// What is on its way within this process, in each direction, in bytes, where a channel goes over a session.
const UNDER_WAY_BYTES_MAX: usize = 2 * DATA_BYTES_MAX;

impl Node {
    /// Opens the way to what is served near a workload in the server's own terms: bytes in both directions, which the node carries
    /// unread. There is at most one of a workload. It ends when either side has had enough, or the workload has stopped. With a
    /// node that joined, to which there is one connection, it goes over that one.
    ///
    /// # Errors
    /// [`NodeError`]; of kind [`NotFound`](crate::protocol::FailureKind::NotFound) if there is no such workload,
    /// [`Refused`](crate::protocol::FailureKind::Refused) if nothing is served near it, [`Busy`](crate::protocol::FailureKind::Busy)
    /// if it has its channel. Over a session such an error is the end of the bytes.
    pub async fn channel(&self, id: &WorkloadId) -> Result<Box<dyn Stream>, NodeError> {
        if !self.0.way.is_dialled_at_will() {
            return Ok(Box::new(over_session(self.open(Session::Channel { id: id.clone() }).await?)));
        }
        // Nobody closes it.
        let _turn = self.0.opening.acquire().await.ok();
        let opening = timeout(QUICK, self.dial_channel(id)).await;
        opening.map_err(|_| NodeError::Silent { after: QUICK })?
    }

    async fn dial_channel(&self, id: &WorkloadId) -> Result<Box<dyn Stream>, NodeError> {
        let stream = self.0.way.dial().await.map_err(|error| self.unreachable(error.to_string()))?;
        let (from, to) = tokio::io::split(stream);
        let (mut from, mut to) = greet(from, to).await.map_err(|unopened| match unopened {
            Unopened::Refused(reason) => NodeError::Refused { reason },
            Unopened::Failed(reason) => self.unreachable(reason),
        })?;
        let line = lines::line(&ToNode::<Request>::Channel { id: id.clone() }).map_err(|_| NodeError::Confused)?;
        lines::send(&mut to, &line).await.map_err(|_| NodeError::Lost)?;
        let answer = from.next().await.map_err(|_| NodeError::Lost)?.ok_or(NodeError::Lost)?;
        match serde_json::from_slice(answer) {
            Ok(Channelled::Opened) => {}
            Ok(Channelled::Failed(failure)) => return Err(failure.into()),
            Err(_) => return Err(NodeError::Confused),
        }
        let from = from.into_rest();
        let head = from.buffer().to_vec();
        Ok(Box::new(Channel { head, place: 0, stream: from.into_inner().unsplit(to) }))
    }
}

/// Bytes of which the first have been read already.
struct Channel {
    head: Vec<u8>,
    place: usize,
    stream: Box<dyn Stream>,
}

impl AsyncRead for Channel {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let own = self.get_mut();
        let left = &own.head[own.place..];
        if left.is_empty() {
            return Pin::new(&mut own.stream).poll_read(context, buffer);
        }
        let count = left.len().min(buffer.remaining());
        buffer.put_slice(&left[..count]);
        own.place += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Channel {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// The bytes of a session.
fn over_session(mut talk: Talk) -> tokio::io::DuplexStream {
    let (near, far) = tokio::io::duplex(UNDER_WAY_BYTES_MAX);
    tokio::spawn(async move {
        let (mut from, mut to) = tokio::io::split(far);
        let sender = talk.sender();
        let outgoing = async {
            let mut piece = vec![0; DATA_BYTES_MAX];
            while let Ok(count @ 1..) = from.read(&mut piece).await {
                if sender.data(&piece[..count]).await.is_err() {
                    return;
                }
            }
            // If it is not heard, the session is over.
            let _ = sender.send(Input::End).await;
            // Whoever says no more may still want to hear.
            std::future::pending().await
        };
        let incoming = async {
            while let Some(Ok(event)) = talk.next().await {
                if let Event::Output(output) = event
                    && let Some(bytes) = output.bytes()
                    && to.write_all(&bytes).await.is_err()
                {
                    return;
                }
            }
        };
        tokio::select! {
            () = incoming => {}
            () = outgoing => {}
        }
    });
    near
}
