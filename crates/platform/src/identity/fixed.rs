//! Keys that are not in the store: the root key, which the first start makes, and those that the configuration names.

use base::{AccountId, Arn, Principal, PrincipalKind};
use wire::sigv4::SecretAccessKey;

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
    /// The IAM user that a configured key acts as; the user need not exist.
    pub fn user(account: AccountId, name: &str) -> Principal {
        Principal {
            account,
            arn: Arn::global("iam", account, format!("user/{name}")),
            user_id: format!("configured:{name}"),
            kind: PrincipalKind::User { name: name.to_owned() },
        }
    }

    /// The session of an IAM role that a configured key acts as; the role need not exist.
    pub fn role(account: AccountId, name: &str) -> Principal {
        Principal {
            account,
            arn: Arn::global("sts", account, format!("assumed-role/{name}/configured")),
            user_id: format!("configured:{name}"),
            kind: PrincipalKind::AssumedRole {
                role_arn: Arn::global("iam", account, format!("role/{name}")),
                role_id: format!("configured:{name}"),
                session_name: "configured".to_owned(),
            },
        }
    }
}
