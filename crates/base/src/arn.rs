//! Amazon Resource Names: `arn:partition:service:region:account:resource`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{AccountId, Region};

/// The longest ARN that is parsed; AWS's own limit for most services.
const LENGTH_MAX: usize = 2048;

/// A text that is not an ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an ARN")]
pub struct ArnError(pub String);

/// An ARN in its six parts. Region and account may be empty, as they are for IAM and S3.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Arn {
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// The service's ARN name: `ecs`, `iam`.
    pub service: String,
    /// The region's name or the empty string.
    pub region: String,
    /// The account's digits or the empty string.
    pub account: String,
    /// Everything after the fifth colon, colons and slashes included.
    pub resource: String,
}

impl Arn {
    /// An ARN of a regional service in the partition `aws`.
    pub fn regional(service: &str, region: &Region, account: AccountId, resource: impl Into<String>) -> Self {
        Self {
            partition: "aws".to_owned(),
            service: service.to_owned(),
            region: region.to_string(),
            account: account.to_string(),
            resource: resource.into(),
        }
    }

    /// An ARN of a global service (`arn:aws:iam::123456789012:user/alice`).
    pub fn global(service: &str, account: AccountId, resource: impl Into<String>) -> Self {
        Self {
            partition: "aws".to_owned(),
            service: service.to_owned(),
            region: String::new(),
            account: account.to_string(),
            resource: resource.into(),
        }
    }

    /// Whether the text starts as an ARN does; a cheap test for fields that take a name or an ARN.
    pub fn looks_like_one(text: &str) -> bool {
        text.starts_with("arn:")
    }
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let error = || ArnError(text.chars().take(200).collect());
        if text.len() > LENGTH_MAX {
            return Err(error());
        }
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().ok_or_else(error);
        let (prefix, partition, service, region, account, resource) =
            (next()?, next()?, next()?, next()?, next()?, next()?);
        if prefix != "arn" || partition.is_empty() || service.is_empty() || resource.is_empty() {
            return Err(error());
        }
        Ok(Self {
            partition: partition.to_owned(),
            service: service.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            resource: resource.to_owned(),
        })
    }
}

impl TryFrom<String> for Arn {
    type Error = ArnError;

    fn try_from(text: String) -> Result<Self, ArnError> {
        text.parse()
    }
}

impl From<Arn> for String {
    fn from(arn: Arn) -> Self {
        arn.to_string()
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

impl fmt::Debug for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_keeps_its_text() {
        for text in [
            "arn:aws:ecs:us-east-1:123456789012:cluster/default",
            "arn:aws:iam::123456789012:role/service/worker",
            "arn:aws:logs:us-east-1:123456789012:log-group:/a/b:*",
            "arn:aws:s3:::bucket/key:with:colons",
        ] {
            assert_eq!(text.parse::<Arn>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_arn_is_refused() {
        for text in ["", "arn", "arn:aws:ecs", "arn:aws:ecs:r:a:", "urn:aws:ecs:r:a:x", "arn::ecs:r:a:x"] {
            assert!(text.parse::<Arn>().is_err(), "{text}");
        }
    }
}
