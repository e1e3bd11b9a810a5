//! Makes a group without users.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::{CreateGroupRequest, CreateGroupResponse};
use crate::attachment::HeldPolicies;
use crate::entity::{Entity, Identity, Noun, insert};
use crate::group::Group;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &CreateGroupRequest) -> Access {
    Access::to("iam:CreateGroup").on(Noun::Group.placed(ctx, input.path.as_deref(), &input.group_name))
}

pub(crate) async fn create_group(
    iam: &Iam,
    ctx: &Ctx,
    input: CreateGroupRequest,
) -> Result<CreateGroupResponse, Error> {
    let identity = Identity::new(iam, ctx, Group::NOUN, input.group_name, input.path, None)?;
    let group = Group { identity, held: HeldPolicies::default(), users: 0 };
    iam.check_quota::<Group>(ctx).await?;
    iam.transact(|| async {
        iam.check_is_free::<Group>(ctx, &group.identity.name).await?;
        let mut tx = Tx::new();
        insert(&mut tx, &ctx.global_scope(), &group);
        Ok((tx, ()))
    })
    .await?;
    iam.note_made(ctx, Group::NOUN);
    Ok(CreateGroupResponse { group: group.view(ctx.account()) })
}
