//! What an operation answers when it does not do as it was asked.

use blobs::BlobError;
use platform::MayConflict;
use store::StoreError;
use wire::model::ErrorKind;

use crate::api::errors;
use crate::executor::Refused;

/// An error of an operation. Its text is what the client gets: AWS Lambda's own wherever that is known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such function, or no such version or alias of it.
    #[error("Function not found: {0}")]
    FunctionNotFound(String),
    /// There is no such alias.
    #[error("Cannot find alias arn: {0}")]
    AliasNotFound(String),
    /// Something else is not there.
    #[error("{0}")]
    NotFound(String),
    /// There is something already, or it is not in a state for this.
    #[error("{0}")]
    Conflict(String),
    /// A function is being changed.
    #[error("The operation cannot be performed at this time. An update is in progress for resource: {0}")]
    UpdateInProgress(String),
    /// A function is not ready.
    #[error("The operation cannot be performed at this time. The function is currently in the following state: {0}")]
    NotActive(&'static str),
    /// A parameter does not do.
    #[error("{0}")]
    Parameter(String),
    /// A constraint of the model that the model of these days does not have.
    #[error("1 validation error detected: {0}")]
    Validation(String),
    /// The revision is another one.
    #[error(
        "The Revision Id provided does not match the latest Revision Id. Call the {0} API to retrieve the latest Revision Id"
    )]
    Revision(&'static str),
    /// Nothing is provisioned.
    #[error("No Provisioned Concurrency Config found for this function")]
    NothingProvisioned,
    /// There are no code signing configurations here.
    #[error(
        "The code signing configuration cannot be found. Check that the provided configuration is not deleted: {0}."
    )]
    CodeSigningConfigNotFound(String),
    /// The account has no room for more code.
    #[error("Code storage limit exceeded.")]
    CodeStorageExceeded,
    /// The policy is too long.
    #[error("The final policy size ({size}) is bigger than the limit ({max}).")]
    PolicyLength {
        /// How long it would be, in bytes.
        size: usize,
        /// How long it may be, in bytes.
        max: usize,
    },
    /// The request or what it brings is too large.
    #[error("{0}")]
    TooLarge(String),
    /// The payload is no JSON.
    #[error("Could not parse request body into json: Could not parse payload into json: {0}")]
    Payload(String),
    /// What the caller says of itself is no JSON object in base64.
    #[error("Client context must be a valid Base64-encoded JSON object.")]
    Context,
    /// The caller may not.
    #[error("{0}")]
    AccessDenied(String),
    /// Pilvi does not do this.
    #[error("{0}")]
    NotServed(String),
    /// Another service refused.
    #[error("{}", .0.message)]
    Elsewhere(wire::Error),
    /// The executor refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The disk is full, or fails.
    #[error(transparent)]
    Code(#[from] BlobError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something that cannot be.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// A page token that was not given out for the list.
    pub(crate) fn marker() -> Self {
        Self::Parameter("Invalid pagination marker.".to_owned())
    }

    /// Code and status.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::FunctionNotFound(_) | Self::AliasNotFound(_) | Self::NotFound(_) => errors::RESOURCE_NOT_FOUND,
            Self::Conflict(_) | Self::UpdateInProgress(_) | Self::NotActive(_) => errors::RESOURCE_CONFLICT,
            Self::Parameter(_) => errors::INVALID_PARAMETER_VALUE,
            Self::Validation(_) => ErrorKind::new("ValidationException", 400),
            Self::Revision(_) => errors::PRECONDITION_FAILED,
            Self::NothingProvisioned => errors::PROVISIONED_CONCURRENCY_CONFIG_NOT_FOUND,
            Self::CodeSigningConfigNotFound(_) => errors::CODE_SIGNING_CONFIG_NOT_FOUND,
            Self::CodeStorageExceeded => errors::CODE_STORAGE_EXCEEDED,
            Self::PolicyLength { .. } => errors::POLICY_LENGTH_EXCEEDED,
            // Clients know this one by a name that the model does not have.
            Self::TooLarge(_) => ErrorKind::new("RequestEntityTooLargeException", 413).message_in("Message"),
            Self::Payload(_) | Self::Context => errors::INVALID_REQUEST_CONTENT,
            Self::AccessDenied(_) => ErrorKind::new("AccessDeniedException", 403).message_in("Message"),
            Self::NotServed(_) => ErrorKind::new("NotImplemented", 501),
            Self::Refused(refused) => refused.kind(),
            Self::Elsewhere(_) | Self::Code(_) | Self::Store(_) | Self::Internal(_) => errors::SERVICE,
        }
    }
}

impl MayConflict for Error {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(StoreError::Conflict { .. }))
    }
}

impl From<Error> for wire::Error {
    fn from(error: Error) -> Self {
        let kind = error.kind();
        match &error {
            Error::Store(cause) => return platform::store_error(cause),
            Error::Elsewhere(told) => return told.clone(),
            Error::Code(BlobError::Full) => return platform::store_error(&StoreError::Full),
            Error::Code(cause) => tracing::error!(error = %cause, "code could not be stored or read"),
            Error::Internal(cause) => tracing::error!(error = %cause, "what cannot be has happened"),
            _ => {}
        }
        let message = match &error {
            Error::Code(_) | Error::Internal(_) => "An error occurred and the request cannot be processed.".to_owned(),
            other => other.to_string(),
        };
        let told = Self::of(kind, message);
        match &error {
            // Errors that stand before the service have no type.
            Error::Validation(_) | Error::AccessDenied(_) | Error::NotServed(_) | Error::TooLarge(_) => told,
            Error::Refused(refused) => refused.tell(told),
            _ if kind.status >= 500 => told.with("Type", "Service"),
            _ => told.with("Type", "User"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_members_that_its_shape_has() {
        let told = wire::Error::from(Error::FunctionNotFound("arn".to_owned()));
        assert_eq!((told.code.as_ref(), told.status), ("ResourceNotFoundException", 404));
        assert_eq!((told.message.as_str(), told.message_member), ("Function not found: arn", "Message"));
        assert_eq!(told.members, [("Type", "User".into())]);
        let told = wire::Error::from(Error::Parameter("x".to_owned()));
        assert_eq!((told.code.as_ref(), told.message_member), ("InvalidParameterValueException", "message"));
    }

    #[test]
    fn what_went_wrong_inside_is_not_told() {
        let told = wire::Error::from(Error::Internal("a secret".to_owned()));
        assert_eq!((told.code.as_ref(), told.status), ("ServiceException", 500));
        assert!(!told.message.contains("secret"));
        assert_eq!(told.members, [("Type", "Service".into())]);
    }
}
