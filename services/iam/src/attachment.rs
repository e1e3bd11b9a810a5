//! Managed policies attached to users and roles, and permissions boundaries.
//!
//! A user or role knows which policies it holds. A policy's use is counted in a record of its own, so that it can be
//! told, and stops the policy's deletion, without a list of everybody who holds it; who holds it is found by secondary
//! keys.

use std::collections::{BTreeMap, HashMap};

use platform::{Access, Ctx};
use serde::{Deserialize, Serialize};
use store::{ListOptions, Record, SecondaryKey, Tx, Versioned};

use crate::api::{AttachedPermissionsBoundary, AttachedPolicy, PermissionsBoundaryAttachmentType};
use crate::entity::Entity;
use crate::error::DeleteConflict;
use crate::limits::ATTACHED_POLICIES_MAX;
use crate::managed_policy::KnownPolicy;
use crate::names::{PolicyArn, SERVICE_LINKED_PATH, is_under};
use crate::page::{Page, PageRequest};
use crate::{Error, Iam};

/// The index of users and roles by attached policy.
pub(crate) const BY_ATTACHED_POLICY: &str = "attached-policy";
/// The index of users and roles by permissions boundary.
pub(crate) const BY_BOUNDARY: &str = "permissions-boundary";

/// The condition key of a permissions boundary: the one that a request sets, or else that of the user or role.
pub(crate) const BOUNDARY_KEY: &str = "iam:PermissionsBoundary";

/// The policies that a user or role holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct HeldPolicies {
    /// The ARNs of attached policies.
    pub(crate) attached: Vec<String>,
    /// The names of inline policies, with their sizes as the quota counts them.
    pub(crate) inline: BTreeMap<String, usize>,
    /// The ARN of the policy that bounds its permissions.
    pub(crate) boundary: Option<String>,
}

/// A user or role.
pub(crate) trait PolicyHolder: Entity {
    const INLINE_SIZE_MAX: usize;
    /// AWS's name of the quota of attached policies.
    const ATTACHED_QUOTA: &'static str;

    fn held(&self) -> &HeldPolicies;
    fn held_mut(&mut self) -> &mut HeldPolicies;
}

/// How often a policy is used in an account. There is none for a policy that is not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PolicyUse {
    /// To how many users and roles it is attached.
    pub(crate) attachments: u32,
    /// The permissions of how many users and roles it bounds.
    pub(crate) boundaries: u32,
}

impl Record for PolicyUse {
    const SERVICE: &'static str = crate::entity::SERVICE;
    const KIND: &'static str = "policy-use";
}

/// A change of a [`PolicyUse`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum UseChange {
    Attached,
    Detached,
    BoundarySet,
    BoundaryGone,
}

impl PolicyUse {
    fn after(self, change: UseChange) -> Self {
        let Self { attachments, boundaries } = self;
        match change {
            UseChange::Attached => Self { attachments: attachments.saturating_add(1), boundaries },
            UseChange::Detached => Self { attachments: attachments.saturating_sub(1), boundaries },
            UseChange::BoundarySet => Self { attachments, boundaries: boundaries.saturating_add(1) },
            UseChange::BoundaryGone => Self { attachments, boundaries: boundaries.saturating_sub(1) },
        }
    }
}

impl HeldPolicies {
    pub(crate) fn secondary_keys(&self) -> Vec<SecondaryKey> {
        let key = |arn: &String| PolicyArn::parse(arn).map(|arn| arn.key());
        let attached = self.attached.iter().filter_map(key).map(|key| SecondaryKey::new(BY_ATTACHED_POLICY, key));
        let boundary = self.boundary.iter().filter_map(key).map(|key| SecondaryKey::new(BY_BOUNDARY, key));
        attached.chain(boundary).collect()
    }

    /// What keeps its holder from being deleted.
    pub(crate) fn check_deletable(&self) -> Result<(), DeleteConflict> {
        if !self.attached.is_empty() {
            return Err(DeleteConflict::AttachedPolicies);
        }
        if self.inline.is_empty() { Ok(()) } else { Err(DeleteConflict::InlinePolicies) }
    }

