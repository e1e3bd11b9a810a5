//! What an error means for whoever asked.

use std::error::Error as _;

use images::{Error, MemberError, UnpackError};

use crate::protocol::{Failure, FailureKind};

/// The failure that an error is told as.
pub(super) fn of(error: &Error) -> Failure {
    Failure::new(kind(error), told(error))
}

fn kind(error: &Error) -> FailureKind {
    match error {
        Error::NotFound { .. } => FailureKind::NotFound,
        Error::Mismatch { .. } => FailureKind::Mismatch,
        Error::Document { .. } => FailureKind::Refused,
        Error::Layer { source, .. } => match &**source {
            UnpackError::Member { source: MemberError::Io { .. }, .. } => FailureKind::Internal,
            UnpackError::Full => FailureKind::Full,
            UnpackError::Stopped => FailureKind::Stopped,
            UnpackError::BlobSize { .. } => FailureKind::Mismatch,
            _ => FailureKind::Refused,
        },
        Error::NoPlatform { .. } => FailureKind::NoPlatform,
        Error::Stopped => FailureKind::Stopped,
        Error::Full => FailureKind::Full,
        Error::TooMany { .. } => FailureKind::Busy,
        _ => FailureKind::Internal,
    }
}

/// An error with what led to it.
pub(super) fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}
