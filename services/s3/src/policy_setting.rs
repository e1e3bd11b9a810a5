//! Bucket policies.

use std::net::IpAddr;
use std::sync::Arc;

use base::AccountId;
use policy::{Effect, Policy, Purpose, ResourceElement};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Record;

use crate::Error;
use crate::bucket::{Bucket, Setting};

/// The longest policy, in bytes. (User guide: "Bucket policies are limited to 20 KB in size".)
pub const POLICY_BYTES_MAX: usize = 20 * 1024;

/// Keys of conditions that keep the public out where they have fixed values. (User guide: "The meaning of public".)
const NARROWING_KEYS: [&str; 14] = [
    "aws:sourceip",
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceowner",
    "aws:sourceaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principalaccount",
    "aws:userid",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:dataaccesspointarn",
    "s3:dataaccesspointaccount",
];
/// The widest network that is not the public: a prefix of this length.
const NETWORK_BITS_MIN: u8 = 8;

/// A bucket's policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketPolicy {
    /// As it was given.
    pub text: String,
}

impl Record for BucketPolicy {
    const SERVICE: &'static str = "s3";
    const KIND: &'static str = "bucket-policy";
}

impl Setting for BucketPolicy {}

impl BucketPolicy {
    /// Checks a policy for a bucket.
    ///
    /// # Errors
    /// [`Error::MalformedPolicy`]
    pub fn new(text: &str, bucket: &str) -> Result<Self, Error> {
        let refused = |message: &str| Error::MalformedPolicy(message.to_owned());
        if text.len() > POLICY_BYTES_MAX {
            return Err(refused("Policy exceeds the maximum allowed document size."));
        }
        policy::parse(text, Purpose::Resource(ResourceElement::Required))
            .map_err(|malformed| Error::MalformedPolicy(malformed.to_string()))?;
        let document: Value = serde_json::from_str(text)
            .map_err(|_| refused("Policies must be valid JSON and the first byte must be '{'"))?;
        for statement in statements(&document) {
            if !statement.get("Resource").is_none_or(|resources| of_bucket(resources, bucket)) {
                return Err(refused("Policy has invalid resource"));
            }
            if !each(statement.get("Action"))
                .all(|action| action == "*" || action.to_ascii_lowercase().starts_with("s3:"))
            {
                return Err(refused("Policy has invalid action"));
            }
        }
        Ok(Self { text: text.to_owned() })
    }

    /// It, ready to decide. What cannot be read any more denies everything.
    pub fn compiled(&self) -> Arc<Policy> {
        const NAME: &str = "bucket policy";
        Arc::new(match policy::parse(&self.text, Purpose::Resource(ResourceElement::Required)) {
            Ok(document) => Policy::new(NAME, document),
            Err(_) => Policy::denying_all(NAME),
        })
    }

    /// Whether it lets the public in: allows something to everybody, and no condition narrows that to fixed values.
    pub fn is_public(&self) -> bool {
        let Ok(document) = serde_json::from_str::<Value>(&self.text) else { return false };
        statements(&document).any(is_public)
    }
}

/// Whose policy it is decides alone about it, whatever it allows to others. (API reference, PutBucketPolicy, GetBucketPolicy,
/// DeleteBucketPolicy: with permissions, but not of "an identity that belongs to the bucket owner's account", one is answered
/// 405.)
///
/// # Errors
/// [`Error::MethodNotAllowed`]
pub(crate) fn of_owners_account(caller: AccountId, bucket: &Bucket) -> Result<(), Error> {
    if caller == bucket.owner { Ok(()) } else { Err(Error::MethodNotAllowed) }
}

fn statements(document: &Value) -> impl Iterator<Item = &Value> {
    let statements = document.get("Statement");
    statements.into_iter().flat_map(|found| match found {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    })
}

fn is_public(statement: &Value) -> bool {
    let allows = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
    let is_anybody = statement.get("NotPrincipal").is_some()
        || match statement.get("Principal") {
            Some(Value::String(principal)) => principal == "*",
            Some(principal) => each(principal.get("AWS")).any(|principal| principal == "*"),
            None => false,
        };
    allows && is_anybody && !statement.get("Condition").is_some_and(narrows)
}

/// Whether a condition holds for known callers only.
fn narrows(condition: &Value) -> bool {
    let Some(operators) = condition.as_object() else { return false };
    operators.iter().any(|(operator, keys)| {
        let operator = operator.to_ascii_lowercase();
        let compares = operator.starts_with("stringequals")
            || operator.starts_with("stringlike")
            || operator.starts_with("arnequals")
            || operator.starts_with("arnlike")
            || operator == "ipaddress";
        let negates_or_skips = operator.ends_with("ifexists") || operator.contains("not");
        compares
            && !negates_or_skips
            && keys.as_object().is_some_and(|keys| keys.iter().any(|(key, values)| narrows_by(key, values)))
    })
}

