//! Groups: users that share policies.
//!
//! A user's record names the groups that it is in, by their unique ids; a group's counts its users, so that whoever
//! deletes the group and whoever joins it cannot both win.

use base::AccountId;
use serde::{Deserialize, Serialize};
use store::{Record, Scope, SecondaryKey, StoreError};

use crate::Iam;
use crate::api;
use crate::attachment::{HeldPolicies, PolicyHolder};
use crate::entity::{Entity, Identity, Noun};
use crate::limits::GROUP_INLINE_SIZE_MAX;
use crate::user::{BY_ID, User};

/// A group. It has no tags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Group {
    pub(crate) identity: Identity,
    pub(crate) held: HeldPolicies,
    /// How many users are in it.
    pub(crate) users: u32,
}

impl Record for Group {
    const SERVICE: &'static str = crate::entity::SERVICE;
    const KIND: &'static str = "group";

    fn secondary_keys(&self) -> Vec<SecondaryKey> {
        let mut keys = self.held.secondary_keys();
        keys.push(SecondaryKey::unique(BY_ID, self.identity.id.clone()));
        keys
    }
}

impl Entity for Group {
    const NOUN: Noun = Noun::Group;

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn identity_mut(&mut self) -> &mut Identity {
        &mut self.identity
    }
}

impl PolicyHolder for Group {
    const INLINE_SIZE_MAX: usize = GROUP_INLINE_SIZE_MAX;
    const ATTACHED_QUOTA: &'static str = "PoliciesPerGroup";

    fn held(&self) -> &HeldPolicies {
        &self.held
    }

    fn held_mut(&mut self) -> &mut HeldPolicies {
        &mut self.held
    }
}

impl Iam {
    /// The groups that a user is in.
    pub(crate) async fn groups_of(&self, account: AccountId, user: &User) -> Result<Vec<Group>, StoreError> {
        let mut groups = Vec::with_capacity(user.groups.len());
        for id in &user.groups {
            let found = self.platform.store.find_by::<Group>(&Scope::global(account), BY_ID, id).await?;
            groups.extend(found.map(|group| group.value));
        }
        Ok(groups)
    }
}

impl Group {
    /// As the API answers it.
    pub(crate) fn view(&self, account: AccountId) -> api::Group {
        api::Group {
            arn: self.identity.arn(Noun::Group, account).to_string(),
            create_date: self.identity.created,
            group_id: self.identity.id.clone(),
            group_name: self.identity.name.clone(),
            path: self.identity.path.clone(),
        }
    }
}
