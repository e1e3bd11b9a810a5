//! DescribeTaskDefinition.

use platform::{Access, Ctx};
use store::Versioned;

use crate::api::{DescribeTaskDefinitionRequest, DescribeTaskDefinitionResponse, TaskDefinitionField};
use crate::index::{Window, ids};
use crate::names::{DefinitionId, definition_name};
use crate::task_definition::{BY_STATUS, Lifecycle, TaskDefinition};
use crate::{Ecs, Error};

/// How often the latest ACTIVE revision is looked for, when it is deregistered between index and record.
const LOOKUPS_MAX: u32 = 8;

/// Who may.
pub(crate) fn access(_ctx: &Ctx, _input: &DescribeTaskDefinitionRequest) -> Access {
    Access::to("ecs:DescribeTaskDefinition")
}

/// Describes a revision, whatever its state, or a family's latest that is ACTIVE.
pub(crate) async fn describe_task_definition(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DescribeTaskDefinitionRequest,
) -> Result<DescribeTaskDefinitionResponse, Error> {
    let name = definition_name(ctx, &input.task_definition)?;
    let (id, found) = match name.revision {
        Some(revision) => {
            let id = DefinitionId { family: name.family, revision };
            let found = ecs.platform.store.read(&ctx.scope(), &[&id.key()]).await?;
            (id, found.ok_or(Error::DefinitionNotFound)?)
        }
        None => latest_active(ecs, ctx, &name.family).await?,
    };
    let wants_tags = input.include.iter().flatten().any(|it| *it == TaskDefinitionField::Tags);
    let tags = if wants_tags { found.tags.clone().into_api() } else { Vec::new() };
    Ok(DescribeTaskDefinitionResponse { task_definition: Some(found.describe(ctx, &id)), tags: Some(tags) })
}

async fn latest_active(ecs: &Ecs, ctx: &Ctx, family: &str) -> Result<(DefinitionId, Versioned<TaskDefinition>), Error> {
    let (store, scope) = (&ecs.platform.store, ctx.scope());
    let (value, prefix) = (Lifecycle::Active.status().as_str(), DefinitionId::family_prefix(family));
    let window = Window { index: BY_STATUS, value, prefix: &prefix, after: None, limit: 1, reverse: true };
    for _ in 0..LOOKUPS_MAX {
        let found = ids::<TaskDefinition>(store, &scope, window).await?;
        let Some(id) = found.ids.first().and_then(|key| DefinitionId::from_key(key)) else { break };
        let record: Option<Versioned<TaskDefinition>> = store.read(&scope, &[&id.key()]).await?;
        if let Some(active) = record.filter(|it| it.lifecycle == Lifecycle::Active) {
            return Ok((id, active));
        }
    }
    Err(Error::DefinitionNotFound)
}
