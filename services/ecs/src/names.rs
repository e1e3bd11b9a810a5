//! The forms in which requests name clusters and task definitions, and the ARNs of what they name.

use base::Arn;
use platform::Ctx;

use crate::Error;

/// ECS's bound for the names of clusters, families, containers and volumes.
const NAME_LENGTH_MAX: usize = 255;
/// The cluster that is meant where none is named. Nothing makes it by itself; an agent or the console does.
pub const DEFAULT_CLUSTER: &str = "default";

/// Whether a text can name a cluster, family, container or volume: 1 to 255 letters, digits, `-` and `_`.
pub fn is_name(text: &str) -> bool {
    (1..=NAME_LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The cluster that a name or an ARN of this account and region means.
pub fn cluster_name(ctx: &Ctx, text: &str) -> Result<String, Error> {
    let name = within_arn(ctx, text, "cluster")?;
    if is_name(&name) { Ok(name) } else { Err(Error::ClusterName) }
}

/// The cluster that an optional name or ARN means.
pub fn cluster_or_default(ctx: &Ctx, text: Option<&str>) -> Result<String, Error> {
    cluster_name(ctx, text.filter(|text| !text.is_empty()).unwrap_or(DEFAULT_CLUSTER))
}

/// `arn:aws:ecs:REGION:ACCOUNT:cluster/NAME`.
pub fn cluster_arn(ctx: &Ctx, name: &str) -> String {
    arn(ctx, &format!("cluster/{name}"))
}

/// A family and, where one was given, a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionName {
    /// The family.
    pub family: String,
    /// The revision; none means the latest that is ACTIVE.
    pub revision: Option<i32>,
}

/// Reads `family`, `family:revision` or an ARN of this account and region.
pub fn definition_name(ctx: &Ctx, text: &str) -> Result<DefinitionName, Error> {
    let name = within_arn(ctx, text, "task-definition")?;
    let (family, revision) = match name.split_once(':') {
        Some((family, revision)) => (family, Some(revision)),
        None => (name.as_str(), None),
    };
    if !is_name(family) {
        return Err(Error::DefinitionFamily);
    }
    let revision = revision.map(revision_number).transpose()?;
    Ok(DefinitionName { family: family.to_owned(), revision })
}

/// Reads `family:revision` or an ARN, for operations that take no bare family.
pub fn definition_revision(ctx: &Ctx, text: &str) -> Result<DefinitionId, Error> {
    let name = definition_name(ctx, text)?;
    match name.revision {
        Some(revision) => Ok(DefinitionId { family: name.family, revision }),
        None => Err(Error::RevisionMissing),
    }
}

/// One revision of a family.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DefinitionId {
    /// The family.
    pub family: String,
    /// The revision, from 1.
    pub revision: i32,
}

/// Stands between family and revision in a record's id. It sorts before every character of a family, so ids come in the
/// order of families and then of revisions, as lists must.
const REVISION_MARK: char = '!';

impl DefinitionId {
    /// The record's id.
    pub fn key(&self) -> String {
        format!("{}{:010}", Self::family_prefix(&self.family), self.revision)
    }

    /// What the ids of a family's revisions begin with.
    pub fn family_prefix(family: &str) -> String {
        format!("{family}{REVISION_MARK}")
    }

    /// Reads a record's id back.
    pub fn from_key(key: &str) -> Option<Self> {
        let (family, revision) = key.split_once(REVISION_MARK)?;
        Some(Self { family: family.to_owned(), revision: revision.parse().ok()? })
    }

    /// `arn:aws:ecs:REGION:ACCOUNT:task-definition/FAMILY:REVISION`.
    pub fn arn(&self, ctx: &Ctx) -> String {
        arn(ctx, &format!("task-definition/{}:{}", self.family, self.revision))
    }
}

fn arn(ctx: &Ctx, resource: &str) -> String {
    Arn::regional("ecs", &ctx.region, ctx.account(), resource).to_string()
}

fn revision_number(text: &str) -> Result<i32, Error> {
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i32>().ok()).flatten();
    number.filter(|revision| *revision > 0).ok_or(Error::RevisionNumber)
}

