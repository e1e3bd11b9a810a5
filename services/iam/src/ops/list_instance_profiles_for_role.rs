//! Lists the instance profiles that a role is in.

use platform::{Access, Ctx};

use crate::api::{ListInstanceProfilesForRoleRequest, ListInstanceProfilesForRoleResponse};
use crate::entity::Noun;
use crate::instance_profile::InstanceProfile;
use crate::page::PageRequest;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &ListInstanceProfilesForRoleRequest) -> Access {
    Access::to("iam:ListInstanceProfilesForRole").on(Noun::Role.named(ctx, &input.role_name))
}

pub(crate) async fn list_instance_profiles_for_role(
    iam: &Iam,
    ctx: &Ctx,
    input: ListInstanceProfilesForRoleRequest,
) -> Result<ListInstanceProfilesForRoleResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListInstanceProfilesForRole", input.marker.as_deref(), input.max_items)?;
    let role = iam.find::<Role>(ctx, &input.role_name).await?;
    let page = request.of(role.instance_profiles.iter().map(|name| (name.clone(), name)));
    let mut instance_profiles = Vec::new();
    for name in &page.items {
        let found = iam.platform.store.read::<InstanceProfile>(&ctx.global_scope(), &[name]).await?;
        instance_profiles.extend(found.map(|profile| profile.view(ctx.account(), Some(&role))));
    }
    Ok(ListInstanceProfilesForRoleResponse {
        instance_profiles,
        is_truncated: page.is_truncated(),
        marker: page.marker,
    })
}
