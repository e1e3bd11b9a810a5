//! StartQuery.

use base::ids;
use platform::{Access, Ctx};
use store::Tx;

use crate::api::{LogGroupClass, QueryLanguage, QueryStatus, StartQueryRequest, StartQueryResponse};
use crate::insights::{self, LIMIT_MAX};
use crate::names::{GroupName, on_group, on_no_group};
use crate::query::{QUERY_GROUPS_MAX, QueriedGroup, Query, QueryKey, Scanned};
use crate::{Error, Logs, group};

const ACTION: &str = "logs:StartQuery";
/// Times from here on are milliseconds, as clients send them by mistake; as seconds they lie beyond the year 5000.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

pub(crate) fn access(ctx: &Ctx, input: &StartQueryRequest) -> Access {
    let groups = groups(ctx, input).unwrap_or_default();
    let each = groups.iter().map(|group| on_group(ACTION, group));
    each.reduce(Access::and).unwrap_or_else(|| on_no_group(ctx, ACTION))
}

/// Starts a query. It runs when its turn has come; GetQueryResults tells how far it is.
pub(crate) async fn start_query(logs: &Logs, ctx: &Ctx, input: StartQueryRequest) -> Result<StartQueryResponse, Error> {
    let names = groups(ctx, &input)?;
    if let Some(language @ (QueryLanguage::Sql | QueryLanguage::Ppl)) = input.query_language {
        return Err(Error::QueryLanguage(language.as_str()));
    }
    insights::Query::parse(&input.query_string)?;
    let (start_ms, end_ms) = range(&input)?;
    logs.queries.check_room(&ctx.scope())?;
    let mut groups = Vec::new();
    for name in names {
        let found = group::find(&logs.platform.store, &name).await?;
        if found.class == LogGroupClass::Delivery {
            return Err(Error::ClassUnreadable(found.class.as_str()));
        }
        let storage_id = found.value.storage_id;
        groups.push(QueriedGroup { account: name.account, name: name.name, storage_id });
    }
    let query = Query {
        text: input.query_string,
        groups,
        start_ms,
        end_ms,
        limit: input
            .limit
            .and_then(|limit| usize::try_from(limit).ok())
            .map_or(LIMIT_MAX, |limit| limit.min(LIMIT_MAX)),
        created: ctx.now,
        user: ctx.principal.arn.to_string(),
        status: QueryStatus::Scheduled,
        ended: None,
        statistics: Scanned::default(),
        rows: 0,
    };
    let id = ids::uuid(&*logs.platform.rng);
    let mut tx = Tx::new();
    tx.insert(&ctx.scope(), &[&id], &query);
    logs.platform.store.commit(tx).await?;
    logs.run_query(QueryKey { scope: ctx.scope(), id: id.clone() }, query);
    Ok(StartQueryResponse { query_id: Some(id) })
}

/// The groups to ask, each once.
fn groups(ctx: &Ctx, input: &StartQueryRequest) -> Result<Vec<GroupName>, Error> {
    let one = input.log_group_name.iter().map(|name| Ok(GroupName::own(ctx, name)));
    let named = input.log_group_names.iter().flatten().map(|name| Ok(GroupName::own(ctx, name)));
    let identified = input.log_group_identifiers.iter().flatten().map(|text| GroupName::identified(ctx, text));
    let ways = [input.log_group_name.is_some(), input.log_group_names.is_some(), input.log_group_identifiers.is_some()];
    if ways.iter().filter(|way| **way).count() != 1 {
        return Err(Error::QueryGroups);
    }
    let mut groups: Vec<GroupName> = Vec::new();
    for group in one.chain(named).chain(identified) {
        let group = group?;
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    match groups.len() {
        0 => Err(Error::QueryGroups),
        count if count > QUERY_GROUPS_MAX => Err(Error::QueryGroupsMax(QUERY_GROUPS_MAX)),
        _ => Ok(groups),
    }
}

/// The first and last millisecond that count: both seconds that were named, in full.
fn range(input: &StartQueryRequest) -> Result<(i64, i64), Error> {
    let first = |time: i64| if time < MILLISECONDS_FROM { time * 1000 } else { time };
    let last = |time: i64| if time < MILLISECONDS_FROM { time * 1000 + 999 } else { time };
    let (start, end) = (first(input.start_time), last(input.end_time));
    if start > end { Err(Error::TimeRange) } else { Ok((start, end)) }
}
