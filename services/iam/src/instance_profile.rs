//! Instance profiles: a role under a name that instances are started with.

use base::AccountId;
use platform::ports::InstanceProfileDirectory;
use platform::{BoxFuture, Ctx};
use serde::{Deserialize, Serialize};
use store::{Record, Scope, StoreError};

use crate::api;
use crate::entity::{Entity, Identity, Noun};
use crate::names::folded;
use crate::role::Role;
use crate::{Error, Iam};

/// An instance profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InstanceProfile {
    pub(crate) identity: Identity,
    /// The name of the role that is in it.
    pub(crate) role: Option<String>,
}

impl Record for InstanceProfile {
    const SERVICE: &'static str = crate::entity::SERVICE;
    const KIND: &'static str = "instance-profile";
}

impl Entity for InstanceProfile {
    const NOUN: Noun = Noun::InstanceProfile;

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn identity_mut(&mut self) -> &mut Identity {
        &mut self.identity
    }
}

impl InstanceProfile {
    /// Whether the role called `name` is in it.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.role.as_deref().is_some_and(|role| folded(role) == folded(name))
    }

    /// As the API answers it, without tags.
    pub(crate) fn view(&self, account: AccountId, role: Option<&Role>) -> api::InstanceProfile {
        api::InstanceProfile {
            arn: self.identity.arn(Noun::InstanceProfile, account).to_string(),
            create_date: self.identity.created,
            instance_profile_id: self.identity.id.clone(),
            instance_profile_name: self.identity.name.clone(),
            path: self.identity.path.clone(),
            roles: role.map(|role| role.embedded(account)).into_iter().collect(),
            tags: None,
        }
    }
}

impl InstanceProfileDirectory for Iam {
    fn role_of<'a>(&'a self, account: AccountId, arn: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        Box::pin(async move {
            let scope = Scope::global(account);
            let name = folded(arn.rsplit('/').next().unwrap_or_default());
            let profile = self.platform.store.read::<InstanceProfile>(&scope, &[&name]).await?;
            let is_meant =
                |profile: &InstanceProfile| profile.identity.arn(Noun::InstanceProfile, account).to_string() == arn;
            let profile = profile.filter(|profile| is_meant(profile));
            let Some(name) = profile.and_then(|profile| profile.value.role) else { return Ok(None) };
            let role = self.platform.store.read::<Role>(&scope, &[&folded(&name)]).await?;
            Ok(role.map(|role| role.identity.arn(Noun::Role, account).to_string()))
        })
    }
}

impl Iam {
    /// An instance profile as the API answers it, its role included.
    pub(crate) async fn instance_profile_view(
        &self,
        ctx: &Ctx,
        profile: &InstanceProfile,
    ) -> Result<api::InstanceProfile, Error> {
        let role = match &profile.role {
            Some(name) => self.platform.store.read::<Role>(&ctx.global_scope(), &[&folded(name)]).await?,
            None => None,
        };
        Ok(profile.view(ctx.account(), role.as_deref()))
    }
    /// Instance profiles as the API answers them.
    pub(crate) async fn instance_profile_views(
        &self,
        ctx: &Ctx,
        profiles: &[InstanceProfile],
    ) -> Result<Vec<api::InstanceProfile>, Error> {
        let mut views = Vec::with_capacity(profiles.len());
        for profile in profiles {
            views.push(self.instance_profile_view(ctx, profile).await?);
        }
        Ok(views)
    }
}