fn narrows_by(key: &str, values: &Value) -> bool {
    let key = key.to_ascii_lowercase();
    let is_fixed = |value: &str| match key.as_str() {
        "aws:sourceip" => !is_wide(value),
        _ => !value.contains(['*', '?']) && !value.contains("${"),
    };
    NARROWING_KEYS.contains(&key.as_str()) && each(Some(values)).all(is_fixed)
}

/// Whether a network is too wide to be anybody's.
fn is_wide(network: &str) -> bool {
    let (address, bits) = network.split_once('/').map_or((network, None), |(address, bits)| (address, Some(bits)));
    let all = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return true,
    };
    bits.map_or(Some(all), |bits| bits.parse::<u8>().ok()).is_none_or(|bits| bits < NETWORK_BITS_MIN)
}

fn of_bucket(resources: &Value, bucket: &str) -> bool {
    let own = crate::names::bucket_arn(bucket);
    each(Some(resources)).all(|resource| {
        let rest = resource.strip_prefix(&own);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '*', '?'])) || {
            // A pattern may have its wildcard within the bucket's name.
            let pattern = resource.split('/').next().unwrap_or_default();
            pattern.contains(['*', '?']) && matches(pattern.as_bytes(), own.as_bytes())
        }
    })
}

/// Whether a pattern of `*` and `?` matches a text.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from, mut star) = (0, 0, None);
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[from] => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((position, taken)) => {
                    star = Some((position, taken + 1));
                    at = position + 1;
                    from = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// The texts of a value that is one text or a list of them.
fn each(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let values = value.map_or(&[][..], |value| match value {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    });
    values.iter().filter_map(Value::as_str)
}

/// A statement that grants what a list of grants does, for a policy that is made of both.
pub(crate) fn statement(effect: Effect, principal: Value, actions: &[&str], resource: &str) -> Value {
    let effect = match effect {
        Effect::Allow => "Allow",
        Effect::Deny => "Deny",
    };
    serde_json::json!({ "Effect": effect, "Principal": principal, "Action": actions, "Resource": resource })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(statement: &str) -> Result<BucketPolicy, Error> {
        BucketPolicy::new(&format!(r#"{{"Version": "2012-10-17", "Statement": [{statement}]}}"#), "photos")
    }

    fn allowing(rest: &str) -> String {
        format!(r#"{{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*", {rest}}}"#)
    }

    #[test]
    fn the_public_is_everybody_whom_no_fixed_condition_narrows() {
        let is_public = |rest: &str| policy(&allowing(rest)).unwrap().is_public();
        let anybody = r#""Principal": "*""#;
        assert!(is_public(anybody));
        assert!(is_public(r#""Principal": {"AWS": ["*"]}"#));
        assert!(!is_public(r#""Principal": {"AWS": "arn:aws:iam::111111111111:root"}"#));
        let with = |condition: &str| is_public(&format!(r#"{anybody}, "Condition": {{{condition}}}"#));
        assert!(!with(r#""StringEquals": {"aws:SourceVpc": "vpc-1"}"#));
        assert!(with(r#""StringLike": {"aws:SourceVpc": "vpc-*"}"#));
        assert!(with(r#""StringNotEquals": {"aws:SourceVpc": "vpc-1"}"#));
        assert!(!with(r#""IpAddress": {"aws:SourceIp": "10.1.0.0/16"}"#));
        assert!(with(r#""IpAddress": {"aws:SourceIp": "0.0.0.0/0"}"#));
        assert!(with(r#""Bool": {"aws:SecureTransport": "true"}"#));
    }

    #[test]
    fn a_policy_is_about_its_bucket_and_about_s3() {
        let of = |resource: &str| {
            policy(&format!(r#"{{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "{resource}"}}"#))
        };
        for right in ["arn:aws:s3:::photos", "arn:aws:s3:::photos/*", "arn:aws:s3:::pho*", "arn:aws:s3:::photos*"] {
            assert!(of(right).is_ok(), "{right}");
        }
        for wrong in ["arn:aws:s3:::other/*", "arn:aws:s3:::photos2", "arn:aws:sqs:us-east-1:1:q"] {
            assert!(matches!(of(wrong), Err(Error::MalformedPolicy(_))), "{wrong}");
        }
        let other = r#"{"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "arn:aws:s3:::photos"}"#;
        assert!(policy(other).is_err());
        assert!(BucketPolicy::new("{", "photos").is_err());
    }
}
