//! From a request to an operation's input.

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;

use super::{Body, Request, arguments, encoded_word, route};
use crate::error::Error;
use crate::json::Limits;
use crate::model::Protocol;
use crate::schema::{Kind, Location, MemberRef, ShapeRef, TimestampFormat, flag};
use crate::value::Value;
use crate::{json, xml};

/// How much a document in XML may hold: the list of parts of the largest multipart upload, each with a checksum.
const XML_LIMITS: Limits = Limits { values_max: 400_000 };

/// A request and what reads it.
pub(super) struct Binding<'r> {
    pub(super) protocol: Protocol,
    pub(super) is_s3: bool,
    pub(super) request: &'r Request,
    /// The operation's own.
    pub(super) uri: &'static str,
}

impl Binding<'_> {
    /// The input.
    pub(super) fn structure(&self, shape: ShapeRef) -> Result<Value, Error> {
        let mut fields = self.body_members(shape)?;
        let labels = route::labels(self.uri, &self.request.path);
        for (place, member) in shape.members().enumerate() {
            let field = match member.location() {
                Location::Body | Location::Status => continue,
                Location::Label => {
                    let found = labels.iter().find(|(name, _)| *name == member.wire_name());
                    found.map(|(_, raw)| self.label(member, raw)).transpose()?
                }
                Location::Query => self.query(shape, member)?,
                Location::Header => self.header(member)?,
                Location::Headers => Some(self.headers(member.wire_name())),
                Location::Payload => self.payload(member)?,
            };
            fields[place] = field;
        }
        Ok(Value::Structure(fields))
    }

    /// The members that stand beside each other in the body.
    fn body_members(&self, shape: ShapeRef) -> Result<Vec<Option<Value>>, Error> {
        let absent = vec![None; shape.len()];
        let Body::Whole(bytes) = &self.request.body else { return Ok(absent) };
        if bytes.is_empty() || !shape.members().any(|member| member.location() == Location::Body) {
            return Ok(absent);
        }
        let body = match self.protocol {
            Protocol::RestXml => {
                xml::decode_structure(shape, shape.name(), bytes, &XML_LIMITS).map_err(|_| self.malformed())?
            }
            _ => json::decode(shape, bytes, &Limits::REQUEST).map_err(serialization)?,
        };
        let Value::Structure(mut fields) = body else { return Err(self.malformed()) };
        // What stands elsewhere cannot come in by the body.
        for (member, field) in shape.members().zip(&mut fields) {
            if member.location() != Location::Body {
                *field = None;
            }
        }
        Ok(fields)
    }

    fn payload(&self, member: MemberRef) -> Result<Option<Value>, Error> {
        let bytes = match &self.request.body {
            Body::Content(content) => return Ok(Some(Value::Content(content.clone()))),
            Body::Whole(bytes) if member.has(flag::STREAMING) => {
                return Ok(Some(Value::Content(crate::Content::bytes(bytes.clone()))));
            }
            Body::Whole(bytes) if bytes.is_empty() => return Ok(None),
            Body::Whole(bytes) => bytes,
        };
        let value = match (member.shape().kind(), self.protocol) {
            (Kind::Blob, _) => Value::Blob(bytes.to_vec()),
            (Kind::String | Kind::Enum, _) => {
                Value::String(String::from_utf8(bytes.to_vec()).map_err(|_| self.malformed())?)
            }
            (Kind::Document, _) => Value::Document(serde_json::from_slice(bytes).map_err(|_| self.malformed())?),
            (_, Protocol::RestXml) => {
                xml::decode(member, member.wire_name(), bytes, &XML_LIMITS).map_err(|_| self.malformed())?
            }
            _ => json::decode(member.shape(), bytes, &Limits::REQUEST).map_err(serialization)?,
        };
        Ok(Some(value))
    }

    /// What stands in the path. S3 takes `+` for a blank there.
    fn label(&self, member: MemberRef, raw: &str) -> Result<Value, Error> {
        let text = unescaped(raw, self.is_s3).ok_or_else(invalid_uri)?;
        self.scalar(member, &text, TimestampFormat::Iso8601)
    }

    fn query(&self, structure: ShapeRef, member: MemberRef) -> Result<Option<Value>, Error> {
        let parameters = &self.request.parameters;
        match member.shape().kind() {
            Kind::Map => {
                let is_taken =
                    |name: &str| structure.members().any(|m| m.location() == Location::Query && m.wire_name() == name);
                let value = member.shape().member(1);
                let mut entries: Vec<(String, Value)> = Vec::new();
                for (name, text) in parameters.iter().filter(|(name, _)| !is_taken(name)) {
                    if !entries.iter().any(|(known, _)| known == name) {
                        entries.push((name.to_owned(), self.scalar(value, text, TimestampFormat::Iso8601)?));
                    }
                }
                Ok(Some(Value::Map(entries)))
            }
            Kind::List => {
                let element = member.shape().member(0);
                let items = parameters.all(member.wire_name());
                let items: Vec<Value> =
                    items.map(|text| self.scalar(element, text, TimestampFormat::Iso8601)).collect::<Result<_, _>>()?;
                Ok((!items.is_empty()).then_some(Value::List(items)))
            }
            _ => {
                let text = parameters.get(member.wire_name());
                text.map(|text| self.scalar(member, text, TimestampFormat::Iso8601)).transpose()
            }
        }
    }

    fn header(&self, member: MemberRef) -> Result<Option<Value>, Error> {
        let Some(text) = joined(&self.request.headers, member.wire_name()) else { return Ok(None) };
        if member.shape().kind() == Kind::List {
            let element = member.shape().member(0);
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            let items = items.map(|item| self.scalar(element, item, TimestampFormat::HttpDate));
            return items.collect::<Result<_, _>>().map(Value::List).map(Some);
        }
        if let Some(word) = self.word_of_checksums(member, &text) {
            return Ok(Some(Value::String(word.to_owned())));
        }
        match self.scalar(member, &text, TimestampFormat::HttpDate) {
            // RFC 9110, section 13.1.3: a condition on a time that is none is no condition.
            Err(_) if member.shape().kind() == Kind::Timestamp && !member.wire_name().starts_with("x-amz-") => Ok(None),
            value => value.map(Some),
        }
    }

    /// The model's word for one that S3 takes in any case: AWS's own transfer library writes `x-amz-checksum-mode: enabled`.
    fn word_of_checksums(&self, member: MemberRef, text: &str) -> Option<&'static str> {
        let name = member.wire_name();
        let is_any_case = name.starts_with("x-amz-checksum-") || name == "x-amz-sdk-checksum-algorithm";
        let mut words = member.shape().words();
        words.find(|word| self.is_s3 && is_any_case && word.eq_ignore_ascii_case(text))
    }

    /// All headers whose names begin with `prefix`, by what follows.
    fn headers(&self, prefix: &str) -> Value {
        let mut entries: Vec<(String, Value)> = Vec::new();
        for name in self.request.headers.keys().map(http::HeaderName::as_str) {
            let Some(rest) = name.strip_prefix(prefix).filter(|rest| !rest.is_empty()) else { continue };
            let Some(text) = joined(&self.request.headers, name) else { continue };
            entries.push((rest.to_owned(), Value::String(encoded_word::decode(&text))));
        }
        Value::Map(entries)
    }

    fn scalar(&self, member: MemberRef, text: &str, format: TimestampFormat) -> Result<Value, Error> {
        scalar(member, text, format).ok_or_else(|| match self.is_s3 {
            true => arguments::unreadable(member, text),
            false => Error::serialization(format!("The value of {} cannot be read.", member.wire_name())),
        })
    }

    fn malformed(&self) -> Error {
        match self.protocol {
            Protocol::RestXml => arguments::malformed_xml(),
            _ => Error::serialization(""),
        }
    }
}