    pub(crate) fn boundary_view(&self) -> Option<AttachedPermissionsBoundary> {
        self.boundary.clone().map(|arn| AttachedPermissionsBoundary {
            permissions_boundary_arn: Some(arn),
            permissions_boundary_type: Some(PermissionsBoundaryAttachmentType::Policy),
        })
    }
}

impl Iam {
    /// Attaches a policy; one that is attached stays so.
    pub(crate) async fn attach<H: PolicyHolder>(&self, ctx: &Ctx, holder: &str, arn: &str) -> Result<(), Error> {
        let arn = parsed(arn)?;
        if arn.path.starts_with(SERVICE_LINKED_PATH) {
            return Err(Error::ServiceRolePolicy);
        }
        self.transact(|| async {
            let old = self.find::<H>(ctx, holder).await?;
            old.check_modifiable()?;
            let known = self.known_policy(ctx, &arn).await?;
            let policy = known.ok_or_else(|| Error::NotAttachable { arn: arn.text.clone() })?;
            let mut tx = Tx::new();
            if old.held().attached.contains(&arn.text) {
                return Ok((tx, ()));
            }
            if old.held().attached.len() >= ATTACHED_POLICIES_MAX {
                return Err(Error::Quota { quota: H::ATTACHED_QUOTA, max: ATTACHED_POLICIES_MAX });
            }
            let mut new = old.value.clone();
            new.held_mut().attached.push(arn.text.clone());
            tx.replace(&old, &new);
            policy.require(&mut tx);
            self.note_use(ctx, &mut tx, &arn, UseChange::Attached).await?;
            Ok((tx, ()))
        })
        .await
    }

    /// Detaches a policy.
    pub(crate) async fn detach<H: PolicyHolder>(&self, ctx: &Ctx, holder: &str, arn: &str) -> Result<(), Error> {
        let arn = parsed(arn)?;
        self.transact(|| async {
            let old = self.find::<H>(ctx, holder).await?;
            old.check_modifiable()?;
            let position = old.held().attached.iter().position(|attached| *attached == arn.text);
            let position = position.ok_or_else(|| Error::NoSuchPolicy { arn: arn.text.clone() })?;
            let mut new = old.value.clone();
            new.held_mut().attached.remove(position);
            let mut tx = Tx::new();
            tx.replace(&old, &new);
            self.note_use(ctx, &mut tx, &arn, UseChange::Detached).await?;
            Ok((tx, ()))
        })
        .await
    }

    /// A page of the policies that are attached to a user or role, in the order of their names.
    pub(crate) async fn attached<H: PolicyHolder>(
        &self,
        ctx: &Ctx,
        holder: &str,
        path_prefix: Option<&str>,
        request: PageRequest<'_>,
    ) -> Result<Page<AttachedPolicy>, Error> {
        let holder = self.find::<H>(ctx, holder).await?;
        let policies = holder.held().attached.iter().filter_map(|arn| PolicyArn::parse(arn));
        let under = policies.filter(|arn| is_under(&arn.path, path_prefix));
        let sorted: BTreeMap<String, AttachedPolicy> = under.map(|arn| (cursor(&arn), view(arn))).collect();
        Ok(request.of(sorted))
    }

    /// Checks the permissions boundary of a new user or role, and notes its use.
    pub(crate) async fn set_boundary(&self, ctx: &Ctx, tx: &mut Tx, boundary: Option<&str>) -> Result<(), Error> {
        let Some(arn) = boundary else { return Ok(()) };
        let arn = PolicyArn::parse(arn).ok_or_else(|| Error::InvalidBoundaryArn { arn: arn.to_owned() })?;
        let known = self.known_policy(ctx, &arn).await?;
        known.ok_or_else(|| Error::NoSuchBoundary { arn: arn.text.clone() })?.require(tx);
        self.note_use(ctx, tx, &arn, UseChange::BoundarySet).await
    }

