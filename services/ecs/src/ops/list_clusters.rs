//! ListClusters.

use platform::{Access, Ctx};

use crate::api::{ListClustersRequest, ListClustersResponse};
use crate::cluster::{BY_STATUS, Cluster, ClusterStatus};
use crate::index::{Window, ids};
use crate::names::cluster_arn;
use crate::page::{self, PAGE_MAX};
use crate::{Ecs, Error};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, _input: &ListClustersRequest) -> Access {
    Access::to("ecs:ListClusters")
}

/// Lists the ACTIVE clusters by name.
pub(crate) async fn list_clusters(
    ecs: &Ecs,
    ctx: &Ctx,
    input: ListClustersRequest,
) -> Result<ListClustersResponse, Error> {
    const LIST: &str = "ListClusters";
    let limit = page::size(input.max_results, PAGE_MAX)?;
    let after = page::open(&ecs.platform, ctx, LIST, input.next_token.as_deref())?;
    let value = ClusterStatus::Active.as_str();
    let window = Window { index: BY_STATUS, value, prefix: "", after: after.as_deref(), limit, reverse: false };
    let found = ids::<Cluster>(&ecs.platform.store, &ctx.scope(), window).await?;
    let next_token = page::next(&ecs.platform, ctx, LIST, found.ids.last().filter(|_| found.more));
    let cluster_arns = found.ids.iter().map(|name| cluster_arn(ctx, name)).collect();
    Ok(ListClustersResponse { cluster_arns: Some(cluster_arns), next_token })
}
