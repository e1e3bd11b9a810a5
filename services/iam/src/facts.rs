//! What is known of the entities that requests name: the true ARN, path and case included, and the tags.

use base::{AccountId, Arn, PrincipalKind};
use platform::{Asked, Ctx, Facts};
use store::Scope;

use crate::attachment::{BOUNDARY_KEY, PolicyHolder};
use crate::entity::{Entity, Noun};
use crate::group::Group;
use crate::instance_profile::InstanceProfile;
use crate::managed_policy::Policy;
use crate::names::folded;
use crate::oidc_provider::OidcProvider;
use crate::role::Role;
use crate::user::User;
use crate::{Error, Iam};

/// What stands before the id of an access key, in an ARN that is none at AWS: a key's resource is its user.
pub(crate) const ACCESS_KEY: &str = "access-key/";

/// What is known of the entity that an ARN names. Its path is not compared: requests tell names.
pub(crate) async fn facts(iam: &Iam, ctx: &Ctx, _: Asked<'_>, resource: &str) -> Result<Facts, Error> {
    let Ok(arn) = resource.parse::<Arn>() else { return Ok(Facts::default()) };
    // Of another account nothing is told, not by way of a condition on a tag either: no operation reaches its entities.
    let account = ctx.account();
    if arn.service != "iam" || arn.account != account.as_str() {
        return Ok(Facts::default());
    }
    let Some((kind, rest)) = arn.resource.split_once('/') else { return Ok(Facts::default()) };
    let name = rest.rsplit('/').next().unwrap_or_default();
    if let Some(id) = arn.resource.strip_prefix(ACCESS_KEY) {
        return key_facts(iam, ctx, id).await;
    }
    match kind {
        // Its name is an address, slashes and all.
        "oidc-provider" => iam.entity_facts::<OidcProvider>(account, rest).await,
        "user" => iam.holder_facts::<User>(account, name).await,
        "group" => iam.entity_facts::<Group>(account, name).await,
        "role" => iam.holder_facts::<Role>(account, name).await,
        "policy" => iam.entity_facts::<Policy>(account, name).await,
        "instance-profile" => iam.entity_facts::<InstanceProfile>(account, name).await,
        _ => Ok(Facts::default()),
    }
}

/// What is known of a key is what is known of its user. One that is not the account's is on no resource.
async fn key_facts(iam: &Iam, ctx: &Ctx, id: &str) -> Result<Facts, Error> {
    let key = iam.access_key(id).await?.filter(|key| key.principal.account == ctx.account());
    match key.as_ref().map(|key| &key.principal.kind) {
        Some(PrincipalKind::User { name }) => iam.holder_facts::<User>(ctx.account(), name).await,
        _ => Ok(Facts { arn: Some("*".to_owned()), ..Facts::default() }),
    }
}

impl Iam {
    /// The same with the permissions boundary.
    async fn holder_facts<H: PolicyHolder>(&self, account: AccountId, name: &str) -> Result<Facts, Error> {
        let Some(found) = self.named::<H>(account, name).await? else { return Ok(Facts::default()) };
        let boundary = found.held().boundary.iter().map(|arn| (BOUNDARY_KEY.to_owned(), arn.clone()));
        Ok(Facts { keys: boundary.collect(), ..facts_of(&found, account) })
    }

    async fn entity_facts<E: Entity>(&self, account: AccountId, name: &str) -> Result<Facts, Error> {
        let found = self.named::<E>(account, name).await?;
        Ok(found.map(|found| facts_of(&found, account)).unwrap_or_default())
    }

    async fn named<E: Entity>(&self, account: AccountId, name: &str) -> Result<Option<E>, Error> {
        if name.is_empty() {
            return Ok(None);
        }
        let found = self.platform.store.read::<E>(&Scope::global(account), &[&folded(name)]).await?;
        Ok(found.map(|found| found.value))
    }
}

fn facts_of<E: Entity>(entity: &E, account: AccountId) -> Facts {
    let identity = entity.identity();
    // A policy is named by its ARN: another path means another policy, which there is not.
    let arn = (E::NOUN != Noun::Policy).then(|| identity.arn(E::NOUN, account).to_string());
    let tags = identity.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
    Facts { arn, tags, ..Facts::default() }
}
