//! What an account has used up of its quotas in a region: one record, changed in each transaction that uses or frees some.

use serde::{Deserialize, Serialize};
use store::{Record, Scope, Tx, Versioned};

use crate::limits::{CODE_BYTES_MAX, CONCURRENT_EXECUTIONS_MAX, UNRESERVED_EXECUTIONS_MIN};
use crate::{Error, Lambda};

/// The id of the one record.
const ID: &str = "usage";

/// What is used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Usage {
    /// How many functions there are.
    pub functions: u64,
    /// What the code of all versions and layers has, in bytes.
    pub code_bytes: u64,
    /// How many executions functions have for themselves.
    pub claimed: u32,
}

impl Record for Usage {
    const SERVICE: &'static str = "lambda";
    const KIND: &'static str = "usage";
}

/// The record, to be changed.
#[derive(Debug)]
pub(crate) struct Read {
    before: Option<Versioned<Usage>>,
    /// What it is to be.
    pub(crate) now: Usage,
    scope: Scope,
}

/// How many executions functions of an account have for themselves.
///
/// # Errors
/// The store's.
pub(crate) async fn claimed(store: &store::Store, scope: &Scope) -> Result<u32, store::StoreError> {
    Ok(store.read::<Usage>(scope, &[ID]).await?.map_or(0, |usage| usage.claimed))
}

/// Reads what is used up.
pub(crate) async fn read(lambda: &Lambda, scope: &Scope) -> Result<Read, Error> {
    let before = lambda.platform.store.read::<Usage>(scope, &[ID]).await?;
    let now = before.as_ref().map(|usage| usage.value).unwrap_or_default();
    Ok(Read { before, now, scope: scope.clone() })
}

impl Read {
    /// Uses up room for code.
    ///
    /// # Errors
    /// [`Error::CodeStorageExceeded`]
    pub(crate) fn take_code(&mut self, bytes: u64) -> Result<(), Error> {
        let code_bytes = self.now.code_bytes.saturating_add(bytes);
        if bytes > 0 && code_bytes > CODE_BYTES_MAX {
            return Err(Error::CodeStorageExceeded);
        }
        self.now.code_bytes = code_bytes;
        Ok(())
    }

    /// Frees room for code.
    pub(crate) fn free_code(&mut self, bytes: u64) {
        self.now.code_bytes = self.now.code_bytes.saturating_sub(bytes);
    }

    /// Executions that a function claims instead of those that it did.
    ///
    /// # Errors
    /// [`Error::Parameter`] if too few were left for all others.
    pub(crate) fn claim(&mut self, before: u32, now: u32, named: &str) -> Result<(), Error> {
        let claimed = self.now.claimed.saturating_sub(before).saturating_add(now);
        if now > before && claimed > CONCURRENT_EXECUTIONS_MAX - UNRESERVED_EXECUTIONS_MIN {
            return Err(Error::Parameter(format!(
                "Specified {named} for function decreases account's UnreservedConcurrentExecution below its minimum value of \
                 [{UNRESERVED_EXECUTIONS_MIN}]."
            )));
        }
        self.now.claimed = claimed;
        Ok(())
    }

    /// Writes it, if it is another than it was.
    pub(crate) fn write(self, tx: &mut Tx) {
        match self.before {
            Some(before) if before.value == self.now => {}
            Some(before) => {
                tx.replace(&before, &self.now);
            }
            None => {
                tx.insert(&self.scope, &[ID], &self.now);
            }
        }
    }
}

impl Usage {
    /// How many executions nobody has for himself.
    pub fn unclaimed(&self) -> u32 {
        CONCURRENT_EXECUTIONS_MAX.saturating_sub(self.claimed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(now: Usage) -> Read {
        Read { before: None, now, scope: Scope::system() }
    }

    #[test]
    fn a_hundred_executions_stay_for_everybody() {
        let mut usage = used(Usage { claimed: 500, ..Usage::default() });
        usage.claim(0, 400, "X").unwrap();
        assert!(usage.claim(0, 1, "X").is_err());
        usage.claim(400, 300, "X").unwrap();
        assert_eq!((usage.now.claimed, usage.now.unclaimed()), (800, 200));
    }

    #[test]
    fn what_is_freed_can_be_used_again() {
        let mut usage = used(Usage { code_bytes: CODE_BYTES_MAX, ..Usage::default() });
        assert!(matches!(usage.take_code(1), Err(Error::CodeStorageExceeded)));
        usage.take_code(0).unwrap();
        usage.free_code(5);
        usage.take_code(5).unwrap();
    }
}
