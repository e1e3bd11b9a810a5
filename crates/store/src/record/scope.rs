//! Whose records, and where.

use base::{AccountId, Region};

use crate::Key;

/// An account and a region: what AWS keeps apart, the store keeps apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    owner: Option<AccountId>,
    region: Option<Region>,
}

/// Stands for an account or region where there is none; neither can have this name.
const NONE: &str = "_";

impl Scope {
    /// An account's resources in a region.
    pub fn new(account: AccountId, region: Region) -> Self {
        Self { owner: Some(account), region: Some(region) }
    }

    /// An account's resources that no region has: IAM's.
    pub fn global(account: AccountId) -> Self {
        Self::new(account, Region::global())
    }

    /// What belongs to the installation and to no account: nodes, access keys.
    pub fn system() -> Self {
        Self { owner: None, region: None }
    }

    /// The account; none for [`Scope::system`].
    pub fn account(&self) -> Option<AccountId> {
        self.owner
    }

    /// The region; none for [`Scope::system`].
    pub fn region(&self) -> Option<&Region> {
        self.region.as_ref()
    }

    /// The key below which everything of this scope lies.
    pub fn key(&self) -> Key {
        let account = self.owner.as_ref().map_or(NONE, AccountId::as_str);
        Key::new([account, self.region.as_ref().map_or(NONE, Region::as_str)])
    }

    /// The scope that a key's first two segments name.
    pub(crate) fn of(key: &Key) -> Option<Self> {
        let mut segments = key.segments();
        let (account, region) = (segments.next()?, segments.next()?);
        let owner = if account == NONE { None } else { Some(account.parse().ok()?) };
        let region = if region == NONE { None } else { Some(region.parse().ok()?) };
        Some(Self { owner, region })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_back_from_its_keys() {
        for scope in
            [Scope::new(AccountId::DEFAULT, Region::default()), Scope::system(), Scope::global(AccountId::DEFAULT)]
        {
            assert_eq!(Scope::of(&scope.key().child("ecs").child("task").child("a")), Some(scope));
        }
    }
}
