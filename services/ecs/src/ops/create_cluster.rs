//! CreateCluster.

use platform::{Access, Attempts, Ctx};
use store::{Tx, Versioned};

use crate::api::{CreateClusterRequest, CreateClusterResponse, SettingName, errors};
use crate::cluster::{Cluster, ClusterChoices, Includes, Load};
use crate::names::cluster_or_default;
use crate::{Ecs, Error, Tags, access, account_setting, cluster_choices};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &CreateClusterRequest) -> Access {
    let arn = access::cluster(ctx, input.cluster_name.as_deref());
    access::created_with_tags(Access::to("ecs:CreateCluster"), &arn, "CreateCluster", input.tags.as_deref())
}

/// Creates a cluster, or answers the one that was created from the same arguments before.
pub(crate) async fn create_cluster(
    ecs: &Ecs,
    ctx: &Ctx,
    input: CreateClusterRequest,
) -> Result<CreateClusterResponse, Error> {
    let name = cluster_or_default(ctx, input.cluster_name.as_deref())?;
    let choices = admit(&input, &container_insights(ecs, ctx).await?)?;
    let mut attempts = Attempts::new();
    let cluster = loop {
        let outcome = create(ecs, ctx, &name, &input, &choices).await;
        if !attempts.again(&outcome) {
            break outcome?;
        }
    };
    let mut described = cluster.describe(ctx, &name, &Load::nothing(), Includes::CREATED);
    // What was created is told, not what has become of it: tags that were added since are not in the answer.
    described.tags = Some(cluster.created_with.tags.clone().into_api());
    Ok(CreateClusterResponse { cluster: Some(described) })
}

/// What Container Insights is where the request says nothing.
async fn container_insights(ecs: &Ecs, ctx: &Ctx) -> Result<String, Error> {
    let (name, principal) = (SettingName::ContainerInsights, account_setting::arn_of(&ctx.principal));
    let (store, scope) = (&ecs.platform.store, ctx.scope());
    Ok(account_setting::effective(store, &scope, ctx.account(), name, &principal).await?.value)
}

fn admit(input: &CreateClusterRequest, insights: &str) -> Result<ClusterChoices, Error> {
    cluster_choices::service_connect(input.service_connect_defaults.as_ref())?;
    let tags = Tags::admit(input.tags.clone(), errors::INVALID_PARAMETER)?;
    let settings = cluster_choices::settings(input.settings.clone(), insights)?;
    let configuration = cluster_choices::configuration(input.configuration.clone())?;
    let capacity_providers = cluster_choices::capacity_providers(input.capacity_providers.clone().unwrap_or_default())?;
    let strategy = input.default_capacity_provider_strategy.clone().unwrap_or_default();
    let default_strategy = cluster_choices::strategy(strategy, &capacity_providers)?;
    Ok(ClusterChoices { settings, configuration, capacity_providers, default_strategy, tags })
}

async fn create(
    ecs: &Ecs,
    ctx: &Ctx,
    name: &str,
    input: &CreateClusterRequest,
    choices: &ClusterChoices,
) -> Result<Cluster, Error> {
    let (store, scope) = (&ecs.platform.store, ctx.scope());
    let found: Option<Versioned<Cluster>> = store.read(&scope, &[name]).await?;
    if let Some(existing) = found.as_ref().filter(|it| it.is_active()) {
        let is_same = agrees(input, choices, &existing.created_with);
        return if is_same { Ok(existing.value.clone()) } else { Err(Error::ClusterArguments) };
    }
    let cluster = Cluster::new(choices.clone());
    let mut tx = Tx::new();
    match &found {
        Some(inactive) => tx.replace(inactive, &cluster),
        None => tx.insert(&scope, &[name], &cluster),
    };
    store.commit(tx).await?;
    Ok(cluster)
}

/// Whether a request could have created what `created` was created from. What it does not mention agrees with anything.
fn agrees(input: &CreateClusterRequest, choices: &ClusterChoices, created: &ClusterChoices) -> bool {
    (input.settings.is_none() || choices.settings == created.settings)
        && (input.tags.is_none() || choices.tags.same_as(&created.tags))
        && (input.configuration.is_none() || choices.configuration == created.configuration)
        && (input.capacity_providers.is_none() || choices.capacity_providers == created.capacity_providers)
        && (input.default_capacity_provider_strategy.is_none() || choices.default_strategy == created.default_strategy)
}
