//! ARNs compared part by part: a wildcard stands for characters of its own part alone. The sixth part is all that follows
//! the fifth colon, so a wildcard there covers colons and slashes.

use std::collections::BTreeMap;

use crate::Context;
use crate::pattern::{Pattern, Reading, split_at_colons};

const PARTS: usize = 6;

/// An ARN of a request in its parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArnParts<'a>([&'a str; PARTS]);

impl<'a> ArnParts<'a> {
    /// None for what is no ARN.
    pub(crate) fn new(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(PARTS, ':');
        let mut next = || parts.next();
        let parts = [next()?, next()?, next()?, next()?, next()?, next()?];
        (parts[0] == "arn").then_some(Self(parts))
    }
}

/// A pattern of ARNs.
#[derive(Debug, Clone)]
pub(crate) struct ArnPattern([Pattern; PARTS]);

impl ArnPattern {
    /// Of a condition: all six parts, with variables in any of them; none when there are fewer.
    pub(crate) fn of_condition(text: &str, variables: bool) -> Option<Self> {
        let parts: [&str; PARTS] = split_at_colons(text, PARTS, variables).try_into().ok()?;
        Some(Self(parts.map(|part| Pattern::new(part, Reading { wildcards: true, variables }))))
    }

    /// Of a resource: `*` for the parts that are missing, and variables in the sixth alone. (IAM User Guide, "Where you
    /// can use policy variables".)
    pub(crate) fn of_resource(text: &str, variables: bool) -> Self {
        let parts = split_at_colons(text, PARTS, variables);
        Self(std::array::from_fn(|at| match parts.get(at) {
            Some(part) => Pattern::new(part, Reading { wildcards: true, variables: variables && at + 1 == PARTS }),
            None => Pattern::anything(),
        }))
    }

    /// Whether an ARN is like it.
    pub(crate) fn matches(&self, arn: &ArnParts<'_>, context: &Context) -> bool {
        self.0.iter().zip(arn.0).all(|(pattern, part)| pattern.matches(part, context))
    }

    /// Adds the keys of its variables.
    pub(crate) fn add_keys(&self, keys: &mut BTreeMap<Box<str>, Box<str>>) {
        self.0.iter().for_each(|pattern| pattern.add_keys(keys));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_match(pattern: &str, arn: &str) -> bool {
        let mut context = Context::new();
        context.set("aws:userid", "AROA:session");
        ArnPattern::of_resource(pattern, true).matches(&ArnParts::new(arn).unwrap(), &context)
    }

    #[test]
    fn a_wildcard_stays_within_its_part() {
        let rows = [
            ("arn:aws:s3:::photos/*", "arn:aws:s3:::photos/a/b:c", true),
            ("arn:aws:s3:::photos", "arn:aws:s3:::photos/a", false),
            ("arn:aws:s3:::PHOTOS", "arn:aws:s3:::photos", false),
            ("arn:aws:sqs:*:123456789012:jobs", "arn:aws:sqs:us-east-1:123456789012:jobs", true),
            ("arn:aws:sqs:*:jobs:x", "arn:aws:sqs:us-east-1:123456789012:jobs:x", false),
            ("arn:aws:sqs", "arn:aws:sqs:us-east-1:123456789012:jobs", true),
            ("arn:aws:sqs:us-*", "arn:aws:sqs:us-east-1:123456789012:jobs", true),
            ("arn:aws:logs:*:*:log-group:*", "arn:aws:logs:r:1:log-group:a:log-stream:b", true),
            ("arn:aws:s3:::homes/${aws:userid}/*", "arn:aws:s3:::homes/AROA:session/x", true),
            ("arn:aws:sqs:${aws:userid}:123456789012:jobs", "arn:aws:sqs:AROA:123456789012:jobs", false),
        ];
        for (pattern, arn, expected) in rows {
            assert_eq!(is_match(pattern, arn), expected, "{pattern} {arn}");
        }
    }

    #[test]
    fn a_condition_takes_only_patterns_of_six_parts() {
        assert!(ArnPattern::of_condition("arn:aws:s3:::*", true).is_some());
        for text in ["*", "arn:aws:s3:*", "${aws:PrincipalArn}"] {
            assert!(ArnPattern::of_condition(text, true).is_none(), "{text}");
        }
    }
}
