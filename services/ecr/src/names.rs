//! How requests and policies name repositories, and the names that are handed out.

use base::{AccountId, Arn, Region};
use platform::Ctx;
use store::Scope;

use crate::Error;

/// What stands before the name in a repository's ARN.
const ARN_KIND: &str = "repository/";
/// The longest tag that the API takes, in characters. The registry's own routes take 128 (OCI Distribution).
pub const TAG_LENGTH_MAX: usize = 300;

/// A repository of an account's registry in a region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName {
    /// Whose registry it is in; its number is the registry's id.
    pub registry: AccountId,
    /// Where the registry is.
    pub region: Region,
    /// `team/web`
    pub name: String,
}

impl RepositoryName {
    /// The repository that a request means: of the caller's own registry, unless it names another. The model has checked
    /// both texts.
    pub fn of_request(ctx: &Ctx, registry_id: Option<&str>, name: &str) -> Self {
        Self { registry: registry(ctx, registry_id), region: ctx.region.clone(), name: name.to_owned() }
    }

    /// The repository, or the pattern of some, that an ARN names.
    pub fn of_arn(text: &str) -> Option<Self> {
        let arn: Arn = text.parse().ok()?;
        let name = arn.resource.strip_prefix(ARN_KIND).filter(|name| !name.is_empty())?;
        if arn.service != "ecr" {
            return None;
        }
        Some(Self { registry: arn.account.parse().ok()?, region: arn.region.parse().ok()?, name: name.to_owned() })
    }

    /// `arn:aws:ecr:REGION:ACCOUNT:repository/NAME`.
    pub fn arn(&self) -> String {
        Arn::regional("ecr", &self.region, self.registry, format!("{ARN_KIND}{}", self.name)).to_string()
    }

    /// The name by which AWS's clients, task definitions and functions know an image:
    /// `<account>.dkr.ecr.<region>.amazonaws.com/<name>:<tag>`, or `…@<digest>`.
    pub fn reference(&self, tag_or_digest: &str) -> String {
        // A tag has no colon.
        let sign = if tag_or_digest.contains(':') { '@' } else { ':' };
        let Self { registry, region, name } = self;
        format!("{registry}.dkr.ecr.{region}.amazonaws.com/{name}{sign}{tag_or_digest}")
    }

    /// Where its records are.
    pub fn scope(&self) -> Scope {
        Scope::new(self.registry, self.region.clone())
    }
}

/// The registry that a request means: the caller's own, unless it names another.
pub(crate) fn registry(ctx: &Ctx, registry_id: Option<&str>) -> AccountId {
    // The model's pattern lets nothing but twelve digits through.
    registry_id.and_then(|id| id.parse().ok()).unwrap_or(ctx.account())
}

/// The ARN that stands for all repositories of a registry.
pub(crate) fn every_repository_arn(ctx: &Ctx, registry_id: Option<&str>) -> String {
    RepositoryName::of_request(ctx, registry_id, "*").arn()
}

/// The repository of the caller's own region that an ARN names.
///
/// # Errors
/// [`Error::ResourceArn`]
pub(crate) fn of_resource_arn(ctx: &Ctx, text: &str) -> Result<RepositoryName, Error> {
    RepositoryName::of_arn(text).filter(|name| name.region == ctx.region).ok_or(Error::ResourceArn)
}

/// Whether a text can be a tag: letters, digits, `_`, `-` and `.`, the first of which is neither `-` nor `.`.
pub fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let rest = |byte: u8| is_word(byte) || matches!(byte, b'-' | b'.');
    text.len() <= TAG_LENGTH_MAX && text.bytes().next().is_some_and(is_word) && text.bytes().all(rest)
}

#[cfg(test)]
mod tests {
    use base::{Principal, Timestamp};

    use super::*;

    fn ctx() -> Ctx {
        let account = "123456789012".parse().unwrap();
        Ctx::new(Principal::root(account), Region::default(), Timestamp::default(), "r")
    }

    #[test]
    fn a_repository_is_in_the_callers_registry_unless_another_is_named() {
        let own = RepositoryName::of_request(&ctx(), None, "team/web");
        assert_eq!(own.arn(), "arn:aws:ecr:us-east-1:123456789012:repository/team/web");
        let other = RepositoryName::of_request(&ctx(), Some("999999999999"), "web");
        assert_eq!(other.arn(), "arn:aws:ecr:us-east-1:999999999999:repository/web");
        assert_eq!(RepositoryName::of_arn(&other.arn()), Some(other));
        assert_eq!(every_repository_arn(&ctx(), None), "arn:aws:ecr:us-east-1:123456789012:repository/*");
    }

    #[test]
    fn an_image_has_the_name_that_it_has_at_aws() {
        let name = RepositoryName::of_request(&ctx(), None, "team/web");
        let host = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
        assert_eq!(name.reference("v1"), format!("{host}/team/web:v1"));
        assert_eq!(name.reference("sha256:0a"), format!("{host}/team/web@sha256:0a"));
    }

    #[test]
    fn an_arn_of_something_else_names_no_repository() {
        for wrong in [
            "web",
            "arn:aws:ecr:us-east-1:123456789012:repository/",
            "arn:aws:ecr:us-east-1:123456789012:registry/web",
            "arn:aws:ecs:us-east-1:123456789012:repository/web",
            "arn:aws:ecr::123456789012:repository/web",
            "arn:aws:ecr:us-east-1::repository/web",
        ] {
            assert_eq!(RepositoryName::of_arn(wrong), None, "{wrong}");
        }
        let elsewhere = "arn:aws:ecr:eu-west-1:123456789012:repository/web";
        assert!(matches!(of_resource_arn(&ctx(), elsewhere), Err(Error::ResourceArn)));
    }

    #[test]
    fn a_tag_is_what_oci_lets_be_one() {
        for right in ["latest", "v1.0-rc_2", "_x", "1", &"x".repeat(300)] {
            assert!(is_tag(right), "{right}");
        }
        for wrong in ["", "-x", ".x", "a/b", "a:b", "ä", "a b", &"x".repeat(301)] {
            assert!(!is_tag(wrong), "{wrong}");
        }
    }
}
