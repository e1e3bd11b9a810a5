//! Makes a role.

use std::collections::BTreeSet;

use platform::{Access, Ctx};
use store::Tx;

use crate::api::{CreateRoleRequest, CreateRoleResponse};
use crate::attachment::{HeldPolicies, bounded_by};
use crate::entity::{Entity, Identity, Noun, insert};
use crate::limits::SESSION_DURATION_DEFAULT_S;
use crate::names::check_role_is_ordinary;
use crate::role::Role;
use crate::tag::pairs;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &CreateRoleRequest) -> Access {
    let access = Access::to("iam:CreateRole")
        .on(Noun::Role.placed(ctx, input.path.as_deref(), &input.role_name))
        .request_tags(pairs(input.tags.as_deref().unwrap_or_default()));
    bounded_by(access, input.permissions_boundary.as_deref())
}

pub(crate) async fn create_role(iam: &Iam, ctx: &Ctx, input: CreateRoleRequest) -> Result<CreateRoleResponse, Error> {
    let identity = Identity::new(iam, ctx, Role::NOUN, input.role_name, input.path, input.tags)?;
    check_role_is_ordinary(&identity.name, &identity.path)?;
    let max_session_duration_s = input.max_session_duration.and_then(|seconds| u32::try_from(seconds).ok());
    let role = Role {
        identity,
        held: HeldPolicies { boundary: input.permissions_boundary, ..HeldPolicies::default() },
        trust: iam.trust_policy(input.assume_role_policy_document).await?,
        description: input.description,
        max_session_duration_s: max_session_duration_s.unwrap_or(SESSION_DURATION_DEFAULT_S),
        instance_profiles: BTreeSet::new(),
    };
    iam.check_quota::<Role>(ctx).await?;
    iam.transact(|| async {
        iam.check_is_free::<Role>(ctx, &role.identity.name).await?;
        let mut tx = Tx::new();
        insert(&mut tx, &ctx.global_scope(), &role);
        iam.set_boundary(ctx, &mut tx, role.held.boundary.as_deref()).await?;
        Ok((tx, ()))
    })
    .await?;
    iam.note_made(ctx, Role::NOUN);
    Ok(CreateRoleResponse { role: role.created(ctx.account()) })
}
