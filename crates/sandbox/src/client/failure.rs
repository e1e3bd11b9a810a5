//! Why something that was asked of a shim was not done.

use std::io;

use crate::protocol::{ShimFailure, ShimFailureKind};

/// Why something that was asked of a shim was not done.
#[derive(Debug, thiserror::Error)]
pub enum ShimError {
    /// The shim answered that it could not.
    #[error(transparent)]
    Refused(#[from] ShimFailure),
    /// The connection to the shim has ended: the shim has, or another connection has replaced this one.
    #[error("the shim's connection has ended")]
    Disconnected,
    /// It is there and says nothing.
    #[error("the shim does not answer")]
    Silent,
    /// There is no shim in that directory.
    #[error("no shim runs there")]
    NotRunning,
    /// It answered something else than what was asked for, or nothing that can be understood.
    #[error("the shim answered {what} with something else")]
    OutOfPlace {
        /// What was asked for.
        what: &'static str,
    },
    /// What is asked for does not fit into a frame.
    #[error("the request has {bytes} bytes and {descriptors} descriptors, which is more than a frame may have")]
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How many descriptors it has.
        descriptors: usize,
    },
    /// The machine would not.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What it said.
        #[source]
        source: io::Error,
    },
}

impl ShimError {
    /// Makes an error of the machine one of ours: `map_err(ShimError::io("…"))`.
    pub(super) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }

    /// What it means, if the shim itself answered.
    pub fn kind(&self) -> Option<ShimFailureKind> {
        match self {
            Self::Refused(failure) => Some(failure.kind),
            _ => None,
        }
    }
}
