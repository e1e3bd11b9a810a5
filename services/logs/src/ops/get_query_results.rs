//! GetQueryResults.

use platform::{Access, Ctx};

use crate::api::{GetQueryResultsRequest, GetQueryResultsResponse, QueryLanguage, QueryStatus, ResultField};
use crate::insights::{Field, LIMIT_MAX};
use crate::names::on_no_group;
use crate::query::{Query, QueryKey, Scanned};
use crate::{Error, Logs, page};

pub(crate) fn access(ctx: &Ctx, _: &GetQueryResultsRequest) -> Access {
    on_no_group(ctx, "logs:GetQueryResults")
}

/// Answers a query's state, what it has looked at, and once it is Complete its rows.
pub(crate) async fn get_query_results(
    logs: &Logs,
    ctx: &Ctx,
    input: GetQueryResultsRequest,
) -> Result<GetQueryResultsResponse, Error> {
    let found = logs.platform.store.read::<Query>(&ctx.scope(), &[&input.query_id]).await?;
    let query = found.ok_or(Error::QueryNotFound)?.value;
    let key = QueryKey { scope: ctx.scope(), id: input.query_id };
    let (status, scanned, rows) = match (logs.queries.progress(&key), query.status) {
        (Some((status, scanned)), QueryStatus::Scheduled | QueryStatus::Complete) => (status, scanned, None),
        (None, QueryStatus::Complete) => match logs.queries.rows(&key) {
            Some(rows) => (QueryStatus::Complete, query.statistics, Some(rows)),
            // Another process made the rows, or there was no more room for them.
            None => (run_again(logs, key.clone(), query), Scanned::default(), None),
        },
        (None, QueryStatus::Scheduled) => (run_again(logs, key.clone(), query), Scanned::default(), None),
        (_, ended) => (ended, query.statistics, None),
    };
    let list = format!("GetQueryResults/{}", key.id);
    let first = match page::open(&logs.platform, ctx, &list, input.next_token.as_deref())? {
        Some(first) => first.parse().map_err(|_| Error::NextToken)?,
        None => 0usize,
    };
    let count = page::size(input.max_items, LIMIT_MAX);
    let all = rows.as_deref().map_or(&[][..], Vec::as_slice);
    let shown = all.iter().skip(first).take(count).map(|row| row.iter().cloned().map(shown).collect());
    let next = (first.saturating_add(count) < all.len()).then(|| (first + count).to_string());
    Ok(GetQueryResultsResponse {
        status: Some(status),
        results: Some(shown.collect()),
        statistics: Some(scanned.describe(all.len())),
        query_language: Some(QueryLanguage::Cwli),
        next_token: page::next(&logs.platform, ctx, &list, next.as_deref()),
        encryption_key: None,
    })
}

fn run_again(logs: &Logs, key: QueryKey, query: Query) -> QueryStatus {
    let status = if query.is_open() { QueryStatus::Scheduled } else { QueryStatus::Running };
    logs.run_query(key, query);
    status
}

fn shown(Field { field, value }: Field) -> ResultField {
    ResultField { field: Some(field), value: Some(value) }
}
