//! Removes tags from a user.

use platform::{Access, Ctx};

use crate::api::UntagUserRequest;
use crate::entity::Noun;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &UntagUserRequest) -> Access {
    Access::to("iam:UntagUser")
        .on(Noun::User.named(ctx, &input.user_name))
        .tag_keys(input.tag_keys.iter().map(String::as_str))
}

pub(crate) async fn untag_user(iam: &Iam, ctx: &Ctx, input: UntagUserRequest) -> Result<(), Error> {
    iam.untag::<User>(ctx, &input.user_name, &input.tag_keys).await
}
