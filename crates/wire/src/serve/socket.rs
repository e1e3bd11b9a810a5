//! The socket under a connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::link::Link;
use super::window::Windows;

/// How long a client may go on sending a request that has been answered. A socket that is closed with bytes unread resets
/// the connection, and the client might lose the answer that it has not read yet.
const LINGER_TIME_MAX: Duration = Duration::from_secs(5);
/// How long it may pause.
const LINGER_PAUSE_MAX: Duration = Duration::from_secs(1);
/// How much of what it sends is thrown away at once.
const LINGER_BYTES: usize = 16 * 1024;
/// How much of a file a client has to take to count as one that reads.
const MOVED_BYTES: usize = 64 * 1024;

/// A socket that sends files itself and, if need be, hears a client out before it closes.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    link: Arc<Link>,
    /// How much of files has been sent since that was noted.
    unnoted_bytes: usize,
    is_shut_down: bool,
    linger: Option<Linger>,
}

#[derive(Debug)]
struct Linger {
    end: Instant,
    pause: Pin<Box<Sleep>>,
}

impl Socket {
    /// The socket of `link`.
    pub(super) fn new(stream: TcpStream, link: Arc<Link>) -> Self {
        Self { stream, link, unnoted_bytes: 0, is_shut_down: false, linger: None }
    }

    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        windows: &Windows,
        before: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            match self.stream.try_io(Interest::WRITABLE, || windows.send(&self.stream, before)) {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    /// Notes that the client reads what it is sent of a file.
    fn note_sent(&mut self, count: usize) {
        self.unnoted_bytes += count;
        if self.unnoted_bytes >= MOVED_BYTES {
            self.unnoted_bytes = 0;
            self.link.activity.moved();
        }
    }

    /// Waits until the client has stopped sending, or has sent for long enough.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let linger = self.linger.get_or_insert_with(|| Linger {
            end: Instant::now() + LINGER_TIME_MAX,
            pause: Box::pin(tokio::time::sleep(LINGER_PAUSE_MAX)),
        });
        loop {
            let mut thrown_away = [0; LINGER_BYTES];
            let mut buffer = ReadBuf::new(&mut thrown_away);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let pause_end = Instant::now() + LINGER_PAUSE_MAX;
                    linger.pause.as_mut().reset(pause_end.min(linger.end));
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return linger.pause.as_mut().poll(context),
            }
            if Instant::now() >= linger.end {
                return Poll::Ready(());
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let link = self.link.clone();
        if let Some(windows) = link.windows()
            && let Some(first) = windows.first_placeholder(slices)?
        {
            let count = ready!(self.poll_send(context, windows, &slices[..first]))?;
            self.note_sent(count);
            return Poll::Ready(Ok(count));
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is held back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut_down {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            self.is_shut_down = true;
        }
        if self.link.is_unread() {
            ready!(self.poll_linger(context));
        }
        Poll::Ready(Ok(()))
    }
}
