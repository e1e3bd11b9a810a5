//! What goes wrong, and how AWS says it.

use store::StoreError;

use crate::api::errors;
use policy::Malformed;

/// Why an operation was not done. Displays as the message that the client gets.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such user.
    #[error("The user with name {name} cannot be found.")]
    NoSuchUser {
        /// As the request names it.
        name: String,
    },
    /// There is no such group.
    #[error("The group with name {name} cannot be found.")]
    NoSuchGroup {
        /// As the request names it.
        name: String,
    },
    /// There is no such role.
    #[error("The role with name {name} cannot be found.")]
    NoSuchRole {
        /// As the request names it.
        name: String,
    },
    /// There is no such instance profile.
    #[error("Instance Profile {name} cannot be found.")]
    NoSuchInstanceProfile {
        /// As the request names it.
        name: String,
    },
    /// There is no such OpenID Connect provider.
    #[error("OpenIDConnect Provider not found for arn {arn}")]
    NoSuchOidcProvider {
        /// As the request names it.
        arn: String,
    },
    /// There is no such managed policy, or it is not attached.
    #[error("Policy {arn} was not found.")]
    NoSuchPolicy {
        /// As the request names it.
        arn: String,
    },
    /// There is no such managed policy to attach.
    #[error("Policy {arn} does not exist or is not attachable.")]
    NotAttachable {
        /// As the request names it.
        arn: String,
    },
    /// There is no such managed policy to bound permissions with.
    #[error("Scope ARN: {arn} does not exist or is not attachable.")]
    NoSuchBoundary {
        /// As the request names it.
        arn: String,
    },
    /// The managed policy has no such version.
    #[error("Policy {arn} version {version} does not exist or is not attachable.")]
    NoSuchPolicyVersion {
        /// As the request names it.
        arn: String,
        /// As the request names it.
        version: String,
    },
    /// The user or role has no such inline policy.
    #[error("The {owner} policy with name {name} cannot be found.")]
    NoSuchInlinePolicy {
        /// `user` or `role`.
        owner: &'static str,
        /// As the request names it.
        name: String,
    },
    /// The user has no such access key.
    #[error("The Access Key with id {id} cannot be found.")]
    NoSuchAccessKey {
        /// As the request names it.
        id: String,
    },
    /// The role is not the one in the instance profile.
    #[error("Role {role} in Instance Profile {instance_profile} cannot be found.")]
    RoleNotInInstanceProfile {
        /// As the request names it.
        role: String,
        /// As the request names it.
        instance_profile: String,
    },
    /// A user, role or instance profile of this name is there, in whatever case.
    #[error("{what} {name} already exists.")]
    Exists {
        /// `User with name`, `Role with name`, `Instance Profile`.
        what: &'static str,
        /// As the request names it.
        name: String,
    },
    /// A policy of this name is there, under whatever path.
    #[error("A policy called {name} already exists. Duplicate names are not allowed.")]
    PolicyExists {
        /// As the request names it.
        name: String,
    },
    /// Something must go first.
    #[error("{0}")]
    DeleteConflict(#[from] DeleteConflict),
    /// The user or role has no permissions boundary that could be lifted.
    #[error("No permissions boundary is set for the {owner} with name {name}.")]
    NoBoundary {
        /// `user` or `role`.
        owner: &'static str,
        /// As the request names it.
        name: String,
    },
    /// A quota is used up.
    #[error("Cannot exceed quota for {quota}: {max}")]
    Quota {
        /// AWS's name for it.
        quota: &'static str,
        /// What is allowed.
        max: usize,
    },
    /// The inline policies would be too large together.
    #[error("Maximum policy size of {max} bytes exceeded for {owner} {name}")]
    InlineSize {
        /// What is allowed, in characters without white space.
        max: usize,
        /// `user` or `role`.
        owner: &'static str,
        /// The user's or role's name.
        name: String,
    },
    /// The policy has as many versions as it can have.
    #[error(
        "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version."
    )]
    TooManyVersions,
    /// The entity has as many tags as it can have.
    #[error("The number of tags has reached the maximum limit.")]
    TooManyTags,
    /// One tag key twice, for entities whose tag keys are compared without regard to case.
    #[error("Duplicate tag keys found. Please note that Tag keys are case insensitive.")]
    DuplicateTagsAnyCase,
    /// One tag key twice.
    #[error("Duplicate tag keys found.")]
    DuplicateTags,
    /// A tag key that is AWS's own.
    #[error("Tag keys that begin with aws: are reserved for AWS use.")]
    ReservedTag,
    /// A path or name that is kept for service-linked roles, which CreateServiceLinkedRole makes.
    #[error("Roles under {reserved} are service-linked roles: use CreateServiceLinkedRole.")]
    ReservedRole {
        /// The path or prefix.
        reserved: &'static str,
    },
    /// The role is a service's own.
    #[error("Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS")]
    ProtectedRole {
        /// The role's name.
        name: String,
    },
    /// The policy is for a service's own roles.
    #[error("Cannot attach a Service Role Policy to a Customer Role.")]
    ServiceRolePolicy,
    /// The service has its role already.
    #[error("Service role name {name} has been taken in this account, please try a different suffix.")]
    LinkedRoleExists {
        /// The role's name.
        name: String,
    },
    /// The service has no role of its own, as far as Pilvi knows.
    #[error("Service-linked roles of {service} are not known to Pilvi.")]
    NoLinkedService {
        /// As the request names it.
        service: String,
    },
    /// The service has one role in an account.
    #[error("Custom suffix is not allowed for {service}")]
    NoSuffix {
        /// The service.
        service: &'static str,
    },
    /// No deletion of that id was begun, or it was long ago.
    #[error("The deletion task {task_id} cannot be found.")]
    NoSuchDeletion {
        /// As the request names it.
        task_id: String,
    },
    /// Another account has the alias.
    #[error("The account alias {alias} already exists.")]
    AliasExists {
        /// As the request names it.
        alias: String,
    },
    /// The account does not have the alias.
    #[error("The account alias with name {alias} cannot be found.")]
    NoSuchAlias {
        /// As the request names it.
        alias: String,
    },
    /// What is to be simulated does not fit.
    #[error("{message}")]
    InvalidSimulation {
        /// What does not.
        message: String,
    },
    /// There are no organizations.
    #[error("Pilvi does not simulate policies of organizations.")]
    OrganizationPolicies,
    /// The document is not a policy, or not one for this place.
    #[error("{0}")]
    MalformedPolicyDocument(#[from] Malformed),
    /// A text where a policy's ARN should be.
    #[error("ARN {arn} is not valid.")]
    InvalidPolicyArn {
        /// As given.
        arn: String,
    },
    /// A text where the ARN of a permissions boundary should be.
    #[error("ARN {arn} is not valid.")]
    InvalidBoundaryArn {
        /// As given.
        arn: String,
    },
    /// An address at which no OpenID Connect provider can be.
    #[error("Invalid Open ID Connect Provider URL")]
    InvalidProviderUrl,
    /// More thumbprints than a provider can have.
    #[error("Thumbprint list must contain fewer than 5 entries.")]
    TooManyThumbprints,
    /// A thumbprint that is not hexadecimal.
    #[error("Thumbprint must be a 40 character hexadecimal string")]
    InvalidThumbprint,
    /// A marker that was not given out for this list.
    #[error("Invalid Marker.")]
    InvalidMarker,
    /// The caller is no user, so the request must name one.
    #[error("Must specify userName when calling with non-User credentials")]
    UserNameRequired,
    /// A key can be switched on and off, nothing else.
    #[error(
        "1 validation error detected: Value '{status}' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, Inactive]"
    )]
    InvalidKeyStatus {
        /// As given.
        status: &'static str,
    },
    /// The policy belongs to AWS or to another account.
    #[error("User: {caller} is not authorized to perform this operation on resource: policy {arn}")]
    ForeignPolicy {
        /// The caller's ARN.
        caller: String,
        /// The policy's ARN.
        arn: String,
    },
    /// The key belongs to another account, or to nobody.
    #[error("User: {caller} is not authorized to perform iam:GetAccessKeyLastUsed on resource: access key {id}")]
    ForeignAccessKey {
        /// The caller's ARN.
        caller: String,
        /// The key.
        id: String,
    },
    /// The gate does not let the caller.
    #[error("{}", .0.message)]
    Denied(wire::Error),
    /// Other requests kept changing the same entity.
    #[error("The request was rejected because multiple requests to change this object were submitted simultaneously.")]
    ConcurrentModification,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What keeps an entity from being deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeleteConflict {
    /// Managed policies are attached to it.
    #[error("Cannot delete entity, must detach all policies first.")]
    AttachedPolicies,
    /// It has inline policies.
    #[error("Cannot delete entity, must delete policies first.")]
    InlinePolicies,
    /// The group has users, or the user is in groups.
    #[error("Cannot delete entity, must remove users from group first.")]
    GroupUsers,
    /// The user has access keys.
    #[error("Cannot delete entity, must delete access keys first.")]
    AccessKeys,
    /// The role is in instance profiles, or the instance profile has a role.
    #[error("Cannot delete entity, must remove roles from instance profile first.")]
    InstanceProfile,
    /// The policy is attached, or bounds somebody's permissions.
    #[error("Cannot delete a policy attached to entities.")]
    PolicyInUse,
    /// The policy has other versions than its default one.
    #[error(
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy."
    )]
    PolicyVersions,
    /// The version is the policy's default one.
    #[error("Cannot delete the default version of a policy.")]
    DefaultVersion,
}

