//! What requests call functions, layers and their versions.
//!
//! Source: Lambda API reference, `FunctionName`: a name, an ARN, or a part of one, each with a version or an alias behind it.

use base::{AccountId, Arn, Region};
use platform::Ctx;
use store::Scope;

use crate::Error;

/// The version that can be changed.
pub const LATEST: &str = "$LATEST";

/// A function of an account in a region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionName {
    /// Whose it is.
    pub account: AccountId,
    /// Where it is.
    pub region: Region,
    /// `thumbnails`
    pub name: String,
}

impl FunctionName {
    /// Where its records are.
    pub fn scope(&self) -> Scope {
        Scope::new(self.account, self.region.clone())
    }

    /// `arn:aws:lambda:REGION:ACCOUNT:function:NAME`
    pub fn arn(&self) -> String {
        Arn::regional("lambda", &self.region, self.account, format!("function:{}", self.name)).to_string()
    }

    /// The same with a version or alias behind it.
    pub fn qualified(&self, qualifier: &str) -> String {
        format!("{}:{qualifier}", self.arn())
    }
}

/// What a request means: a function, and perhaps a version or alias of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The function.
    pub function: FunctionName,
    /// `$LATEST`, a version's number or an alias, if one is named.
    pub qualifier: Option<String>,
}

impl Target {
    /// The ARN, as the request names it.
    pub fn arn(&self) -> String {
        match &self.qualifier {
            Some(qualifier) => self.function.qualified(qualifier),
            None => self.function.arn(),
        }
    }

    /// The version or alias, `$LATEST` if none is named.
    pub fn qualifier(&self) -> &str {
        self.qualifier.as_deref().unwrap_or(LATEST)
    }

    /// The function or version that an ARN names.
    pub fn of_arn(text: &str) -> Option<Self> {
        let arn: Arn = text.parse().ok()?;
        let resource = arn.resource.strip_prefix("function:")?;
        let (name, qualifier) = match resource.split_once(':') {
            Some((name, qualifier)) => (name, Some(qualifier.to_owned())),
            None => (resource, None),
        };
        if arn.service != "lambda" || name.is_empty() {
            return None;
        }
        let (account, region) = (arn.account.parse().ok()?, arn.region.parse().ok()?);
        Some(Self { function: FunctionName { account, region, name: name.to_owned() }, qualifier })
    }

    /// What a request means whose name and qualifier the model has checked.
    pub fn read(ctx: &Ctx, text: &str, qualifier: Option<&str>) -> Self {
        let named = Pieces::of(text);
        Self {
            function: FunctionName {
                account: named.account.and_then(|account| account.parse().ok()).unwrap_or(ctx.account()),
                region: named.region.and_then(|region| region.parse().ok()).unwrap_or_else(|| ctx.region.clone()),
                name: named.name.to_owned(),
            },
            qualifier: qualifier.or(named.qualifier).map(str::to_owned),
        }
    }

    /// The same, where it is reachable.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a function of another region; [`Error::Parameter`] where name and qualifier contradict each
    /// other.
    pub fn of_request(ctx: &Ctx, text: &str, qualifier: Option<&str>) -> Result<Self, Error> {
        let named = Pieces::of(text);
        if let Some(region) = named.region.filter(|region| *region != ctx.region.as_str()) {
            let here = &ctx.region;
            let message = format!("Functions from '{region}' are not reachable in this region ('{here}')");
            return Err(Error::NotFound(message));
        }
        if let (Some(one), Some(other)) = (named.qualifier, qualifier)
            && one != other
        {
            let message = "The derived qualifier from the function name does not match the specified qualifier.";
            return Err(Error::Parameter(message.to_owned()));
        }
        Ok(Self::read(ctx, text, qualifier))
    }

    /// A function that is named without a version or alias, because the operation knows none.
    ///
    /// # Errors
    /// What [`Self::of_request`] answers, and [`Error::Parameter`] for one that is named with one.
    pub fn unqualified(ctx: &Ctx, text: &str) -> Result<FunctionName, Error> {
        let target = Self::of_request(ctx, text, None)?;
        match target.qualifier {
            None => Ok(target.function),
            Some(_) => Err(Error::Parameter(
                "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. \
                 Please specify either a function name or an unqualified function ARN."
                    .to_owned(),
            )),
        }
    }
}

/// The pieces of a name.
struct Pieces<'t> {
    region: Option<&'t str>,
    account: Option<&'t str>,
    name: &'t str,
    qualifier: Option<&'t str>,
}

impl<'t> Pieces<'t> {
    /// `[arn:aws:lambda:][REGION:][ACCOUNT:][function:]NAME[:QUALIFIER]`
    fn of(text: &'t str) -> Self {
        let rest =
            text.strip_prefix("arn:").and_then(|rest| rest.split_once(":lambda:")).map_or(text, |(_, rest)| rest);
        let (region, rest) = match rest.split_once(':') {
            Some((first, more)) if is_region(first) => (Some(first), more),
            _ => (None, rest),
        };
        let (account, rest) = match rest.split_once(':') {
            Some((first, more)) if is_account(first) => (Some(first), more),
            _ => (None, rest),
        };
        let rest = rest.strip_prefix("function:").unwrap_or(rest);
        let (name, qualifier) = match rest.split_once(':') {
            Some((name, qualifier)) => (name, Some(qualifier)),
            None => (rest, None),
        };
        Self { region, account, name, qualifier }
    }
}