/// The part of an ARN after `kind/`, once it is known to be of this account and region; any other text as it is.
fn within_arn(ctx: &Ctx, text: &str, kind: &'static str) -> Result<String, Error> {
    if !Arn::looks_like_one(text) {
        return Ok(text.to_owned());
    }
    let arn = ecs_arn(ctx, text)?;
    match arn.resource.split_once('/') {
        Some((found, name)) if found == kind => Ok(name.to_owned()),
        _ => Err(Error::Identifier(text.to_owned())),
    }
}

/// An ARN of ECS in the caller's account and region.
pub fn ecs_arn(ctx: &Ctx, text: &str) -> Result<Arn, Error> {
    let arn: Arn = text.parse().map_err(|_| Error::Identifier(text.to_owned()))?;
    if arn.service != "ecs" {
        return Err(Error::Identifier(text.to_owned()));
    }
    if arn.account != ctx.account().as_str() {
        return Err(Error::OtherAccount { theirs: arn.account, ours: ctx.account() });
    }
    if arn.region != ctx.region.as_str() {
        return Err(Error::OtherRegion { theirs: arn.region, ours: ctx.region.clone() });
    }
    Ok(arn)
}

#[cfg(test)]
mod tests {
    use base::{Principal, Region, Timestamp};

    use super::*;

    fn ctx() -> Ctx {
        let account = "123456789012".parse().unwrap();
        Ctx::new(Principal::root(account), Region::default(), Timestamp::default(), "r")
    }

    #[test]
    fn a_cluster_is_named_by_name_or_arn_of_this_account_and_region() {
        let arn = "arn:aws:ecs:us-east-1:123456789012:cluster/web";
        assert_eq!(cluster_name(&ctx(), "web").unwrap(), "web");
        assert_eq!(cluster_name(&ctx(), arn).unwrap(), "web");
        assert_eq!(cluster_arn(&ctx(), "web"), arn);
        assert_eq!(cluster_or_default(&ctx(), None).unwrap(), "default");
        for (text, message) in [
            ("a b", r"ClusterName must match ^[a-zA-Z0-9\-_]{1,255}$"),
            (
                "arn:aws:ecs:us-east-1:999999999999:cluster/web",
                "Invalid identifier: Identifier is for 999999999999. Your accountId is 123456789012",
            ),
            (
                "arn:aws:ecs:eu-west-1:123456789012:cluster/web",
                "Invalid identifier: Identifier is for eu-west-1. Your region is us-east-1",
            ),
            (
                "arn:aws:ecs:us-east-1:123456789012:task/web",
                "Invalid identifier: arn:aws:ecs:us-east-1:123456789012:task/web",
            ),
            ("arn:aws:s3:::web", "Invalid identifier: arn:aws:s3:::web"),
        ] {
            assert_eq!(cluster_name(&ctx(), text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn a_name_has_up_to_255_letters_digits_hyphens_and_underscores() {
        assert!(is_name(&"x".repeat(255)) && is_name("a-Z_9"));
        for wrong in ["", "a.b", "a/b", "ä", "a b"] {
            assert!(!is_name(wrong), "{wrong}");
        }
        assert!(!is_name(&"x".repeat(256)));
    }

    #[test]
    fn a_task_definition_is_named_by_family_revision_or_arn() {
        let named = |family: &str, revision| DefinitionName { family: family.to_owned(), revision };
        assert_eq!(definition_name(&ctx(), "web").unwrap(), named("web", None));
        assert_eq!(definition_name(&ctx(), "web:3").unwrap(), named("web", Some(3)));
        let arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/web:3";
        let id = definition_revision(&ctx(), arn).unwrap();
        assert_eq!(id.arn(&ctx()), arn);
        for wrong in ["web:x", "web:0", "web:-1", "web:", "web:99999999999", "web:+1"] {
            let message = definition_name(&ctx(), wrong).unwrap_err().to_string();
            assert_eq!(message, "Invalid task definition: Invalid revision number.", "{wrong}");
        }
        assert_eq!(definition_revision(&ctx(), "web").unwrap_err().to_string(), "Revision is missing");
    }

    #[test]
    fn ids_sort_by_family_and_then_by_revision() {
        let key = |family: &str, revision| DefinitionId { family: family.to_owned(), revision }.key();
        let keys = [key("web", 2), key("web", 10), key("web-a", 1), key("web_a", 1), key("weba", 1)];
        assert!(keys.is_sorted(), "{keys:?}");
        assert_eq!(DefinitionId::from_key(&keys[1]).unwrap().key(), keys[1]);
    }
}
