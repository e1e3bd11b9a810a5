//! UpdateClusterSettings.

use platform::{Access, Ctx};

use crate::api::{UpdateClusterSettingsRequest, UpdateClusterSettingsResponse};
use crate::cluster::{self, Includes, Load};
use crate::names::cluster_name;
use crate::{Ecs, Error, access, cluster_choices};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &UpdateClusterSettingsRequest) -> Access {
    Access::to("ecs:UpdateClusterSettings").on(access::cluster(ctx, Some(&input.cluster)))
}

/// Changes the settings of a cluster.
pub(crate) async fn update_cluster_settings(
    ecs: &Ecs,
    ctx: &Ctx,
    input: UpdateClusterSettingsRequest,
) -> Result<UpdateClusterSettingsResponse, Error> {
    let (name, scope) = (cluster_name(ctx, &input.cluster)?, ctx.scope());
    let cluster = cluster::update_active(&ecs.platform.store, &scope, &name, |choices| {
        if !input.settings.is_empty() {
            choices.settings = cluster_choices::settings(Some(input.settings.clone()), "")?;
        }
        Ok(())
    });
    let cluster = cluster.await?.describe(ctx, &name, &Load::nothing(), Includes::UPDATED);
    Ok(UpdateClusterSettingsResponse { cluster: Some(cluster) })
}
