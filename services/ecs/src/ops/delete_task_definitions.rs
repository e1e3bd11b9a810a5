//! DeleteTaskDefinitions.

use platform::{Access, Attempts, Ctx};
use store::Versioned;

use crate::api::{DeleteTaskDefinitionsRequest, DeleteTaskDefinitionsResponse, Failure};
use crate::names::{DefinitionId, definition_revision};
use crate::task_definition::{Event, TaskDefinition, Transition};
use crate::{Ecs, Error, access, reconcile};

/// How many task definitions can be deleted at once.
const DEFINITIONS_MAX: usize = 10;

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DeleteTaskDefinitionsRequest) -> Access {
    let named = input.task_definitions.iter();
    named.fold(Access::to("ecs:DeleteTaskDefinitions"), |access, name| access.on(access::task_definition(ctx, name)))
}

/// Marks INACTIVE revisions as DELETE_IN_PROGRESS; a reconciler removes them once nothing uses them. What cannot be
/// deleted is a failure of the answer, not of the request.
pub(crate) async fn delete_task_definitions(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DeleteTaskDefinitionsRequest,
) -> Result<DeleteTaskDefinitionsResponse, Error> {
    let names = input.task_definitions;
    if !(1..=DEFINITIONS_MAX).contains(&names.len()) {
        return Err(Error::DefinitionsMax(DEFINITIONS_MAX));
    }
    let mut attempts = Attempts::new();
    loop {
        let outcome = delete(ecs, ctx, &names).await;
        if !attempts.again(&outcome) {
            return outcome;
        }
    }
}

async fn delete(ecs: &Ecs, ctx: &Ctx, names: &[String]) -> Result<DeleteTaskDefinitionsResponse, Error> {
    let (store, scope) = (&ecs.platform.store, ctx.scope());
    let (mut deleted, mut failures) = (Vec::new(), Vec::new());
    let mut transition = Transition::new();
    let mut seen: Vec<DefinitionId> = Vec::new();
    for name in names {
        let mut fail = |reason: &str| {
            failures.push(Failure { arn: Some(name.clone()), reason: Some(reason.to_owned()), detail: None });
        };
        let Ok(id) = definition_revision(ctx, name) else {
            fail("The specified task definition identifier is invalid. Specify a valid name or ARN and try again.");
            continue;
        };
        if seen.contains(&id) {
            continue;
        }
        let found: Option<Versioned<TaskDefinition>> = store.read(&scope, &[&id.key()]).await?;
        let Some(before) = found else {
            fail(
                "The specified task definition does not exist. Specify a valid account, family, revision and try again.",
            );
            continue;
        };
        let Ok(next) = before.lifecycle.next(Event::Delete, ctx.now) else {
            fail(
                "The specified task definition is still in ACTIVE status. Please deregister the target and try again.",
            );
            continue;
        };
        if before.lifecycle != next {
            transition.set(&id.family, &before, next);
            reconcile::task_definition::schedule(transition.tx(), &before, ctx.now);
        }
        deleted.push(TaskDefinition { lifecycle: next, ..before.value }.describe(ctx, &id));
        seen.push(id);
    }
    transition.commit(store, &scope).await?;
    Ok(DeleteTaskDefinitionsResponse { failures: Some(failures), task_definitions: Some(deleted) })
}
