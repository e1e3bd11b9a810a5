//! What is known of keys besides their records: those that are not in the store, and when each was last used.

use base::{AccountId, Principal};
use store::{Scope, Store, StoreError};

use super::last_use::{KeyUse, Uses};
use super::{AccessKey, FixedKey};
use crate::Ctx;

/// The keys that are not in the store, and the last uses that are not there yet.
#[derive(Default)]
pub struct Keys {
    fixed: Vec<FixedKey>,
    uses: Uses,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({} fixed)", self.fixed.len())
    }
}

impl Keys {
    /// With these keys besides the stored ones: the root key and those that the configuration names.
    pub fn new(fixed: Vec<FixedKey>) -> Self {
        Self { fixed, uses: Uses::default() }
    }

    /// The key called `access_key_id`, if it is not a stored one.
    pub fn fixed(&self, access_key_id: &str) -> Option<&FixedKey> {
        self.fixed.iter().find(|key| key.access_key_id == access_key_id)
    }

    /// Whether any of the keys that are not stored is this principal's.
    pub fn has_owner(&self, principal: &Principal) -> bool {
        self.fixed.iter().any(|key| key.principal == *principal)
    }

    /// Notes when, where and for what the caller's key was used.
    pub fn note_use(&self, ctx: &Ctx, service: &str) {
        self.uses.note(ctx, service);
    }

    /// The last use of a key.
    pub async fn last_use(&self, store: &Store, access_key_id: &str) -> Result<Option<KeyUse>, StoreError> {
        self.uses.last(store, access_key_id).await
    }

    /// Writes noted uses to the store. Called now and then and when the server stops: a use is worth no disk write of
    /// its own.
    pub async fn flush_uses(&self, store: &Store) -> Result<(), StoreError> {
        self.uses.flush(store).await
    }

    /// The account that a key belongs to, for `sts get-access-key-info`. Temporary keys are not kept: none is found.
    pub async fn account_of(&self, store: &Store, access_key_id: &str) -> Result<Option<AccountId>, StoreError> {
        if let Some(key) = self.fixed(access_key_id) {
            return Ok(Some(key.principal.account));
        }
        let record = store.read::<AccessKey>(&Scope::system(), &[access_key_id]).await?;
        Ok(record.map(|record| record.principal.account))
    }
}
