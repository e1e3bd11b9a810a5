//! DeleteRetentionPolicy.

use platform::{Access, Ctx};

use crate::api::DeleteRetentionPolicyRequest;
use crate::names::{GroupName, on_own_group};
use crate::ops::put_retention_policy::set;
use crate::{Error, Logs};

pub(crate) fn access(ctx: &Ctx, input: &DeleteRetentionPolicyRequest) -> Access {
    on_own_group(ctx, "logs:DeleteRetentionPolicy", &input.log_group_name)
}

/// Lets a group's events never expire.
pub(crate) async fn delete_retention_policy(
    logs: &Logs,
    ctx: &Ctx,
    input: DeleteRetentionPolicyRequest,
) -> Result<(), Error> {
    set(logs, &GroupName::own(ctx, &input.log_group_name), None).await
}
