//! Adds tags to a user.

use platform::Ctx;

use crate::api::TagUserRequest;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) async fn tag_user(iam: &Iam, ctx: &Ctx, input: TagUserRequest) -> Result<(), Error> {
    iam.tag::<User>(ctx, &input.user_name, &input.tags).await
}
