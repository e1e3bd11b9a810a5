//! STS: who a caller is, and temporary credentials.
//!
//! A session is not kept: its token carries it, sealed ([`platform::identity`]). What is carried (session policy, tags,
//! source identity) is checked for its form here; it narrows nothing before policies are evaluated. Roles come from the
//! [`RoleDirectory`]; whether one may be assumed is decided by its trust policy alone (`trust`), and what that module
//! does not understand never allows.
//!
//! Unlike at AWS, an account's root may assume roles: until policies are evaluated it is the only caller that could.
//! Identity providers, MFA devices and federation do not exist.

pub mod api;
mod carried;
mod error;
mod facts;
mod ops;
mod packed_size;
mod role;
mod session;
mod session_tags;
mod trust;

use std::fmt;
use std::sync::Arc;

use platform::Platform;
use platform::ports::RoleDirectory;

pub use error::Error;

/// The service.
#[derive(Clone)]
pub struct Sts {
    /// What it is built on.
    pub platform: Platform,
    /// The roles that can be assumed.
    pub roles: Arc<dyn RoleDirectory>,
}

impl fmt::Debug for Sts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sts").field("platform", &self.platform).finish_non_exhaustive()
    }
}