fn is_region(text: &str) -> bool {
    // `us-east-1`: names of functions have no such form in front of a colon but by being regions.
    let mut parts = text.split('-');
    let starts = parts.next().is_some_and(|part| part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_lowercase()));
    starts
        && parts.next_back().is_some_and(|part| part.len() == 1 && part.bytes().all(|byte| byte.is_ascii_digit()))
        && parts.next().is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_lowercase()))
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a qualifier is a version's number.
pub fn is_version(qualifier: &str) -> bool {
    !qualifier.is_empty() && qualifier.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a qualifier is an alias.
pub fn is_alias(qualifier: &str) -> bool {
    !is_version(qualifier) && !qualifier.starts_with('$')
}

/// A layer of an account in a region, or one of its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerName {
    /// Whose it is.
    pub account: AccountId,
    /// Where it is.
    pub region: Region,
    /// `pillow`
    pub name: String,
}

impl LayerName {
    /// Where its records are.
    pub fn scope(&self) -> Scope {
        Scope::new(self.account, self.region.clone())
    }

    /// `arn:aws:lambda:REGION:ACCOUNT:layer:NAME`
    pub fn arn(&self) -> String {
        Arn::regional("lambda", &self.region, self.account, format!("layer:{}", self.name)).to_string()
    }

    /// The same with a version's number behind it.
    pub fn version_arn(&self, version: u64) -> String {
        format!("{}:{version}", self.arn())
    }

    /// The layer that a request means: by its name, or by its ARN.
    pub fn read(ctx: &Ctx, text: &str) -> Self {
        match Self::of_arn(text) {
            Some((layer, _)) => layer,
            None => Self { account: ctx.account(), region: ctx.region.clone(), name: text.to_owned() },
        }
    }

    /// The layer that an ARN names, and the version if it names one.
    pub fn of_arn(text: &str) -> Option<(Self, Option<u64>)> {
        let arn: Arn = text.parse().ok()?;
        let resource = arn.resource.strip_prefix("layer:").filter(|_| arn.service == "lambda")?;
        let (name, version) = match resource.split_once(':') {
            Some((name, version)) => (name, Some(version.parse().ok()?)),
            None => (resource, None),
        };
        let (account, region) = (arn.account.parse().ok()?, arn.region.parse().ok()?);
        Some((Self { account, region, name: name.to_owned() }, version))
    }
}

#[cfg(test)]
mod tests {
    use base::{Principal, Timestamp};

    use super::*;

    fn ctx() -> Ctx {
        let account = "123456789012".parse().unwrap();
        Ctx::new(Principal::root(account), Region::default(), Timestamp::default(), "r")
    }

    const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:thumbnails";

    #[test]
    fn a_function_is_meant_by_its_name_by_its_arn_and_by_a_part_of_it() {
        for text in [
            "thumbnails",
            "function:thumbnails",
            "123456789012:thumbnails",
            "123456789012:function:thumbnails",
            "us-east-1:123456789012:function:thumbnails",
            ARN,
        ] {
            let target = Target::of_request(&ctx(), text, None).unwrap();
            assert_eq!((target.arn().as_str(), target.qualifier()), (ARN, LATEST), "{text}");
            for qualifier in ["$LATEST", "7", "live"] {
                let behind = Target::of_request(&ctx(), &format!("{text}:{qualifier}"), None).unwrap();
                let beside = Target::of_request(&ctx(), text, Some(qualifier)).unwrap();
                assert_eq!((behind.arn(), &behind), (format!("{ARN}:{qualifier}"), &beside), "{text}");
            }
        }
        assert_eq!(Target::of_arn(&format!("{ARN}:live")).unwrap().qualifier(), "live");
    }

    #[test]
    fn what_contradicts_itself_or_lies_elsewhere_is_refused() {
        let refused = |text: &str, qualifier| Target::of_request(&ctx(), text, qualifier).unwrap_err().to_string();
        assert!(refused("thumbnails:1", Some("2")).starts_with("The derived qualifier"));
        let elsewhere = "arn:aws:lambda:eu-west-1:123456789012:function:f";
        let message = "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')";
        assert_eq!(refused(elsewhere, None), message);
        assert!(Target::unqualified(&ctx(), "f:1").is_err());
        assert_eq!(Target::unqualified(&ctx(), "999999999999:function:f").unwrap().account.as_str(), "999999999999");
    }

    #[test]
    fn a_name_that_looks_like_something_else_is_a_name() {
        // Twelve digits in front of nothing are a name.
        assert_eq!(Target::read(&ctx(), "123456789012", None).function.name, "123456789012");
        assert_eq!(Target::read(&ctx(), "us-east-1", None).function.name, "us-east-1");
        assert!(is_version("12") && !is_version("") && !is_version("$LATEST"));
        assert!(is_alias("live-2") && !is_alias("2") && !is_alias("$LATEST"));
    }

    #[test]
    fn a_layer_is_meant_by_its_name_and_by_its_arn() {
        let own = LayerName::read(&ctx(), "pillow");
        assert_eq!(own.version_arn(3), "arn:aws:lambda:us-east-1:123456789012:layer:pillow:3");
        assert_eq!(LayerName::of_arn(&own.version_arn(3)), Some((own.clone(), Some(3))));
        assert_eq!(LayerName::of_arn(&own.arn()), Some((own.clone(), None)));
        assert_eq!(LayerName::of_arn(ARN), None);
        assert_eq!(
            LayerName::read(&ctx(), "arn:aws:lambda:us-east-1:999999999999:layer:x").account.as_str(),
            "999999999999"
        );
    }
}
