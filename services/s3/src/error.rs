//! What an operation answers when it does not do as it was asked.

use base::Timestamp;
use blobs::BlobError;
use store::StoreError;

use crate::checksum::Algorithm;
use crate::names::KEY_BYTES_MAX;
use crate::tags::OBJECT_TAGS_MAX;

/// An error of an operation. Its text is what the client gets: Amazon S3's own wherever that is known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    // Buckets.
    /// There is no such bucket.
    #[error("The specified bucket does not exist")]
    NoSuchBucket(String),
    /// Somebody else has a bucket of this name.
    #[error(
        "The requested bucket name is not available. The bucket namespace is shared by all users of the system. \
         Please select a different name and try again."
    )]
    BucketAlreadyExists(String),
    /// The caller has a bucket of this name.
    #[error("Your previous request to create the named bucket succeeded and you already own it.")]
    BucketAlreadyOwnedByYou(String),
    /// No bucket can have this name.
    #[error("The specified bucket is not valid.")]
    InvalidBucketName(String),
    /// It has objects, versions or delete markers.
    #[error("{}", bucket_not_empty_text(*has_versions))]
    BucketNotEmpty {
        /// The bucket.
        bucket: String,
        /// Whether they are versions.
        has_versions: bool,
    },
    /// More buckets than an account may have.
    #[error("You have attempted to create more buckets than allowed")]
    TooManyBuckets,
    /// The location is not the region that was asked.
    #[error("{0}")]
    IllegalLocationConstraint(String),
    /// The bucket has no configuration of this kind.
    #[error("{}", absent_text(*.0))]
    NoConfiguration(Absent, String),

    // Objects.
    /// There is no such object.
    #[error("The specified key does not exist.")]
    NoSuchKey {
        /// The key.
        key: String,
        /// Whether its latest version is a delete marker, and that one's id.
        marker: Option<String>,
    },
    /// There is no such version.
    #[error("The specified version does not exist.")]
    NoSuchVersion {
        /// The key.
        key: String,
        /// The version's id.
        version_id: String,
    },
    /// A version's id that can be none.
    #[error("Invalid version id specified")]
    InvalidVersionId(String),
    /// The version is a delete marker, which has no content.
    #[error("The specified method is not allowed against this resource.")]
    MethodNotAllowedOnMarker {
        /// The marker's id.
        version_id: String,
        /// When it was made.
        modified: Timestamp,
        /// Whether it was asked for by its id.
        method: &'static str,
    },
    /// The key is too long.
    #[error("Your key is too long")]
    KeyTooLong {
        /// Its size, in bytes.
        size: usize,
    },
    /// A precondition does not hold.
    #[error("At least one of the pre-conditions you specified did not hold")]
    PreconditionFailed(&'static str),
    /// What the client has is what there is.
    #[error("Not Modified")]
    NotModified {
        /// The object's tag.
        etag: String,
        /// When the object was written.
        modified: Timestamp,
    },
    /// No byte of the range is there.
    #[error("The requested range is not satisfiable")]
    InvalidRange {
        /// The range.
        range: String,
        /// How many bytes there are.
        size: u64,
    },
    /// The part is none of the object's.
    #[error("The requested partnumber is not satisfiable")]
    InvalidPartNumber {
        /// Which was asked for.
        part: i32,
        /// How many there are.
        parts: usize,
    },
    /// Copying an object onto itself and changing nothing.
    #[error(
        "This copy request is illegal because it is trying to copy an object to itself without changing the object's \
         metadata, storage class, website redirect location or encryption attributes."
    )]
    CopyOntoItself,
    /// The source is too large to be copied at once.
    #[error("The specified copy source is larger than the maximum allowable size for a copy source: {max}")]
    CopySourceTooLarge {
        /// The limit, in bytes.
        max: u64,
    },
    /// More metadata than an object may have.
    #[error("Your metadata headers exceed the maximum allowed metadata size")]
    MetadataTooLarge {
        /// Its size, in bytes.
        size: usize,
        /// The limit, in bytes.
        max: usize,
    },

    // Content.
    /// What was received has another MD5 than was announced.
    #[error("The Content-MD5 you specified did not match what we received.")]
    BadMd5 {
        /// What was announced, base64.
        expected: String,
        /// What was received, base64.
        found: String,
    },
    /// An announced MD5 that is none.
    #[error("The Content-MD5 you specified was invalid.")]
    InvalidMd5(String),
    /// What was received has another checksum than was announced.
    #[error("The {} you specified did not match the calculated checksum.", .0.as_str())]
    BadChecksum(Algorithm),
    /// An announced checksum that is none.
    #[error("Value for {} header is invalid.", .0.header())]
    InvalidChecksum(Algorithm),
    /// More than one object can have.
    #[error("Your proposed upload exceeds the maximum allowed size")]
    EntityTooLarge {
        /// The size, in bytes, if it was announced.
        size: Option<u64>,
        /// The limit, in bytes.
        max: u64,
    },
    /// The body could not be read, or its signature does not hold.
    #[error(transparent)]
    Body(wire::Error),

    // Uploads in parts.
    /// There is no such upload.
    #[error(
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or \
         completed."
    )]
    NoSuchUpload(String),
    /// A part that is not there, or has another tag.
    #[error(
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified \
         entity tag may not match the part's entity tag."
    )]
    InvalidPart {
        /// The upload.
        upload: String,
        /// The part's number.
        part: i32,
        /// The tag that was given.
        etag: String,
    },
    /// The parts are not in order.
    #[error("The list of parts was not in ascending order. Parts must be ordered by part number.")]
    InvalidPartOrder(String),
    /// A part that is not the last is too small.
    #[error("Your proposed upload is smaller than the minimum allowed size")]
    EntityTooSmall {
        /// Its size, in bytes.
        size: u64,
        /// The least, in bytes.
        min: u64,
        /// Its number.
        part: i32,
        /// Its tag.
        etag: String,
    },

    // What cannot be asked for.
    /// An argument that cannot be what it is.
    #[error("{message}")]
    InvalidArgument {
        /// What is wrong.
        message: String,
        /// Its name.
        name: &'static str,
        /// What it is.
        value: String,
    },
    /// A request that cannot be.
    #[error("{0}")]
    InvalidRequest(String),
    /// A document that is not what it has to be.
    #[error("The XML you provided was not well-formed or did not validate against our published schema")]
    MalformedXml,
    /// A policy that is none.
    #[error("{0}")]
    MalformedPolicy(String),
    /// A tag that cannot be.
    #[error("{0}")]
    InvalidTag(String),
    /// More tags than an object or a bucket may have.
    #[error("{} cannot be greater than {max}", if *max == OBJECT_TAGS_MAX { "Object tags" } else { "Bucket tag count" })]
    TooManyTags {
        /// How many it may have.
        max: usize,
    },
    /// No storage class of general purpose buckets.
    #[error("The storage class you specified is not valid")]
    InvalidStorageClass,
    /// ACLs cannot be disabled for a bucket that has grants to others.
    #[error("Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")]
    InvalidBucketAcl,
    /// Nothing says which grants are to be set.
    #[error("Your request was missing a required header")]
    MissingSecurityHeader,
    /// ACLs are not used by the bucket.
    #[error("The bucket does not allow ACLs")]
    AclsNotSupported,
    /// A page of another origin may not.
    #[error("{0}")]
    AccessForbidden(String),
    /// A method that is not served there.
    #[error("The specified method is not allowed against this resource.")]
    MethodNotAllowed,
    /// Refused by a rule that no policy can lift.
    #[error("{0}")]
    AccessDenied(String),
    /// Not served, and AWS's answer where it does not serve either.
    #[error("{0}")]
    NotImplemented(String),
    /// Somebody else changes the same thing.
    #[error("A conflicting conditional operation is currently in progress against this resource. Please try again.")]
    OperationAborted,

    // Pilvi's own.
    /// Files could not be written or read.
    #[error("{}", files_text(.0))]
    Files(#[from] BlobError),
    /// The disk is as full as it may be.
    #[error("The disk that holds Pilvi's objects is full. Nothing was lost; free some space and try again.")]
    DiskFull,
    /// Something that cannot be has happened.
    #[error("We encountered an internal error. Please try again.")]
    Internal(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Configurations that a bucket may not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// Its policy.
    Policy,
    /// Its CORS rules.
    Cors,
    /// Its lifecycle rules.
    Lifecycle,
    /// Its tags.
    Tags,
    /// Its website.
    Website,
    /// Its public access block.
    PublicAccessBlock,
    /// Its ownership controls.
    OwnershipControls,
    /// Its replication.
    Replication,
    /// Its object lock.
    ObjectLock,
    /// Its encryption.
    Encryption,
}

impl Absent {
    fn code(self) -> &'static str {
        match self {
            Self::Policy => "NoSuchBucketPolicy",
            Self::Cors => "NoSuchCORSConfiguration",
            Self::Lifecycle => "NoSuchLifecycleConfiguration",
            Self::Tags => "NoSuchTagSet",
            Self::Website => "NoSuchWebsiteConfiguration",
            Self::PublicAccessBlock => "NoSuchPublicAccessBlockConfiguration",
            Self::OwnershipControls => "OwnershipControlsNotFoundError",
            Self::Replication => "ReplicationConfigurationNotFoundError",
            Self::ObjectLock => "ObjectLockConfigurationNotFoundError",
            Self::Encryption => "ServerSideEncryptionConfigurationNotFoundError",
        }
    }
}

