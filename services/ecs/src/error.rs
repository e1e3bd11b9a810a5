//! What an operation answers when it does not do as it was asked.

use base::{AccountId, Region};
use store::StoreError;
use wire::model::ErrorKind;

use crate::api::errors;
use crate::task_definition::Refusal;

/// An error of an operation. Its text is what the client gets: Amazon ECS's own wherever that is known.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    // Names.
    /// An ARN of another service or kind, or a text that only begins like one.
    #[error("Invalid identifier: {0}")]
    Identifier(String),
    /// An ARN of another account.
    #[error("Invalid identifier: Identifier is for {theirs}. Your accountId is {ours}")]
    OtherAccount {
        /// The ARN's.
        theirs: String,
        /// The caller's.
        ours: AccountId,
    },
    /// An ARN of another region.
    #[error("Invalid identifier: Identifier is for {theirs}. Your region is {ours}")]
    OtherRegion {
        /// The ARN's.
        theirs: String,
        /// The request's.
        ours: Region,
    },

    // Clusters.
    /// A text that can name no cluster.
    #[error(r"ClusterName must match ^[a-zA-Z0-9\-_]{{1,255}}$")]
    ClusterName,
    /// There is no such cluster.
    #[error("Cluster not found.")]
    ClusterNotFound,
    /// The cluster has been deleted.
    #[error("Cluster was not ACTIVE.")]
    ClusterNotActive,
    /// The cluster exists and was made from other arguments.
    #[error("Arguments on this idempotent request are inconsistent with arguments used in previous request(s).")]
    ClusterArguments,
    /// More clusters than can be described at once.
    #[error("Clusters cannot have more than {0} elements.")]
    ClustersMax(usize),
    /// Services run in the cluster.
    #[error("The Cluster cannot be deleted while Services are active.")]
    ClusterContainsServices,
    /// Tasks run in the cluster.
    #[error("The Cluster cannot be deleted while Tasks are active.")]
    ClusterContainsTasks,
    /// Container instances are registered in the cluster.
    #[error("The Cluster cannot be deleted while Container Instances are active or draining.")]
    ClusterContainsContainerInstances,
    /// A setting without a name.
    #[error("Invalid setting 'name'")]
    SettingName,
    /// A setting's value is none of those that it takes.
    #[error("Invalid setting 'value'")]
    SettingValue,
    /// A capacity provider that does not exist.
    #[error("The specified capacity provider was not found. Specify a valid capacity provider and try again.")]
    CapacityProviderNotFound,
    /// More capacity providers than a cluster may have.
    #[error("The maximum number of capacity providers was exceeded. Specify {0} or less and try again.")]
    CapacityProvidersMax(usize),
    /// The strategy names a capacity provider that the cluster has not.
    #[error(
        "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the \
         cluster. Associate the capacity provider with the cluster or specify a valid capacity provider and try again."
    )]
    StrategyProviderNotAssociated,
    /// The strategy has two bases.
    #[error(
        "The specified capacity provider strategy contains multiple capacity providers with a base value defined. Only \
         one capacity provider per strategy can have a base value defined."
    )]
    StrategyBases,
    /// The strategy has a capacity provider twice.
    #[error("The specified capacity provider strategy cannot contain duplicate capacity providers.")]
    StrategyProviderTwice,
    /// A destination for the logs of ECS Exec that is not used.
    #[error("You must set logging to 'OVERRIDE' when you supply a log configuration.")]
    ExecLogsNotOverridden,
    /// ECS Exec is to log elsewhere, and nobody says where.
    #[error(
        "A CloudWatch log group name or S3 bucket name must be specified when overriding the default log configuration."
    )]
    ExecLogsNowhere,
    /// Service Connect's namespaces are AWS Cloud Map's.
    #[error("The namespace '{0}' was not found: Pilvi does not serve AWS Cloud Map yet, which holds namespaces.")]
    NamespaceNotFound(String),

    // Task definitions.
    /// The request does not define a task that ECS would register.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A family that can be none.
    #[error("Invalid task definition: Invalid family name.")]
    DefinitionFamily,
    /// A revision that is no positive number.
    #[error("Invalid task definition: Invalid revision number.")]
    RevisionNumber,
    /// A family where a revision is needed.
    #[error("Revision is missing")]
    RevisionMissing,
    /// There is no such task definition, or no ACTIVE one in the family.
    #[error("Unable to describe task definition.")]
    DefinitionNotFound,
    /// It is being deleted.
    #[error("The task definition could not be deregistered because it is in the process of being deleted.")]
    DefinitionDeleting,
    /// The family has had as many revisions as there can be.
    #[error("The limit of {0} revisions of the family was reached.")]
    RevisionsMax(i32),
    /// Other requests kept taking the next revision.
    #[error("Too many concurrent attempts to create a new revision of the specified family.")]
    RevisionContention,
    /// None, or more than can be deleted at once.
    #[error("The number of task definitions must be between 1 and {0}.")]
    DefinitionsMax(usize),

    // Lists.
    /// A page of a size that there is none of.
    #[error("maxResults must be between 1 and {0}.")]
    MaxResults(i32),
    /// A token that was not given out for this list.
    #[error("Invalid token.")]
    NextToken,

    // Account settings.
    /// AWS has given up the short ARNs, and Pilvi never had any.
    #[error("You can no longer disable Long Arn settings")]
    LongArn,
    /// A principal that is none of this account.
    #[error("The specified principal ARN is invalid. Specify the ARN of a user, role or root user of your account.")]
    PrincipalArn,
    /// Settings of others are the root's to change.
    #[error("You do not have authorization to perform the requested action.")]
    NotThePrincipal,
    /// A value was given to filter by, and no name.
    #[error("A setting name must be specified when you specify a setting value.")]
    SettingNameMissing,

    // Tags.
    /// A tag that cannot be kept.
    #[error("{problem}")]
    Tag {
        /// What is wrong with it.
        problem: TagProblem,
        /// The error that the resource's kind has for it.
        kind: ErrorKind,
    },
    /// More tags than a resource may have.
    #[error("The maximum number of tags per resource is {0}.")]
    TagsMax(usize),
    /// The cluster has been deleted.
    #[error("The specified cluster is inactive. Specify an active cluster and try again.")]
    TagClusterInactive,
    /// A resource of a kind that exists at AWS, of which there is none here.
    #[error("The specified {0} does not exist. Specify a valid {0} and try again.")]
    TagResourceNotFound(&'static str),
    /// A text that is no ARN of a resource that has tags.
    #[error("The specified resource ARN is invalid. Specify a valid ARN and try again.")]
    TagResourceArn,

    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is wrong with a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TagProblem {
    /// It has no key.
    #[error("Tag key can not be null.")]
    KeyMissing,
    /// It has no value.
    #[error("Tag value can not be null.")]
    ValueMissing,
    /// AWS's own prefix.
    #[error("Tag keys that start with 'aws:' are reserved for AWS use. Specify a different key and try again.")]
    Reserved,
    /// Two tags of one key.
    #[error("Duplicate tag keys were specified. Specify each tag key once and try again.")]
    Twice,
}

impl Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::ClusterNotFound => errors::CLUSTER_NOT_FOUND,
            Self::ClusterContainsServices => errors::CLUSTER_CONTAINS_SERVICES,
            Self::ClusterContainsTasks => errors::CLUSTER_CONTAINS_TASKS,
            Self::ClusterContainsContainerInstances => errors::CLUSTER_CONTAINS_CONTAINER_INSTANCES,
            Self::NamespaceNotFound(_) => errors::NAMESPACE_NOT_FOUND,
            Self::NotThePrincipal => errors::ACCESS_DENIED,
            Self::RevisionsMax(_) | Self::TagsMax(_) => errors::LIMIT_EXCEEDED,
            Self::ClusterNotActive | Self::DefinitionNotFound | Self::DefinitionDeleting | Self::RevisionContention => {
                errors::CLIENT
            }
            Self::Refused(refusal) => refusal.kind(),
            Self::Tag { kind, .. } => *kind,
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
        match &error {
            Error::Store(store) => platform::store_error(store),
            _ => Self::of(error.kind(), error.to_string()),
        }
    }
}
