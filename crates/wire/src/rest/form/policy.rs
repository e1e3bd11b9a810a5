//! The policy of a form: until when, and what its fields may be.

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::Fields;
use crate::error::Error;

/// The most conditions that a policy may have.
const CONDITIONS_MAX: usize = 200;
/// What no condition has to allow, beside what is meant to be ignored.
const FREE: [&str; 2] = ["policy", "x-amz-signature"];
const IGNORED: &str = "x-ignore-";
/// What stands for any condition that cannot be understood.
const NO_FIELD: &str = "";

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    expiration: Timestamp,
    conditions: Vec<Condition>,
}

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition {
    /// The field is this.
    Equal(String, String),
    /// The field begins so.
    StartsWith(String, String),
    /// The file has so many bytes.
    Length(u64, u64),
    /// Nothing that has a meaning, written out: it never holds.
    Unknown(String),
}

impl Policy {
    /// Reads a form's `policy`.
    ///
    /// # Errors
    /// `InvalidPolicyDocument`
    pub fn read(encoded: &str) -> Result<Self, Error> {
        let document = BASE64.decode(encoded.trim()).map_err(|_| invalid("Invalid Policy: Invalid Base64."))?;
        let document: Value =
            serde_json::from_slice(&document).map_err(|_| invalid("Invalid Policy: Invalid JSON."))?;
        let expiration =
            document["expiration"].as_str().ok_or_else(|| invalid("Invalid Policy: Policy missing expiration."))?;
        let expiration =
            Timestamp::parse_iso8601(expiration).map_err(|_| invalid("Invalid Policy: Invalid 'expiration' value."))?;
        let conditions =
            document["conditions"].as_array().ok_or_else(|| invalid("Invalid Policy: Policy missing conditions."))?;
        if conditions.len() > CONDITIONS_MAX {
            return Err(invalid("Invalid Policy: Too many conditions."));
        }
        Ok(Self { expiration, conditions: conditions.iter().flat_map(Condition::read).collect() })
    }

    /// Checks the fields of a form for `bucket`; how long the file may be, in bytes, if the policy says so.
    ///
    /// # Errors
    /// `AccessDenied`, and why.
    pub fn check(&self, bucket: &str, fields: &Fields, now: Timestamp) -> Result<Option<(u64, u64)>, Error> {
        if now > self.expiration {
            return Err(denied("Policy expired."));
        }
        let value = |field: &str| if field == "bucket" { Some(bucket) } else { fields.get(field) };
        let mut length: Option<(u64, u64)> = None;
        for condition in &self.conditions {
            let holds = match condition {
                Condition::Equal(field, wanted) => value(field) == Some(wanted),
                Condition::StartsWith(field, prefix) => {
                    value(field).is_some_and(|text| starts_with(field, text, prefix))
                }
                Condition::Length(min, max) => {
                    let (least, most) = length.unwrap_or((0, u64::MAX));
                    length = Some((least.max(*min), most.min(*max)));
                    true
                }
                Condition::Unknown(_) => false,
            };
            if !holds {
                return Err(denied(&format!("Policy Condition failed: {}", condition.text())));
            }
        }
        let is_allowed = |field: &str| {
            FREE.contains(&field)
                || field.starts_with(IGNORED)
                || self.conditions.iter().any(|one| one.field() == field)
        };
        let mut extra = std::iter::once("bucket").chain(fields.iter().map(|(field, _)| field));
        match extra.find(|field| !is_allowed(field)) {
            Some(field) => Err(denied(&format!("Extra input fields: {field}"))),
            None => Ok(length),
        }
    }
}

impl Condition {
    /// A condition; an object has one for each of its members.
    fn read(document: &Value) -> Vec<Self> {
        let unknown = || vec![Self::Unknown(document.to_string())];
        if let Some(members) = document.as_object() {
            let equal = |(field, value): (&String, &Value)| match value.as_str() {
                Some(text) => Self::Equal(field.to_ascii_lowercase(), text.to_owned()),
                None => Self::Unknown(document.to_string()),
            };
            return if members.is_empty() { unknown() } else { members.iter().map(equal).collect() };
        }
        let Some([operator, one, other]) = document.as_array().map(Vec::as_slice) else { return unknown() };
        let operator = operator.as_str().unwrap_or_default().to_ascii_lowercase();
        let field = one.as_str().and_then(|text| text.strip_prefix('$')).map(str::to_ascii_lowercase);
        match (operator.as_str(), field, other.as_str()) {
            ("eq", Some(field), Some(text)) => vec![Self::Equal(field, text.to_owned())],
            ("starts-with", Some(field), Some(text)) if may_start(&field) => {
                vec![Self::StartsWith(field, text.to_owned())]
            }
            ("content-length-range", None, None) => match (number(one), number(other)) {
                (Some(min), Some(max)) => vec![Self::Length(min, max)],
                _ => unknown(),
            },
            _ => unknown(),
        }
    }

    fn field(&self) -> &str {
        match self {
            Self::Equal(field, _) | Self::StartsWith(field, _) => field,
            Self::Length(..) | Self::Unknown(_) => NO_FIELD,
        }
    }

