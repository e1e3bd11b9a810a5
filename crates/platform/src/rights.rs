//! What a caller may do: the policies that bear on whoever signed.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{Principal, PrincipalKind};
use policy::{IdentityPolicies, Policy, Purpose};
use store::StoreError;

use crate::identity::Caller;
use crate::ports::PolicyDirectory;

/// A caller's policies, as they are when the request comes in.
#[derive(Debug, Clone, Default)]
pub struct Rights {
    /// None for an account's root, which may do everything in its account.
    pub(crate) identity: Option<Arc<IdentityPolicies>>,
    /// Those that narrow the session.
    pub(crate) session: Vec<Arc<Policy>>,
    /// The caller's tags: the user's or role's own, and over them the session's.
    pub(crate) tags: Arc<BTreeMap<String, String>>,
}

impl Rights {
    /// Those of a caller without any policy.
    pub fn of_nobody(principal: &Principal) -> Self {
        let identity = (!principal.is_root()).then(Arc::default);
        Self { identity, ..Self::default() }
    }

    /// Those of a caller with these policies; for tests and internal calls.
    pub fn of_policies(identity: IdentityPolicies) -> Self {
        Self { identity: Some(Arc::new(identity)), ..Self::default() }
    }

    /// Looks up what bears on `caller`.
    ///
    /// # Errors
    /// What the store answers.
    pub async fn of(directory: &dyn PolicyDirectory, caller: &Caller) -> Result<Self, StoreError> {
        let principal = &caller.principal;
        let identity = match principal.kind {
            PrincipalKind::Root => None,
            PrincipalKind::Anonymous => return Ok(Self::of_nobody(principal)),
            _ => Some(directory.identity_policies(principal).await?),
        };
        let mut tags = match principal.kind {
            PrincipalKind::Root => Arc::default(),
            _ => directory.principal_tags(principal).await?,
        };
        let mut session = Vec::new();
        if let Some(opened) = &caller.session {
            if let Some(text) = &opened.session_policy {
                session.push(Arc::new(inline_session_policy(text)));
            }
            for arn in &opened.policy_arns {
                // A policy that is gone allows nothing, but it still narrows.
                let found = directory.managed_policy(principal.account, arn).await?;
                session.push(found.unwrap_or_else(|| Arc::new(Policy::nothing(arn.as_str()))));
            }
            if !opened.tags.is_empty() {
                tags = Arc::new(tags_over(&tags, &opened.tags));
            }
        }
        Ok(Self { identity, session, tags })
    }
}

/// A session's tags over those of its user or role. Keys that differ only in case are one: condition keys are compared
/// without regard to it.
fn tags_over(own: &BTreeMap<String, String>, session: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let is_covered = |key: &String| session.keys().any(|over| over.to_lowercase() == key.to_lowercase());
    let rest = own.iter().filter(|(key, _)| !is_covered(key));
    rest.chain(session).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The policy that a session carries. It was checked when the session was opened; one that cannot be read any more
/// allows nothing.
fn inline_session_policy(text: &str) -> Policy {
    const NAME: &str = "session policy";
    match policy::parse(text, Purpose::Session) {
        Ok(document) => Policy::new(NAME, document),
        Err(_) => Policy::nothing(NAME),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sessions_tags_cover_those_of_its_role_whatever_their_case() {
        let tags = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let own = tags(&[("team", "own"), ("Stage", "test")]);
        let covered = tags_over(&own, &tags(&[("Team", "session")]));
        assert_eq!(covered, tags(&[("Stage", "test"), ("Team", "session")]));
    }
}
