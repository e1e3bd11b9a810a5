//! PutResourcePolicy.

use platform::{Access, Attempts, Ctx};
use store::{StoreError, Tx, Versioned};

use crate::api::{PutResourcePolicyRequest, PutResourcePolicyResponse};
use crate::group::LogGroup;
use crate::names::{GroupName, on_either, on_no_group};
use crate::resource_policy::{self, ACCOUNT_POLICIES_MAX, ACCOUNT_POLICY_BYTES_MAX, NAME_LENGTH_MAX, ResourcePolicy};
use crate::resource_policy::{OF_ACCOUNT, OF_GROUP};
use crate::{Error, Logs, group};

pub(crate) fn access(ctx: &Ctx, input: &PutResourcePolicyRequest) -> Access {
    const ACTION: &str = "logs:PutResourcePolicy";
    match input.resource_arn.as_deref() {
        Some(arn) => on_either(ctx, ACTION, None, Some(arn)),
        None => on_no_group(ctx, ACTION),
    }
}

/// Writes a resource policy of the account by its name, or of a log group by its ARN.
pub(crate) async fn put_resource_policy(
    logs: &Logs,
    ctx: &Ctx,
    input: PutResourcePolicyRequest,
) -> Result<PutResourcePolicyResponse, Error> {
    let document = input.policy_document.ok_or(Error::Missing("policyDocument"))?;
    resource_policy::parse(&document)?;
    let policy = ResourcePolicy::new(document, &*logs.platform.rng, ctx.now);
    let target = Target::of(ctx, input.policy_name, input.resource_arn)?;
    if matches!(target, Target::Account(_)) && policy.document.len() > ACCOUNT_POLICY_BYTES_MAX {
        return Err(Error::LimitExceeded);
    }
    let mut attempts = Attempts::new();
    let written = loop {
        let outcome = put(logs, ctx, &target, policy.clone(), input.expected_revision_id.as_deref()).await;
        if !attempts.again(&outcome) {
            break outcome?;
        }
    };
    let revision_id = Some(written.revision_id.clone());
    Ok(PutResourcePolicyResponse { resource_policy: Some(written.describe()), revision_id })
}

/// Whose policy is meant.
pub(crate) enum Target {
    /// The account's, by name.
    Account(String),
    /// A group's.
    Group(GroupName),
}

impl Target {
    /// What a name or an ARN means.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::PolicyName`], [`Error::PolicyResource`], [`Error::Exclusive`]
    pub(crate) fn of(ctx: &Ctx, name: Option<String>, arn: Option<String>) -> Result<Self, Error> {
        match (name, arn) {
            (Some(_), Some(_)) => Err(Error::Exclusive("policyName", "resourceArn")),
            (None, None) => Err(Error::Missing("policyName")),
            (Some(name), None) if (1..=NAME_LENGTH_MAX).contains(&name.chars().count()) => Ok(Self::Account(name)),
            (Some(_), None) => Err(Error::PolicyName(NAME_LENGTH_MAX)),
            (None, Some(arn)) => {
                let own = GroupName::of_arn(&arn).filter(|it| it.region == ctx.region && it.account == ctx.account());
                own.map(Self::Group).ok_or(Error::PolicyResource)
            }
        }
    }
}

async fn put(
    logs: &Logs,
    ctx: &Ctx,
    target: &Target,
    mut policy: ResourcePolicy,
    expected: Option<&str>,
) -> Result<ResourcePolicy, Error> {
    let (store, scope) = (&logs.platform.store, ctx.scope());
    let mut tx = Tx::new();
    let (kind, id, existing) = match target {
        Target::Account(name) => {
            let all = resource_policy::of_account(store, &scope).await?;
            let existing = store.read::<ResourcePolicy>(&scope, &[OF_ACCOUNT, name]).await?;
            if existing.is_none() && all.len() >= ACCOUNT_POLICIES_MAX {
                return Err(Error::LimitExceeded);
            }
            policy.name = Some(name.clone());
            (OF_ACCOUNT, name.clone(), existing)
        }
        Target::Group(name) => {
            let group = group::find(store, name).await?;
            tx.replace(&group, &LogGroup { has_policy: true, ..group.value.clone() });
            policy.resource_arn = Some(name.arn());
            let existing = resource_policy::of_group(store, &scope, &group.storage_id).await?;
            (OF_GROUP, group.value.storage_id, existing)
        }
    };
    check_revision(existing.as_ref(), expected)?;
    match existing {
        Some(old) => tx.replace(&old, &policy),
        None => tx.insert(&scope, &[kind, &id], &policy),
    };
    store.commit(tx).await.map_err(StoreError::into).map(|_| policy)
}

/// Whether the policy is still what the client knows.
///
/// # Errors
/// [`Error::PolicyRevision`]
pub(crate) fn check_revision(
    existing: Option<&Versioned<ResourcePolicy>>,
    expected: Option<&str>,
) -> Result<(), Error> {
    let found = existing.map(|policy| policy.revision_id.as_str());
    if expected.is_none() || expected == found { Ok(()) } else { Err(Error::PolicyRevision) }
}
