//! Adds tags to a user.

use platform::{Access, Ctx};

use crate::api::TagUserRequest;
use crate::entity::Noun;
use crate::tag::pairs;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &TagUserRequest) -> Access {
    Access::to("iam:TagUser").on(Noun::User.named(ctx, &input.user_name)).request_tags(pairs(&input.tags))
}

pub(crate) async fn tag_user(iam: &Iam, ctx: &Ctx, input: TagUserRequest) -> Result<(), Error> {
    iam.tag::<User>(ctx, &input.user_name, &input.tags).await
}
