//! TagResource.

use platform::{Access, Ctx};
use store::{Scope, Store, StoreError};

use crate::api::{TagResourceRequest, TagResourceResponse};
use crate::resource::{Resource, resource};
use crate::task_definition::TaskDefinition;
use crate::{Ecs, Error, Tags, access, cluster};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &TagResourceRequest) -> Access {
    Access::to("ecs:TagResource")
        .on(access::tagged(ctx, &input.resource_arn))
        .request_tags(access::pairs(Some(&input.tags)))
}

/// Adds tags to a resource; those that it has get new values.
pub(crate) async fn tag_resource(
    ecs: &Ecs,
    ctx: &Ctx,
    input: TagResourceRequest,
) -> Result<TagResourceResponse, Error> {
    let target = resource(ctx, &input.resource_arn)?;
    let added = Tags::admit(Some(input.tags), target.tag_error())?;
    change(&ecs.platform.store, &ctx.scope(), &target, |tags| tags.merge(&added)).await?;
    Ok(TagResourceResponse {})
}

/// Changes the tags of a resource that exists.
pub(crate) async fn change(
    store: &Store,
    scope: &Scope,
    target: &Resource,
    mut change: impl FnMut(&mut Tags) -> Result<(), Error>,
) -> Result<(), Error> {
    match target {
        Resource::Cluster(name) => cluster::update(store, scope, name, |cluster| {
            if cluster.is_active() { change(&mut cluster.choices.tags) } else { Err(Error::TagClusterInactive) }
        })
        .await
        .map(drop),
        Resource::TaskDefinition(id) => store
            .update(scope, &[&id.key()], |definition: &mut TaskDefinition| change(&mut definition.tags))
            .await
            .map(drop)
            .map_err(|error| match error {
                Error::Store(StoreError::NotFound { .. }) => Error::DefinitionNotFound,
                other => other,
            }),
    }
}
