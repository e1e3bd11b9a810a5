//! When a key was last used. Kept in memory and written now and then.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base::{PrincipalKind, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Record, Scope, Store, StoreError, Tx};

use crate::Ctx;

/// The keys whose use is remembered between two flushes; further ones wait for the next use.
const NOTED_MAX: usize = 10_000;

/// The last use of an access key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyUse {
    /// When, to the minute or so.
    pub at: Timestamp,
    /// The service that was called.
    pub service: String,
    /// The region that was called.
    pub region: String,
}

impl Record for KeyUse {
    const SERVICE: &'static str = "identity";
    const KIND: &'static str = "access-key-use";
}

#[derive(Default)]
pub(super) struct Uses {
    noted: Mutex<HashMap<String, KeyUse>>,
}

impl Uses {
    pub(super) fn note(&self, ctx: &Ctx, service: &str) {
        // Only users' keys are asked about; a root's or a session's use is not kept.
        if !matches!(ctx.principal.kind, PrincipalKind::User { .. }) {
            return;
        }
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() < NOTED_MAX || noted.contains_key(&ctx.access_key_id) {
            let last = KeyUse { at: ctx.now, service: service.to_owned(), region: ctx.region.to_string() };
            noted.insert(ctx.access_key_id.clone(), last);
        }
    }

    pub(super) async fn last(&self, store: &Store, access_key_id: &str) -> Result<Option<KeyUse>, StoreError> {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner).get(access_key_id).cloned();
        match noted {
            Some(last) => Ok(Some(last)),
            None => Ok(store.read::<KeyUse>(&Scope::system(), &[access_key_id]).await?.map(|record| record.value)),
        }
    }

    pub(super) async fn flush(&self, store: &Store) -> Result<(), StoreError> {
        let noted = std::mem::take(&mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner));
        for (id, last) in noted {
            let before = store.read::<KeyUse>(&Scope::system(), &[&id]).await?;
            let mut tx = Tx::new();
            match &before {
                Some(before) => tx.replace(before, &last),
                None => tx.insert(&Scope::system(), &[&id], &last),
            };
            match store.commit(tx).await {
                Err(error) if !error.is_conflict() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}
