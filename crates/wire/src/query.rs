//! awsQuery requests: a form whose keys spell paths (`Tags.member.1.Key=a`).

use std::collections::BTreeMap;

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::schema::{Kind, MemberRef, ShapeRef, TimestampFormat, flag};
use crate::value::Value;

/// The most parameters that a form may have.
const PARAMETERS_MAX: usize = 10_000;
/// The most segments that a parameter's path may have; IAM's deepest has six.
const DEPTH_MAX: usize = 32;

/// Why a form cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More than the limits allow.
    #[error("The request has too many parameters.")]
    TooLarge,
    /// A value is not of its member's type.
    #[error("{0}")]
    Type(String),
}

/// A form as a tree of path segments.
#[derive(Debug, Default)]
pub struct Form {
    value: Option<String>,
    children: BTreeMap<String, Form>,
}

impl Form {
    /// Reads an `application/x-www-form-urlencoded` body or query string.
    pub fn parse(text: &[u8]) -> Result<Self, DecodeError> {
        let mut root = Self::default();
        for (count, (key, value)) in form_urlencoded::parse(text).enumerate() {
            if count >= PARAMETERS_MAX || key.split('.').count() > DEPTH_MAX {
                return Err(DecodeError::TooLarge);
            }
            let mut node = &mut root;
            for segment in key.split('.') {
                node = node.children.entry(segment.to_owned()).or_default();
            }
            node.value = Some(value.into_owned());
        }
        Ok(root)
    }

    /// The value of a parameter without dots (`Action`, `Version`).
    pub fn get(&self, key: &str) -> Option<&str> {
        self.children.get(key)?.value.as_deref()
    }

    /// Reads the form by an operation's input shape.
    pub fn decode(&self, shape: ShapeRef) -> Result<Value, DecodeError> {
        self.structure(shape)
    }

    fn structure(&self, shape: ShapeRef) -> Result<Value, DecodeError> {
        let field = |member: MemberRef| match self.children.get(member.wire_name()) {
            Some(child) => child.value(member).map(Some),
            None => Ok(None),
        };
        shape.members().map(field).collect::<Result<_, _>>().map(Value::Structure)
    }

    fn value(&self, member: MemberRef) -> Result<Value, DecodeError> {
        let shape = member.shape();
        match shape.kind() {
            Kind::Structure | Kind::Union => self.structure(shape),
            Kind::List => self.list(member),
            Kind::Map => self.map(member),
            _ => self.scalar(member),
        }
    }

    fn list(&self, member: MemberRef) -> Result<Value, DecodeError> {
        let element = member.shape().member(0);
        let rows = if member.has(flag::FLATTENED) {
            Some(self)
        } else {
            self.children.get(element.wire_name()).or_else(|| self.children.get("member"))
        };
        let items = rows.map(Self::numbered).unwrap_or_default();
        items.into_iter().map(|item| item.value(element)).collect::<Result<_, _>>().map(Value::List)
    }

    fn map(&self, member: MemberRef) -> Result<Value, DecodeError> {
        let (key, value) = (member.shape().member(0), member.shape().member(1));
        let rows = if member.has(flag::FLATTENED) { Some(self) } else { self.children.get("entry") };
        let mut entries = Vec::new();
        for row in rows.map(Self::numbered).unwrap_or_default() {
            let name = row.get(key.wire_name()).unwrap_or_default().to_owned();
            if let Some(child) = row.children.get(value.wire_name()) {
                entries.push((name, child.value(value)?));
            }
        }
        Ok(Value::Map(entries))
    }

    /// The children `1`, `2`, … by number. Gaps are closed, so that a far number costs nothing.
    fn numbered(&self) -> Vec<&Self> {
        let mut rows: Vec<(u64, &Self)> =
            self.children.iter().filter_map(|(number, child)| Some((number.parse().ok()?, child))).collect();
        rows.sort_by_key(|(number, _)| *number);
        rows.into_iter().map(|(_, child)| child).collect()
    }

    fn scalar(&self, member: MemberRef) -> Result<Value, DecodeError> {
        let text = self.value.clone().unwrap_or_default();
        let wrong = || {
            let shown: String = text.chars().take(100).collect();
            DecodeError::Type(format!("Invalid value for parameter {}: {shown}", member.wire_name()))
        };
        match member.shape().kind() {
            Kind::String | Kind::Enum => Ok(Value::String(text)),
            Kind::Boolean => match text.as_str() {
                "true" | "True" | "TRUE" => Ok(Value::Bool(true)),
                "false" | "False" | "FALSE" => Ok(Value::Bool(false)),
                _ => Err(wrong()),
            },
            Kind::Integer => text.parse::<i32>().map(|n| Value::Integer(n.into())).map_err(|_| wrong()),
            Kind::Long => text.parse().map(Value::Integer).map_err(|_| wrong()),
            Kind::Float | Kind::Double => text.parse().map(Value::Double).map_err(|_| wrong()),
            Kind::Blob => BASE64.decode(&text).map(Value::Blob).map_err(|_| wrong()),
            Kind::Timestamp => {
                let parsed = match member.timestamp_format(TimestampFormat::Iso8601) {
                    TimestampFormat::EpochSeconds => {
                        text.parse().ok().and_then(|seconds| Timestamp::from_epoch_seconds(seconds).ok())
                    }
                    TimestampFormat::HttpDate => Timestamp::parse_http_date(&text).ok(),
                    _ => Timestamp::parse_iso8601(&text).ok(),
                };
                parsed.map(Value::Timestamp).ok_or_else(wrong)
            }
            Kind::Document => serde_json::from_str(&text).map(Value::Document).map_err(|_| wrong()),
            Kind::Structure | Kind::Union | Kind::List | Kind::Map => Err(wrong()),
        }
    }
}
