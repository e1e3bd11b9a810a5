//! UpdateCluster.

use platform::{Access, Ctx};

use crate::api::{UpdateClusterRequest, UpdateClusterResponse};
use crate::cluster::{self, Includes, Load};
use crate::names::cluster_name;
use crate::{Ecs, Error, access, cluster_choices};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &UpdateClusterRequest) -> Access {
    Access::to("ecs:UpdateCluster").on(access::cluster(ctx, Some(&input.cluster)))
}

/// Changes what is given of a cluster, and leaves the rest.
pub(crate) async fn update_cluster(
    ecs: &Ecs,
    ctx: &Ctx,
    input: UpdateClusterRequest,
) -> Result<UpdateClusterResponse, Error> {
    let (name, scope) = (cluster_name(ctx, &input.cluster)?, ctx.scope());
    let UpdateClusterRequest { configuration, service_connect_defaults, settings, .. } = input;
    let cluster = cluster::update_active(&ecs.platform.store, &scope, &name, |choices| {
        cluster_choices::service_connect(service_connect_defaults.as_ref())?;
        if settings.as_ref().is_some_and(|it| !it.is_empty()) {
            choices.settings = cluster_choices::settings(settings.clone(), "")?;
        }
        if let Some(configuration) = cluster_choices::configuration(configuration.clone())? {
            choices.configuration = Some(configuration);
        }
        Ok(())
    });
    let cluster = cluster.await?.describe(ctx, &name, &Load::nothing(), Includes::UPDATED);
    Ok(UpdateClusterResponse { cluster: Some(cluster) })
}
