//! Tells how the deletion of a service-linked role goes on.

use platform::{Access, Ctx};

use crate::api::{
    DeletionTaskStatusType, GetServiceLinkedRoleDeletionStatusRequest, GetServiceLinkedRoleDeletionStatusResponse,
};
use crate::entity::Noun;
use crate::names::{SERVICE_LINKED_PATH, folded};
use crate::service_linked::{Deletion, role_of_task};
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &GetServiceLinkedRoleDeletionStatusRequest) -> Access {
    let (service, name) = role_of_task(&input.deletion_task_id).unwrap_or_default();
    let path = format!("{SERVICE_LINKED_PATH}{service}/");
    Access::to("iam:GetServiceLinkedRoleDeletionStatus").on(Noun::Role.placed(ctx, Some(&path), name))
}

pub(crate) async fn get_service_linked_role_deletion_status(
    iam: &Iam,
    ctx: &Ctx,
    input: GetServiceLinkedRoleDeletionStatusRequest,
) -> Result<GetServiceLinkedRoleDeletionStatusResponse, Error> {
    let missing = || Error::NoSuchDeletion { task_id: input.deletion_task_id.clone() };
    let (_, name) = role_of_task(&input.deletion_task_id).ok_or_else(missing)?;
    let deletion = iam.platform.store.read::<Deletion>(&ctx.global_scope(), &[&folded(name)]).await?;
    deletion.filter(|deletion| deletion.task_id == input.deletion_task_id).ok_or_else(missing)?;
    Ok(GetServiceLinkedRoleDeletionStatusResponse { reason: None, status: DeletionTaskStatusType::Succeeded })
}
