//! Users.

use base::{AccountId, Arn, Principal, PrincipalKind};
use serde::{Deserialize, Serialize};
use store::{Record, SecondaryKey};

use crate::api;
use crate::attachment::{HeldPolicies, PolicyHolder};
use crate::entity::{Entity, Identity, Noun};
use crate::limits::USER_INLINE_SIZE_MAX;
use crate::tag::present;

/// The index by unique id, by which a session finds its user whatever the name is now.
pub(crate) const BY_ID: &str = "id";
/// The index by the unique ids of the groups that a user is in.
pub(crate) const BY_GROUP: &str = "group";

/// A user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    pub(crate) identity: Identity,
    pub(crate) held: HeldPolicies,
    /// The ids of its access keys; the keys themselves belong to the platform's identity records.
    pub(crate) access_keys: Vec<String>,
    /// The unique ids of the groups that it is in.
    #[serde(default)]
    pub(crate) groups: Vec<String>,
}

impl Record for User {
    const SERVICE: &'static str = crate::entity::SERVICE;
    const KIND: &'static str = "user";

    fn secondary_keys(&self) -> Vec<SecondaryKey> {
        let mut keys = self.held.secondary_keys();
        keys.push(SecondaryKey::unique(BY_ID, self.identity.id.clone()));
        keys.extend(self.groups.iter().map(|group| SecondaryKey::new(BY_GROUP, group.clone())));
        keys
    }
}

impl Entity for User {
    const NOUN: Noun = Noun::User;

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn identity_mut(&mut self) -> &mut Identity {
        &mut self.identity
    }
}

impl PolicyHolder for User {
    const INLINE_SIZE_MAX: usize = USER_INLINE_SIZE_MAX;
    const ATTACHED_QUOTA: &'static str = "PoliciesPerUser";

    fn held(&self) -> &HeldPolicies {
        &self.held
    }

    fn held_mut(&mut self) -> &mut HeldPolicies {
        &mut self.held
    }
}

impl User {
    /// As ListUsers answers it: without tags and permissions boundary.
    pub(crate) fn listed(&self, account: AccountId) -> api::User {
        api::User {
            arn: self.arn(account).to_string(),
            create_date: self.identity.created,
            path: self.identity.path.clone(),
            user_id: self.identity.id.clone(),
            user_name: self.identity.name.clone(),
            ..api::User::default()
        }
    }

    /// As CreateUser and GetUser answer it.
    pub(crate) fn described(&self, account: AccountId) -> api::User {
        api::User {
            tags: present(&self.identity.tags),
            permissions_boundary: self.held.boundary_view(),
            ..self.listed(account)
        }
    }

    /// Whom the user's keys sign for.
    pub(crate) fn principal(&self, account: AccountId) -> Principal {
        Principal {
            account,
            arn: self.arn(account),
            user_id: self.identity.id.clone(),
            kind: PrincipalKind::User { name: self.identity.name.clone() },
        }
    }

    fn arn(&self, account: AccountId) -> Arn {
        self.identity.arn(Noun::User, account)
    }
}
