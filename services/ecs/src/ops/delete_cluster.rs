//! DeleteCluster.

use platform::{Access, Ctx};

use crate::api::{DeleteClusterRequest, DeleteClusterResponse};
use crate::cluster::{self, ClusterStatus, Includes, Load};
use crate::names::cluster_name;
use crate::{Ecs, Error, access};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DeleteClusterRequest) -> Access {
    Access::to("ecs:DeleteCluster").on(access::cluster(ctx, Some(&input.cluster)))
}

/// Makes a cluster INACTIVE. It stays describable; to delete it again changes nothing.
pub(crate) async fn delete_cluster(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DeleteClusterRequest,
) -> Result<DeleteClusterResponse, Error> {
    let name = cluster_name(ctx, &input.cluster)?;
    let (scope, load) = (ctx.scope(), Load::nothing());
    let deleted = cluster::update(&ecs.platform.store, &scope, &name, |cluster| {
        load.blocks_deletion().map_or(Ok(()), Err)?;
        cluster.status = ClusterStatus::Inactive;
        Ok(())
    });
    let cluster = deleted.await?;
    Ok(DeleteClusterResponse { cluster: Some(cluster.describe(ctx, &name, &load, Includes::DELETED)) })
}
