//! Answers a user, the caller if the request names none.

use base::Timestamp;
use platform::{Access, Ctx};

use crate::access_key::{named_user, owner_access};
use crate::api::{GetUserRequest, GetUserResponse, User as UserView};
use crate::names::ROOT_PATH;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &GetUserRequest) -> Access {
    owner_access(ctx, "iam:GetUser", input.user_name.as_deref())
}

pub(crate) async fn get_user(iam: &Iam, ctx: &Ctx, input: GetUserRequest) -> Result<GetUserResponse, Error> {
    if input.user_name.is_none() && ctx.principal.is_root() {
        return Ok(GetUserResponse { user: root(ctx) });
    }
    let name = named_user(ctx, input.user_name.as_deref()).ok_or(Error::UserNameRequired)?;
    let user = iam.find::<User>(ctx, name).await?;
    Ok(GetUserResponse { user: user.described(ctx.account()) })
}

/// The account itself. It is no user and nobody made it; its name is what its ARN ends with.
fn root(ctx: &Ctx) -> UserView {
    UserView {
        arn: ctx.principal.arn.to_string(),
        create_date: Timestamp::default(),
        path: ROOT_PATH.to_owned(),
        user_id: ctx.principal.user_id.clone(),
        user_name: ctx.principal.arn.resource.clone(),
        ..UserView::default()
    }
}
