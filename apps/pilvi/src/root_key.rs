//! The root key: the access key of the account itself, which the first start makes.

use anyhow::{Context, Result, bail};
use base::{AccountId, Rng, ids};
use serde::{Deserialize, Serialize};

use crate::config::Secret;
use crate::data_dir::{DataDir, make_private_dir};
use crate::records;

/// `keys/root.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RootKey {
    /// `AKIA…`
    pub(crate) access_key_id: String,
    /// 40 characters.
    pub(crate) secret_access_key: Secret,
    /// The account that the key is the root of.
    pub(crate) account: AccountId,
}

impl RootKey {
    /// The root key of a data directory; the first call makes it.
    ///
    /// # Errors
    /// When the directory's key belongs to another account than the one that is asked for, or cannot be read or written.
    pub(crate) fn load_or_make(dir: &DataDir, account: AccountId, rng: &dyn Rng) -> Result<Self> {
        if let Some(key) = Self::load(dir)? {
            if key.account != account {
                bail!(
                    "{} was made for account {}, and {account} is configured: the root key's account cannot change \
                     (further accounts get [[access_key]] entries)",
                    dir.path().display(),
                    key.account
                );
            }
            return Ok(key);
        }
        let key = Self {
            access_key_id: ids::iam(rng, "AKIA"),
            secret_access_key: Secret::new(ids::secret_access_key(rng)),
            account,
        };
        make_private_dir(&dir.keys())?;
        records::write(&dir.root_key(), &key)?;
        Ok(key)
    }

    /// The root key of a data directory; `None` before the first start.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn load(dir: &DataDir) -> Result<Option<Self>> {
        records::read(&dir.root_key()).context("the root key is unreadable")
    }
}

#[cfg(test)]
mod tests {
    use base::SeededRng;

    use super::*;

    #[test]
    fn the_first_start_makes_a_key_and_later_ones_keep_it() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::at(temp.path());
        assert_eq!(RootKey::load(&dir).unwrap(), None);
        let made = RootKey::load_or_make(&dir, AccountId::DEFAULT, &SeededRng::new(1)).unwrap();
        let kept = RootKey::load_or_make(&dir, AccountId::DEFAULT, &SeededRng::new(2)).unwrap();
        assert_eq!(made, kept);
        assert!(made.access_key_id.starts_with("AKIA") && made.secret_access_key.reveal().len() == 40);
        assert!(!format!("{made:?}").contains(made.secret_access_key.reveal()));
    }

    #[test]
    fn a_directory_keeps_its_account() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::at(temp.path());
        RootKey::load_or_make(&dir, AccountId::DEFAULT, &SeededRng::new(1)).unwrap();
        let other = RootKey::load_or_make(&dir, "111122223333".parse().unwrap(), &SeededRng::new(2));
        assert!(other.unwrap_err().to_string().contains("cannot change"));
    }
}
