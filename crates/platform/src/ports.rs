//! How services reach each other: a trait here, implemented by one service, handed to another where the binary wires
//! them together.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{AccountId, Arn, Principal, Region, Timestamp};
use policy::{IdentityPolicies, Policy};
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

/// The policies of callers. Implemented by iam; asked once a request, so it answers from memory what has not changed. What
/// it answers holds every change that was acknowledged before it was asked.
pub trait PolicyDirectory: Send + Sync {
    /// What is attached to a user (and its groups) or to the role of a session, and the permissions boundary. Nothing for
    /// one that is not there.
    fn identity_policies<'a>(
        &'a self,
        principal: &'a Principal,
    ) -> BoxFuture<'a, Result<Arc<IdentityPolicies>, StoreError>>;
    /// A managed policy in its default version: AWS's, or one of `account`.
    fn managed_policy<'a>(
        &'a self,
        account: AccountId,
        arn: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<Policy>>, StoreError>>;
    /// The tags of a user or of the role of a session.
    fn principal_tags<'a>(
        &'a self,
        principal: &'a Principal,
    ) -> BoxFuture<'a, Result<Arc<BTreeMap<String, String>>, StoreError>>;
}

/// OpenID Connect providers, as those see them who check their tokens. Implemented by iam.
pub trait OidcProviderDirectory: Send + Sync {
    /// The provider of `account` whose tokens say `issuer` (a URL) in `iss`.
    fn provider<'a>(
        &'a self,
        account: AccountId,
        issuer: &'a str,
    ) -> BoxFuture<'a, Result<Option<OidcProviderView>, StoreError>>;
}

/// Where services put metrics of their own. Implemented by cloudwatch.
pub trait MetricSink: Send + Sync {
    /// Adds samples to metrics of `namespace`.
    fn put<'a>(
        &'a self,
        account: AccountId,
        region: &'a Region,
        namespace: &'a str,
        samples: Vec<MetricSample>,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// One value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricSample {
    /// The metric.
    pub name: String,
    /// Names and values of its dimensions.
    pub dimensions: Vec<(String, String)>,
    /// When it was.
    pub timestamp: Timestamp,
    /// How much.
    pub value: f64,
    /// Of what, in CloudWatch's words: `Count`, `Milliseconds`, `None`.
    pub unit: String,
}

/// What others need of an OpenID Connect provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcProviderView {
    /// Its ARN.
    pub arn: Arn,
    /// Its address, which tokens say in `iss`.
    pub url: String,
    /// For whom its tokens may be meant.
    pub client_ids: Vec<String>,
    /// SHA-1, in lower-case hexadecimal digits, of certificates by which its server is known; beside them the public
    /// authorities are.
    pub thumbprints: Vec<String>,
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
