//! RegisterTaskDefinition.

use platform::Ctx;
use store::{StoreError, Tx, Versioned};

use crate::api::{RegisterTaskDefinitionRequest, RegisterTaskDefinitionResponse, errors};
use crate::contention::Attempts;
use crate::names::DefinitionId;
use crate::task_definition::{Family, Lifecycle, TaskDefinition, admission};
use crate::{Ecs, Error, Tags};

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
