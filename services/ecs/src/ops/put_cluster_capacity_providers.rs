//! PutClusterCapacityProviders.

use platform::{Access, Ctx};

use crate::api::{PutClusterCapacityProvidersRequest, PutClusterCapacityProvidersResponse};
use crate::cluster::{self, Includes, Load};
use crate::names::cluster_name;
use crate::{Ecs, Error, access, cluster_choices};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &PutClusterCapacityProvidersRequest) -> Access {
    Access::to("ecs:PutClusterCapacityProviders").on(access::cluster(ctx, Some(&input.cluster)))
}

/// Sets a cluster's capacity providers and its default strategy, in place of what was set.
pub(crate) async fn put_cluster_capacity_providers(
    ecs: &Ecs,
    ctx: &Ctx,
    input: PutClusterCapacityProvidersRequest,
) -> Result<PutClusterCapacityProvidersResponse, Error> {
    let (name, scope) = (cluster_name(ctx, &input.cluster)?, ctx.scope());
    let PutClusterCapacityProvidersRequest { capacity_providers, default_capacity_provider_strategy, .. } = input;
    let cluster = cluster::update_active(&ecs.platform.store, &scope, &name, |choices| {
        let providers = cluster_choices::capacity_providers(capacity_providers.clone())?;
        choices.default_strategy = cluster_choices::strategy(default_capacity_provider_strategy.clone(), &providers)?;
        choices.capacity_providers = providers;
        Ok(())
    });
    let cluster = cluster.await?.describe(ctx, &name, &Load::nothing(), Includes::UPDATED);
    Ok(PutClusterCapacityProvidersResponse { cluster: Some(cluster) })
}
