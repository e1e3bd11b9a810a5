//! What an operation answers when it does not do as it was asked.

use store::StoreError;

use crate::api::errors;
use crate::math::MathError;

/// An error of an operation. Its text is what the client gets: CloudWatch's own wherever that is known.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A value that cannot be taken.
    #[error("{0}")]
    InvalidValue(String),
    /// Values that do not go together.
    #[error("{0}")]
    InvalidCombination(String),
    /// Something is missing.
    #[error("{0}")]
    Missing(String),
    /// What CloudWatch reports as ValidationError.
    #[error("{0}")]
    Validation(String),
    /// A text that should be JSON and is not.
    #[error("{0}")]
    Format(String),
    /// A token that was not given out for this list.
    #[error("The specified next token is invalid.")]
    NextToken,
    /// An alarm that is not there.
    #[error("{0}")]
    NotFound(String),
    /// A resource with tags that is not there.
    #[error("{0}")]
    ResourceNotFound(String),
    /// A quota is used up.
    #[error("{0}")]
    LimitExceeded(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    /// A feature that CloudWatch has and Pilvi does not.
    pub(crate) fn not_served(what: impl std::fmt::Display) -> Self {
        Self::Validation(format!("{what} is not served by Pilvi."))
    }

    /// What is wrong with an expression of a query.
    pub(crate) fn in_expression(id: &str, error: &MathError) -> Self {
        Self::Validation(format!("Error in expression '{id}': {error}"))
    }
}

impl From<Error> for wire::Error {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::InvalidValue(_) => Self::of(errors::INVALID_PARAMETER_VALUE, message),
            Error::InvalidCombination(_) => Self::of(errors::INVALID_PARAMETER_COMBINATION, message),
            Error::Missing(_) => Self::of(errors::MISSING_REQUIRED_PARAMETER, message),
            // The model has no shape for it; the wire calls what breaks a constraint the same.
            Error::Validation(_) => Self::new("ValidationException", 400, message).in_query("ValidationError"),
            Error::Format(_) => Self::of(errors::INVALID_FORMAT_FAULT, message),
            Error::NextToken => Self::of(errors::INVALID_NEXT_TOKEN, message),
            Error::NotFound(_) => Self::of(errors::RESOURCE_NOT_FOUND, message),
            Error::ResourceNotFound(_) => Self::of(errors::RESOURCE_NOT_FOUND_EXCEPTION, message),
            Error::LimitExceeded(_) => Self::of(errors::LIMIT_EXCEEDED_FAULT, message),
            Error::Store(error) => platform::store_error(&error),
        }
    }
}
