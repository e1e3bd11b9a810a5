//! The key that secrets in the store are sealed with. It lies beside the state and not in it: a copy of the database
//! alone opens nothing.

use anyhow::{Context, Result, bail};
use base::Rng;
use serde::{Deserialize, Serialize};

use crate::config::Secret;
use crate::data_dir::{DataDir, make_private_dir};
use crate::records;

/// 256 bits.
pub(crate) const SEALING_KEY_BYTES: usize = 32;

/// `keys/sealing.json`: the key in hexadecimal.
#[derive(Serialize, Deserialize)]
struct SealingKey {
    key: Secret,
}

/// The sealing key of a data directory; the first start makes it, before there is any state.
///
/// # Errors
/// When it cannot be read or written, or is missing although there is state that only it can open.
pub(crate) fn load_or_make(dir: &DataDir, rng: &dyn Rng) -> Result<[u8; SEALING_KEY_BYTES]> {
    let path = dir.sealing_key();
    if let Some(SealingKey { key }) = records::read(&path).context("the sealing key is unreadable")? {
        let mut bytes = [0; SEALING_KEY_BYTES];
        let decoded = hex::decode_to_slice(key.reveal(), &mut bytes);
        // The reader's own message would quote the key.
        return decoded.ok().map(|()| bytes).with_context(|| format!("{} is damaged", path.display()));
    }
    if dir.state().exists() {
        bail!(
            "{} is missing, and without it the secrets in {} cannot be opened: put it back from a backup",
            path.display(),
            dir.state().display()
        );
    }
    let mut bytes = [0; SEALING_KEY_BYTES];
    rng.fill(&mut bytes);
    make_private_dir(&dir.keys())?;
    records::write(&path, &SealingKey { key: Secret::new(hex::encode(bytes)) })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use base::SeededRng;

    use super::*;

    #[test]
    fn the_first_start_makes_a_key_and_later_ones_keep_it() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::at(temp.path());
        let made = load_or_make(&dir, &SeededRng::new(1)).unwrap();
        std::fs::create_dir(dir.state()).unwrap();
        assert_eq!(load_or_make(&dir, &SeededRng::new(2)).unwrap(), made);
    }

    #[test]
    fn a_key_that_is_lost_is_not_replaced_by_another() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::at(temp.path());
        load_or_make(&dir, &SeededRng::new(1)).unwrap();
        std::fs::create_dir(dir.state()).unwrap();
        std::fs::remove_file(dir.sealing_key()).unwrap();
        let refused = load_or_make(&dir, &SeededRng::new(2)).unwrap_err().to_string();
        assert!(refused.contains("from a backup") && !dir.sealing_key().exists(), "{refused}");
    }

    #[test]
    fn a_damaged_key_is_told_without_showing_it() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::at(temp.path());
        make_private_dir(&dir.keys()).unwrap();
        std::fs::write(dir.sealing_key(), "{\"key\":\"00ffqq\"}").unwrap();
        let refused = format!("{:#}", load_or_make(&dir, &SeededRng::new(1)).unwrap_err());
        assert!(refused.contains("damaged") && !refused.contains("00ff"), "{refused}");
    }
}