fn absent_text(absent: Absent) -> &'static str {
    match absent {
        Absent::Policy => "The bucket policy does not exist",
        Absent::Cors => "The CORS configuration does not exist",
        Absent::Lifecycle => "The lifecycle configuration does not exist",
        Absent::Tags => "The TagSet does not exist",
        Absent::Website => "The specified bucket does not have a website configuration",
        Absent::PublicAccessBlock => "The public access block configuration was not found",
        Absent::OwnershipControls => "The bucket ownership controls were not found",
        Absent::Replication => "The replication configuration was not found",
        Absent::ObjectLock => "Object Lock configuration does not exist for this bucket",
        Absent::Encryption => "The server side encryption configuration was not found",
    }
}

fn bucket_not_empty_text(has_versions: bool) -> &'static str {
    if has_versions {
        "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
    } else {
        "The bucket you tried to delete is not empty"
    }
}

fn files_text(error: &BlobError) -> &'static str {
    match error {
        BlobError::Full => {
            "The disk that holds Pilvi's objects is full. Nothing was lost; free some space and try again."
        }
        BlobError::TooLarge { .. } => "Your proposed upload exceeds the maximum allowed size",
        _ => "We encountered an internal error. Please try again.",
    }
}

impl Error {
    /// An argument that cannot be what it is.
    pub(crate) fn argument(name: &'static str, value: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidArgument { message: message.into(), name, value: value.into() }
    }

