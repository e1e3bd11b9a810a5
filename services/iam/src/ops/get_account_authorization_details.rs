//! Tells all users, groups, roles and policies of the account, and how they belong together.

use platform::{Access, Ctx};

use crate::api::{
    EntityType, GetAccountAuthorizationDetailsRequest, GetAccountAuthorizationDetailsResponse, GroupDetail,
    ManagedPolicyDetail, RoleDetail, UserDetail,
};
use crate::attachment::PolicyUse;
use crate::aws_managed::AwsManagedPolicy;
use crate::entity::{Entity, Noun};
use crate::group::Group;
use crate::instance_profile::InstanceProfile;
use crate::managed_policy::{KnownPolicy, Policy};
use crate::page::PageRequest;
use crate::role::Role;
use crate::url_encoding::url_encoded;
use crate::user::User;
use crate::{Error, Iam, api};

/// The kinds in the order in which they are told. A cursor is the place of its kind and a name.
const KINDS: [EntityType; 5] = [
    EntityType::User,
    EntityType::Group,
    EntityType::Role,
    EntityType::LocalManagedPolicy,
    EntityType::AWSManagedPolicy,
];

/// One entity, not yet told in detail.
enum Found {
    User(User),
    Group(Group),
    Role(Role),
    Local(Box<Policy>),
    Aws(&'static AwsManagedPolicy),
}

pub(crate) fn access(_ctx: &Ctx, _input: &GetAccountAuthorizationDetailsRequest) -> Access {
    Access::to("iam:GetAccountAuthorizationDetails")
}

pub(crate) async fn get_account_authorization_details(
    iam: &Iam,
    ctx: &Ctx,
    input: GetAccountAuthorizationDetailsRequest,
) -> Result<GetAccountAuthorizationDetailsResponse, Error> {
    let request =
        PageRequest::new(iam, ctx, "GetAccountAuthorizationDetails", input.marker.as_deref(), input.max_items)?;
    let wanted = input.filter.filter(|kinds| !kinds.is_empty());
    let mut found = Vec::new();
    for (place, kind) in KINDS.into_iter().enumerate() {
        let is_wanted = wanted.as_ref().is_none_or(|wanted| wanted.contains(&kind));
        if is_wanted && found.len() <= request.limit() {
            found.extend(of_kind(iam, ctx, &request, place, kind).await?);
        }
    }
    let page = request.cut(found, |(cursor, _)| cursor.clone());
    let mut answer = GetAccountAuthorizationDetailsResponse {
        is_truncated: page.is_truncated(),
        marker: page.marker,
        group_detail_list: Some(Vec::new()),
        policies: Some(Vec::new()),
        role_detail_list: Some(Vec::new()),
        user_detail_list: Some(Vec::new()),
    };
    for (_, found) in page.items {
        match found {
            Found::User(user) => answer.user_detail_list.extend_with(user_detail(iam, ctx, &user).await?),
            Found::Group(group) => answer.group_detail_list.extend_with(group_detail(iam, ctx, &group).await?),
            Found::Role(role) => answer.role_detail_list.extend_with(role_detail(iam, ctx, &role).await?),
            Found::Local(policy) => answer.policies.extend_with(local_detail(iam, ctx, &policy).await?),
            Found::Aws(policy) => answer.policies.extend_with(aws_detail(iam, ctx, policy).await?),
        }
    }
    Ok(answer)
}

/// A list that is there, and gets one more.
trait ExtendWith<T> {
    fn extend_with(&mut self, item: T);
}

impl<T> ExtendWith<T> for Option<Vec<T>> {
    fn extend_with(&mut self, item: T) {
        self.get_or_insert_default().push(item);
    }
}

/// The entities of a kind that come after the request's cursor.
async fn of_kind(
    iam: &Iam,
    ctx: &Ctx,
    request: &PageRequest<'_>,
    place: usize,
    kind: EntityType,
) -> Result<Vec<(String, Found)>, Error> {
    let prefix = format!("{place}/");
    let after = match request.after() {
        // Of this kind the rest is wanted, of those before nothing, of those behind everything.
        Some(cursor) if cursor.starts_with(&prefix) => Some(cursor[prefix.len()..].to_owned()),
        Some(cursor) if cursor > prefix.as_str() => return Ok(Vec::new()),
        _ => None,
    };
    let found = match kind {
        EntityType::User => entities::<User>(request, after, Found::User).await?,
        EntityType::Group => entities::<Group>(request, after, Found::Group).await?,
        EntityType::Role => entities::<Role>(request, after, Found::Role).await?,
        EntityType::LocalManagedPolicy => {
            entities::<Policy>(request, after, |policy| Found::Local(Box::new(policy))).await?
        }
        EntityType::AWSManagedPolicy => {
            let uses = iam.policy_uses(ctx).await?;
            let used = AwsManagedPolicy::all().filter(|(arn, _)| uses.contains_key(&arn.key()));
            let named = used.map(|(arn, policy)| (arn.text.clone(), Found::Aws(policy)));
            named.filter(|(name, _)| after.as_ref().is_none_or(|after| name > after)).collect()
        }
    };
    Ok(found.into_iter().map(|(name, found)| (format!("{prefix}{name}"), found)).collect())
}

async fn entities<E: Entity>(
    request: &PageRequest<'_>,
    after: Option<String>,
    wrap: impl Fn(E) -> Found,
) -> Result<Vec<(String, Found)>, Error> {
    let found = request.scan_after::<E>(after, |_| true).await?;
    Ok(found.into_iter().map(|entity| (entity.name().to_owned(), wrap(entity.value))).collect())
}

async fn user_detail(iam: &Iam, ctx: &Ctx, user: &User) -> Result<UserDetail, Error> {
    let identity = &user.identity;
    let groups = iam.groups_of(ctx.account(), user).await?;
    Ok(UserDetail {
        arn: Some(identity.arn(Noun::User, ctx.account()).to_string()),
        attached_managed_policies: user.held.attached_view(),
        create_date: Some(identity.created),
        group_list: Some(groups.into_iter().map(|group| group.identity.name).collect()),
        path: Some(identity.path.clone()),
        permissions_boundary: user.held.boundary_view(),
        tags: Some(identity.tags.clone()),
        user_id: Some(identity.id.clone()),
        user_name: Some(identity.name.clone()),
        user_policy_list: iam.inline_details(ctx, user).await?,
    })
}

async fn group_detail(iam: &Iam, ctx: &Ctx, group: &Group) -> Result<GroupDetail, Error> {
    let identity = &group.identity;
    Ok(GroupDetail {
        arn: Some(identity.arn(Noun::Group, ctx.account()).to_string()),
        attached_managed_policies: group.held.attached_view(),
        create_date: Some(identity.created),
        group_id: Some(identity.id.clone()),
        group_name: Some(identity.name.clone()),
        group_policy_list: iam.inline_details(ctx, group).await?,
        path: Some(identity.path.clone()),
    })
}

async fn role_detail(iam: &Iam, ctx: &Ctx, role: &Role) -> Result<RoleDetail, Error> {
    let identity = &role.identity;
    let mut profiles = Vec::new();
    for name in &role.instance_profiles {
        let found = iam.platform.store.read::<InstanceProfile>(&ctx.global_scope(), &[name]).await?;
        profiles.extend(found.map(|profile| profile.view(ctx.account(), Some(role))));
    }
    Ok(RoleDetail {
        arn: Some(identity.arn(Noun::Role, ctx.account()).to_string()),
        assume_role_policy_document: Some(url_encoded(&role.trust.document)),
        attached_managed_policies: role.held.attached_view(),
        create_date: Some(identity.created),
        instance_profile_list: Some(profiles),
        path: Some(identity.path.clone()),
        permissions_boundary: role.held.boundary_view(),
        role_id: Some(identity.id.clone()),
        role_last_used: Some(api::RoleLastUsed::default()),
        role_name: Some(identity.name.clone()),
        role_policy_list: iam.inline_details(ctx, role).await?,
        tags: Some(identity.tags.clone()),
    })
}

async fn local_detail(iam: &Iam, ctx: &Ctx, policy: &Policy) -> Result<ManagedPolicyDetail, Error> {
    let policy_use = iam.policy_use(ctx, &policy.arn(ctx.account())).await?;
    let mut versions = Vec::with_capacity(policy.versions.len());
    for version in policy.versions.iter().rev() {
        let text = iam.read_text(ctx, &policy.identity.id, &version.id()).await?;
        let document = text.map(|text| url_encoded(&text.document));
        versions.push(api::PolicyVersion { document, ..policy.version_view(*version) });
    }
    Ok(managed_detail(policy.described(ctx.account(), policy_use), versions))
}

async fn aws_detail(iam: &Iam, ctx: &Ctx, policy: &'static AwsManagedPolicy) -> Result<ManagedPolicyDetail, Error> {
    let policy_use: PolicyUse = iam.policy_use(ctx, policy.arn()).await?;
    let view = KnownPolicy::Aws(policy).described(ctx.account(), policy_use);
    Ok(managed_detail(view, vec![policy.version()]))
}

fn managed_detail(view: api::Policy, versions: Vec<api::PolicyVersion>) -> ManagedPolicyDetail {
    ManagedPolicyDetail {
        arn: view.arn,
        attachment_count: view.attachment_count,
        create_date: view.create_date,
        default_version_id: view.default_version_id,
        description: view.description,
        is_attachable: view.is_attachable,
        path: view.path,
        permissions_boundary_usage_count: view.permissions_boundary_usage_count,
        policy_id: view.policy_id,
        policy_name: view.policy_name,
        policy_version_list: Some(versions),
        update_date: view.update_date,
    }
}
