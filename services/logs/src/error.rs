//! What an operation answers when it does not do as it was asked.

use serde_json::json;
use store::StoreError;
use wire::model::ErrorKind;

use crate::api::errors;
use crate::insights::MalformedQuery;
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
    // Queries.
    /// An Insights query that cannot be read.
    #[error(transparent)]
    Query(#[from] MalformedQuery),
    /// Queries are in CloudWatch Logs Insights QL here.
    #[error("Query language {0} is not served by Pilvi: CWLI is.")]
    QueryLanguage(&'static str),
    /// Groups are named in one way.
    #[error("Log groups must be specified by exactly one of logGroupName, logGroupNames and logGroupIdentifiers.")]
    QueryGroups,
    /// More groups than one query can ask.
    #[error("A query can be about {0} log groups at most.")]
    QueryGroupsMax(usize),
    /// More queries than may run.
    #[error("Account maximum query concurrency limit of [{0}] reached.")]
    QueriesMax(usize),
    /// There is no such query.
    #[error("The specified query does not exist.")]
    QueryNotFound,
    /// The query has ended.
    #[error("The specified query is not running.")]
    QueryEnded,
    /// There is no such query definition.
    #[error("The specified query definition does not exist.")]
    QueryDefinitionNotFound,
    /// The client's token came with other arguments before.
    #[error("The client token was used in a previous request with other arguments.")]
    ClientToken,

    // Policies and subscriptions.
    /// A policy document that cannot be kept.
    #[error("The policy document is invalid: {0}")]
    PolicyDocument(String),
    /// A member that is needed.
    #[error("{0} must be specified.")]
    Missing(&'static str),
    /// A policy's name that is too long.
    #[error("policyName must have 1 to {0} characters.")]
    PolicyName(usize),
    /// An ARN of something that has no resource policy here.
    #[error("The specified resourceArn is not the ARN of a log group in this account and region.")]
    PolicyResource,
    /// There is no such policy.
    #[error("Policy with name [{0}] does not exist")]
    PolicyNotFound(String),
    /// The policy has changed since.
    #[error("The expected revision id does not match that of the policy.")]
    PolicyRevision,
    /// There is no such subscription filter.
    #[error("The specified subscription filter does not exist.")]
    SubscriptionFilterNotFound,
    /// A destination that cannot be one.
    #[error("{0}")]
    Destination(String),

    // Live Tail.
    /// Two ways of choosing streams.
    #[error("Only one of logStreamNames or logStreamNamePrefixes can be provided.")]
    TailStreams,
    /// Streams of several groups.
    #[error("logStreamNames and logStreamNamePrefixes can only be used with a single log group.")]
    TailStreamsOfGroups,
    /// More sessions than there can be.
    #[error("The limit of {0} concurrent Live Tail sessions is reached.")]
    SessionsMax(usize),

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
            | Self::MetricFilterNotFound
            | Self::SubscriptionFilterNotFound
            | Self::QueryNotFound
            | Self::QueryDefinitionNotFound
            | Self::PolicyNotFound(_) => errors::RESOURCE_NOT_FOUND,
            Self::GroupExists | Self::StreamExists => errors::RESOURCE_ALREADY_EXISTS,
            Self::LimitExceeded | Self::QueriesMax(_) | Self::SessionsMax(_) => errors::LIMIT_EXCEEDED,
            Self::Query(_) => errors::MALFORMED_QUERY,
            Self::PolicyRevision => errors::OPERATION_ABORTED,
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

impl platform::MayConflict for Error {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(StoreError::Conflict { .. }))
    }
}

impl From<Error> for wire::Error {
    fn from(error: Error) -> Self {
        match &error {
            Error::Store(store) => platform::store_error(store),
            Error::Query(malformed) => {
                let location = json!({"startCharOffset": malformed.start, "endCharOffset": malformed.end});
                let problem = json!({"location": location, "message": malformed.message});
                Self::of(error.kind(), error.to_string()).with("queryCompileError", problem)
            }
            _ => Self::of(error.kind(), error.to_string()),
        }
    }
}
