//! What a decision may depend on beside the request: the tags of clusters and task definitions.

use base::Arn;
use platform::{Asked, Ctx, Facts};

use crate::cluster::Cluster;
use crate::names::definition_revision;
use crate::task_definition::TaskDefinition;
use crate::{Ecs, Error};

/// The tags of a resource, by its ARN. What is not there, or another account's, has none.
pub(crate) async fn facts(ecs: &Ecs, ctx: &Ctx, _: Asked<'_>, resource: &str) -> Result<Facts, Error> {
    let Ok(arn) = resource.parse::<Arn>() else { return Ok(Facts::default()) };
    let is_ours = arn.service == "ecs" && arn.account == ctx.account().as_str() && arn.region == ctx.region.as_str();
    if !is_ours {
        return Ok(Facts::default());
    }
    let (store, scope) = (&ecs.platform.store, ctx.scope());
    let tags = match arn.resource.split_once('/') {
        Some(("cluster", name)) => store.read::<Cluster>(&scope, &[name]).await?.map(|it| it.value.choices.tags),
        Some(("task-definition", _)) => match definition_revision(ctx, resource) {
            Ok(id) => store.read::<TaskDefinition>(&scope, &[&id.key()]).await?.map(|it| it.value.tags),
            Err(_) => None,
        },
        _ => None,
    };
    let tags = tags.map(crate::Tags::into_pairs).unwrap_or_default();
    Ok(Facts { tags: tags.into_iter().collect(), ..Facts::default() })
}
