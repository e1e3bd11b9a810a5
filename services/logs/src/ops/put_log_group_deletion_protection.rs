//! PutLogGroupDeletionProtection.

use platform::{Access, Ctx};

use crate::api::PutLogGroupDeletionProtectionRequest;
use crate::names::{GroupName, on_either};
use crate::{Error, Logs, group};

pub(crate) fn access(ctx: &Ctx, input: &PutLogGroupDeletionProtectionRequest) -> Access {
    on_either(ctx, "logs:PutLogGroupDeletionProtection", None, Some(&input.log_group_identifier))
}

/// Protects a group from being deleted, or no more.
pub(crate) async fn put_log_group_deletion_protection(
    logs: &Logs,
    ctx: &Ctx,
    input: PutLogGroupDeletionProtectionRequest,
) -> Result<(), Error> {
    let name = GroupName::identified(ctx, &input.log_group_identifier)?;
    group::update(&logs.platform.store, &name, |group| {
        group.deletion_protected = input.deletion_protection_enabled;
        Ok(())
    })
    .await
    .map(drop)
}