    /// As S3 repeats it.
    fn text(&self) -> String {
        let quoted = |text: &str| Value::from(text).to_string();
        match self {
            Self::Equal(field, value) => format!("[\"eq\", {}, {}]", quoted(&format!("${field}")), quoted(value)),
            Self::StartsWith(field, value) => {
                format!("[\"starts-with\", {}, {}]", quoted(&format!("${field}")), quoted(value))
            }
            Self::Length(min, max) => format!("[\"content-length-range\", {min}, {max}]"),
            Self::Unknown(text) => text.clone(),
        }
    }
}

/// Whether a condition on this field may leave its end open: the bucket, the answer's status and what the signature is made
/// of may not.
fn may_start(field: &str) -> bool {
    let is_exact = ["bucket", "success_action_status"].contains(&field)
        || field.starts_with("x-amz-") && !field.starts_with("x-amz-meta-");
    !is_exact
}

/// A content type may be a list, each of which has to begin so.
fn starts_with(field: &str, text: &str, prefix: &str) -> bool {
    match field {
        "content-type" => text.split(',').all(|one| one.trim_start().starts_with(prefix)),
        _ => text.starts_with(prefix),
    }
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64()
}

fn invalid(message: &str) -> Error {
    Error::new("InvalidPolicyDocument", 400, message)
}

fn denied(why: &str) -> Error {
    Error::new("AccessDenied", 403, format!("Invalid according to Policy: {why}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_767_225_600);

    fn read(document: &Value) -> Result<Policy, Error> {
        Policy::read(&BASE64.encode(document.to_string()))
    }

    fn checked(conditions: Value, pairs: &[(&str, &str)]) -> Result<Option<(u64, u64)>, String> {
        let mut fields = Fields::default();
        pairs.iter().for_each(|(name, value)| fields.add(name, (*value).to_owned()).unwrap());
        let policy = read(&json!({"expiration": "2026-01-01T00:00:00.000Z", "conditions": conditions})).unwrap();
        policy.check("b", &fields, NOW).map_err(|error| {
            assert_eq!((error.code.as_ref(), error.status), ("AccessDenied", 403));
            error.message.strip_prefix("Invalid according to Policy: ").unwrap().to_owned()
        })
    }

    #[test]
    fn fields_have_to_be_what_the_conditions_say() {
        let conditions = json!([
            {"bucket": "b"},
            ["starts-with", "$Key", "user/"],
            ["eq", "$acl", "public-read"],
            ["starts-with", "$Content-Type", "image/"],
            ["content-length-range", 1, 10],
            ["content-length-range", 5, 20],
        ]);
        let pairs =
            [("key", "user/1"), ("acl", "public-read"), ("Content-Type", "image/png, image/gif"), ("policy", "p")];
        assert_eq!(checked(conditions.clone(), &pairs), Ok(Some((5, 10))));
        for (place, value, why) in [
            (0, "other/1", "[\"starts-with\", \"$key\", \"user/\"]"),
            (1, "private", "[\"eq\", \"$acl\", \"public-read\"]"),
            (2, "image/png,text/html", "[\"starts-with\", \"$content-type\", \"image/\"]"),
        ] {
            let mut changed = pairs;
            changed[place].1 = value;
            assert_eq!(checked(conditions.clone(), &changed), Err(format!("Policy Condition failed: {why}")));
        }
        assert_eq!(
            checked(json!([{"bucket": "c"}]), &[]),
            Err("Policy Condition failed: [\"eq\", \"$bucket\", \"c\"]".into())
        );
    }

    #[test]
    fn a_field_that_no_condition_names_is_too_many() {
        let bucket = json!([{"bucket": "b"}]);
        assert_eq!(checked(json!([]), &[]), Err("Extra input fields: bucket".into()));
        assert_eq!(checked(bucket.clone(), &[("key", "k")]), Err("Extra input fields: key".into()));
        let free = [("x-ignore-a", "1"), ("x-amz-signature", "0"), ("policy", "p")];
        assert_eq!(checked(bucket, &free), Ok(None));
    }

    #[test]
    fn a_condition_without_a_meaning_never_holds() {
        for condition in [
            json!(["eq", "key", "k"]),
            json!(["like", "$key", "k"]),
            json!(["eq", "$key"]),
            json!(["eq", "$key", 1]),
            json!({"key": 1}),
            json!({}),
            json!("key"),
            json!(["starts-with", "$bucket", ""]),
            json!(["starts-with", "$x-amz-credential", ""]),
            json!(["content-length-range", "1", 2]),
            json!(["content-length-range", -1, 2]),
        ] {
            let told = checked(json!([{"bucket": "b"}, {"key": "k"}, condition]), &[("key", "k")]).unwrap_err();
            assert_eq!(told, format!("Policy Condition failed: {condition}"));
        }
    }

    #[test]
    fn a_policy_ends_and_has_a_form() {
        let ended = read(&json!({"expiration": "2025-12-31T23:59:59Z", "conditions": []})).unwrap();
        let error = ended.check("b", &Fields::default(), NOW).unwrap_err();
        assert_eq!(error.message, "Invalid according to Policy: Policy expired.");
        for document in [
            json!({}),
            json!([]),
            json!({"expiration": "soon", "conditions": []}),
            json!({"expiration": "2026-01-01T00:00:00Z"}),
        ] {
            assert_eq!(read(&document).unwrap_err().code, "InvalidPolicyDocument", "{document}");
        }
        assert_eq!(Policy::read("!").unwrap_err().code, "InvalidPolicyDocument");
        assert_eq!(Policy::read("eA==").unwrap_err().code, "InvalidPolicyDocument");
    }
}
