//! STS: who a caller is, and temporary credentials.
//!
//! A session is not kept: its token carries it, sealed ([`platform::identity`]), with all that narrows it. Roles come from
//! the [`RoleDirectory`]; whether one may be assumed is decided by its trust policy and the caller's own policies, in the
//! [`policy`] crate. Whoever has a token of an OpenID Connect provider needs no key: `web_identity` verifies the token.
//! [`Sts`] is also the [`platform::ports::CredentialIssuer`], by which services get sessions for what they run.
//!
//! Unlike at AWS, an account's root may assume roles whose trust policies let it. MFA devices, SAML and GetFederationToken
//! do not exist.

pub mod api;
mod carried;
mod error;
mod facts;
mod issuer;
mod ops;
mod packed_size;
mod role;
mod session;
mod session_tags;
mod trust;
mod web_identity;

use std::fmt;
use std::sync::Arc;

use platform::Platform;
use platform::ports::{OidcProviderDirectory, RoleDirectory};

use crate::web_identity::KeyCache;

pub use error::Error;

/// The service.
#[derive(Clone)]
pub struct Sts {
    /// What it is built on.
    pub platform: Platform,
    /// The roles that can be assumed.
    pub roles: Arc<dyn RoleDirectory>,
    providers: Arc<dyn OidcProviderDirectory>,
    keys: Arc<KeyCache>,
}

impl Sts {
    /// The service over a platform, with iam's roles and providers.
    pub fn new(platform: Platform, roles: Arc<dyn RoleDirectory>, providers: Arc<dyn OidcProviderDirectory>) -> Self {
        Self { platform, roles, providers, keys: Arc::new(KeyCache::new()) }
    }
}

impl fmt::Debug for Sts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sts").field("platform", &self.platform).finish_non_exhaustive()
    }
}
