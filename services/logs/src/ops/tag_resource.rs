//! TagResource.

use std::collections::BTreeMap;

use platform::{Access, Ctx};

use crate::api::TagResourceRequest;
use crate::names::GroupName;
use crate::{Error, Logs, Tags, group};

pub(crate) fn access(ctx: &Ctx, input: &TagResourceRequest) -> Access {
    let tags = input.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    on_tagged(ctx, "logs:TagResource", &input.resource_arn).request_tags(tags)
}

/// Adds tags to a log group; those that it has get new values.
pub(crate) async fn tag_resource(logs: &Logs, ctx: &Ctx, input: TagResourceRequest) -> Result<(), Error> {
    tag(logs, &tagged(ctx, &input.resource_arn)?, input.tags).await
}

/// Adds tags to a log group.
pub(crate) async fn tag(logs: &Logs, name: &GroupName, tags: BTreeMap<String, String>) -> Result<(), Error> {
    let added = Tags::admit(Some(tags))?;
    group::update(&logs.platform.store, name, |group| group.tags.merge(&added)).await.map(drop)
}

/// An action on the tags of what an ARN names, which is asked for without `:*` whatever the request says.
pub(crate) fn on_tagged(ctx: &Ctx, action: &'static str, arn: &str) -> Access {
    Access::to(action).on(tagged(ctx, arn).map_or_else(|_| arn.to_owned(), |group| group.arn()))
}

/// The log group that an ARN names; nothing else has tags here.
///
/// # Errors
/// [`Error::ResourceNotFound`]
pub(crate) fn tagged(ctx: &Ctx, arn: &str) -> Result<GroupName, Error> {
    GroupName::of_arn(arn).filter(|found| found.region == ctx.region).ok_or(Error::ResourceNotFound)
}
