//! How a node is reached.

use std::any::Any;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

use crate::protocol::Request;

/// Bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection that is on its way.
pub type Dialling<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send + 'a>>;

/// A way to a node. It is dialled when a connection is needed and there is none; the node's agent answers at its other end.
pub trait Dial: fmt::Debug + Send + Sync + 'static {
    /// A new connection. Whoever waits for the node to call, instead of calling it, answers with what came last, or says that
    /// nothing did.
    fn dial(&self) -> Dialling<'_>;

    /// Whether it can be dialled again while there is a connection: for each channel there is one of its own then.
    fn is_dialled_at_will(&self) -> bool {
        true
    }

    /// What the node is called in errors.
    fn name(&self) -> String;

    /// Told of each request before it is made; what it answers is kept until the request is over. By this a joined host may
    /// read an image's blobs while it prepares the image, and not otherwise.
    fn asking(&self, request: &Request) -> Option<Box<dyn Any + Send + Sync>> {
        let _ = request;
        None
    }
}

/// The node at a Unix socket.
#[derive(Debug)]
pub(super) struct Socket(pub(super) PathBuf);

impl Dial for Socket {
    fn dial(&self) -> Dialling<'_> {
        Box::pin(async { Ok(Box::new(UnixStream::connect(&self.0).await?) as Box<dyn Stream>) })
    }

    fn name(&self) -> String {
        self.0.display().to_string()
    }
}
