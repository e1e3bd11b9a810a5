//! Keys that are not in the store: the root key, which the first start makes, and those that the configuration names.

use std::path::Path;

use base::{AccountId, Arn, Principal, PrincipalKind, Rng};
use serde::{Deserialize, Serialize};
use wire::sigv4::SecretAccessKey;

use crate::keyring::create_private;

/// A key with a given owner.
#[derive(Debug, Clone)]
pub struct FixedKey {
    /// The access key id.
    pub access_key_id: String,
    /// Its secret.
    pub secret: SecretAccessKey,
    /// Whose it is.
    pub principal: Principal,
}

impl FixedKey {
    /// The principal that the configuration calls `root`, `user/NAME` or `role/NAME`.
    pub fn principal(account: AccountId, name: &str) -> Option<Principal> {
        match name.split_once('/') {
            None if name == "root" => Some(Principal::root(account)),
            Some(("user", user)) if !user.is_empty() => Some(Principal {
                account,
                arn: Arn::global("iam", account, format!("user/{user}")),
                user_id: format!("configured:{user}"),
                kind: PrincipalKind::User { name: user.to_owned() },
            }),
            Some(("role", role)) if !role.is_empty() => Some(Principal {
                account,
                arn: Arn::global("sts", account, format!("assumed-role/{role}/configured")),
                user_id: format!("configured:{role}"),
                kind: PrincipalKind::AssumedRole {
                    role_arn: Arn::global("iam", account, format!("role/{role}")),
                    role_id: format!("configured:{role}"),
                    session_name: "configured".to_owned(),
                },
            }),
            _ => None,
        }
    }
}

/// Why there is no root key.
#[derive(Debug, thiserror::Error)]
pub enum RootKeyError {
    /// The file cannot be read or made.
    #[error("{path}: {source}")]
    Io {
        /// The key's file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a root key.
    #[error("{path} holds no root key: {source}")]
    Damaged {
        /// The key's file.
        path: String,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// The root key's file, which `pilvi env` reads.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RootKey {
    /// `AKIA…`
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
    /// The account whose root it is.
    pub account: AccountId,
}

impl std::fmt::Debug for RootKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RootKey({} ***)", self.access_key_id)
    }
}

impl RootKey {
    /// Reads the key at `path`; the first time makes one for `account`, readable by its owner only.
    pub fn open_or_create(path: &Path, account: AccountId, rng: &dyn Rng) -> Result<Self, RootKeyError> {
        let shown = || path.display().to_string();
        match std::fs::read(path) {
            Ok(text) => {
                serde_json::from_slice(&text).map_err(|source| RootKeyError::Damaged { path: shown(), source })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = Self {
                    access_key_id: base::ids::iam(rng, "AKIA"),
                    secret_access_key: base::ids::secret_access_key(rng),
                    account,
                };
                let text = serde_json::to_vec_pretty(&key).expect("three strings always become JSON");
                create_private(path, &text).map_err(|source| RootKeyError::Io { path: shown(), source })?;
                Ok(key)
            }
            Err(source) => Err(RootKeyError::Io { path: shown(), source }),
        }
    }

    /// The key as one that may sign.
    pub fn as_fixed(&self) -> FixedKey {
        FixedKey {
            access_key_id: self.access_key_id.clone(),
            secret: SecretAccessKey::new(self.secret_access_key.as_str()),
            principal: Principal::root(self.account),
        }
    }
}
