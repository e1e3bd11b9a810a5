//! Where environments run: a port, implemented by the binary over its nodes.

use std::sync::Arc;

use base::Timestamp;
use bytes::Bytes;
use platform::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use workload::Spec;

use crate::configuration::Architecture;
use crate::executor::NotPrepared;

/// Where environments run.
pub trait EnvironmentHost: Send + Sync {
    /// Whether there is a machine that has a runtime.
    fn offers<'a>(&'a self, runtime: &'a str, architecture: Architecture) -> BoxFuture<'a, bool>;

    /// Makes ready the images and archives that a sandbox needs. Asked again for what is done already.
    fn prepare<'a>(&'a self, spec: &'a Spec) -> BoxFuture<'a, Result<(), NotPrepared>>;

    /// Makes a sandbox and starts what is to run in it.
    fn start(&self, spec: Spec) -> BoxFuture<'_, Result<Started, CannotStart>>;
}

/// A sandbox that has been started.
pub struct Started {
    /// To the node half of the environment.
    pub channel: Box<dyn Channel>,
    /// What is printed within.
    pub output: mpsc::Receiver<Printed>,
    /// How the program ended, when it has.
    pub ended: oneshot::Receiver<Ended>,
    /// The sandbox. It is taken down when this is dropped.
    pub sandbox: Arc<dyn Sandbox>,
}

/// A connection.
pub trait Channel: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Channel for T {}

/// What can be done with a sandbox.
pub trait Sandbox: Send + Sync {
    /// Has nothing in it run, or lets it go on.
    fn freeze(&self, frozen: bool) -> BoxFuture<'_, Result<(), String>>;

    /// What it has used at most, in bytes; none if nobody knows.
    fn memory_peak(&self) -> BoxFuture<'_, Option<u64>>;
}

/// Something that was printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// When.
    pub at: Timestamp,
    /// What; lines may begin and end anywhere in it.
    pub bytes: Bytes,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this status.
    Exited(i32),
    /// By a signal.
    Killed {
        /// Its number.
        signal: i32,
        /// Whether it was because it wanted more memory than there is.
        is_out_of_memory: bool,
    },
    /// The machine, or what looks after its sandboxes, is gone.
    Lost(String),
}

/// Why no sandbox was started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotStart {
    /// No machine has room for it now.
    #[error("no machine has room for it")]
    NoRoom,
    /// Its program cannot be executed: it is not there, or is none.
    #[error("{0}")]
    Entrypoint(String),
    /// Something else failed.
    #[error("{0}")]
    Failed(String),
}
