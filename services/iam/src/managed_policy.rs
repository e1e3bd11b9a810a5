//! Managed policies and their versions: the account's own, and AWS's.

use base::{AccountId, Timestamp};
use platform::Ctx;
use serde::{Deserialize, Serialize};
use store::{Record, Versioned};

use crate::api;
use crate::attachment::PolicyUse;
use crate::aws_managed::AwsManagedPolicy;
use crate::entity::{Entity, Identity, Noun};
use crate::limits::MANAGED_POLICY_SIZE_MAX;
use crate::names::{PolicyAccount, PolicyArn, folded};
use crate::tag::present;
use crate::url_encoding::url_encoded;
use crate::{Error, Iam};
use policy::Purpose;

/// A managed policy of an account. The texts of its versions are records of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Policy {
    pub(crate) identity: Identity,
    pub(crate) description: Option<String>,
    /// In ascending order.
    pub(crate) versions: Vec<PolicyVersion>,
    /// The number of the version that counts.
    pub(crate) default_version: u32,
    /// The number that the next version gets; numbers are not given twice.
    pub(crate) next_version: u32,
    /// When the latest version was made.
    pub(crate) updated: Timestamp,
}

/// A version of a managed policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PolicyVersion {
    pub(crate) number: u32,
    pub(crate) created: Timestamp,
}

impl Record for Policy {
    const SERVICE: &'static str = crate::entity::SERVICE;
    const KIND: &'static str = "policy";
}

impl Entity for Policy {
    const NOUN: Noun = Noun::Policy;

    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn identity_mut(&mut self) -> &mut Identity {
        &mut self.identity
    }
}

impl Policy {
    /// A new policy, which has one version.
    pub(crate) fn new(identity: Identity, description: Option<String>) -> Self {
        let created = identity.created;
        let versions = vec![PolicyVersion { number: 1, created }];
        Self { identity, description, versions, default_version: 1, next_version: 2, updated: created }
    }

    /// The version called `id` (`v3`).
    pub(crate) fn version(&self, id: &str) -> Option<PolicyVersion> {
        self.versions.iter().copied().find(|version| version.id() == id)
    }

    /// The id of the version that counts (`v3`).
    pub(crate) fn default_version_id(&self) -> String {
        version_id(self.default_version)
    }

    /// Its ARN.
    pub(crate) fn arn(&self, account: AccountId) -> PolicyArn {
        PolicyArn {
            text: self.identity.arn(Noun::Policy, account).to_string(),
            owner: PolicyAccount::Customer(account),
            path: self.identity.path.clone(),
            name: self.identity.name.clone(),
        }
    }

    /// As ListPolicies answers it.
    pub(crate) fn listed(&self, account: AccountId, policy_use: PolicyUse) -> api::Policy {
        api::Policy {
            create_date: Some(self.identity.created),
            default_version_id: Some(version_id(self.default_version)),
            policy_id: Some(self.identity.id.clone()),
            update_date: Some(self.updated),
            ..view(&self.arn(account), policy_use)
        }
    }

    /// As CreatePolicy answers it.
    pub(crate) fn created(&self, account: AccountId) -> api::Policy {
        api::Policy { tags: present(&self.identity.tags), ..self.listed(account, PolicyUse::default()) }
    }

    /// As GetPolicy answers it: with tags, be it none.
    pub(crate) fn described(&self, account: AccountId, policy_use: PolicyUse) -> api::Policy {
        api::Policy {
            description: self.description.clone(),
            tags: Some(self.identity.tags.clone()),
            ..self.listed(account, policy_use)
        }
    }

    /// A version as the API answers it, without its text.
    pub(crate) fn version_view(&self, version: PolicyVersion) -> api::PolicyVersion {
        api::PolicyVersion {
            create_date: Some(version.created),
            document: None,
            is_default_version: Some(version.number == self.default_version),
            version_id: Some(version.id()),
        }
    }
}

impl PolicyVersion {
    /// `v3`
    pub(crate) fn id(self) -> String {
        version_id(self.number)
    }
}

fn version_id(number: u32) -> String {
    format!("v{number}")
}

/// What the account's policies and AWS's have in common.
pub(crate) fn view(arn: &PolicyArn, policy_use: PolicyUse) -> api::Policy {
    api::Policy {
        arn: Some(arn.text.clone()),
        attachment_count: i32::try_from(policy_use.attachments).ok(),
        is_attachable: Some(true),
        path: Some(arn.path.clone()),
        permissions_boundary_usage_count: i32::try_from(policy_use.boundaries).ok(),
        policy_name: Some(arn.name.clone()),
        ..api::Policy::default()
    }
}

