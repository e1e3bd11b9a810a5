//! ListTagsForResource.

use platform::{Access, Ctx};
use store::Versioned;

use crate::api::{ListTagsForResourceRequest, ListTagsForResourceResponse};
use crate::cluster::Cluster;
use crate::resource::{Resource, resource};
use crate::task_definition::TaskDefinition;
use crate::{Ecs, Error, access};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &ListTagsForResourceRequest) -> Access {
    Access::to("ecs:ListTagsForResource").on(access::tagged(ctx, &input.resource_arn))
}

/// Lists the tags of a cluster that is ACTIVE, or of a task definition.
pub(crate) async fn list_tags_for_resource(
    ecs: &Ecs,
    ctx: &Ctx,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, Error> {
    let (store, scope) = (&ecs.platform.store, ctx.scope());
    let tags = match resource(ctx, &input.resource_arn)? {
        Resource::Cluster(name) => {
            let found: Option<Versioned<Cluster>> = store.read(&scope, &[&name]).await?;
            match found.ok_or(Error::ClusterNotFound)? {
                active if active.is_active() => active.value.choices.tags,
                _ => return Err(Error::TagClusterInactive),
            }
        }
        Resource::TaskDefinition(id) => {
            let found: Option<Versioned<TaskDefinition>> = store.read(&scope, &[&id.key()]).await?;
            found.ok_or(Error::DefinitionNotFound)?.value.tags
        }
    };
    Ok(ListTagsForResourceResponse { tags: Some(tags.into_api()) })
}
