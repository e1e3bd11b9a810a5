//! UntagResource.

use platform::{Access, Ctx};

use crate::api::UntagResourceRequest;
use crate::names::GroupName;
use crate::ops::tag_resource::{on_tagged, tagged};
use crate::{Error, Logs, group};

pub(crate) fn access(ctx: &Ctx, input: &UntagResourceRequest) -> Access {
    on_tagged(ctx, "logs:UntagResource", &input.resource_arn).tag_keys(input.tag_keys.iter().map(String::as_str))
}

/// Removes tags from a log group.
pub(crate) async fn untag_resource(logs: &Logs, ctx: &Ctx, input: UntagResourceRequest) -> Result<(), Error> {
    untag(logs, &tagged(ctx, &input.resource_arn)?, &input.tag_keys).await
}

/// Removes tags from a log group.
pub(crate) async fn untag(logs: &Logs, name: &GroupName, keys: &[String]) -> Result<(), Error> {
    let remove = |group: &mut group::LogGroup| {
        group.tags.remove(keys);
        Ok(())
    };
    group::update(&logs.platform.store, name, remove).await.map(drop)
}
