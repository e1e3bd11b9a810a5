//! Why a policy is refused, in AWS's sentences.

/// What is wrong with a policy document. Displays as the message of `MalformedPolicyDocument`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A trust policy that is not JSON, nests too deep or has a member twice.
    #[error("This policy contains invalid Json")]
    InvalidJson,
    /// Not JSON, an element that does not exist, or one of the wrong type.
    #[error("Syntax errors in policy.")]
    Syntax,
    /// A managed policy of an older version of the language.
    #[error("Policy document must be version 2012-10-17 or greater.")]
    Version,
    /// An effect in the wrong case, a date that is none, an ARN with holes.
    #[error("The policy failed legacy parsing")]
    Legacy,
    /// A statement id with other characters than letters and digits.
    #[error(
        "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
    )]
    Sid,
    /// Two statements with one id.
    #[error("Statement IDs (SID) in a single policy must be unique.")]
    SidTwice,
    /// A principal in a policy that is attached to an identity.
    #[error("Policy document should not specify a principal.")]
    Principal,
    /// A statement without actions.
    #[error("Policy statement must contain actions.")]
    NoActions,
    /// A statement without resources.
    #[error("Policy statement must contain resources.")]
    NoResources,
    /// A resource that is neither `*` nor an ARN.
    #[error("Resource {resource} must be in ARN format or \"*\".")]
    ResourceForm {
        /// The resource.
        resource: String,
    },
    /// A resource in a partition that does not exist.
    #[error("Partition \"{partition}\" is not valid for resource \"{resource}\".")]
    Partition {
        /// The partition.
        partition: String,
        /// The resource in full, `*` where it said nothing.
        resource: String,
    },
    /// A resource of no service, or of a pattern of services.
    #[error("Resource vendor must be fully qualified and cannot contain regexes.")]
    ResourceVendor,
    /// An IAM resource in a region.
    #[error("IAM resource {resource} cannot contain region information.")]
    IamRegion {
        /// The resource.
        resource: String,
    },
    /// An S3 resource in a region that has none.
    #[error("Resource {resource} can not contain region information.")]
    S3Region {
        /// The resource.
        resource: String,
    },
    /// An IAM resource of no kind that IAM has.
    #[error(
        "IAM resource path must either be \"*\", root, or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/."
    )]
    IamPath,
    /// An action without a service.
    #[error("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")]
    NoVendor,
    /// An action with more than one colon.
    #[error("Actions/Condition can contain only one colon.")]
    Colons,
    /// An action of a service that cannot be one.
    #[error("Vendor {vendor} is not valid")]
    Vendor {
        /// What stands before the colon.
        vendor: String,
    },
    /// A trust policy with an element that does not exist.
    #[error("Unknown field {field}")]
    UnknownField {
        /// The element.
        field: String,
    },
    /// A trust policy without an element that it must have.
    #[error("Missing required field {field}")]
    MissingField {
        /// The element.
        field: &'static str,
    },
    /// A trust policy with an element that it must not have.
    #[error("Has prohibited field {field}")]
    ProhibitedField {
        /// The element.
        field: &'static str,
    },
    /// A trust policy about anything but assuming the role.
    #[error("AssumeRole policy may only specify STS AssumeRole actions.")]
    NotAssumeRole,
    /// A trust policy with a principal that cannot be one, or that does not exist.
    #[error("Invalid principal in policy: \"{kind}\":\"{value}\"")]
    InvalidPrincipal {
        /// `AWS`, `SERVICE`, `FEDERATED`.
        kind: &'static str,
        /// The principal as written.
        value: String,
    },
    /// A trust policy with a statement for nobody.
    #[error(
        "Invalid principal in policy: com.amazon.balsa.error.InvalidPolicyException: The passed in policy has a statement with no principals!"
    )]
    NoPrincipals,
}
