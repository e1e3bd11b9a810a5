//! IAM: users with access keys, roles, managed and inline policies, instance profiles, tags.
//!
//! It keeps who there is and what is written about them. Policies are stored and their form is checked
//! ([`policy`]); nothing is evaluated here yet, so what they allow or deny has no effect: the platform's gate
//! lets account roots and the sessions that roots opened through, and nobody else. Groups, login profiles, MFA devices
//! and identity providers do not exist.
//!
//! IAM is global: records lie in [`platform::Ctx::global_scope`]. Names are unique within an account whatever their
//! case, so a record's id is its name in lower case; what refers to an entity and must survive its renaming refers to
//! its unique id (`AIDA…`). Each user and role is one record that knows everything that keeps it from being deleted
//! (attached and inline policies, keys, instance profiles), so one guard settles every race.
//!
//! - [`Iam`] is the service; its operations are in `ops`, one a file.
//! - `entity` is what users, roles, policies and instance profiles have in common; `tag`, `inline`, `attachment` and
//!   `page` are the mechanisms that they share.
//! - [`Iam`] is also the [`platform::ports::RoleDirectory`] and the [`platform::ports::UserDirectory`].

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
