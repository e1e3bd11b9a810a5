//! How services reach each other: a trait here, implemented by one service, handed to another where the binary wires
//! them together.

use base::{AccountId, Arn, Principal};
use store::StoreError;

use crate::BoxFuture;

/// Roles, as those see them who hand out or check their sessions. Implemented by iam.
pub trait RoleDirectory: Send + Sync {
    /// The role called `name` (without path) in `account`.
    fn role<'a>(&'a self, account: AccountId, name: &'a str) -> BoxFuture<'a, Result<Option<RoleView>, StoreError>>;
}

/// Users, as those see them who check their sessions. Implemented by iam.
pub trait UserDirectory: Send + Sync {
    /// Who the user of this unique id in `account` is now: a renamed user has another name and ARN.
    fn user<'a>(&'a self, account: AccountId, id: &'a str) -> BoxFuture<'a, Result<Option<Principal>, StoreError>>;
}

/// What others need of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleView {
    /// Its ARN, path included.
    pub arn: Arn,
    /// Its unique id, `AROA…`. A role that is deleted and made again has another.
    pub id: String,
    /// The policy that says who may assume it, JSON.
    pub trust_policy: String,
    /// The longest session, in seconds.
    pub max_session_duration_s: u32,
}
