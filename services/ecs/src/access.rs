//! What ECS's operations ask permission for: the ARNs of what they name, as policies know them.

use base::Arn;
use platform::{Access, Ctx};

use crate::api::Tag;

/// The name of the cluster that a request means when it names none.
const DEFAULT_CLUSTER: &str = "default";

/// The ARN of a cluster that is named by its name or its ARN.
pub(crate) fn cluster(ctx: &Ctx, name_or_arn: Option<&str>) -> String {
    arn_or(name_or_arn.unwrap_or(DEFAULT_CLUSTER), |name| ctx.arn("ecs", format!("cluster/{name}")))
}

/// The ARN of a task definition that is named by `family:revision` or its ARN; one without a revision stands for every
/// revision.
pub(crate) fn task_definition(ctx: &Ctx, name_or_arn: &str) -> String {
    arn_or(name_or_arn, |name| {
        let revision = if name.contains(':') { "" } else { ":*" };
        ctx.arn("ecs", format!("task-definition/{name}{revision}"))
    })
}

/// The ARN of a role that is named by its name or its ARN.
pub(crate) fn role(ctx: &Ctx, name_or_arn: Option<&str>) -> Option<String> {
    name_or_arn.map(|text| arn_or(text, |name| ctx.global_arn("iam", format!("role/{name}"))))
}

/// Adds what creating a resource with tags asks for: the tags as context, and `ecs:TagResource` on what is created.
pub(crate) fn created_with_tags(access: Access, arn: &str, operation: &str, tags: Option<&[Tag]>) -> Access {
    let tags = pairs(tags);
    if tags.is_empty() {
        return access;
    }
    let tagging = Access::to("ecs:TagResource").on(arn).key("ecs:CreateAction", operation);
    access.request_tags(tags.iter().copied()).and(tagging.request_tags(tags))
}

/// The tags of a request.
pub(crate) fn pairs(tags: Option<&[Tag]>) -> Vec<(&str, &str)> {
    tags.unwrap_or_default()
        .iter()
        .map(|tag| (tag.key.as_deref().unwrap_or_default(), tag.value.as_deref().unwrap_or_default()))
        .collect()
}

fn arn_or(text: &str, named: impl FnOnce(&str) -> String) -> String {
    if Arn::looks_like_one(text) { text.to_owned() } else { named(text) }
}
