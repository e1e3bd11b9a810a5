//! awsQuery requests: a form whose keys spell paths (`Tags.member.1.Key=a`).

use std::collections::BTreeMap;

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::schema::{Kind, MemberRef, ShapeRef, TimestampFormat, flag};
use crate::value::{Value, double};

/// The most parameters that a form may have.
const PARAMETERS_MAX: usize = 10_000;
/// The most segments that a parameter's path may have; IAM's deepest has six.
const DEPTH_MAX: usize = 32;
/// The most nodes of a form's tree. A node takes far more memory than its segment's text, so the body's size is no bound.
const NODES_MAX: usize = 20_000;
/// AWS fills a gap of so many places in a list with empty members and refuses a wider one.
const GAP_MAX: usize = 10;
/// The highest place in a list that AWS reads at all.
const INDEX_MAX: usize = 214_748_369;

/// Why a form cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More than the limits allow.
    #[error("The request has too many parameters.")]
    TooLarge,
    /// A value is not of its member's type, or a list is not numbered as one.
    #[error("{0}")]
    Type(String),
}

/// A form as a tree of path segments. Of a parameter that comes twice the first counts, as at AWS.
#[derive(Debug, Default)]
pub struct Form {
    value: Option<String>,
    children: BTreeMap<String, Form>,
}

/// What stands in the gaps of a list.
static NOTHING: Form = Form { value: None, children: BTreeMap::new() };

impl Form {
    /// Reads an `application/x-www-form-urlencoded` body or query string.
    pub fn parse(text: &[u8]) -> Result<Self, DecodeError> {
        let mut root = Self::default();
        let mut nodes = 0;
        for (count, (key, value)) in form_urlencoded::parse(text).enumerate() {
            if count >= PARAMETERS_MAX || key.split('.').count() > DEPTH_MAX {
                return Err(DecodeError::TooLarge);
            }
            let mut node = &mut root;
            for segment in key.split('.') {
                node = node.children.entry(segment.to_owned()).or_insert_with(|| {
                    nodes += 1;
                    Self::default()
                });
            }
            if nodes > NODES_MAX {
                return Err(DecodeError::TooLarge);
            }
            node.value.get_or_insert_with(|| value.into_owned());
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
        let items = rows.map(Self::numbered).transpose()?.unwrap_or_default();
        items.into_iter().map(|item| item.value(element)).collect::<Result<_, _>>().map(Value::List)
    }

    fn map(&self, member: MemberRef) -> Result<Value, DecodeError> {
        let (key, value) = (member.shape().member(0), member.shape().member(1));
        let rows = if member.has(flag::FLATTENED) { Some(self) } else { self.children.get("entry") };
        let mut entries = BTreeMap::new();
        for row in rows.map(Self::numbered).transpose()?.unwrap_or_default() {
            let name = row.get(key.wire_name()).unwrap_or_default().to_owned();
            if let Some(child) = row.children.get(value.wire_name()) {
                entries.insert(name, child.value(value)?);
            }
        }
        Ok(Value::Map(entries.into_iter().collect()))
    }

    /// The children `1`, `2`, … in the order of their numbers.
    fn numbered(&self) -> Result<Vec<&Self>, DecodeError> {
        let mut rows = Vec::with_capacity(self.children.len());
        for (token, child) in &self.children {
            rows.push((index(token)?, child));
        }
        rows.sort_by_key(|(index, _)| *index);
        let mut items = Vec::with_capacity(rows.len());
        for (index, child) in rows {
            let gap = index - items.len().max(1);
            if gap > GAP_MAX {
                let gap = grouped(gap);
                return Err(DecodeError::Type(format!("Excessively sparse input would skip {gap} list elements")));
            }
            items.resize(index - 1, &NOTHING);
            items.push(child);
        }
        Ok(items)
    }

    fn scalar(&self, member: MemberRef) -> Result<Value, DecodeError> {
        if self.value.is_none() && !self.children.is_empty() {
            return Err(DecodeError::Type("Start of structure or map found where not expected.".to_owned()));
        }
        let text = self.value.clone().unwrap_or_default();
        let wrong = || {
            let shown: String = text.chars().take(100).collect();
            DecodeError::Type(format!("Invalid value for parameter {}: {shown}", member.wire_name()))
        };
        match member.shape().kind() {
            Kind::String | Kind::Enum => Ok(Value::String(text)),
            Kind::Boolean => match text.as_str() {
                "true" | "True" | "TRUE" | "1" => Ok(Value::Bool(true)),
                "false" | "False" | "FALSE" | "0" => Ok(Value::Bool(false)),
                _ => Err(wrong()),
            },
            Kind::Integer | Kind::Long if text.is_empty() => {
                Err(DecodeError::Type("missing value for decimal type".to_owned()))
            }
            Kind::Integer => text.parse::<i32>().map(|n| Value::Integer(n.into())).map_err(|_| wrong()),
            Kind::Long => text.parse().map(Value::Integer).map_err(|_| wrong()),
            Kind::Float | Kind::Double => double(&text).map(Value::Double).ok_or_else(wrong),
            Kind::Blob => BASE64.decode(&text).map(Value::Blob).map_err(|_| wrong()),
            Kind::Timestamp => {
                let parsed = match member.timestamp_format(TimestampFormat::Iso8601) {
                    TimestampFormat::EpochSeconds => {
                        double(&text).and_then(|seconds| Timestamp::from_epoch_seconds(seconds).ok())
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

/// The place in a list that a segment names, in the sentences in which AWS refuses one.
fn index(token: &str) -> Result<usize, DecodeError> {
    let problem = match token.parse::<usize>() {
        _ if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_digit()) => {
            "Start of list found where not expected".to_owned()
        }
        Ok(0) if token.len() == 1 => "0 is not a valid index".to_owned(),
        _ if token.starts_with('0') => "Value found where not expected".to_owned(),
        Ok(index) if index <= INDEX_MAX => return Ok(index),
        _ => format!("Index {} is illegal", &token[..token.len().min(20)]),
    };
    Err(DecodeError::Type(problem))
}

/// A number with a comma after every third digit from the right.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests;
