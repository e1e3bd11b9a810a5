//! DeregisterTaskDefinition.

use platform::{Access, Attempts, Ctx};
use store::Versioned;

use crate::api::{self, DeregisterTaskDefinitionRequest, DeregisterTaskDefinitionResponse};
use crate::names::{DefinitionId, definition_revision};
use crate::task_definition::{Event, Lifecycle, TaskDefinition, Transition};
use crate::{Ecs, Error};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, _input: &DeregisterTaskDefinitionRequest) -> Access {
    Access::to("ecs:DeregisterTaskDefinition")
}

/// Makes a revision INACTIVE. What runs of it goes on.
pub(crate) async fn deregister_task_definition(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DeregisterTaskDefinitionRequest,
) -> Result<DeregisterTaskDefinitionResponse, Error> {
    let id = definition_revision(ctx, &input.task_definition)?;
    let mut attempts = Attempts::new();
    loop {
        let outcome = deregister(ecs, ctx, &id).await;
        if !attempts.again(&outcome) {
            return Ok(DeregisterTaskDefinitionResponse { task_definition: Some(outcome?) });
        }
    }
}

async fn deregister(ecs: &Ecs, ctx: &Ctx, id: &DefinitionId) -> Result<api::TaskDefinition, Error> {
    let (store, scope) = (&ecs.platform.store, ctx.scope());
    let found: Option<Versioned<TaskDefinition>> = store.read(&scope, &[&id.key()]).await?;
    let before = found.ok_or(Error::DefinitionNotFound)?;
    let next = before.lifecycle.next(Event::Deregister, ctx.now).map_err(|_| Error::DefinitionDeleting)?;
    let mut transition = Transition::new();
    transition.set(&id.family, &before, next);
    transition.commit(store, &scope).await?;
    let was_active = before.lifecycle == Lifecycle::Active;
    let mut described = TaskDefinition { lifecycle: next, ..before.value }.describe(ctx, id);
    if was_active {
        // ECS tells when only from the next description on.
        described.deregistered_at = None;
    }
    Ok(described)
}
