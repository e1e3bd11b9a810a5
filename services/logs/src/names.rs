//! Names and ARNs of log groups and log streams.

use base::{AccountId, Arn, Region};
use platform::{Access, Ctx};
use segments::GroupKey;
use store::Scope;

use crate::Error;

/// What a log group's name or ARN in a request means: a group of an account, in the request's region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupName {
    /// Whose it is: the caller's, unless an ARN says otherwise.
    pub(crate) account: AccountId,
    /// The region.
    pub(crate) region: Region,
    /// The name.
    pub(crate) name: String,
}

impl GroupName {
    /// A group of the caller's.
    pub(crate) fn own(ctx: &Ctx, name: &str) -> Self {
        Self { account: ctx.account(), region: ctx.region.clone(), name: name.to_owned() }
    }

    /// Reads a `logGroupIdentifier`: a name, or an ARN with or without `:*`.
    ///
    /// # Errors
    /// [`Error::Identifier`] for an ARN of something else or of another region.
    pub(crate) fn identified(ctx: &Ctx, text: &str) -> Result<Self, Error> {
        if !Arn::looks_like_one(text) {
            return if is_group_name(text) {
                Ok(Self::own(ctx, text))
            } else {
                Err(Error::Identifier(text.to_owned()))
            };
        }
        let found = Self::of_arn(text).filter(|found| found.region == ctx.region);
        found.ok_or_else(|| Error::Identifier(text.to_owned()))
    }

    /// What operations with both members mean: `logGroupName` or `logGroupIdentifier`, but not both.
    ///
    /// # Errors
    /// [`Error::NameAndIdentifier`], [`Error::NoGroup`], and as [`GroupName::identified`].
    pub(crate) fn either(ctx: &Ctx, name: Option<&str>, identifier: Option<&str>) -> Result<Self, Error> {
        match (name, identifier) {
            (Some(_), Some(_)) => Err(Error::NameAndIdentifier),
            (Some(name), None) => Ok(Self::own(ctx, name)),
            (None, Some(identifier)) => Self::identified(ctx, identifier),
            (None, None) => Err(Error::NoGroup),
        }
    }

    /// The group of an ARN that is the group's, one of its streams', or either with a wildcard at the end. However long the
    /// stream's name is: whose the group is must never be left open.
    pub(crate) fn of_arn(text: &str) -> Option<Self> {
        let mut parts = text.splitn(8, ':');
        let mut next = || parts.next();
        let (head, partition, service, region, account) = (next()?, next()?, next()?, next()?, next()?);
        let (kind, name) = (next()?, next()?);
        let is_arn = (head, service, kind) == ("arn", "logs", "log-group") && !partition.is_empty();
        let (account, region) = (account.parse().ok()?, region.parse().ok()?);
        (is_arn && is_group_name(name)).then(|| Self { account, region, name: name.to_owned() })
    }

    /// Where the events of the group of this id are.
    pub(crate) fn key(&self, id: &str) -> Result<GroupKey, Error> {
        Ok(GroupKey::new(self.account, &self.region, id)?)
    }

    /// Where its records are.
    pub(crate) fn scope(&self) -> Scope {
        Scope::new(self.account, self.region.clone())
    }

    /// `arn:aws:logs:REGION:ACCOUNT:log-group:NAME`: what operations on tags and `logGroupIdentifier` take.
    pub(crate) fn arn(&self) -> String {
        group_arn(&self.region, self.account, &self.name)
    }

    /// `…:log-group:NAME:*`, the group with all that is in it.
    pub(crate) fn arn_with_streams(&self) -> String {
        format!("{}:*", self.arn())
    }

    /// `…:log-group:NAME:log-stream:STREAM`.
    pub(crate) fn stream_arn(&self, stream: &str) -> String {
        format!("{}:log-stream:{stream}", self.arn())
    }
}

