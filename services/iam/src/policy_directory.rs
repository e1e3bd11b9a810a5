//! What callers' policies say, for the gate before every operation; answered from memory as long as it is true.
//!
//! A user's or role's policies are compiled once and kept until anything of IAM changes in its account. Whether something
//! has is asked of the store's [`store::ChangeCount`] at each use, so a change counts from its acknowledgement on.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{AccountId, Principal, PrincipalKind};
use platform::BoxFuture;
use platform::ports::{PolicyDirectory, RoleDirectory, RoleView, UserDirectory};
use policy::{Document, Effect, IdentityPolicies, Policy, Purpose, Select, Statement, Version};
use store::{Scope, StoreError};

use crate::Iam;
use crate::attachment::{HeldPolicies, PolicyHolder};
use crate::aws_managed::AwsManagedPolicy;
use crate::cache::{Holder, Known, Look, Who};
use crate::entity::Noun;
use crate::group::Group;
use crate::inline::PolicyText;
use crate::managed_policy;
use crate::names::{PolicyAccount, PolicyArn, folded};
use crate::role::Role;
use crate::user::{BY_ID, User};

/// How often a holder is read anew because something changed while it was read.
const READS_MAX: u32 = 8;

impl PolicyDirectory for Iam {
    fn identity_policies<'a>(
        &'a self,
        principal: &'a Principal,
    ) -> BoxFuture<'a, Result<Arc<IdentityPolicies>, StoreError>> {
        Box::pin(async move {
            let holder = self.holder_of(principal).await?;
            Ok(holder.map(|holder| holder.policies.clone()).unwrap_or_default())
        })
    }

    fn managed_policy<'a>(
        &'a self,
        account: AccountId,
        arn: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<Policy>>, StoreError>> {
        Box::pin(self.compiled(account, arn))
    }

    fn principal_tags<'a>(
        &'a self,
        principal: &'a Principal,
    ) -> BoxFuture<'a, Result<Arc<BTreeMap<String, String>>, StoreError>> {
        Box::pin(async move {
            let holder = self.holder_of(principal).await?;
            Ok(holder.map(|holder| holder.tags.clone()).unwrap_or_default())
        })
    }
}

impl RoleDirectory for Iam {
    /// The trust policy names users and roles by their unique ids (`AIDA…`, `AROA…`, `AROA…:session`).
    fn role<'a>(&'a self, account: AccountId, name: &'a str) -> BoxFuture<'a, Result<Option<RoleView>, StoreError>> {
        Box::pin(async move {
            let holder = self.holder(account, Who::Role(&folded(name))).await?;
            Ok(holder.and_then(|holder| match &holder.known {
                Known::Role(role) => Some(role.clone()),
                Known::User(_) => None,
            }))
        })
    }
}

impl UserDirectory for Iam {
    fn user<'a>(&'a self, account: AccountId, id: &'a str) -> BoxFuture<'a, Result<Option<Principal>, StoreError>> {
        Box::pin(async move {
            let holder = self.holder(account, Who::UserId(id)).await?;
            Ok(holder.and_then(|holder| match &holder.known {
                Known::User(user) => Some(user.clone()),
                Known::Role(_) => None,
            }))
        })
    }
}

impl Iam {
    /// The user or role that a principal is. One of a configured key is whichever has its name; any other must have its
    /// unique id, too.
    pub(crate) async fn holder_of(&self, principal: &Principal) -> Result<Option<Arc<Holder>>, StoreError> {
        let account = principal.account;
        let is_configured = || self.platform.keys.has_owner(principal);
        match &principal.kind {
            PrincipalKind::Root | PrincipalKind::Anonymous => Ok(None),
            PrincipalKind::User { name } if is_configured() => self.holder(account, Who::UserName(&folded(name))).await,
            PrincipalKind::User { .. } => self.holder(account, Who::UserId(&principal.user_id)).await,
            PrincipalKind::AssumedRole { role_arn, role_id, .. } => {
                let name = folded(role_arn.resource.rsplit('/').next().unwrap_or_default());
                let holder = self.holder(account, Who::Role(&name)).await?;
                let is_meant = |role: &Holder| matches!(&role.known, Known::Role(role) if role.id == *role_id);
                Ok(holder.filter(|holder| is_meant(holder) || is_configured()))
            }
        }
    }

    /// A user or role with all that bears on it, as it is now.
    pub(crate) async fn holder(&self, account: AccountId, who: Who<'_>) -> Result<Option<Arc<Holder>>, StoreError> {
        let mut last = None;
        for _ in 0..READS_MAX {
            let ticket = match self.cache.holder(&self.platform.store, account, who) {
                Look::Found(holder) => return Ok(holder),
                Look::Missing(ticket) => ticket,
            };
            let holder = self.read_holder(account, who).await?.map(Arc::new);
            if self.cache.keep_holder(account, ticket, who, holder.clone()) {
                return Ok(holder);
            }
            last = holder;
        }
        Ok(last)
    }

