//! Account aliases: a name that an account has instead of its number, taken once in the whole installation.

use base::AccountId;
use serde::{Deserialize, Serialize};
use store::Record;

/// The alias of an account; it has one or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct AccountAlias(pub(crate) String);

/// The id of the one record that an account has.
pub(crate) const ONLY: &str = "alias";

impl Record for AccountAlias {
    const SERVICE: &'static str = crate::entity::SERVICE;
    const KIND: &'static str = "account-alias";
}

/// Whose an alias is. It belongs to the installation; its id is the alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct AliasOwner(pub(crate) AccountId);

impl Record for AliasOwner {
    const SERVICE: &'static str = crate::entity::SERVICE;
    const KIND: &'static str = "alias-owner";
}
