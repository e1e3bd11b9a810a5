//! Makes a user.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::{CreateUserRequest, CreateUserResponse};
use crate::attachment::{HeldPolicies, bounded_by};
use crate::entity::{Entity, Identity, Noun, insert};
use crate::tag::pairs;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &CreateUserRequest) -> Access {
    let access = Access::to("iam:CreateUser")
        .on(Noun::User.placed(ctx, input.path.as_deref(), &input.user_name))
        .request_tags(pairs(input.tags.as_deref().unwrap_or_default()));
    bounded_by(access, input.permissions_boundary.as_deref())
}

pub(crate) async fn create_user(iam: &Iam, ctx: &Ctx, input: CreateUserRequest) -> Result<CreateUserResponse, Error> {
    let identity = Identity::new(iam, ctx, User::NOUN, input.user_name, input.path, input.tags)?;
    let held = HeldPolicies { boundary: input.permissions_boundary, ..HeldPolicies::default() };
    let user = User { identity, held, access_keys: Vec::new(), groups: Vec::new() };
    iam.check_quota::<User>(ctx).await?;
    iam.transact(|| async {
        iam.check_is_free::<User>(ctx, &user.identity.name).await?;
        let mut tx = Tx::new();
        insert(&mut tx, &ctx.global_scope(), &user);
        iam.set_boundary(ctx, &mut tx, user.held.boundary.as_deref()).await?;
        Ok((tx, ()))
    })
    .await?;
    iam.note_made(ctx, User::NOUN);
    Ok(CreateUserResponse { user: Some(user.described(ctx.account())) })
}
