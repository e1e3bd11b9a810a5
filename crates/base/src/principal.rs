//! Who makes a request.

use serde::{Deserialize, Serialize};

use crate::{AccountId, Arn};

/// The caller of a request once its signature has been verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// The account that the caller belongs to.
    pub account: AccountId,
    /// What `sts get-caller-identity` answers as Arn.
    pub arn: Arn,
    /// What `sts get-caller-identity` answers as UserId.
    pub user_id: String,
    /// What kind of identity it is.
    pub kind: PrincipalKind,
}

/// The kinds of identity that sign requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum PrincipalKind {
    /// The account itself.
    Root,
    /// An IAM user.
    User {
        /// The user's name.
        name: String,
    },
    /// Nobody in particular: a request that need not be signed.
    Anonymous,
    /// A role's session.
    #[serde(rename_all = "camelCase")]
    AssumedRole {
        /// The role's own ARN, path included.
        role_arn: Arn,
        /// The role's unique id (`AROA…`).
        role_id: String,
        /// What the caller of AssumeRole named the session.
        session_name: String,
    },
}

impl Principal {
    /// The root of an account.
    pub fn root(account: AccountId) -> Self {
        Self {
            account,
            arn: Arn::global("iam", account, "root"),
            user_id: account.to_string(),
            kind: PrincipalKind::Root,
        }
    }

    /// Whoever sends a request that need not be signed. It belongs to no account and has no policies.
    pub fn anonymous() -> Self {
        Self {
            account: AccountId::NOBODY,
            arn: Arn::global("iam", AccountId::NOBODY, "anonymous"),
            user_id: "anonymous".to_owned(),
            kind: PrincipalKind::Anonymous,
        }
    }

    /// Whether this is an account's root.
    pub fn is_root(&self) -> bool {
        matches!(self.kind, PrincipalKind::Root)
    }
}
