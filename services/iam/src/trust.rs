//! Trust policies of roles.
//!
//! A user or role that a trust policy names is pinned by its unique id when the policy is written: one that is deleted
//! and made again under the same name is not trusted, as at AWS.

use base::{AccountId, Arn};
use serde::{Deserialize, Serialize};
use store::Scope;

use crate::entity::Entity;
use crate::limits::TRUST_POLICY_SIZE_MAX;
use crate::names::folded;
use crate::role::Role;
use crate::user::User;
use crate::{Error, Iam};
use policy::{Principals, Purpose, Select, TypedPrincipal};

/// Who may assume a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrustPolicy {
    /// As it was written.
    pub(crate) document: String,
    /// The same with users and roles by unique id; what decides.
    pub(crate) pinned: String,
}

impl Iam {
    /// Checks a trust policy and pins the principals that it names.
    pub(crate) async fn trust_policy(&self, document: String) -> Result<TrustPolicy, Error> {
        let mut pinned = policy::parse(&document, Purpose::Trust)?;
        if policy::counted_size(&document) > TRUST_POLICY_SIZE_MAX {
            return Err(Error::Quota { quota: "ACLSizePerRole", max: TRUST_POLICY_SIZE_MAX });
        }
        for statement in &mut pinned.statements {
            if let Some(Select::Only(Principals::Named(named))) = &mut statement.principals {
                for principal in named {
                    self.pin(principal).await?;
                }
            }
        }
        Ok(TrustPolicy { document, pinned: pinned.to_json().to_string() })
    }

    async fn pin(&self, principal: &mut TypedPrincipal) -> Result<(), Error> {
        let TypedPrincipal::Aws(text) = &*principal else { return Ok(()) };
        // What is no ARN is an account or `*`; neither has a unique id.
        let Ok(arn) = text.parse::<Arn>() else { return Ok(()) };
        let id = match arn.resource.split_once('/') {
            Some(("user", _)) => self.id_of::<User>(&arn).await?,
            Some(("role", _)) => self.id_of::<Role>(&arn).await?,
            Some(("assumed-role", role_and_session)) => self.session_id(&arn, role_and_session).await?,
            _ => return Ok(()),
        };
        let id = id.ok_or_else(|| principal.invalid())?;
        *principal = TypedPrincipal::Aws(id);
        Ok(())
    }

    async fn id_of<E: Entity>(&self, arn: &Arn) -> Result<Option<String>, Error> {
        let name = arn.resource.rsplit('/').next().unwrap_or_default();
        let Some((account, found)) = self.named_in::<E>(arn, name).await? else { return Ok(None) };
        let is_meant = found.identity().arn(E::NOUN, account) == *arn;
        Ok(is_meant.then(|| found.identity().id.clone()))
    }

    /// A session's user id: its role's unique id and its own name.
    async fn session_id(&self, arn: &Arn, role_and_session: &str) -> Result<Option<String>, Error> {
        let Some((role, session)) = role_and_session.split_once('/') else { return Ok(None) };
        let found = self.named_in::<Role>(arn, role).await?;
        let is_meant = |found: &Role| found.identity.name == role && !session.is_empty();
        Ok(found.filter(|(_, found)| is_meant(found)).map(|(_, found)| format!("{}:{session}", found.identity.id)))
    }

    async fn named_in<E: Entity>(&self, arn: &Arn, name: &str) -> Result<Option<(AccountId, E)>, Error> {
        let Ok(account) = arn.account.parse::<AccountId>() else { return Ok(None) };
        let found = self.platform.store.read::<E>(&Scope::global(account), &[&folded(name)]).await?;
        Ok(found.map(|found| (account, found.value)))
    }
}