impl From<Error> for wire::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::NoSuchUser { .. }
            | Error::NoSuchGroup { .. }
            | Error::NoSuchRole { .. }
            | Error::NoSuchInstanceProfile { .. }
            | Error::NoSuchOidcProvider { .. }
            | Error::NoSuchPolicy { .. }
            | Error::NotAttachable { .. }
            | Error::NoSuchBoundary { .. }
            | Error::NoSuchPolicyVersion { .. }
            | Error::NoSuchInlinePolicy { .. }
            | Error::NoSuchAccessKey { .. }
            | Error::NoBoundary { .. }
            | Error::NoSuchDeletion { .. }
            | Error::NoSuchAlias { .. }
            | Error::RoleNotInInstanceProfile { .. } => errors::NO_SUCH_ENTITY,
            Error::Exists { .. } | Error::PolicyExists { .. } | Error::AliasExists { .. } => {
                errors::ENTITY_ALREADY_EXISTS
            }
            Error::DeleteConflict(_) => errors::DELETE_CONFLICT,
            Error::Quota { .. } | Error::InlineSize { .. } | Error::TooManyVersions | Error::TooManyTags => {
                errors::LIMIT_EXCEEDED
            }
            Error::DuplicateTagsAnyCase
            | Error::DuplicateTags
            | Error::ReservedTag
            | Error::ReservedRole { .. }
            | Error::LinkedRoleExists { .. }
            | Error::NoLinkedService { .. }
            | Error::NoSuffix { .. }
            | Error::InvalidSimulation { .. }
            | Error::OrganizationPolicies
            | Error::TooManyThumbprints
            | Error::InvalidThumbprint
            | Error::InvalidBoundaryArn { .. } => errors::INVALID_INPUT,
            Error::ProtectedRole { .. } => errors::UNMODIFIABLE_ENTITY,
            Error::ServiceRolePolicy => errors::POLICY_NOT_ATTACHABLE,
            Error::MalformedPolicyDocument(_) => errors::MALFORMED_POLICY_DOCUMENT,
            Error::ConcurrentModification => errors::CONCURRENT_MODIFICATION,
            Error::InvalidPolicyArn { .. }
            | Error::InvalidProviderUrl
            | Error::InvalidMarker
            | Error::UserNameRequired
            | Error::InvalidKeyStatus { .. } => {
                return Self::new("ValidationError", 400, error.to_string());
            }
            Error::ForeignPolicy { .. } | Error::ForeignAccessKey { .. } => {
                return Self::new("AccessDenied", 403, error.to_string());
            }
            Error::Denied(denial) => return denial.clone(),
            Error::Store(failure) => return platform::store_error(failure),
        };
        Self::of(kind, error.to_string())
    }
}
