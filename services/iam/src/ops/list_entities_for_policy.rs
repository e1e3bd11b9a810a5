//! Lists the users, groups and roles that hold a managed policy.

use std::collections::BTreeMap;

use platform::{Access, Ctx};

use crate::api::{
    EntityType, ListEntitiesForPolicyRequest, ListEntitiesForPolicyResponse, PolicyGroup, PolicyRole, PolicyUsageType,
    PolicyUser,
};
use crate::attachment::{BY_ATTACHED_POLICY, BY_BOUNDARY, PolicyHolder};
use crate::entity::Identity;
use crate::group::Group;
use crate::names::{PolicyArn, is_under};
use crate::page::PageRequest;
use crate::role::Role;
use crate::user::User;
use crate::{Error, Iam};

/// How many holders are read at once.
const HOLDERS_PER_READ: usize = 500;

pub(crate) fn access(_ctx: &Ctx, input: &ListEntitiesForPolicyRequest) -> Access {
    Access::to("iam:ListEntitiesForPolicy").on(&*input.policy_arn)
}

pub(crate) async fn list_entities_for_policy(
    iam: &Iam,
    ctx: &Ctx,
    input: ListEntitiesForPolicyRequest,
) -> Result<ListEntitiesForPolicyResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListEntitiesForPolicy", input.marker.as_deref(), input.max_items)?;
    let arn = PolicyArn::parse(&input.policy_arn);
    let arn = arn.ok_or_else(|| Error::InvalidPolicyArn { arn: input.policy_arn.clone() })?;
    if iam.known_policy(ctx, &arn).await?.is_none() {
        return Err(Error::NotAttachable { arn: arn.text });
    }
    let mut holders = BTreeMap::new();
    for index in indexes(input.policy_usage_filter) {
        if matches!(input.entity_filter, None | Some(EntityType::Group)) {
            let groups = iam.holders::<Group>(ctx, index, &arn).await?;
            holders.extend(groups.into_iter().map(|group| (format!("group/{}", group.name), Holder::Group(group))));
        }
        if matches!(input.entity_filter, None | Some(EntityType::Role)) {
            let roles = iam.holders::<Role>(ctx, index, &arn).await?;
            holders.extend(roles.into_iter().map(|role| (format!("role/{}", role.name), Holder::Role(role))));
        }
        if matches!(input.entity_filter, None | Some(EntityType::User)) {
            let users = iam.holders::<User>(ctx, index, &arn).await?;
            holders.extend(users.into_iter().map(|user| (format!("user/{}", user.name), Holder::User(user))));
        }
    }
    holders.retain(|_, holder| is_under(&holder.identity().path, input.path_prefix.as_deref()));
    let page = request.of(holders);
    let (is_truncated, marker) = (page.is_truncated(), page.marker);
    let (mut policy_groups, mut policy_roles, mut policy_users) = (Vec::new(), Vec::new(), Vec::new());
    for holder in page.items {
        match holder {
            Holder::Group(group) => {
                policy_groups.push(PolicyGroup { group_id: Some(group.id), group_name: Some(group.name) });
            }
            Holder::Role(role) => {
                policy_roles.push(PolicyRole { role_id: Some(role.id), role_name: Some(role.name) });
            }
            Holder::User(user) => {
                policy_users.push(PolicyUser { user_id: Some(user.id), user_name: Some(user.name) });
            }
        }
    }
    Ok(ListEntitiesForPolicyResponse {
        is_truncated,
        marker,
        policy_groups: Some(policy_groups),
        policy_roles: Some(policy_roles),
        policy_users: Some(policy_users),
    })
}

enum Holder {
    Group(Identity),
    Role(Identity),
    User(Identity),
}

impl Holder {
    fn identity(&self) -> &Identity {
        match self {
            Self::Group(identity) | Self::Role(identity) | Self::User(identity) => identity,
        }
    }
}

fn indexes(usage: Option<PolicyUsageType>) -> &'static [&'static str] {
    match usage {
        None => &[BY_ATTACHED_POLICY, BY_BOUNDARY],
        Some(PolicyUsageType::PermissionsPolicy) => &[BY_ATTACHED_POLICY],
        Some(PolicyUsageType::PermissionsBoundary) => &[BY_BOUNDARY],
    }
}

impl Iam {
    async fn holders<H: PolicyHolder>(&self, ctx: &Ctx, index: &str, arn: &PolicyArn) -> Result<Vec<Identity>, Error> {
        let (store, scope, key) = (&self.platform.store, ctx.global_scope(), arn.key());
        let (mut holders, mut after) = (Vec::new(), None);
        loop {
            let listing = store.list_by::<H>(&scope, index, &key, after.as_deref(), HOLDERS_PER_READ).await?;
            holders.extend(listing.items.iter().map(|holder| holder.identity().clone()));
            after = listing.next;
            if after.is_none() {
                return Ok(holders);
            }
        }
    }
}
