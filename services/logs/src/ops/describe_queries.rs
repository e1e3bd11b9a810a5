//! DescribeQueries.

use std::cmp::Reverse;

use platform::{Access, Ctx};
use store::{ListOptions, Versioned};

use crate::api::{DescribeQueriesRequest, DescribeQueriesResponse, QueryLanguage, QueryStatus};
use crate::names::on_no_group;
use crate::query::{QUERIES_KEPT_MAX, Query, QueryKey};
use crate::{Error, Logs, page};

pub(crate) fn access(ctx: &Ctx, _: &DescribeQueriesRequest) -> Access {
    on_no_group(ctx, "logs:DescribeQueries")
}

/// Describes the queries of the last days, those that were started last first.
pub(crate) async fn describe_queries(
    logs: &Logs,
    ctx: &Ctx,
    input: DescribeQueriesRequest,
) -> Result<DescribeQueriesResponse, Error> {
    const LIST: &str = "DescribeQueries";
    let after = page::open(&logs.platform, ctx, LIST, input.next_token.as_deref())?;
    let mut found = all(logs, ctx).await?;
    found.retain(|(status, query)| {
        input.status.is_none_or(|wanted| wanted == *status)
            && input.query_language.is_none_or(|language| language == QueryLanguage::Cwli)
            && input.log_group_name.as_ref().is_none_or(|name| query.groups.iter().any(|group| group.name == *name))
    });
    found.sort_by_cached_key(|(_, query)| Reverse(place(query)));
    if let Some(after) = after {
        found.retain(|(_, query)| place(query) < after);
    }
    let limit = page::size(input.max_results, QUERIES_KEPT_MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more).map(|(_, query)| place(query));
    let queries = found.into_iter().map(|(status, query)| {
        let id = query.name().to_owned();
        query.value.describe(&id, status, ctx.now)
    });
    Ok(DescribeQueriesResponse {
        queries: Some(queries.collect()),
        next_token: page::next(&logs.platform, ctx, LIST, last.as_deref()),
    })
}

fn place(query: &Versioned<Query>) -> String {
    format!("{:020}/{}", query.value.created.as_millis(), query.name())
}

async fn all(logs: &Logs, ctx: &Ctx) -> Result<Vec<(QueryStatus, Versioned<Query>)>, Error> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let options = ListOptions { after: after.as_deref(), ..ListOptions::default() };
        let page = logs.platform.store.list::<Query>(&ctx.scope(), options).await?;
        found.extend(page.items.into_iter().map(|query| {
            let key = QueryKey { scope: ctx.scope(), id: query.name().to_owned() };
            let running = logs.queries.progress(&key).filter(|_| query.is_open());
            (running.map_or(query.status, |(status, _)| status), query)
        }));
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}
