//! DescribeQueryDefinitions.

use platform::{Access, Ctx};
use store::{ListOptions, Versioned};

use crate::api::{DescribeQueryDefinitionsRequest, DescribeQueryDefinitionsResponse, QueryLanguage};
use crate::names::on_no_group;
use crate::query_definition::{DEFINITIONS_MAX, QueryDefinition};
use crate::{Error, Logs, page};

pub(crate) fn access(ctx: &Ctx, _: &DescribeQueryDefinitionsRequest) -> Access {
    on_no_group(ctx, "logs:DescribeQueryDefinitions")
}

/// Describes query definitions by name.
pub(crate) async fn describe_query_definitions(
    logs: &Logs,
    ctx: &Ctx,
    input: DescribeQueryDefinitionsRequest,
) -> Result<DescribeQueryDefinitionsResponse, Error> {
    const LIST: &str = "DescribeQueryDefinitions";
    let after = page::open(&logs.platform, ctx, LIST, input.next_token.as_deref())?;
    let prefix = input.query_definition_name_prefix.as_deref().unwrap_or_default();
    let mut found = all(logs, ctx).await?;
    let is_asked_for = input.query_language.is_none_or(|language| language == QueryLanguage::Cwli);
    found.retain(|definition| is_asked_for && definition.value.name.starts_with(prefix));
    found.sort_by_cached_key(place);
    if let Some(after) = after {
        found.retain(|definition| place(definition) > after);
    }
    let limit = page::size(input.max_results, DEFINITIONS_MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more).map(place);
    let definitions = found.into_iter().map(|found| {
        let id = found.name().to_owned();
        found.value.describe(id)
    });
    Ok(DescribeQueryDefinitionsResponse {
        query_definitions: Some(definitions.collect()),
        next_token: page::next(&logs.platform, ctx, LIST, last.as_deref()),
    })
}

fn place(definition: &Versioned<QueryDefinition>) -> String {
    format!("{}\0{}", definition.value.name, definition.name())
}

async fn all(logs: &Logs, ctx: &Ctx) -> Result<Vec<Versioned<QueryDefinition>>, Error> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let options = ListOptions { after: after.as_deref(), ..ListOptions::default() };
        let page = logs.platform.store.list::<QueryDefinition>(&ctx.scope(), options).await?;
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}
