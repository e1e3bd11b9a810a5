//! What ECS's operations ask permission for: the ARNs of what they name, as policies know them.
//!
//! One thing can be named in several ways (`web:3`, `web:03`, an ARN of another partition). What is decided is about its one
//! true ARN: a denial must not be evaded by a spelling. What names nothing is refused by the handler, whoever asks.

use base::Arn;
use platform::{Access, Ctx};

use crate::api::Tag;
use crate::names::{DefinitionId, DefinitionName, cluster_arn, cluster_or_default, definition_name};
use crate::resource::{Resource, resource};

/// The ARN of a cluster that is named by its name or its ARN, or not at all.
pub(crate) fn cluster(ctx: &Ctx, name_or_arn: Option<&str>) -> String {
    match cluster_or_default(ctx, name_or_arn) {
        Ok(name) => cluster_arn(ctx, &name),
        Err(_) => arn_or(name_or_arn.unwrap_or_default(), |name| cluster_arn(ctx, name)),
    }
}

/// The ARN of a task definition that is named by `family:revision` or its ARN; one without a revision stands for every
/// revision.
pub(crate) fn task_definition(ctx: &Ctx, name_or_arn: &str) -> String {
    match definition_name(ctx, name_or_arn) {
        Ok(DefinitionName { family, revision: Some(revision) }) => DefinitionId { family, revision }.arn(ctx),
        Ok(DefinitionName { family, revision: None }) => ctx.arn("ecs", format!("task-definition/{family}:*")),
        Err(_) => arn_or(name_or_arn, |name| ctx.arn("ecs", format!("task-definition/{name}"))),
    }
}

/// The ARN of what an ARN names.
pub(crate) fn tagged(ctx: &Ctx, arn: &str) -> String {
    match resource(ctx, arn) {
        Ok(Resource::Cluster(name)) => cluster_arn(ctx, &name),
        Ok(Resource::TaskDefinition(id)) => id.arn(ctx),
        Err(_) => arn.to_owned(),
    }
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

#[cfg(test)]
mod tests {
    use base::{Principal, Region, Timestamp};

    use super::*;

    #[test]
    fn however_a_thing_is_named_its_one_arn_is_asked_about() {
        let account = "123456789012".parse().unwrap();
        let ctx = Ctx::new(Principal::root(account), Region::default(), Timestamp::default(), "r");
        let of = |resource: &str| format!("arn:aws:ecs:us-east-1:123456789012:{resource}");
        let elsewhere = |resource: &str| of(resource).replace("arn:aws:", "arn:aws-cn:");
        for text in ["web", &of("cluster/web"), &elsewhere("cluster/web")] {
            assert_eq!(cluster(&ctx, Some(text)), of("cluster/web"), "{text}");
        }
        for nothing in [None, Some("")] {
            assert_eq!(cluster(&ctx, nothing), of("cluster/default"));
        }
        for text in ["web:3", "web:03", &of("task-definition/web:003"), &elsewhere("task-definition/web:3")] {
            assert_eq!(task_definition(&ctx, text), of("task-definition/web:3"), "{text}");
        }
        assert_eq!(task_definition(&ctx, "web"), of("task-definition/web:*"));
        assert_eq!(tagged(&ctx, &elsewhere("task-definition/web:03")), of("task-definition/web:3"));
        assert_eq!(tagged(&ctx, &elsewhere("cluster/web")), of("cluster/web"));
        assert_eq!(tagged(&ctx, "arn:aws:s3:::web"), "arn:aws:s3:::web");
    }
}
