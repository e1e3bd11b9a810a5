//! Removes tags from a role.

use platform::Ctx;

use crate::api::UntagRoleRequest;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) async fn untag_role(iam: &Iam, ctx: &Ctx, input: UntagRoleRequest) -> Result<(), Error> {
    iam.untag::<Role>(ctx, &input.role_name, &input.tag_keys).await
}
