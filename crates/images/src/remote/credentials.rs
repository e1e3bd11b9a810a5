//! Who asks a registry.

use std::fmt;

use zeroize::Zeroizing;

/// Who asks a registry. Prints as `***`, and is overwritten when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A name and a password, or what a registry takes as one.
    Password {
        /// The name.
        username: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// A refresh token, which the token endpoint gives short-lived ones for (`identitytoken` in Docker's configuration).
    IdentityToken(Zeroizing<String>),
    /// A token that is sent as it is (`registrytoken` in Docker's configuration).
    Bearer(Zeroizing<String>),
}

impl Credentials {
    /// A name and a password.
    pub fn password(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::Password { username: username.into(), password: Zeroizing::new(password.into()) }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { .. } => f.write_str("Password(***)"),
            Self::IdentityToken(_) => f.write_str("IdentityToken(***)"),
            Self::Bearer(_) => f.write_str("Bearer(***)"),
        }
    }
}
