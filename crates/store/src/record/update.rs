//! Read, modify, commit.

use super::envelope::encode;
use super::{Record, Scope, Tx, Versioned, record_key};
use crate::{Store, StoreError};

/// How often an update is tried before its conflict is reported. Each attempt starts from a fresh read, so only as many
/// other writers as this can come between.
const UPDATE_ATTEMPTS_MAX: u32 = 32;

impl Store {
    /// Reads a record, lets `modify` change it, and commits the change if nobody else was faster; otherwise once more
    /// from the beginning, so `modify` must be free of other effects. What it leaves unchanged is not written. Answers
    /// the record as it now is.
    ///
    /// # Errors
    /// What `modify` answers; [`StoreError::NotFound`] if there is no such record; [`StoreError::Conflict`] if others
    /// were faster too often.
    pub async fn update<R: Record, E: From<StoreError>>(
        &self,
        scope: &Scope,
        id: &[&str],
        mut modify: impl FnMut(&mut R) -> Result<(), E>,
    ) -> Result<Versioned<R>, E> {
        let key = record_key::<R>(scope, id);
        for attempt in 1.. {
            let entry = self.get(&key).await?.ok_or_else(|| StoreError::NotFound { key: key.clone() })?;
            let mut record = super::envelope::decode::<R>(&entry)?;
            modify(&mut record.value)?;
            let (value, secondary) = encode(&key, &record.value)?;
            if value == entry.value {
                return Ok(record);
            }
            let mut tx = Tx::new();
            tx.require(&record);
            tx.put_encoded::<R>(scope, key.clone(), value, &secondary, record.lease, &record.secondary);
            match self.commit(tx).await {
                Ok(revision) => {
                    return Ok(Versioned { modified: revision, version: record.version + 1, secondary, ..record });
                }
                // Only the record's own guard is worth a second try: a unique value that is taken stays taken.
                Err(StoreError::Conflict { key: met }) if met == key && attempt < UPDATE_ATTEMPTS_MAX => {}
                Err(error) => return Err(error.into()),
            }
        }
        unreachable!("the last attempt returns")
    }
}
