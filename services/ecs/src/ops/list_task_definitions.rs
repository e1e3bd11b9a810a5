//! ListTaskDefinitions.

use platform::{Access, Ctx};

use crate::api::{ListTaskDefinitionsRequest, ListTaskDefinitionsResponse, SortOrder, TaskDefinitionStatus};
use crate::index::{Ids, Window, ids};
use crate::names::{DefinitionId, is_name};
use crate::page::{self, PAGE_MAX};
use crate::task_definition::{BY_STATUS, TaskDefinition};
use crate::{Ecs, Error};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, _input: &ListTaskDefinitionsRequest) -> Access {
    Access::to("ecs:ListTaskDefinitions")
}

/// Lists the revisions of a status by family and revision, of all families or of one: `familyPrefix` is a whole family.
pub(crate) async fn list_task_definitions(
    ecs: &Ecs,
    ctx: &Ctx,
    input: ListTaskDefinitionsRequest,
) -> Result<ListTaskDefinitionsResponse, Error> {
    let limit = page::size(input.max_results, PAGE_MAX)?;
    let status = input.status.unwrap_or(TaskDefinitionStatus::Active);
    let sort = input.sort.unwrap_or(SortOrder::Asc);
    let family = input.family_prefix.filter(|family| !family.is_empty());
    let list = format!("ListTaskDefinitions/{status}/{sort}/{}", family.as_deref().unwrap_or_default());
    let after = page::open(&ecs.platform, ctx, &list, input.next_token.as_deref())?;
    let found = if family.as_deref().is_some_and(|family| !is_name(family)) {
        Ids { ids: Vec::new(), more: false }
    } else {
        let prefix = family.as_deref().map(DefinitionId::family_prefix).unwrap_or_default();
        let (value, reverse) = (status.as_str(), sort == SortOrder::Desc);
        let window = Window { index: BY_STATUS, value, prefix: &prefix, after: after.as_deref(), limit, reverse };
        ids::<TaskDefinition>(&ecs.platform.store, &ctx.scope(), window).await?
    };
    let next_token = page::next(&ecs.platform, ctx, &list, found.ids.last().filter(|_| found.more));
    let arn = |key: &String| DefinitionId::from_key(key).map(|id| id.arn(ctx));
    Ok(ListTaskDefinitionsResponse {
        task_definition_arns: Some(found.ids.iter().filter_map(arn).collect()),
        next_token,
    })
}
