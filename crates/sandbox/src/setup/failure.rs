//! Failures, as a shim is told of them.

use std::fmt::Display;

use crate::protocol::{ShimFailure, ShimFailureKind};

/// What was being done when the system refused.
pub(crate) trait Doing<T> {
    /// The failure as [`ShimFailureKind::Failed`].
    fn doing(self, what: &str) -> Result<T, ShimFailure>;
    /// The same, with words that are only made if they are needed.
    fn doing_so(self, what: impl FnOnce() -> String) -> Result<T, ShimFailure>;
}

impl<T, E: Display> Doing<T> for Result<T, E> {
    fn doing(self, what: &str) -> Result<T, ShimFailure> {
        self.map_err(|error| failed(format!("{what}: {error}")))
    }

    fn doing_so(self, what: impl FnOnce() -> String) -> Result<T, ShimFailure> {
        self.map_err(|error| failed(format!("{}: {error}", what())))
    }
}

/// The machine would not.
pub(crate) fn failed(message: impl Into<String>) -> ShimFailure {
    ShimFailure { kind: ShimFailureKind::Failed, message: message.into() }
}

/// The plan cannot be made, here or anywhere.
pub(crate) fn refused(message: impl Into<String>) -> ShimFailure {
    ShimFailure { kind: ShimFailureKind::Refused, message: message.into() }
}