fn serialization(error: json::DecodeError) -> Error {
    match error {
        json::DecodeError::Malformed => Error::serialization(""),
        json::DecodeError::Type(problem) => Error::serialization(problem),
    }
}

fn invalid_uri() -> Error {
    Error::new("InvalidURI", 400, "Couldn't parse the specified URI.")
}

/// The values of a header, joined by commas. What is not UTF-8 is read as Latin-1, which every byte is.
pub(super) fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name).iter().map(|value| match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().map(|byte| char::from(*byte)).collect(),
    });
    let mut whole = values.next()?;
    for value in values {
        whole.push(',');
        whole.push_str(&value);
    }
    Some(whole)
}

/// A piece of a path as it was meant. A `%` that begins no byte is an error here: two readers must not see two names.
fn unescaped(raw: &str, is_plus_blank: bool) -> Option<String> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'%' => {
                let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
                if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return None;
                }
                out.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &tail[2..];
            }
            b'+' if is_plus_blank => out.push(b' '),
            other => out.push(*other),
        }
    }
    String::from_utf8(out).ok()
}

/// A value that is written as text, outside of a body.
fn scalar(member: MemberRef, text: &str, format: TimestampFormat) -> Option<Value> {
    Some(match member.shape().kind() {
        Kind::String | Kind::Enum => Value::String(text.to_owned()),
        Kind::Boolean => match text.trim() {
            "true" | "TRUE" | "True" => Value::Bool(true),
            "false" | "FALSE" | "False" => Value::Bool(false),
            _ => return None,
        },
        Kind::Integer => Value::Integer(text.trim().parse::<i32>().ok()?.into()),
        Kind::Long => Value::Integer(text.trim().parse().ok()?),
        Kind::Float | Kind::Double => {
            Value::Double(text.trim().parse().ok().filter(|number: &f64| number.is_finite())?)
        }
        Kind::Blob => Value::Blob(BASE64.decode(text.trim()).ok()?),
        Kind::Timestamp => Value::Timestamp(match member.timestamp_format(format) {
            TimestampFormat::EpochSeconds => Timestamp::from_epoch_seconds(text.trim().parse().ok()?).ok()?,
            TimestampFormat::HttpDate => Timestamp::parse_http_date(text.trim()).ok()?,
            _ => Timestamp::parse_iso8601(text.trim()).ok()?,
        }),
        Kind::Document => serde_json::from_str(text).map(Value::Document).ok()?,
        Kind::Structure | Kind::Union | Kind::List | Kind::Map => return None,
    })
}
