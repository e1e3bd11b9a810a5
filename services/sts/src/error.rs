//! What goes wrong, and how AWS says it.

use policy::Malformed;
use store::StoreError;

use crate::api::errors;

/// Why an operation was not done. Displays as the message that the client gets.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller's policies or the role's trust policy do not let it, or there is no such role: a caller must not learn
    /// which.
    #[error("{}", .0.message)]
    Denied(wire::Error),
    /// The role's trust policy does not let the bearer of the token, or there is no such role.
    #[error("Not authorized to perform {action}")]
    NotAuthorized {
        /// `sts:AssumeRoleWithWebIdentity`, `sts:TagSession` or `sts:SetSourceIdentity`.
        action: &'static str,
    },
    /// Access tokens of social networks are not served.
    #[error("Pilvi does not serve ProviderId: only ID tokens of OpenID Connect providers are taken.")]
    AccessTokens,
    /// The text is not a signed token of a kind that is served.
    #[error("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")]
    NoJwt,
    /// The token lacks a claim that it must have.
    #[error("Missing a required claim: {claim}")]
    MissingClaim {
        /// The claim.
        claim: &'static str,
    },
    /// iam has no provider of this address in the role's account.
    #[error("No OpenIDConnect provider found in your account for {issuer}")]
    NoProvider {
        /// As the token says.
        issuer: String,
    },
    /// The token's time is over.
    #[error("Token expired: current date/time {now} must be before the expiration date/time {expires}")]
    TokenExpired {
        /// Seconds since 1970.
        now: i64,
        /// Seconds since 1970.
        expires: i64,
    },
    /// The token's time has not come.
    #[error("Token is not yet valid")]
    TokenOfTheFuture,
    /// The token is meant for somebody else.
    #[error("Incorrect token audience")]
    WrongAudience,
    /// The provider's key cannot be had, or it has none of that name.
    #[error(
        "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
    )]
    NoVerificationKey,
    /// The provider's server is not the one that it should be.
    #[error("OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint")]
    WrongThumbprint,
    /// The provider has not signed the token.
    #[error("Invalid token signature")]
    BadTokenSignature,
    /// The source identity of a chain of sessions cannot be changed.
    #[error("User: {caller} is not authorized to perform: sts:SetSourceIdentity on resource: {role}")]
    SourceIdentityChanged {
        /// The caller's ARN.
        caller: String,
        /// The role's ARN.
        role: String,
    },
    /// A code of an MFA device was given, and there are none.
    #[error("MultiFactorAuthentication failed with invalid MFA one time pass code.")]
    Mfa,
    /// Temporary credentials cannot be made of temporary credentials.
    #[error("Cannot call GetSessionToken with session credentials")]
    SessionCredentials,
    /// The text is not the ARN of a role.
    #[error("{arn} is invalid")]
    InvalidRoleArn {
        /// As given.
        arn: String,
    },
    /// The role's sessions are shorter.
    #[error("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")]
    DurationOfRole,
    /// A session that a role opens is shorter.
    #[error("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")]
    DurationOfChain,
    /// One tag key twice, in whatever case.
    #[error("Duplicate tag keys found. Please note that Tag keys are case insensitive.")]
    DuplicateTags,
    /// A transitive key that no tag has.
    #[error("The specified transitive tag key must be included in the requested tags.")]
    TransitiveKey,
    /// A tag key that is AWS's own.
    #[error("Tag keys that begin with aws: are reserved for AWS use.")]
    ReservedTag,
    /// More managed policies than a session can have.
    #[error(
        "1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to {max}"
    )]
    TooManyPolicyArns {
        /// What is allowed.
        max: usize,
    },
    /// A text where the ARN of a managed policy of the role's account, or of AWS, should be.
    #[error("ARN {arn} is not valid.")]
    InvalidPolicyArn {
        /// As given.
        arn: String,
    },
    /// The session policy is not JSON.
    #[error("This policy contains invalid Json")]
    InvalidJson,
    /// The session policy is not a policy, or not one for a session.
    #[error("{0}")]
    MalformedPolicy(#[from] Malformed),
    /// The session policy, policy ARNs and tags are too large together.
    #[error("Packed policy consumes {percent}% of allotted space, please use smaller policy.")]
    PackedTooLarge {
        /// How much they take of what they may.
        percent: usize,
    },
    /// Contexts of other providers are not served.
    #[error("Pilvi does not serve ProvidedContexts.")]
    ProvidedContexts,
    /// Session tokens are as long as they are.
    #[error("Pilvi does not pad session tokens: this one has {size} characters, {wanted} are wanted.")]
    TokenSize {
        /// Characters of the token.
        size: usize,
        /// What was asked for.
        wanted: i32,
    },
    /// No access key of this id is known.
    #[error("The access key ID {id} does not exist.")]
    UnknownAccessKey {
        /// As given.
        id: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for wire::Error {
    fn from(error: Error) -> Self {
        let (code, status) = match &error {
            Error::Denied(denial) => return denial.clone(),
            Error::NotAuthorized { .. }
            | Error::SourceIdentityChanged { .. }
            | Error::Mfa
            | Error::SessionCredentials => ("AccessDenied", 403),
            Error::InvalidRoleArn { .. }
            | Error::DurationOfRole
            | Error::DurationOfChain
            | Error::TooManyPolicyArns { .. }
            | Error::InvalidPolicyArn { .. }
            | Error::UnknownAccessKey { .. } => ("ValidationError", 400),
            Error::DuplicateTags
            | Error::TransitiveKey
            | Error::ReservedTag
            | Error::ProvidedContexts
            | Error::AccessTokens
            | Error::TokenSize { .. } => ("InvalidParameterValue", 400),
            Error::InvalidJson | Error::MalformedPolicy(_) => {
                return Self::of(errors::MALFORMED_POLICY_DOCUMENT, error.to_string());
            }
            Error::PackedTooLarge { .. } => return Self::of(errors::PACKED_POLICY_TOO_LARGE, error.to_string()),
            Error::NoJwt
            | Error::MissingClaim { .. }
            | Error::NoProvider { .. }
            | Error::TokenOfTheFuture
            | Error::WrongAudience
            | Error::NoVerificationKey
            | Error::WrongThumbprint
            | Error::BadTokenSignature => return Self::of(errors::INVALID_IDENTITY_TOKEN, error.to_string()),
            Error::TokenExpired { .. } => return Self::of(errors::EXPIRED_TOKEN, error.to_string()),
            Error::Store(failure) => return platform::store_error(failure),
        };
        Self::new(code, status, error.to_string())
    }
}
