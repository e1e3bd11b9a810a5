//! Who signs: root keys, users' access keys, sessions.
//!
//! A secret is needed to check a signature, so it is kept, sealed by the [`crate::Keyring`]. Sessions are not kept at
//! all: the session token carries them, sealed, so issuing one writes nothing and checking one reads nothing but the
//! role or user it belongs to, with whom it ends.

mod access_key;
mod fixed;
mod keys;
mod last_use;
mod session;

use std::sync::Arc;

use base::{Principal, PrincipalKind};
use store::{Scope, StoreError};
use wire::serve::{CredentialError, FoundCredential};
use wire::sigv4::SecretAccessKey;

use crate::Platform;
use crate::ports::{RoleDirectory, UserDirectory};

pub use access_key::{AccessKey, KeyStatus, NewAccessKey, keys_of, new_access_key};
pub use fixed::FixedKey;
pub use keys::Keys;
pub use last_use::KeyUse;
pub use session::{Session, TemporaryCredentials, issue_session};

/// A verified caller.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The key that signed.
    pub access_key_id: String,
    /// Who they are.
    pub principal: Principal,
    /// The session that the key belongs to, if it is a temporary one.
    pub session: Option<Session>,
}

/// Finds the owner of a key that has signed.
pub struct Identities {
    platform: Platform,
    roles: Arc<dyn RoleDirectory>,
    users: Arc<dyn UserDirectory>,
}

impl Identities {
    /// The platform's keys, and the roles and users that sessions depend on.
    pub fn new(platform: Platform, roles: Arc<dyn RoleDirectory>, users: Arc<dyn UserDirectory>) -> Self {
        Self { platform, roles, users }
    }

    /// The secret and the owner of a key.
    pub async fn credential(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
    ) -> Result<FoundCredential<Caller>, CredentialError> {
        if let Some(token) = session_token {
            return self.session_credential(access_key_id, token).await;
        }
        if let Some(key) = self.platform.keys.fixed(access_key_id) {
            return Ok(found(access_key_id, key.secret.clone(), key.principal.clone(), None));
        }
        let record = self.platform.store.read::<AccessKey>(&Scope::system(), &[access_key_id]).await;
        let record = record.map_err(|error| {
            tracing::error!(%error, "an access key cannot be read");
            CredentialError::Unavailable
        })?;
        let record = record.ok_or(CredentialError::Unknown)?;
        if record.status == KeyStatus::Inactive {
            return Err(CredentialError::Unknown);
        }
        let secret = record.secret(&self.platform.keyring).ok_or(CredentialError::Unavailable)?;
        Ok(found(access_key_id, secret, record.principal.clone(), None))
    }

    async fn session_credential(
        &self,
        access_key_id: &str,
        token: &str,
    ) -> Result<FoundCredential<Caller>, CredentialError> {
        let (session, secret) =
            session::open(&self.platform.keyring, access_key_id, token).ok_or(CredentialError::InvalidToken)?;
        if session.expires <= self.platform.clock.now() {
            return Err(CredentialError::ExpiredToken);
        }
        let principal = self.present(&session.principal).await.map_err(|error| {
            tracing::error!(%error, "whom a session belongs to cannot be read");
            CredentialError::Unavailable
        })?;
        Ok(found(access_key_id, secret, principal.ok_or(CredentialError::InvalidToken)?, Some(session)))
    }

    /// Whom a session acts as now; nobody when its role or user is gone, even if there is another of the same name.
    pub(crate) async fn present(&self, principal: &Principal) -> Result<Option<Principal>, StoreError> {
        let own = || Some(principal.clone());
        match &principal.kind {
            PrincipalKind::Root => Ok(own()),
            // It has no sessions.
            PrincipalKind::Anonymous => Ok(None),
            PrincipalKind::User { .. } if self.platform.keys.has_owner(principal) => Ok(own()),
            PrincipalKind::User { .. } => self.users.user(principal.account, &principal.user_id).await,
            PrincipalKind::AssumedRole { role_arn, role_id, .. } => {
                let name = role_arn.resource.rsplit('/').next().unwrap_or_default();
                let role = self.roles.role(principal.account, name).await?;
                Ok(role.filter(|role| role.id == *role_id).and_then(|_| own()))
            }
        }
    }
}

fn found(
    access_key_id: &str,
    secret: SecretAccessKey,
    principal: Principal,
    session: Option<Session>,
) -> FoundCredential<Caller> {
    FoundCredential { secret, caller: Caller { access_key_id: access_key_id.to_owned(), principal, session } }
}
