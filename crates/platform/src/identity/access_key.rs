//! Long-lived access keys of users.

use base::{Principal, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Record, SecondaryKey, Store, StoreError};
use wire::sigv4::SecretAccessKey;

use crate::{Keyring, Platform};

const PURPOSE: &str = "access-key";

/// Whether a key may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyStatus {
    /// It may.
    Active,
    /// It is refused as if it did not exist.
    Inactive,
}

/// A stored access key. Its id is the access key id, in [`store::Scope::system`]: a signature names the key before
/// anybody knows the account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessKey {
    /// `AKIA…`
    pub id: String,
    /// The secret, sealed.
    pub sealed_secret: Vec<u8>,
    /// Whose key it is.
    pub principal: Principal,
    /// Whether it may sign.
    pub status: KeyStatus,
    /// When it was made.
    pub created: Timestamp,
}

impl AccessKey {
    /// The index by owner.
    pub const BY_PRINCIPAL: &'static str = "principal";

    /// The secret; nothing when the record was sealed by another installation.
    pub fn secret(&self, keyring: &Keyring) -> Option<SecretAccessKey> {
        let plain = keyring.open(&purpose(&self.id), &self.sealed_secret)?;
        std::str::from_utf8(&plain).ok().map(SecretAccessKey::new)
    }
}

impl Record for AccessKey {
    const SERVICE: &'static str = "identity";
    const KIND: &'static str = "access-key";

    fn secondary_keys(&self) -> Vec<SecondaryKey> {
        vec![SecondaryKey::new(Self::BY_PRINCIPAL, self.principal.user_id.clone())]
    }
}

/// A key that was just made: the only time that its secret is shown.
#[derive(Debug)]
pub struct NewAccessKey {
    /// What is stored.
    pub record: AccessKey,
    /// The secret.
    pub secret: SecretAccessKey,
}

/// Makes a key; the caller stores the record in its own transaction.
pub fn new_access_key(platform: &Platform, principal: Principal, now: Timestamp) -> NewAccessKey {
    let id = base::ids::iam(&*platform.rng, "AKIA");
    let secret = base::ids::secret_access_key(&*platform.rng);
    let sealed_secret = platform.keyring.seal(&purpose(&id), secret.as_bytes());
    let record = AccessKey { id, sealed_secret, principal, status: KeyStatus::Active, created: now };
    NewAccessKey { record, secret: SecretAccessKey::new(secret.as_str()) }
}

/// The keys of one principal, by its unique id (`AIDA…`), which outlives a rename. At most `limit`.
pub async fn keys_of(
    store: &Store,
    user_id: &str,
    limit: usize,
) -> Result<Vec<store::Versioned<AccessKey>>, StoreError> {
    let page =
        store.list_by::<AccessKey>(&store::Scope::system(), AccessKey::BY_PRINCIPAL, user_id, None, limit).await?;
    Ok(page.items)
}

fn purpose(id: &str) -> String {
    format!("{PURPOSE}/{id}")
}
