//! What an operation answers when it does not do as it was asked.

use base::AccountId;
use platform::tags::TagProblem;
use store::StoreError;
use wire::model::ErrorKind;

use crate::api::errors;
use crate::names::RepositoryName;

/// An error of an operation. Its text is what the client gets: Amazon ECR's own wherever that is known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    // Repositories.
    /// There is no such repository.
    #[error("The repository with name '{}' does not exist in the registry with id '{}'", .0.name, .0.registry)]
    RepositoryNotFound(RepositoryName),
    /// There is one already.
    #[error("The repository with name '{}' already exists in the registry with id '{}'", .0.name, .0.registry)]
    RepositoryExists(RepositoryName),
    /// It has images, and the deletion is not forced.
    #[error(
        "The repository with name '{}' in registry with id '{}' cannot be deleted because it still contains images",
        .0.name, .0.registry
    )]
    RepositoryNotEmpty(RepositoryName),
    /// It has no policy.
    #[error(
        "Repository policy does not exist for the repository with name '{}' in the registry with id '{}'",
        .0.name, .0.registry
    )]
    RepositoryPolicyNotFound(RepositoryName),
    /// A key of AWS KMS, which is not there to encrypt with.
    #[error("Pilvi does not serve AWS KMS yet: the encryption type can be AES256 only.")]
    Kms,

    // The registry.
    /// The registry has no policy.
    #[error("Registry policy does not exist in the registry with id '{0}'")]
    RegistryPolicyNotFound(AccountId),

    // Parameters.
    /// A parameter that cannot be what it is.
    #[error("Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'")]
    Parameter {
        /// Which.
        parameter: &'static str,
        /// What it would have to be.
        constraint: String,
    },
    /// A policy after which its author could not set another one.
    #[error(
        "The policy would keep you from setting another policy of the repository with name '{}' in the registry with \
         id '{}'. Set force to true to set it all the same.",
        .0.name, .0.registry
    )]
    PolicyLocksOut(RepositoryName),
    /// A text that is no ARN of a repository in this region.
    #[error("Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'")]
    ResourceArn,
    /// A token that was not given out for this list.
    #[error("Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'")]
    NextToken,
    /// Two parameters of which one excludes the other.
    #[error("The parameters {0} and {1} cannot be given together.")]
    Together(&'static str, &'static str),

    // Tags of repositories.
    /// A tag that cannot be kept.
    #[error("{}", tag_text(.0))]
    Tag(TagProblem),
    /// More tags than a repository may have.
    #[error(
        "The list of tags on the repository is over the limit. The maximum number of tags that can be applied to a \
         repository is {0}."
    )]
    TagsMax(usize),

    /// The gate refused.
    #[error(transparent)]
    Denied(wire::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn tag_text(problem: &TagProblem) -> String {
    match problem {
        TagProblem::Reserved { .. } => {
            "Tag keys that start with 'aws:' are reserved for AWS use. Specify a different key and try again."
                .to_owned()
        }
        other => format!("An invalid parameter has been specified: {other}."),
    }
}

impl Error {
    /// A parameter that cannot be what it is.
    pub(crate) fn parameter(parameter: &'static str, constraint: impl Into<String>) -> Self {
        Self::Parameter { parameter, constraint: constraint.into() }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::RepositoryNotFound(_) => errors::REPOSITORY_NOT_FOUND,
            Self::RepositoryExists(_) => errors::REPOSITORY_ALREADY_EXISTS,
            Self::RepositoryNotEmpty(_) => errors::REPOSITORY_NOT_EMPTY,
            Self::RepositoryPolicyNotFound(_) => errors::REPOSITORY_POLICY_NOT_FOUND,
            Self::Kms => errors::KMS,
            Self::RegistryPolicyNotFound(_) => errors::REGISTRY_POLICY_NOT_FOUND,
            Self::Tag(_) => errors::INVALID_TAG_PARAMETER,
            Self::TagsMax(_) => errors::TOO_MANY_TAGS,
            Self::Denied(_) | Self::Store(_) => errors::SERVER,
            _ => errors::INVALID_PARAMETER,
        }
    }
}

impl From<Error> for wire::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(store) => platform::store_error(&store),
            Error::Denied(denied) => denied,
            other => Self::of(other.kind(), other.to_string()),
        }
    }
}
