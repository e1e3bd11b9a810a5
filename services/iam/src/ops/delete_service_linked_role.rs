//! Removes the role that a service has in the account.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::{DeleteServiceLinkedRoleRequest, DeleteServiceLinkedRoleResponse};
use crate::attachment::UseChange;
use crate::entity::Noun;
use crate::names::{PolicyArn, folded};
use crate::role::Role;
use crate::service_linked::Deletion;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &DeleteServiceLinkedRoleRequest) -> Access {
    Access::to("iam:DeleteServiceLinkedRole").on(Noun::Role.named(ctx, &input.role_name))
}

pub(crate) async fn delete_service_linked_role(
    iam: &Iam,
    ctx: &Ctx,
    input: DeleteServiceLinkedRoleRequest,
) -> Result<DeleteServiceLinkedRoleResponse, Error> {
    let store = &iam.platform.store;
    let deletion_task_id = iam
        .transact(|| async {
            let role = iam.find::<Role>(ctx, &input.role_name).await?;
            if !role.is_service_linked() {
                return Err(Error::NoSuchRole { name: input.role_name.clone() });
            }
            let (path, name) = (&role.identity.path, &role.identity.name);
            let deletion = Deletion { task_id: format!("task{path}{name}/{}", base::ids::uuid(&*iam.platform.rng)) };
            let mut tx = Tx::new();
            tx.remove(&role);
            for arn in role.held.attached.iter().filter_map(|arn| PolicyArn::parse(arn)) {
                iam.note_use(ctx, &mut tx, &arn, UseChange::Detached).await?;
            }
            let id = folded(name);
            match store.read::<Deletion>(&ctx.global_scope(), &[&id]).await? {
                Some(before) => tx.replace(&before, &deletion),
                None => tx.insert(&ctx.global_scope(), &[&id], &deletion),
            };
            Ok((tx, deletion.task_id))
        })
        .await?;
    iam.note_gone(ctx, Noun::Role);
    Ok(DeleteServiceLinkedRoleResponse { deletion_task_id })
}
