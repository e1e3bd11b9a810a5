//! Removes tags from a user.

use platform::Ctx;

use crate::api::UntagUserRequest;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) async fn untag_user(iam: &Iam, ctx: &Ctx, input: UntagUserRequest) -> Result<(), Error> {
    iam.untag::<User>(ctx, &input.user_name, &input.tag_keys).await
}
