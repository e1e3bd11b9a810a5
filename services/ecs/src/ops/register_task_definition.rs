//! RegisterTaskDefinition.

use platform::{Access, Attempts, Ctx};
use store::{StoreError, Tx, Versioned};

use crate::api::{RegisterTaskDefinitionRequest, RegisterTaskDefinitionResponse, errors};
use crate::names::DefinitionId;
use crate::task_definition::{Family, Lifecycle, TaskDefinition, admission};
use crate::{Ecs, Error, Tags, access};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &RegisterTaskDefinitionRequest) -> Access {
    const SERVICE: &str = "ecs-tasks.amazonaws.com";
    let arn = access::task_definition(ctx, &input.family);
    let compatibilities = input.requires_compatibilities.iter().flatten().map(|word| word.as_str().to_owned());
    let is_privileged = input.container_definitions.iter().any(|container| container.privileged == Some(true));
    let access = Access::to("ecs:RegisterTaskDefinition")
        .on(&arn)
        .keys("ecs:compute-compatibility", compatibilities)
        .keys("ecs:task-cpu", input.cpu.clone())
        .keys("ecs:task-memory", input.memory.clone())
        .key("ecs:privileged", if is_privileged { "true" } else { "false" });
    access::created_with_tags(access, &arn, "RegisterTaskDefinition", input.tags.as_deref())
        .pass_role(access::role(ctx, input.task_role_arn.as_deref()).as_deref(), SERVICE)
        .pass_role(access::role(ctx, input.execution_role_arn.as_deref()).as_deref(), SERVICE)
}

/// Registers the next revision of a family.
pub(crate) async fn register_task_definition(
    ecs: &Ecs,
    ctx: &Ctx,
    mut input: RegisterTaskDefinitionRequest,
) -> Result<RegisterTaskDefinitionResponse, Error> {
    let (family, is_tagged) = (input.family.clone(), input.tags.is_some());
    let tags = Tags::admit(input.tags.take(), errors::CLIENT)?;
    let definition = TaskDefinition {
        lifecycle: Lifecycle::Active,
        registered_at: ctx.now,
        registered_by: ctx.principal.arn.to_string(),
        tags,
        registered: admission::admit(ctx.account(), input)?,
    };
    let mut attempts = Attempts::new();
    let id = loop {
        match register(ecs, ctx, &family, &definition).await {
            outcome if attempts.again(&outcome) => {}
            Err(Error::Store(StoreError::Conflict { .. })) => return Err(Error::RevisionContention),
            outcome => break outcome?,
        }
    };
    Ok(RegisterTaskDefinitionResponse {
        task_definition: Some(definition.describe(ctx, &id)),
        tags: is_tagged.then(|| definition.tags.into_api()),
    })
}

/// The family's counter and the revision are written together: two that take one number meet in the counter.
async fn register(ecs: &Ecs, ctx: &Ctx, family: &str, definition: &TaskDefinition) -> Result<DefinitionId, Error> {
    let (store, scope) = (&ecs.platform.store, ctx.scope());
    let found: Option<Versioned<Family>> = store.read(&scope, &[family]).await?;
    let before = found.as_ref().map(|it| it.value).unwrap_or_default();
    let after = before.with_next_revision().ok_or(Error::RevisionsMax(before.last_revision))?;
    let id = DefinitionId { family: family.to_owned(), revision: after.last_revision };
    let mut tx = Tx::new();
    match &found {
        Some(present) => tx.replace(present, &after),
        None => tx.insert(&scope, &[family], &after),
    };
    tx.insert(&scope, &[&id.key()], definition);
    store.commit(tx).await?;
    Ok(id)
}