    /// Code and status.
    pub fn kind(&self) -> (&'static str, u16) {
        match self {
            Self::NoSuchBucket(_) => ("NoSuchBucket", 404),
            Self::BucketAlreadyExists(_) => ("BucketAlreadyExists", 409),
            Self::BucketAlreadyOwnedByYou(_) => ("BucketAlreadyOwnedByYou", 409),
            Self::InvalidBucketName(_) => ("InvalidBucketName", 400),
            Self::BucketNotEmpty { .. } => ("BucketNotEmpty", 409),
            Self::TooManyBuckets => ("TooManyBuckets", 400),
            Self::IllegalLocationConstraint(_) => ("IllegalLocationConstraintException", 400),
            Self::NoConfiguration(absent, _) => (absent.code(), 404),
            Self::NoSuchKey { .. } => ("NoSuchKey", 404),
            Self::NoSuchVersion { .. } => ("NoSuchVersion", 404),
            Self::MethodNotAllowedOnMarker { .. } => ("MethodNotAllowed", 405),
            Self::KeyTooLong { .. } => ("KeyTooLongError", 400),
            Self::PreconditionFailed(_) => ("PreconditionFailed", 412),
            Self::NotModified { .. } => ("NotModified", 304),
            Self::InvalidRange { .. } => ("InvalidRange", 416),
            Self::InvalidPartNumber { .. } => ("InvalidPartNumber", 416),
            Self::MetadataTooLarge { .. } => ("MetadataTooLarge", 400),
            Self::BadMd5 { .. } | Self::BadChecksum(_) => ("BadDigest", 400),
            Self::InvalidMd5(_) => ("InvalidDigest", 400),
            Self::EntityTooLarge { .. } | Self::Files(BlobError::TooLarge { .. }) => ("EntityTooLarge", 400),
            Self::NoSuchUpload(_) => ("NoSuchUpload", 404),
            Self::InvalidPart { .. } => ("InvalidPart", 400),
            Self::InvalidPartOrder(_) => ("InvalidPartOrder", 400),
            Self::EntityTooSmall { .. } => ("EntityTooSmall", 400),
            Self::InvalidVersionId(_) | Self::InvalidArgument { .. } => ("InvalidArgument", 400),
            Self::InvalidChecksum(_)
            | Self::CopyOntoItself
            | Self::CopySourceTooLarge { .. }
            | Self::InvalidRequest(_) => ("InvalidRequest", 400),
            Self::MalformedXml => ("MalformedXML", 400),
            Self::MalformedPolicy(_) => ("MalformedPolicy", 400),
            Self::InvalidTag(_) => ("InvalidTag", 400),
            Self::TooManyTags { .. } => ("BadRequest", 400),
            Self::InvalidStorageClass => ("InvalidStorageClass", 400),
            Self::InvalidBucketAcl => ("InvalidBucketAclWithObjectOwnership", 400),
            Self::MissingSecurityHeader => ("MissingSecurityHeader", 400),
            Self::AclsNotSupported => ("AccessControlListNotSupported", 400),
            Self::AccessForbidden(_) => ("AccessForbidden", 403),
            Self::MethodNotAllowed => ("MethodNotAllowed", 405),
            Self::AccessDenied(_) => ("AccessDenied", 403),
            Self::NotImplemented(_) => ("NotImplemented", 501),
            Self::OperationAborted => ("OperationAborted", 409),
            Self::DiskFull | Self::Files(BlobError::Full) => ("ServiceUnavailable", 503),
            Self::Body(_) | Self::Files(_) | Self::Internal(_) | Self::Store(_) => ("InternalError", 500),
        }
    }

