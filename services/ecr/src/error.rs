//! What an operation answers when it does not do as it was asked.

use base::AccountId;
use platform::tags::TagProblem;
use store::StoreError;
use wire::model::ErrorKind;

use crate::api::{ImageIdentifier, errors};
use crate::content::ContentError;
use crate::digest::ContentDigest;
use crate::image::manifest::InvalidManifest;
use crate::lifecycle::document::InvalidPolicy;
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

    // Layers.
    /// There is no such upload in the repository.
    #[error(
        "The upload with id '{upload}' could not be found in the repository with name '{}' in the registry with id '{}'",
        name.name, name.registry
    )]
    UploadNotFound {
        /// The repository.
        name: RepositoryName,
        /// The upload's id.
        upload: String,
    },
    /// More uploads than a repository has at a time.
    #[error("The limit of {0} layer uploads at a time in a repository was reached.")]
    UploadsMax(usize),
    /// Nothing was uploaded.
    #[error("The specified layer upload does not contain any layer parts.")]
    EmptyUpload,
    /// A part is not as long as it says, or does not come after the last one.
    #[error("{}", part_text(*first, *received))]
    InvalidLayerPart {
        /// Where it says to begin.
        first: i64,
        /// The repository.
        name: RepositoryName,
        /// The upload's id.
        upload: String,
        /// How many bytes were received.
        received: u64,
    },
    /// A part that is not the last one is too small.
    #[error("All layer parts except the last part should be at least 5MB")]
    LayerPartTooSmall,
    /// What was uploaded has another digest.
    #[error("None of the provided layer digests match the calculated layer digest: {found}")]
    InvalidLayer {
        /// Its digest.
        found: ContentDigest,
        /// The digest that was announced.
        expected: ContentDigest,
    },
    /// The repository has the layer.
    #[error(
        "Layer with digest '{digest}' already exists in the repository with name '{}' in the registry with id '{}'",
        name.name, name.registry
    )]
    LayerExists {
        /// The repository.
        name: RepositoryName,
        /// The layer.
        digest: ContentDigest,
    },
    /// The repository has no such layer.
    #[error(
        "The layer with digest '{digest}' does not exist within the repository with name '{}' in the registry with id '{}'",
        name.name, name.registry
    )]
    LayerNotFound {
        /// The repository.
        name: RepositoryName,
        /// The layer.
        digest: ContentDigest,
    },
    /// No image has the layer, so that it may go at any time.
    #[error(
        "The layer with digest '{digest}' in the repository with name '{}' in the registry with id '{}' is not available \
         because it is not associated with an image",
        name.name, name.registry
    )]
    LayerInaccessible {
        /// The repository.
        name: RepositoryName,
        /// The layer.
        digest: ContentDigest,
    },
    /// The image has layers that the repository has not.
    #[error(
        "Layers with digests '{digests:?}' required for pushing image into repository with name '{}' in the registry \
         with id '{}' do not exist",
        name.name, name.registry
    )]
    LayersNotFound {
        /// The repository.
        name: RepositoryName,
        /// The layers.
        digests: Vec<ContentDigest>,
    },

    // Images.
    /// A text that is no manifest.
    #[error("Invalid parameter at 'ImageManifest' failed to satisfy constraint: '{0}'")]
    Manifest(#[from] InvalidManifest),
    /// The index has images that the repository has not.
    #[error(
        "Images with digests '{digests:?}' required for pushing image into repository with name '{}' in the registry \
         with id '{}' do not exist",
        name.name, name.registry
    )]
    ReferencedImagesNotFound {
        /// The repository.
        name: RepositoryName,
        /// The images.
        digests: Vec<ContentDigest>,
    },
    /// The manifest has another digest.
    #[error("The image has the digest '{found}', and '{expected}' was given")]
    ImageDigestDoesNotMatch {
        /// Its digest.
        found: ContentDigest,
        /// The digest that was given.
        expected: ContentDigest,
    },
    /// The image is there, and has the tag.
    #[error(
        "Image with digest '{digest}' and tag '{}' already exists in the repository with name '{}' in registry with id \
         '{}'",
        tag.as_deref().unwrap_or("null"), name.name, name.registry
    )]
    ImageExists {
        /// The repository.
        name: RepositoryName,
        /// The image.
        digest: ContentDigest,
        /// The tag that it was to be given.
        tag: Option<String>,
    },
    /// Another image has the tag and keeps it.
    #[error(
        "The image tag '{tag}' already exists in the '{}' repository and cannot be overwritten because the tag is \
         immutable.",
        name.name
    )]
    ImageTagExists {
        /// The repository.
        name: RepositoryName,
        /// The tag.
        tag: String,
    },
    /// The image has as many tags as any may have.
    #[error("The limit of {0} tags of an image was reached.")]
    ImageTagsMax(usize),
    /// There is no such image.
    #[error(
        "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository with name '{}' in \
         the registry with id '{}'",
        id.image_digest.as_deref().unwrap_or("null"), id.image_tag.as_deref().unwrap_or("null"), name.name, name.registry
    )]
    ImageNotFound {
        /// The repository.
        name: RepositoryName,
        /// How it was asked for.
        id: ImageIdentifier,
    },
    /// An image that cannot change its storage class.
    #[error("The storage class of the image cannot be updated: {0}")]
    StorageClass(&'static str),

    // Lifecycle policies.
    /// A text that is no lifecycle policy.
    #[error(
        "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: {0}'"
    )]
    LifecyclePolicy(#[from] InvalidPolicy),
    /// The repository has no lifecycle policy.
    #[error(
        "Lifecycle policy does not exist for the repository with name '{}' in the registry with id '{}'",
        .0.name, .0.registry
    )]
    LifecyclePolicyNotFound(RepositoryName),
    /// No preview was started.
    #[error(
        "Lifecycle policy preview does not exist for the repository with name '{}' in the registry with id '{}'",
        .0.name, .0.registry
    )]
    PreviewNotFound(RepositoryName),
    /// The last preview is not done yet.
    #[error(
        "Lifecycle policy preview is in progress for the repository with name '{}' in the registry with id '{}'",
        .0.name, .0.registry
    )]
    PreviewInProgress(RepositoryName),
    /// Content was not stored or read.
    #[error("{}", content_text(.0))]
    Content(#[from] ContentError),

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

    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn part_text(first: i64, received: u64) -> String {
    if u64::try_from(first) == Ok(received) {
        return "The layer part is not as long as its first and last byte say".to_owned();
    }
    format!("First byte of the layer part is {first} instead of {received}")
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

fn content_text(error: &ContentError) -> &'static str {
    match error {
        ContentError::Full => {
            "The disk that holds Pilvi's images is full. Nothing was lost; free some space and try again."
        }
        ContentError::TooLarge => "The layer is larger than the 52,000 MiB that a layer may have.",
        ContentError::Mismatch { .. } | ContentError::Broken(_) => "The service cannot complete the request.",
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
            Self::UploadNotFound { .. } => errors::UPLOAD_NOT_FOUND,
            Self::UploadsMax(_) | Self::ImageTagsMax(_) | Self::Content(ContentError::TooLarge) => {
                errors::LIMIT_EXCEEDED
            }
            Self::EmptyUpload => errors::EMPTY_UPLOAD,
            Self::InvalidLayerPart { .. } => errors::INVALID_LAYER_PART,
            Self::LayerPartTooSmall => errors::LAYER_PART_TOO_SMALL,
            Self::InvalidLayer { .. } => errors::INVALID_LAYER,
            Self::LayerExists { .. } => errors::LAYER_ALREADY_EXISTS,
            Self::LayersNotFound { .. } | Self::LayerNotFound { .. } => errors::LAYERS_NOT_FOUND,
            Self::LayerInaccessible { .. } => errors::LAYER_INACCESSIBLE,
            Self::ReferencedImagesNotFound { .. } => errors::REFERENCED_IMAGES_NOT_FOUND,
            Self::ImageDigestDoesNotMatch { .. } => errors::IMAGE_DIGEST_DOES_NOT_MATCH,
            Self::ImageExists { .. } => errors::IMAGE_ALREADY_EXISTS,
            Self::ImageTagExists { .. } => errors::IMAGE_TAG_ALREADY_EXISTS,
            Self::ImageNotFound { .. } => errors::IMAGE_NOT_FOUND,
            Self::StorageClass(_) => errors::IMAGE_STORAGE_CLASS_UPDATE_NOT_SUPPORTED,
            Self::LifecyclePolicyNotFound(_) => errors::LIFECYCLE_POLICY_NOT_FOUND,
            Self::PreviewNotFound(_) => errors::LIFECYCLE_POLICY_PREVIEW_NOT_FOUND,
            Self::PreviewInProgress(_) => errors::LIFECYCLE_POLICY_PREVIEW_IN_PROGRESS,
            // The model has 500; SDKs try again after either, and 503 is what it is.
            Self::Content(_) => ErrorKind::new(errors::SERVER.code, 503),
            Self::Store(_) => errors::SERVER,
            _ => errors::INVALID_PARAMETER,
        }
    }
}

impl platform::MayConflict for Error {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(StoreError::Conflict { .. }))
    }
}

impl From<Error> for wire::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(store) => platform::store_error(&store),
            Error::InvalidLayerPart { ref name, ref upload, received, .. } => {
                let last = i64::try_from(received).unwrap_or(i64::MAX).saturating_sub(1).max(0);
                Self::of(error.kind(), error.to_string())
                    .with("registryId", name.registry.as_str())
                    .with("repositoryName", name.name.as_str())
                    .with("uploadId", upload.as_str())
                    .with("lastValidByteReceived", last)
            }
            Error::Content(ref content @ ContentError::Broken(_)) => {
                tracing::error!(error = %content, "the content of a repository cannot be stored or read");
                Self::of(error.kind(), error.to_string())
            }
            other => Self::of(other.kind(), other.to_string()),
        }
    }
}
