//! A role's trust policy, which has to allow whatever is done to open a session of it.

use std::sync::Arc;

use platform::Facts;
use platform::ports::RoleView;
use policy::{Policy, Purpose};

use crate::role::NamedRole;

const NAME: &str = "trust policy";

/// What is known of a role to whoever decides about it. A role that is not there trusts nobody.
pub(crate) fn facts(role: &NamedRole) -> Facts {
    let tags = role.found.as_ref().map(|found| found.tags.clone()).unwrap_or_default();
    Facts {
        owner: Some(role.account),
        keys: tags.iter().map(|(key, value)| (format!("iam:ResourceTag/{key}"), value.clone())).collect(),
        tags,
        policy: Some(Arc::new(role.found.as_ref().map_or_else(|| Policy::nothing(NAME), policy))),
        policy_must_allow: true,
        ..Facts::default()
    }
}

/// A role's trust policy, ready. It was checked when it was written; one that cannot be read any more trusts nobody.
pub(crate) fn policy(role: &RoleView) -> Policy {
    match policy::parse(&role.trust_policy, Purpose::PinnedTrust) {
        Ok(document) => Policy::new(NAME, document),
        Err(_) => Policy::nothing(NAME),
    }
}