    /// The headers that go with the error: what HEAD, whose answers have no document, can tell.
    fn headers(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NoSuchKey { marker: Some(version_id), .. } => {
                vec![("x-amz-delete-marker", "true".to_owned()), ("x-amz-version-id", version_id.clone())]
            }
            Self::MethodNotAllowedOnMarker { version_id, modified, .. } => vec![
                ("x-amz-delete-marker", "true".to_owned()),
                ("x-amz-version-id", version_id.clone()),
                ("last-modified", modified.http_date()),
                ("allow", "DELETE".to_owned()),
            ],
            Self::NotModified { etag, modified } => {
                vec![("etag", etag.clone()), ("last-modified", modified.http_date())]
            }
            Self::InvalidRange { size, .. } => vec![("content-range", format!("bytes */{size}"))],
            _ => Vec::new(),
        }
    }

    /// The further elements of the error's document.
    fn elements(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NoSuchBucket(bucket)
            | Self::BucketAlreadyExists(bucket)
            | Self::BucketAlreadyOwnedByYou(bucket)
            | Self::InvalidBucketName(bucket)
            | Self::BucketNotEmpty { bucket, .. }
            | Self::NoConfiguration(_, bucket) => vec![("BucketName", bucket.clone())],
            Self::NoSuchKey { key, .. } => vec![("Key", key.clone())],
            Self::NoSuchVersion { key, version_id } => {
                vec![("Key", key.clone()), ("VersionId", version_id.clone())]
            }
            Self::InvalidVersionId(value) => argument("versionId", value),
            Self::KeyTooLong { size } => {
                vec![("Size", size.to_string()), ("MaxSizeAllowed", KEY_BYTES_MAX.to_string())]
            }
            Self::MethodNotAllowedOnMarker { method, .. } => {
                vec![("Method", (*method).to_owned()), ("ResourceType", "DeleteMarker".to_owned())]
            }
            Self::PreconditionFailed(condition) => vec![("Condition", (*condition).to_owned())],
            Self::InvalidRange { range, size } => {
                vec![("RangeRequested", range.clone()), ("ActualObjectSize", size.to_string())]
            }
            Self::InvalidPartNumber { part, parts } => {
                vec![("PartNumberRequested", part.to_string()), ("ActualPartCount", parts.to_string())]
            }
            Self::MetadataTooLarge { size, max } => {
                vec![("Size", size.to_string()), ("MaxSizeAllowed", max.to_string())]
            }
            Self::BadMd5 { expected, found } => {
                vec![("ExpectedDigest", expected.clone()), ("CalculatedDigest", found.clone())]
            }
            Self::InvalidMd5(value) => vec![("Content-MD5", value.clone())],
            Self::EntityTooLarge { size, max } => {
                let size = size.map(|size| ("ProposedSize", size.to_string()));
                size.into_iter().chain([("MaxSizeAllowed", max.to_string())]).collect()
            }
            Self::NoSuchUpload(upload) | Self::InvalidPartOrder(upload) => vec![("UploadId", upload.clone())],
            Self::InvalidPart { upload, part, etag } => {
                vec![("UploadId", upload.clone()), ("PartNumber", part.to_string()), ("ETag", etag.clone())]
            }
            Self::EntityTooSmall { size, min, part, etag } => vec![
                ("ProposedSize", size.to_string()),
                ("MinSizeAllowed", min.to_string()),
                ("PartNumber", part.to_string()),
                ("ETag", etag.clone()),
            ],
            Self::InvalidArgument { name, value, .. } => argument(name, value),
            _ => Vec::new(),
        }
    }
}

