//! StopQuery.

use platform::{Access, Ctx};
use store::StoreError;

use crate::api::{QueryStatus, StopQueryRequest, StopQueryResponse};
use crate::names::on_no_group;
use crate::query::{Query, QueryKey};
use crate::{Error, Logs};

pub(crate) fn access(ctx: &Ctx, _: &StopQueryRequest) -> Access {
    on_no_group(ctx, "logs:StopQuery")
}

/// Stops a query that has not ended.
pub(crate) async fn stop_query(logs: &Logs, ctx: &Ctx, input: StopQueryRequest) -> Result<StopQueryResponse, Error> {
    let stop = |query: &mut Query| {
        if !query.is_open() {
            return Err(Error::QueryEnded);
        }
        (query.status, query.ended) = (QueryStatus::Cancelled, Some(ctx.now));
        Ok(())
    };
    let stopped = logs.platform.store.update(&ctx.scope(), &[&input.query_id], stop).await;
    stopped.map_err(|error| match error {
        Error::Store(StoreError::NotFound { .. }) => Error::QueryNotFound,
        other => other,
    })?;
    logs.queries.cancel(&QueryKey { scope: ctx.scope(), id: input.query_id });
    Ok(StopQueryResponse { success: Some(true) })
}