    /// Sets another permissions boundary, or none.
    pub(crate) async fn change_boundary<H: PolicyHolder>(
        &self,
        ctx: &Ctx,
        holder: &str,
        boundary: Option<&str>,
    ) -> Result<(), Error> {
        self.transact(|| async {
            let old = self.find::<H>(ctx, holder).await?;
            old.check_modifiable()?;
            let mut tx = Tx::new();
            if boundary.is_none() && old.held().boundary.is_none() {
                return Err(Error::NoBoundary { owner: H::NOUN.kind(), name: holder.to_owned() });
            }
            if old.held().boundary.as_deref() == boundary {
                return Ok((tx, ()));
            }
            let mut new = old.value.clone();
            new.held_mut().boundary = boundary.map(str::to_owned);
            tx.replace(&old, &new);
            self.set_boundary(ctx, &mut tx, boundary).await?;
            self.drop_boundary(ctx, &mut tx, old.held()).await?;
            Ok((tx, ()))
        })
        .await
    }

    /// Notes that a user or role with this permissions boundary goes.
    pub(crate) async fn drop_boundary(&self, ctx: &Ctx, tx: &mut Tx, held: &HeldPolicies) -> Result<(), Error> {
        match held.boundary.as_deref().and_then(PolicyArn::parse) {
            Some(arn) => self.note_use(ctx, tx, &arn, UseChange::BoundaryGone).await,
            None => Ok(()),
        }
    }

    /// How often a policy is used in the account.
    pub(crate) async fn policy_use(&self, ctx: &Ctx, arn: &PolicyArn) -> Result<PolicyUse, Error> {
        let found = self.read_policy_use(ctx, arn).await?;
        Ok(found.map(|found| found.value).unwrap_or_default())
    }

    /// How often each policy that is used in the account is used, by [`PolicyArn::key`].
    pub(crate) async fn policy_uses(&self, ctx: &Ctx) -> Result<HashMap<String, PolicyUse>, Error> {
        let (mut uses, mut after) = (HashMap::new(), None);
        loop {
            let options = ListOptions { after: after.as_deref(), ..ListOptions::default() };
            let listing = self.platform.store.list::<PolicyUse>(&ctx.global_scope(), options).await?;
            uses.extend(listing.items.into_iter().map(|found| (found.name().to_owned(), found.value)));
            after = listing.next;
            if after.is_none() {
                return Ok(uses);
            }
        }
    }

    pub(crate) async fn note_use(
        &self,
        ctx: &Ctx,
        tx: &mut Tx,
        arn: &PolicyArn,
        change: UseChange,
    ) -> Result<(), Error> {
        let old = self.read_policy_use(ctx, arn).await?;
        let new = old.as_deref().copied().unwrap_or_default().after(change);
        match old {
            Some(old) if new == PolicyUse::default() => tx.remove(&old),
            Some(old) => tx.replace(&old, &new),
            None => tx.insert(&ctx.global_scope(), &[&arn.key()], &new),
        };
        Ok(())
    }

    async fn read_policy_use(&self, ctx: &Ctx, arn: &PolicyArn) -> Result<Option<Versioned<PolicyUse>>, Error> {
        Ok(self.platform.store.read(&ctx.global_scope(), &[&arn.key()]).await?)
    }
}

impl KnownPolicy {
    /// Lets the transaction fail if the policy goes meanwhile.
    fn require(&self, tx: &mut Tx) {
        match self {
            Self::Customer(policy) => drop(tx.require(policy)),
            Self::Aws(_) => {}
        }
    }
}

/// Adds the permissions boundary that a request sets.
pub(crate) fn bounded_by(access: Access, boundary: Option<&str>) -> Access {
    match boundary {
        Some(arn) => access.key(BOUNDARY_KEY, arn),
        None => access,
    }
}

fn parsed(arn: &str) -> Result<PolicyArn, Error> {
    PolicyArn::parse(arn).ok_or_else(|| Error::InvalidPolicyArn { arn: arn.to_owned() })
}

/// AWS's policies and the account's may have one name.
fn cursor(arn: &PolicyArn) -> String {
    format!("{} {}", arn.name, arn.text)
}

fn view(arn: PolicyArn) -> AttachedPolicy {
    AttachedPolicy { policy_arn: Some(arn.text), policy_name: Some(arn.name) }
}