/// Checks the text of a managed policy.
pub(crate) fn check_document(document: &str) -> Result<(), Error> {
    policy::parse(document, Purpose::Managed)?;
    if policy::counted_size(document) > MANAGED_POLICY_SIZE_MAX {
        return Err(Error::Quota { quota: "PolicySize", max: MANAGED_POLICY_SIZE_MAX });
    }
    Ok(())
}

/// A policy that there is.
#[derive(Debug)]
pub(crate) enum KnownPolicy {
    /// One of AWS's.
    Aws(&'static AwsManagedPolicy),
    /// One of the account's.
    Customer(Box<Versioned<Policy>>),
}

impl KnownPolicy {
    /// As GetPolicy answers it.
    pub(crate) fn described(&self, account: AccountId, policy_use: PolicyUse) -> api::Policy {
        match self {
            Self::Aws(policy) => policy.described(policy_use),
            Self::Customer(policy) => policy.described(account, policy_use),
        }
    }

    /// Its versions without their texts, the latest first.
    pub(crate) fn versions(&self) -> Vec<api::PolicyVersion> {
        match self {
            Self::Aws(policy) => vec![api::PolicyVersion { document: None, ..policy.version() }],
            Self::Customer(policy) => {
                policy.versions.iter().rev().map(|version| policy.version_view(*version)).collect()
            }
        }
    }
}

impl Iam {
    /// The policy that an ARN means, unless there is none or it is another account's.
    pub(crate) async fn known_policy(&self, ctx: &Ctx, arn: &PolicyArn) -> Result<Option<KnownPolicy>, Error> {
        if arn.owner == PolicyAccount::Aws {
            return Ok(AwsManagedPolicy::find(arn).map(KnownPolicy::Aws));
        }
        if arn.is_foreign(ctx) {
            return Ok(None);
        }
        let found = self.platform.store.read::<Policy>(&ctx.global_scope(), &[&folded(&arn.name)]).await?;
        let is_meant = |policy: &Versioned<Policy>| policy.arn(ctx.account()).text == arn.text;
        Ok(found.filter(is_meant).map(|policy| KnownPolicy::Customer(Box::new(policy))))
    }

    /// The policy that a request means, to be read: the account's or AWS's.
    pub(crate) async fn readable_policy(&self, ctx: &Ctx, arn: &str) -> Result<(PolicyArn, KnownPolicy), Error> {
        let parsed = PolicyArn::parse(arn).ok_or_else(|| Error::InvalidPolicyArn { arn: arn.to_owned() })?;
        if parsed.is_foreign(ctx) {
            return Err(Error::ForeignPolicy { caller: ctx.principal.arn.to_string(), arn: parsed.text });
        }
        let known = self.known_policy(ctx, &parsed).await?;
        let known = known.ok_or_else(|| Error::NoSuchPolicy { arn: parsed.text.clone() })?;
        Ok((parsed, known))
    }

    /// A version with its text.
    pub(crate) async fn policy_version(
        &self,
        ctx: &Ctx,
        policy: &KnownPolicy,
        id: &str,
    ) -> Result<Option<api::PolicyVersion>, Error> {
        let policy = match policy {
            KnownPolicy::Aws(policy) => {
                return Ok(Some(policy.version()).filter(|version| version.version_id.as_deref() == Some(id)));
            }
            KnownPolicy::Customer(policy) => policy,
        };
        let (version, text) = (policy.version(id), self.read_text(ctx, &policy.identity.id, id).await?);
        Ok(version.zip(text).map(|(version, text)| api::PolicyVersion {
            document: Some(url_encoded(&text.document)),
            ..policy.version_view(version)
        }))
    }
    /// The account's policy that a request means, and the version of it.
    pub(crate) async fn find_versioned(
        &self,
        ctx: &Ctx,
        arn: &str,
        version_id: &str,
    ) -> Result<(Versioned<Policy>, PolicyVersion), Error> {
        let missing = || Error::NoSuchPolicyVersion { arn: arn.to_owned(), version: version_id.to_owned() };
        let policy = self.find::<Policy>(ctx, arn).await.map_err(|error| match error {
            Error::NoSuchPolicy { .. } => missing(),
            other => other,
        })?;
        let version = policy.version(version_id).ok_or_else(missing)?;
        Ok((policy, version))
    }
}
