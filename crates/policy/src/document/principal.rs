//! Principals: to whom a statement applies.

use base::{AccountId, Arn};

use super::Malformed;

/// What a statement says about principals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principals {
    /// `"*"`: everybody, anonymous callers too.
    Everyone,
    /// By type, one or more.
    Named(Vec<TypedPrincipal>),
}

/// A principal together with its type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TypedPrincipal {
    /// An account, a user, a role, a session, or `*`.
    Aws(String),
    /// A service: `ecs-tasks.amazonaws.com`.
    Service(String),
    /// An identity provider.
    Federated(String),
    /// An account by its canonical S3 id.
    CanonicalUser(String),
}

impl TypedPrincipal {
    pub(super) fn new(kind: &str, value: String) -> Option<Self> {
        match kind {
            "AWS" => Some(Self::Aws(value)),
            "Service" => Some(Self::Service(value)),
            "Federated" => Some(Self::Federated(value)),
            "CanonicalUser" => Some(Self::CanonicalUser(value)),
            _ => None,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Aws(_) => "AWS",
            Self::Service(_) => "Service",
            Self::Federated(_) => "Federated",
            Self::CanonicalUser(_) => "CanonicalUser",
        }
    }

    pub(super) fn value(&self) -> &str {
        match self {
            Self::Aws(value) | Self::Service(value) | Self::Federated(value) | Self::CanonicalUser(value) => value,
        }
    }

    /// How AWS refuses it; the types are in capitals there.
    pub fn invalid(&self) -> Malformed {
        let kind = match self {
            Self::Aws(_) => "AWS",
            Self::Service(_) => "SERVICE",
            Self::Federated(_) => "FEDERATED",
            Self::CanonicalUser(_) => "CANONICALUSER",
        };
        Malformed::InvalidPrincipal { kind, value: self.value().to_owned() }
    }

    /// Whether it may stand in a role's trust policy, as far as its form tells.
    pub(super) fn fits_trust_policy(&self) -> bool {
        match self {
            Self::Aws(value) => value == "*" || value.parse::<AccountId>().is_ok() || is_identity_arn(value),
            Self::Service(value) => is_host_name(value),
            Self::Federated(value) => is_host_name(value) || is_provider_arn(value),
            Self::CanonicalUser(_) => false,
        }
    }

    /// The same for a trust policy in which users, roles and sessions stand by their unique ids.
    pub(super) fn fits_pinned_trust_policy(&self) -> bool {
        matches!(self, Self::Aws(value) if is_unique_id(value)) || self.fits_trust_policy()
    }

    /// Whether it may stand in a resource's policy, as far as its form tells.
    pub(super) fn fits_resource_policy(&self) -> bool {
        match self {
            Self::CanonicalUser(value) => !value.is_empty(),
            _ => self.fits_pinned_trust_policy(),
        }
    }
}

/// A user's or role's unique id (`AIDA…`, `AROA…`), or a role's with a session's name.
fn is_unique_id(text: &str) -> bool {
    let (id, session) = text.split_once(':').map_or((text, None), |(id, session)| (id, Some(session)));
    let kind = id.starts_with("AROA") || id.starts_with("AIDA") && session.is_none();
    kind && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) && session.is_none_or(|session| !session.is_empty())
}

/// The ARN of an account's root, a user, a role, a session or a federated user; no wildcards. Another
/// partition has none that could call here, and a statement that denies one of them would deny nobody.
fn is_identity_arn(text: &str) -> bool {
    let Ok(arn) = text.parse::<Arn>() else { return false };
    let kinds: &[&str] = match arn.service.as_str() {
        "iam" => &["user/", "role/"],
        "sts" => &["assumed-role/", "federated-user/"],
        _ => return false,
    };
    let root = arn.service == "iam" && arn.resource == "root";
    let named = kinds.iter().any(|kind| arn.resource.strip_prefix(kind).is_some_and(|name| !name.is_empty()));
    let ours = arn.partition == "aws" && arn.region.is_empty();
    (root || named) && ours && arn.account.parse::<AccountId>().is_ok() && !text.contains(['*', '?'])
}

fn is_provider_arn(text: &str) -> bool {
    let Ok(arn) = text.parse::<Arn>() else { return false };
    let kinds = ["saml-provider/", "oidc-provider/"];
    arn.service == "iam" && kinds.iter().any(|kind| arn.resource.starts_with(kind)) && !text.contains(['*', '?'])
}

fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.contains('.') && text.split('.').all(label)
}
