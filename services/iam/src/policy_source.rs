//! The texts of all policies that bear on a user, a group or a role: what is simulated, and what is told of an account.

use base::{AccountId, Arn, Principal};
use platform::Ctx;
use policy::Purpose;
use store::Scope;

use crate::api::{AttachedPolicy, PolicyDetail, PolicyIdentifier, PolicyIdentifierPolicyType};
use crate::attachment::{HeldPolicies, PolicyHolder};
use crate::entity::Noun;
use crate::group::Group;
use crate::inline::PolicyText;
use crate::names::{PolicyAccount, PolicyArn, folded};
use crate::policy_directory::text_of_aws;
use crate::role::Role;
use crate::simulation::{Source, caller};
use crate::url_encoding::url_encoded;
use crate::user::User;
use crate::{Error, Iam};

/// The policies of an entity, for a simulation.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) identity: Vec<Source>,
    pub(crate) boundary: Vec<Source>,
    /// Who it is; a group is nobody.
    pub(crate) principal: Option<Principal>,
}

impl Iam {
    /// The policies of the user, group or role that an ARN means.
    pub(crate) async fn sources(&self, ctx: &Ctx, arn: &str, excluded: &[PolicyIdentifier]) -> Result<Sources, Error> {
        let invalid = || Error::InvalidSimulation { message: format!("Invalid Entity Arn: {arn}") };
        let parsed: Arn = arn.parse().map_err(|_| invalid())?;
        let (kind, rest) = parsed.resource.split_once('/').ok_or_else(invalid)?;
        if parsed.service != "iam" || parsed.account != ctx.account().as_str() {
            return Err(invalid());
        }
        let name = rest.rsplit('/').next().unwrap_or_default();
        match kind {
            "user" => {
                let user = self.find::<User>(ctx, name).await?;
                let mut sources = self.sources_of::<User>(ctx, &user, excluded).await?;
                for group in self.groups_of(ctx.account(), &user).await? {
                    sources.identity.extend(self.sources_of::<Group>(ctx, &group, excluded).await?.identity);
                }
                Ok(Sources { principal: Some(user.principal(ctx.account())), ..sources })
            }
            "group" => self.sources_of::<Group>(ctx, &*self.find::<Group>(ctx, name).await?, excluded).await,
            "role" => {
                let role = self.find::<Role>(ctx, name).await?;
                let sources = self.sources_of::<Role>(ctx, &role, excluded).await?;
                let arn = role.identity.arn(Noun::Role, ctx.account()).to_string();
                Ok(Sources { principal: Some(caller(ctx, Some(&arn))?), ..sources })
            }
            _ => Err(invalid()),
        }
    }

    async fn sources_of<H: PolicyHolder>(
        &self,
        ctx: &Ctx,
        holder: &H,
        excluded: &[PolicyIdentifier],
    ) -> Result<Sources, Error> {
        let (kind, owner) = (H::NOUN.kind(), holder.identity().name.clone());
        let mut identity = Vec::new();
        for (name, text) in self.inline_texts(ctx.account(), holder).await? {
            if !excluded.iter().any(|excluded| excludes_inline(excluded, kind, &owner, &name)) {
                let id = format!("{kind}_{owner}_{name}");
                identity.push(Source { id, text, purpose: Purpose::Inline });
            }
        }
        for arn in &holder.held().attached {
            if !excluded.iter().any(|excluded| excludes_managed(excluded, arn)) {
                identity.extend(self.managed_source(ctx.account(), arn).await?);
            }
        }
        let bounds =
            |excluded: &PolicyIdentifier| excluded.policy_type == Some(PolicyIdentifierPolicyType::PermissionBoundary);
        let mut boundary = Vec::new();
        if let Some(arn) = holder.held().boundary.as_ref().filter(|_| !excluded.iter().any(bounds)) {
            boundary.extend(self.managed_source(ctx.account(), arn).await?);
        }
        Ok(Sources { identity, boundary, principal: None })
    }

    async fn managed_source(&self, account: AccountId, arn: &str) -> Result<Option<Source>, Error> {
        let Some(parsed) = PolicyArn::parse(arn) else { return Ok(None) };
        let text = match parsed.owner {
            PolicyAccount::Aws => text_of_aws(&parsed),
            PolicyAccount::Customer(_) => self.default_text(account, &parsed).await?,
        };
        Ok(text.map(|text| Source { id: parsed.name, text, purpose: Purpose::Managed }))
    }

    /// The inline policies of a user, group or role: names and texts.
    pub(crate) async fn inline_texts<H: PolicyHolder>(
        &self,
        account: AccountId,
        holder: &H,
    ) -> Result<Vec<(String, String)>, Error> {
        let (id, names) = (holder.identity().id.as_str(), &holder.held().inline);
        let ids: Vec<[&str; 2]> = names.keys().map(|name| [id, name.as_str()]).collect();
        let ids: Vec<&[&str]> = ids.iter().map(|id| id.as_slice()).collect();
        let texts = self.platform.store.read_many::<PolicyText>(&Scope::global(account), &ids).await?;
        let named = names.keys().zip(texts).filter_map(|(name, text)| Some((name.clone(), text?.value.document)));
        Ok(named.collect())
    }

    /// The inline policies as account details tell them.
    pub(crate) async fn inline_details<H: PolicyHolder>(
        &self,
        ctx: &Ctx,
        holder: &H,
    ) -> Result<Option<Vec<PolicyDetail>>, Error> {
        let texts = self.inline_texts(ctx.account(), holder).await?;
        let detail = |(name, text): (String, String)| PolicyDetail {
            policy_document: Some(url_encoded(&text)),
            policy_name: Some(name),
        };
        Ok(Some(texts.into_iter().map(detail).collect()))
    }
}

impl HeldPolicies {
    /// The attached policies as account details tell them.
    pub(crate) fn attached_view(&self) -> Option<Vec<AttachedPolicy>> {
        let view = |arn: PolicyArn| AttachedPolicy { policy_arn: Some(arn.text), policy_name: Some(arn.name) };
        Some(self.attached.iter().filter_map(|arn| PolicyArn::parse(arn)).map(view).collect())
    }
}

fn excludes_inline(excluded: &PolicyIdentifier, kind: &str, owner: &str, name: &str) -> bool {
    let named = excluded.inline_policy_identifier.as_ref().is_some_and(|inline| {
        let is_holder = inline.attachment_type.as_str() == kind && folded(&inline.attachment_name) == folded(owner);
        is_holder && inline.policy_name == name
    });
    named || excluded.policy_type == Some(PolicyIdentifierPolicyType::Inline)
}

fn excludes_managed(excluded: &PolicyIdentifier, arn: &str) -> bool {
    let is_aws = PolicyArn::parse(arn).is_some_and(|arn| arn.owner == PolicyAccount::Aws);
    let by_type = match excluded.policy_type {
        Some(PolicyIdentifierPolicyType::AwsManaged) => is_aws,
        Some(PolicyIdentifierPolicyType::UserManaged) => !is_aws,
        _ => false,
    };
    by_type || excluded.policy_arn.as_deref() == Some(arn)
}
