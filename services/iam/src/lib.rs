//! IAM: users with access keys, groups, roles, managed and inline policies, permissions boundaries, instance profiles,
//! OpenID Connect providers, service-linked roles, account aliases, tags; and simulations of what policies decide.
//!
//! It keeps who there is and what is written about them; the form of policies is checked when they are written, and what
//! they decide is the [`policy`] crate's. Login profiles, MFA devices, SAML providers and server certificates do not exist.
//!
//! IAM is global: records lie in [`platform::Ctx::global_scope`]. Names are unique within an account whatever their
//! case, so a record's id is its name in lower case; what refers to an entity and must survive its renaming refers to
//! its unique id (`AIDA…`). Each user, group and role is one record that knows everything that keeps it from being deleted
//! (attached and inline policies, keys, groups, instance profiles), so one guard settles every race.
//!
//! - [`Iam`] is the service; its operations are in `ops`, one a file.
//! - `entity` is what users, groups, roles, policies, instance profiles and providers have in common; `tag`, `inline`,
//!   `attachment`, `quota` and `page` are the mechanisms that they share.
//! - `policy_directory` is what others ask: [`platform::ports::PolicyDirectory`], [`platform::ports::RoleDirectory`] and
//!   [`platform::ports::UserDirectory`], answered from `cache` as long as nothing of IAM changes in the account; and
//!   `oidc_provider` is the [`platform::ports::OidcProviderDirectory`].
//! - `facts` is what the gate asks: the true ARN, tags and permissions boundary of what a request names.

mod access_key;
mod account_alias;
pub mod api;
mod attachment;
mod aws_managed;
mod cache;
mod entity;
mod error;
mod facts;
mod group;
mod inline;
mod instance_profile;
mod limits;
mod managed_policy;
mod names;
mod oidc_provider;
mod ops;
mod page;
mod policy_directory;
mod policy_source;
mod quota;
mod role;
mod service_linked;
mod simulation;
mod tag;
mod trust;
mod url_encoding;
mod user;

use std::sync::Arc;

use platform::Platform;

use crate::cache::Cache;
use crate::quota::Counts;

pub use error::{DeleteConflict, Error};

/// The service.
#[derive(Debug, Clone)]
pub struct Iam {
    /// What it is built on.
    pub platform: Platform,
    cache: Arc<Cache>,
    counts: Arc<Counts>,
}

impl Iam {
    /// The service over a platform.
    pub fn new(platform: Platform) -> Self {
        Self { platform, cache: Arc::default(), counts: Arc::default() }
    }
}
