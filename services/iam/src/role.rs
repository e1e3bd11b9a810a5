//! Roles.

use std::collections::BTreeSet;

use base::AccountId;
use serde::{Deserialize, Serialize};
use store::{Record, SecondaryKey};

use crate::Error;
use crate::api;
use crate::attachment::{HeldPolicies, PolicyHolder};
use crate::entity::{Entity, Identity, Noun};
use crate::limits::ROLE_INLINE_SIZE_MAX;
use crate::names::SERVICE_LINKED_PATH;
use crate::tag::present;
use crate::trust::TrustPolicy;
use crate::url_encoding::url_encoded;

/// A role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Role {
    pub(crate) identity: Identity,
    pub(crate) held: HeldPolicies,
    pub(crate) trust: TrustPolicy,
    pub(crate) description: Option<String>,
    /// The longest session, in seconds.
    pub(crate) max_session_duration_s: u32,
    /// The folded names of the instance profiles that it is in.
    pub(crate) instance_profiles: BTreeSet<String>,
}

impl Record for Role {
    const SERVICE: &'static str = crate::entity::SERVICE;
    const KIND: &'static str = "role";

    fn secondary_keys(&self) -> Vec<SecondaryKey> {
        self.held.secondary_keys()
    }
}

impl Entity for Role {
    const NOUN: Noun = Noun::Role;

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn identity_mut(&mut self) -> &mut Identity {
        &mut self.identity
    }

    fn check_modifiable(&self) -> Result<(), Error> {
        if self.is_service_linked() {
            return Err(Error::ProtectedRole { name: self.identity.name.clone() });
        }
        Ok(())
    }
}

impl PolicyHolder for Role {
    const INLINE_SIZE_MAX: usize = ROLE_INLINE_SIZE_MAX;
    const ATTACHED_QUOTA: &'static str = "PoliciesPerRole";

    fn held(&self) -> &HeldPolicies {
        &self.held
    }

    fn held_mut(&mut self) -> &mut HeldPolicies {
        &mut self.held
    }
}

impl Role {
    /// Whether it is a service's own.
    pub(crate) fn is_service_linked(&self) -> bool {
        self.identity.path.starts_with(SERVICE_LINKED_PATH)
    }

    /// As an instance profile shows it: what was there from the beginning.
    pub(crate) fn embedded(&self, account: AccountId) -> api::Role {
        api::Role {
            arn: self.identity.arn(Noun::Role, account).to_string(),
            assume_role_policy_document: Some(url_encoded(&self.trust.document)),
            create_date: self.identity.created,
            path: self.identity.path.clone(),
            role_id: self.identity.id.clone(),
            role_name: self.identity.name.clone(),
            ..api::Role::default()
        }
    }

    /// As CreateRole answers it.
    pub(crate) fn created(&self, account: AccountId) -> api::Role {
        api::Role {
            tags: present(&self.identity.tags),
            permissions_boundary: self.held.boundary_view(),
            ..self.embedded(account)
        }
    }

    /// As ListRoles answers it.
    pub(crate) fn listed(&self, account: AccountId) -> api::Role {
        api::Role {
            description: self.description.clone(),
            max_session_duration: i32::try_from(self.max_session_duration_s).ok(),
            ..self.embedded(account)
        }
    }

    /// As GetRole answers it. When a role was last used is not noted, so it is told as never.
    pub(crate) fn described(&self, account: AccountId) -> api::Role {
        api::Role {
            tags: present(&self.identity.tags),
            permissions_boundary: self.held.boundary_view(),
            role_last_used: Some(api::RoleLastUsed::default()),
            ..self.listed(account)
        }
    }
}