/// `arn:aws:logs:REGION:ACCOUNT:log-group:NAME`.
pub(crate) fn group_arn(region: &Region, account: AccountId, name: &str) -> String {
    Arn::regional("logs", region, account, format!("log-group:{name}")).to_string()
}

/// Whether a text can be a group's name: the model's pattern, which identifiers are not checked against.
pub(crate) fn is_group_name(text: &str) -> bool {
    (1..=512).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_/#".contains(&b))
}

/// Whether a text can be a stream's name.
pub(crate) fn is_stream_name(text: &str) -> bool {
    (1..=512).contains(&text.chars().count()) && !text.contains([':', '*'])
}

/// An action on a group. CloudWatch Logs asks for it on `log-group:NAME:log-stream:`, which is why the documents tell to
/// end a policy's ARN with `:*`.
pub(crate) fn on_group(action: &'static str, group: &GroupName) -> Access {
    Access::to(action).on(group.stream_arn(""))
}

/// An action on a group of the caller's.
pub(crate) fn on_own_group(ctx: &Ctx, action: &'static str, name: &str) -> Access {
    on_group(action, &GroupName::own(ctx, name))
}

/// An action on the group that a name or an identifier means. One that means none is refused by the handler, whoever
/// asks.
pub(crate) fn on_either(ctx: &Ctx, action: &'static str, name: Option<&str>, identifier: Option<&str>) -> Access {
    match GroupName::either(ctx, name, identifier) {
        Ok(group) => on_group(action, &group),
        Err(_) => on_no_group(ctx, action),
    }
}

/// An action on a stream of the group that a name or an identifier means.
pub(crate) fn on_stream(ctx: &Ctx, action: &'static str, group: Result<GroupName, Error>, stream: &str) -> Access {
    match group {
        Ok(group) => Access::to(action).on(group.stream_arn(stream)),
        Err(_) => on_no_group(ctx, action),
    }
}

/// An action that is about no group in particular: asked for on `log-group::log-stream:`.
pub(crate) fn on_no_group(ctx: &Ctx, action: &'static str) -> Access {
    Access::to(action).on(ctx.arn("logs", "log-group::log-stream:"))
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
    fn a_group_is_named_by_name_or_arn() {
        let ctx = ctx();
        let arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/f";
        for text in ["/aws/lambda/f".to_owned(), arn.to_owned(), format!("{arn}:*")] {
            let found = GroupName::identified(&ctx, &text).unwrap();
            assert_eq!((found.name.as_str(), found.arn().as_str()), ("/aws/lambda/f", arn), "{text}");
        }
        assert_eq!(GroupName::of_arn(&format!("{arn}:log-stream:a/b")).unwrap().name, "/aws/lambda/f");
        let longest = "\u{1f600}".repeat(512);
        assert!(is_stream_name(&longest));
        assert_eq!(GroupName::of_arn(&format!("{arn}:log-stream:{longest}")).unwrap().name, "/aws/lambda/f");
        let theirs = GroupName::identified(&ctx, "arn:aws:logs:us-east-1:999999999999:log-group:g").unwrap();
        assert_eq!(theirs.account.as_str(), "999999999999");
    }

    #[test]
    fn what_names_no_group_of_the_region_is_refused() {
        for wrong in [
            "arn:aws:logs:eu-west-1:123456789012:log-group:g",
            "arn:aws:s3:::g",
            "arn:aws:logs:us-east-1:123456789012:destination:g",
            "arn:aws:logs:us-east-1:123456789012:log-group:",
            "a b",
            "a:b",
        ] {
            assert!(matches!(GroupName::identified(&ctx(), wrong), Err(Error::Identifier(_))), "{wrong}");
        }
        assert!(matches!(GroupName::either(&ctx(), Some("a"), Some("a")), Err(Error::NameAndIdentifier)));
        assert!(matches!(GroupName::either(&ctx(), None, None), Err(Error::NoGroup)));
    }
}
