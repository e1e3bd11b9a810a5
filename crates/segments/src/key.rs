//! The name of a group.

use std::fmt;

use base::{AccountId, Region};

use crate::Error;

/// A group of streams: account, region, and an id that whoever makes the group chooses once and never again, so that a
/// group that is deleted and made anew shares nothing with the first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey(String);

impl GroupKey {
    /// The longest id, in bytes.
    pub const ID_LENGTH_MAX: usize = 128;

    /// The key of a group.
    ///
    /// # Errors
    /// [`Error::InvalidGroup`] if the id is not of 1 to 128 ASCII letters, digits, `-` and `_`.
    pub fn new(account: AccountId, region: &Region, id: &str) -> Result<Self, Error> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if (1..=Self::ID_LENGTH_MAX).contains(&id.len()) && id.bytes().all(allowed) {
            Ok(Self(format!("{account}/{}/{id}", region.as_str())))
        } else {
            Err(Error::InvalidGroup(id.chars().take(Self::ID_LENGTH_MAX).collect()))
        }
    }

    /// `<account>/<region>/<id>`, which is also the group's folder.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The account.
    pub(crate) fn account(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The key that a folder's path names; none if it is no group's.
    pub(crate) fn from_path(account: &str, region: &str, id: &str) -> Option<Self> {
        Self::new(account.parse().ok()?, &region.parse().ok()?, id).ok()
    }
}

impl fmt::Display for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