fn argument(name: &str, value: &str) -> Vec<(&'static str, String)> {
    vec![("ArgumentName", name.to_owned()), ("ArgumentValue", value.to_owned())]
}

impl Error {
    /// Whether what was to be recorded may be recorded all the same.
    pub(crate) fn is_uncertain(&self) -> bool {
        matches!(self, Self::Store(StoreError::Uncertain { .. }))
    }
}

impl platform::MayConflict for Error {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(StoreError::Conflict { .. }))
    }
}

impl From<Error> for wire::Error {
    fn from(error: Error) -> Self {
        match &error {
            Error::Body(body) => return body.clone(),
            Error::Store(StoreError::Conflict { .. }) => return Error::OperationAborted.into(),
            Error::Store(store) => return platform::store_error(store),
            Error::Files(BlobError::Full | BlobError::TooLarge { .. }) => {}
            Error::Files(files) => tracing::error!(error = %files, "the content of an object cannot be stored or read"),
            Error::Internal(what) => tracing::error!(what, "an object is not what it has to be"),
            _ => {}
        }
        let (code, status) = error.kind();
        let start = error
            .headers()
            .into_iter()
            .fold(Self::new(code, status, error.to_string()), |answer, (name, value)| answer.header(name, value));
        error.elements().into_iter().fold(start, |answer, (element, text)| answer.with(element, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_it_is_about() {
        let error = wire::Error::from(Error::NoSuchKey { key: "a/b".to_owned(), marker: None });
        assert_eq!((error.code.as_ref(), error.status), ("NoSuchKey", 404));
        assert_eq!(error.members, [("Key", "a/b".into())]);
        let error = wire::Error::from(Error::NoConfiguration(Absent::Tags, "b".to_owned()));
        assert_eq!((error.code.as_ref(), error.message.as_str()), ("NoSuchTagSet", "The TagSet does not exist"));
        let conflict = Error::Store(StoreError::Conflict { key: store::Key::new(["k"]) });
        assert_eq!(wire::Error::from(conflict).code, "OperationAborted");
    }
}
