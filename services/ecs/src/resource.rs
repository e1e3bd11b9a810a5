//! Which resource an ARN names, for the operations on tags.

use platform::Ctx;
use wire::model::ErrorKind;

use crate::Error;
use crate::api::errors;
use crate::names::{DefinitionId, cluster_name, definition_revision, ecs_arn};

/// A resource that has tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resource {
    /// A cluster, by name.
    Cluster(String),
    /// A task definition.
    TaskDefinition(DefinitionId),
}

/// The kinds of resource that ECS tags and of which there are none here: the first word of the ARN's resource, and what
/// ECS calls it.
const ABSENT_KINDS: [(&str, &str); 8] = [
    ("capacity-provider", "capacity provider"),
    ("container-instance", "container instance"),
    ("daemon", "daemon"),
    ("daemon-task-definition", "daemon task definition"),
    ("service", "service"),
    ("service-deployment", "service deployment"),
    ("task", "task"),
    ("task-set", "task set"),
];

/// The resource that an ARN of this account and region names.
pub(crate) fn resource(ctx: &Ctx, text: &str) -> Result<Resource, Error> {
    if !base::Arn::looks_like_one(text) {
        return Err(Error::TagResourceArn);
    }
    let arn = ecs_arn(ctx, text).map_err(|error| match error {
        Error::Identifier(_) => Error::TagResourceArn,
        other => other,
    })?;
    let kind = arn.resource.split('/').next().unwrap_or_default();
    match kind {
        "cluster" => Ok(Resource::Cluster(cluster_name(ctx, text)?)),
        "task-definition" => Ok(Resource::TaskDefinition(definition_revision(ctx, text)?)),
        kind => match ABSENT_KINDS.into_iter().find(|(word, _)| *word == kind) {
            Some((_, called)) => Err(Error::TagResourceNotFound(called)),
            None => Err(Error::TagResourceArn),
        },
    }
}

impl Resource {
    /// The error that ECS has for a tag that this kind of resource cannot have.
    pub(crate) fn tag_error(&self) -> ErrorKind {
        match self {
            Self::Cluster(_) => errors::INVALID_PARAMETER,
            Self::TaskDefinition(_) => errors::CLIENT,
        }
    }
}

#[cfg(test)]
mod tests {
    use base::{Principal, Region, Timestamp};

    use super::*;

    #[test]
    fn an_arn_names_a_resource_or_is_refused_clearly() {
        let account = "123456789012".parse().unwrap();
        let ctx = Ctx::new(Principal::root(account), Region::default(), Timestamp::default(), "r");
        let of = |rest: &str| resource(&ctx, &format!("arn:aws:ecs:us-east-1:123456789012:{rest}"));
        assert_eq!(of("cluster/web").unwrap(), Resource::Cluster("web".to_owned()));
        let id = DefinitionId { family: "web".to_owned(), revision: 7 };
        assert_eq!(of("task-definition/web:7").unwrap(), Resource::TaskDefinition(id));
        for (rest, message) in [
            ("service/web/api", "The specified service does not exist. Specify a valid service and try again."),
            ("task/web/0123", "The specified task does not exist. Specify a valid task and try again."),
            ("task-definition/web", "Revision is missing"),
            ("bucket/web", "The specified resource ARN is invalid. Specify a valid ARN and try again."),
        ] {
            assert_eq!(of(rest).unwrap_err().to_string(), message, "{rest}");
        }
        for wrong in ["web", "arn:aws:s3:::web", "arn:aws:ecs"] {
            assert!(matches!(resource(&ctx, wrong), Err(Error::TagResourceArn)), "{wrong}");
        }
        let foreign = "arn:aws:ecs:us-east-1:999999999999:cluster/web";
        assert!(matches!(resource(&ctx, foreign), Err(Error::OtherAccount { .. })));
    }
}
