//! What an operation answers when it does not do as it was asked.

use store::StoreError;
use wire::model::ErrorKind;

use crate::api::errors;
use crate::pattern::PatternError;

/// An error of an operation. Its text is what the client gets: CloudWatch Logs' own wherever that is known.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    // Groups and streams.
    /// There is no such group.
    #[error("The specified log group does not exist.")]
    GroupNotFound,
    /// The name is taken.
    #[error("The specified log group already exists")]
    GroupExists,
    /// There is no such stream.
    #[error("The specified log stream does not exist.")]
    StreamNotFound,
    /// The name is taken.
    #[error("The specified log stream already exists")]
    StreamExists,
    /// A text that identifies no log group of the region.
    #[error("The specified log group identifier is invalid: {0}")]
    Identifier(String),
    /// Both a name and an identifier.
    #[error("LogGroupName and LogGroupIdentifier cannot both be specified")]
    NameAndIdentifier,
    /// Neither.
    #[error("Either LogGroupName or LogGroupIdentifier must be specified")]
    NoGroup,
    /// The quota of groups is used up.
    #[error("Resource limit exceeded.")]
    LimitExceeded,
    /// The group is protected.
    #[error("The log group is protected from deletion. Disable deletion protection before you delete it.")]
    DeletionProtected,
    /// A group of this class has no such operation.
    #[error("The operation is not supported for log groups of class {0}.")]
    ClassUnsupported(&'static str),
    /// Pilvi keeps no keys of AWS KMS.
    #[error(
        "The specified KMS key does not exist or is not allowed to be used: Pilvi does not serve AWS KMS, so log groups \
         cannot be encrypted with its keys."
    )]
    Kms,
    /// Pilvi has no class of this name.
    #[error("Log groups of class {0} are not served by Pilvi.")]
    ClassNotServed(&'static str),
    /// A member whose feature is not served.
    #[error("{0} is not served by Pilvi.")]
    NotServed(&'static str),
    /// Days that no retention has.
    #[error(
        "1 validation error detected: Value '{0}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy \
         enum value set: [{1}]"
    )]
    RetentionDays(i32, String),
    /// The retention of a DELIVERY group.
    #[error("The retention of log groups of class DELIVERY cannot be changed.")]
    DeliveryRetention,
    /// Two ways of choosing groups by name.
    #[error("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")]
    PrefixAndPattern,
    /// Streams are sorted by time or by name, and a prefix needs the latter.
    #[error("Cannot order by LastEventTime with a logStreamNamePrefix.")]
    OrderWithPrefix,
    /// Two ways of choosing that exclude each other.
    #[error("{0} and {1} cannot both be specified.")]
    Exclusive(&'static str, &'static str),
    /// A token that was not given out for this list.
    #[error("The specified nextToken is invalid.")]
    NextToken,

    // Tags.
    /// AWS's own prefix.
    #[error("Tag keys that start with 'aws:' are reserved for AWS use.")]
    TagReserved,
    /// More tags than a resource may have.
    #[error("The maximum number of tags per resource is {0}.")]
    TagsMax(usize),
    /// An ARN of something that has no tags here.
    #[error("The specified resource does not exist.")]
    ResourceNotFound,

    // Events.
    /// A message that is too long.
    #[error("Log event too large: {size} bytes exceeds limit of {max}")]
    EventTooLarge {
        /// Its size as AWS counts it, in bytes.
        size: usize,
        /// The limit.
        max: usize,
    },
    /// A batch that is too large.
    #[error("Upload too large: {size} bytes exceeds limit of {max}")]
    UploadTooLarge {
        /// Its size as AWS counts it, in bytes.
        size: usize,
        /// The limit.
        max: usize,
    },
    /// Events that are not in the order of their times.
    #[error("Log events in a single PutLogEvents request must be in chronological order.")]
    NotChronological,
    /// Events that are too far apart.
    #[error("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")]
    BatchSpan,
    /// The end of a range of time lies before its beginning.
    #[error("End time should be greater than or equal to start time.")]
    TimeRange,
    /// A pattern that cannot be read.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A metric transformation that cannot be kept.
    #[error("{0}")]
    Transformation(&'static str),
    /// There is no such metric filter.
    #[error("The specified metric filter does not exist.")]
    MetricFilterNotFound,
    /// A metric is named by its name and its namespace.
    #[error("metricName and metricNamespace must be specified together.")]
    MetricNameAlone,
    /// Events of a group of this class cannot be asked for so.
    #[error("The operation is not supported for log groups of class {0}.")]
    ClassUnreadable(&'static str),
    /// A pointer that was not given out, or whose event is gone.
    #[error("The specified log record does not exist.")]
    RecordNotFound,
    /// A text that is no pointer.
    #[error("The specified logRecordPointer is invalid.")]
    RecordPointer,

    /// The disk takes no events.
    #[error(
        "The disk that holds Pilvi's log events is full. The events were not stored; free some space and try again."
    )]
    EventsFull,
    /// What holds the events failed. What it was is in the log.
    #[error("The service cannot complete the request.")]
    Unavailable,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::GroupNotFound
            | Self::StreamNotFound
            | Self::ResourceNotFound
            | Self::RecordNotFound
            | Self::MetricFilterNotFound => errors::RESOURCE_NOT_FOUND,
            Self::GroupExists | Self::StreamExists => errors::RESOURCE_ALREADY_EXISTS,
            Self::LimitExceeded => errors::LIMIT_EXCEEDED,
            Self::DeletionProtected => errors::VALIDATION,
            Self::ClassUnsupported(_) => errors::INVALID_OPERATION,
            Self::TagsMax(_) => errors::TOO_MANY_TAGS,
            // The model has 500; SDKs try again after either, and 503 is what it is.
            Self::EventsFull | Self::Unavailable => ErrorKind::new(errors::SERVICE_UNAVAILABLE.code, 503),
            Self::Store(_) => errors::SERVICE_UNAVAILABLE,
            _ => errors::INVALID_PARAMETER,
        }
    }
}

impl From<segments::Error> for Error {
    fn from(error: segments::Error) -> Self {
        match error {
            segments::Error::Full { .. } => Self::EventsFull,
            // Somebody deleted the group between the look at its record and this.
            segments::Error::Deleted(_) => Self::GroupNotFound,
            segments::Error::InvalidCursor => Self::NextToken,
            segments::Error::Closed => Self::Store(StoreError::Closed),
            other => {
                tracing::error!(error = %other, "log events cannot be written or read");
                Self::Unavailable
            }
        }
    }
}

impl From<Error> for wire::Error {
    fn from(error: Error) -> Self {
        match &error {
            Error::Store(store) => platform::store_error(store),
            _ => Self::of(error.kind(), error.to_string()),
        }
    }
}
