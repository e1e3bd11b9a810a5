//! ListTaskDefinitionFamilies.

use platform::{Access, Ctx};

use crate::api::{ListTaskDefinitionFamiliesRequest, ListTaskDefinitionFamiliesResponse, TaskDefinitionFamilyStatus};
use crate::index::{Ids, Window, ids};
use crate::names::is_name;
use crate::page::{self, PAGE_MAX};
use crate::task_definition::{Family, FamilyStatus};
use crate::{Ecs, Error};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, _input: &ListTaskDefinitionFamiliesRequest) -> Access {
    Access::to("ecs:ListTaskDefinitionFamilies")
}

/// Lists the families whose names begin with a prefix, by name: all that have a revision, those that have an ACTIVE one,
/// or those that have none.
pub(crate) async fn list_task_definition_families(
    ecs: &Ecs,
    ctx: &Ctx,
    input: ListTaskDefinitionFamiliesRequest,
) -> Result<ListTaskDefinitionFamiliesResponse, Error> {
    let limit = page::size(input.max_results, PAGE_MAX)?;
    let value = match input.status.unwrap_or(TaskDefinitionFamilyStatus::All) {
        TaskDefinitionFamilyStatus::All => Family::ALL,
        TaskDefinitionFamilyStatus::Active => FamilyStatus::Active.as_str(),
        TaskDefinitionFamilyStatus::Inactive => FamilyStatus::Inactive.as_str(),
    };
    let prefix = input.family_prefix.unwrap_or_default();
    let list = format!("ListTaskDefinitionFamilies/{value}/{prefix}");
    let after = page::open(&ecs.platform, ctx, &list, input.next_token.as_deref())?;
    let found = if prefix.is_empty() || is_name(&prefix) {
        let window =
            Window { index: Family::BY_STATUS, value, prefix: &prefix, after: after.as_deref(), limit, reverse: false };
        ids::<Family>(&ecs.platform.store, &ctx.scope(), window).await?
    } else {
        Ids { ids: Vec::new(), more: false }
    };
    let next_token = page::next(&ecs.platform, ctx, &list, found.ids.last().filter(|_| found.more));
    Ok(ListTaskDefinitionFamiliesResponse { families: Some(found.ids), next_token })
}
