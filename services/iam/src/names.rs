//! Names, paths, ARNs and unique ids of IAM's entities.

use base::{AccountId, Arn};
use platform::Ctx;

use crate::Error;

/// The path of an entity that was made without one.
pub(crate) const ROOT_PATH: &str = "/";
/// Where service-linked roles are at AWS.
pub(crate) const SERVICE_LINKED_PATH: &str = "/aws-service-role/";
/// How the names of service-linked roles begin at AWS.
const SERVICE_LINKED_NAME: &str = "AWSServiceRoleFor";
/// The account that AWS's own managed policies have in their ARNs.
const AWS: &str = "aws";

/// A name as record ids have it: names that differ only in case are one.
pub(crate) fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// Refuses the names and paths under which AWS puts roles of its own.
pub(crate) fn check_role_is_ordinary(name: &str, path: &str) -> Result<(), Error> {
    if path.starts_with(SERVICE_LINKED_PATH) {
        return Err(Error::ReservedRole { reserved: SERVICE_LINKED_PATH });
    }
    if name.starts_with(SERVICE_LINKED_NAME) {
        return Err(Error::ReservedRole { reserved: SERVICE_LINKED_NAME });
    }
    Ok(())
}

/// Whether `path` is under `prefix`; without a prefix everything is.
pub(crate) fn is_under(path: &str, prefix: Option<&str>) -> bool {
    prefix.is_none_or(|prefix| path.starts_with(prefix))
}

/// The ARN of a managed policy, in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyArn {
    /// As written.
    pub(crate) text: String,
    /// Whose policy it is.
    pub(crate) owner: PolicyAccount,
    /// The path, slashes at both ends.
    pub(crate) path: String,
    /// The name without path.
    pub(crate) name: String,
}

/// Whose a managed policy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyAccount {
    /// AWS's own.
    Aws,
    /// An account's.
    Customer(AccountId),
}

impl PolicyArn {
    /// Reads `arn:aws:iam::123456789012:policy/path/name`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let arn: Arn = text.parse().ok()?;
        let owner = match arn.account.as_str() {
            AWS => PolicyAccount::Aws,
            account => PolicyAccount::Customer(account.parse().ok()?),
        };
        let path_and_name = arn.resource.strip_prefix("policy")?;
        let (path, name) = path_and_name.split_at(path_and_name.rfind('/')? + 1);
        let well_formed = arn.service == "iam" && arn.region.is_empty() && path.starts_with('/') && !name.is_empty();
        well_formed.then(|| Self { text: text.to_owned(), owner, path: path.to_owned(), name: name.to_owned() })
    }

    /// The ARN of one of AWS's own policies.
    pub(crate) fn of_aws(path: &str, name: &str) -> Self {
        let text = format!("arn:aws:iam::{AWS}:policy{path}{name}");
        Self { text, owner: PolicyAccount::Aws, path: path.to_owned(), name: name.to_owned() }
    }

    /// Whether it is neither AWS's nor the caller's account's.
    pub(crate) fn is_foreign(&self, ctx: &Ctx) -> bool {
        matches!(self.owner, PolicyAccount::Customer(account) if account != ctx.account())
    }

    /// What tells it from the account's other policies and from AWS's; shorter than the ARN can be.
    pub(crate) fn key(&self) -> String {
        let owner = match self.owner {
            PolicyAccount::Aws => "aws",
            PolicyAccount::Customer(_) => "customer",
        };
        format!("{owner}:{}", folded(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_arn_is_read_in_its_parts() {
        let arn = PolicyArn::parse("arn:aws:iam::123456789012:policy/team/ci/Deploy").unwrap();
        assert_eq!((arn.path.as_str(), arn.name.as_str()), ("/team/ci/", "Deploy"));
        assert_eq!(arn.owner, PolicyAccount::Customer("123456789012".parse().unwrap()));
        let aws = PolicyArn::parse("arn:aws:iam::aws:policy/AdministratorAccess").unwrap();
        assert_eq!(aws, PolicyArn::of_aws(ROOT_PATH, "AdministratorAccess"));
    }

    #[test]
    fn other_texts_are_no_policy_arns() {
        for text in [
            "Deploy",
            "arn:aws:iam::123456789012:role/Deploy",
            "arn:aws:iam::123456789012:policyDeploy",
            "arn:aws:iam::123456789012:policy/",
            "arn:aws:iam::123456789012:policies/Deploy",
            "arn:aws:iam::1234:policy/Deploy",
            "arn:aws:iam:us-east-1:123456789012:policy/Deploy",
            "arn:aws:sns::123456789012:policy/Deploy",
        ] {
            assert_eq!(PolicyArn::parse(text), None, "{text}");
        }
    }

    #[test]
    fn roles_of_aws_are_not_made() {
        assert!(check_role_is_ordinary("deploy", "/team/").is_ok());
        assert!(check_role_is_ordinary("deploy", "/aws-service-role/ecs.amazonaws.com/").is_err());
        assert!(check_role_is_ordinary("AWSServiceRoleForECS", "/").is_err());
    }
}