    /// A managed policy in its default version, compiled: AWS's, or one of `account`.
    pub(crate) async fn compiled(&self, account: AccountId, arn: &str) -> Result<Option<Arc<Policy>>, StoreError> {
        let Some(parsed) = PolicyArn::parse(arn) else { return Ok(None) };
        match parsed.owner {
            PolicyAccount::Aws => return Ok(AwsManagedPolicy::find(&parsed).map(AwsManagedPolicy::compiled)),
            PolicyAccount::Customer(owner) if owner != account => return Ok(None),
            PolicyAccount::Customer(_) => {}
        }
        let mut last = None;
        for _ in 0..READS_MAX {
            let ticket = match self.cache.policy(&self.platform.store, account, arn) {
                Look::Found(policy) => return Ok(policy),
                Look::Missing(ticket) => ticket,
            };
            let text = self.default_text(account, &parsed).await?;
            let size = text.as_ref().map_or(0, String::len);
            let policy = text.map(|text| Arc::new(compile(arn, &text, Purpose::Managed)));
            if self.cache.keep_policy(account, ticket, arn, policy.clone(), size) {
                return Ok(policy);
            }
            last = policy;
        }
        Ok(last)
    }

    /// The text of the default version of an account's policy.
    pub(crate) async fn default_text(&self, account: AccountId, arn: &PolicyArn) -> Result<Option<String>, StoreError> {
        let scope = Scope::global(account);
        let found = self.platform.store.read::<managed_policy::Policy>(&scope, &[&folded(&arn.name)]).await?;
        let Some(found) = found.filter(|found| found.arn(account).text == arn.text) else { return Ok(None) };
        let id = [found.identity.id.as_str(), &found.default_version_id()];
        let text = self.platform.store.read::<PolicyText>(&scope, &id).await?;
        Ok(text.map(|text| text.value.document))
    }

    async fn read_holder(&self, account: AccountId, who: Who<'_>) -> Result<Option<Holder>, StoreError> {
        let (store, scope) = (&self.platform.store, Scope::global(account));
        let user = match who {
            Who::UserId(id) => store.find_by::<User>(&scope, BY_ID, id).await?,
            Who::UserName(name) => store.read::<User>(&scope, &[name]).await?,
            Who::Role(name) => {
                let Some(role) = store.read::<Role>(&scope, &[name]).await? else { return Ok(None) };
                return self
                    .holder_from(account, &*role, &[], Known::Role(role.seen_by_others(account)))
                    .await
                    .map(Some);
            }
        };
        let Some(user) = user else { return Ok(None) };
        let groups = self.groups_of(account, &user).await?;
        self.holder_from(account, &*user, &groups, Known::User(user.principal(account))).await.map(Some)
    }

    async fn holder_from<H: PolicyHolder>(
        &self,
        account: AccountId,
        holder: &H,
        groups: &[Group],
        known: Known,
    ) -> Result<Holder, StoreError> {
        let mut policies = IdentityPolicies::default();
        let mut text_bytes = 0;
        let identity = holder.identity();
        let own = (identity.id.as_str(), holder.held());
        let all = std::iter::once(own).chain(groups.iter().map(|group| (group.identity.id.as_str(), &group.held)));
        for (id, held) in all {
            text_bytes += self.collect(account, id, held, &mut policies).await?;
        }
        if let Some(arn) = &holder.held().boundary {
            let boundary = self.compiled(account, arn).await?;
            policies.boundary = Some(boundary.unwrap_or_else(|| Arc::new(Policy::nothing(arn.as_str()))));
        }
        let tags = identity.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
        Ok(Holder { known, policies: Arc::new(policies), tags: Arc::new(tags), text_bytes })
    }

    /// Adds what one user, role or group holds; answers how long the texts are that are kept for it alone.
    async fn collect(
        &self,
        account: AccountId,
        id: &str,
        held: &HeldPolicies,
        policies: &mut IdentityPolicies,
    ) -> Result<usize, StoreError> {
        let names: Vec<[&str; 2]> = held.inline.keys().map(|name| [id, name.as_str()]).collect();
        let ids: Vec<&[&str]> = names.iter().map(|id| id.as_slice()).collect();
        let texts = self.platform.store.read_many::<PolicyText>(&Scope::global(account), &ids).await?;
        let mut text_bytes = 0;
        for ([_, name], text) in names.iter().zip(texts) {
            // The text of a policy that is there comes and goes with its name: one that is missing changed just now.
            let text = text.map(|text| text.value.document).unwrap_or_default();
            text_bytes += text.len();
            policies.attached.push(Arc::new(compile(name, &text, Purpose::Inline)));
        }
        for arn in &held.attached {
            policies.attached.extend(self.compiled(account, arn).await?);
        }
        Ok(text_bytes)
    }
}

/// The text of one of AWS's policies.
pub(crate) fn text_of_aws(arn: &PolicyArn) -> Option<String> {
    AwsManagedPolicy::find(arn).map(|policy| policy.document().to_owned())
}

/// A stored policy, ready. It was checked when it was written; should it not be readable any more, everything is denied:
/// nobody could tell what else it denies.
pub(crate) fn compile(name: &str, text: &str, purpose: Purpose) -> Policy {
    let document = policy::parse(text, purpose).unwrap_or_else(|_| Document {
        version: Version::V2012,
        id: None,
        statements: vec![Statement {
            sid: Some("UnreadablePolicy".to_owned()),
            effect: Effect::Deny,
            principals: None,
            actions: Select::Only(vec!["*".to_owned()]),
            resources: Some(Select::Only(vec!["*".to_owned()])),
            conditions: Vec::new(),
        }],
    });
    Policy::new(name, document)
}

impl Role {
    /// As those see it who hand out its sessions.
    fn seen_by_others(&self, account: AccountId) -> RoleView {
        RoleView {
            arn: self.identity.arn(Noun::Role, account),
            id: self.identity.id.clone(),
            trust_policy: self.trust.pinned.clone(),
            max_session_duration_s: self.max_session_duration_s,
            tags: self.identity.tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect(),
        }
    }
}
