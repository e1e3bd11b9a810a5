//! Adds tags to a role.

use platform::Ctx;

use crate::api::TagRoleRequest;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) async fn tag_role(iam: &Iam, ctx: &Ctx, input: TagRoleRequest) -> Result<(), Error> {
    iam.tag::<Role>(ctx, &input.role_name, &input.tags).await
}
