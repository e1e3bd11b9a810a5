//! From an operation's output to an answer.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{encoded_word, is_s3};
use crate::model::{Protocol, ServiceModel};
use crate::protocol::Encoded;
use crate::schema::{Kind, Location, MemberRef, ShapeRef, TimestampFormat};
use crate::value::Value;
use crate::{json, xml};

/// What documents begin with.
pub(crate) const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// Writes an operation's output.
pub(crate) fn encode(protocol: Protocol, model: &ServiceModel, operation: usize, output: &Value) -> Encoded {
    let status = model.http(operation).map_or(200, |http| http.status);
    let mut encoded = Encoded::nothing(status);
    let (Some(shape), Value::Structure(fields)) = (model.output(operation), output) else { return encoded };
    let mut payload = None;
    for (member, field) in shape.members().zip(fields) {
        let Some(value) = field else { continue };
        match (member.location(), value) {
            (Location::Header, value) => {
                if let Some(text) = header_text(member, value) {
                    encoded.headers.push((member.wire_name().to_ascii_lowercase().into(), text.into()));
                }
            }
            (Location::Headers, Value::Map(entries)) => encoded.headers.extend(prefixed(member, entries)),
            (Location::Status, Value::Integer(number)) => encoded.status = u16::try_from(*number).unwrap_or(status),
            (Location::Payload, value) => payload = Some((member, value)),
            _ => {}
        }
    }
    match payload {
        Some((member, value)) => write_payload(&mut encoded, protocol, model, member, value),
        None if shape.members().any(|member| member.location() == Location::Body) => {
            write_body(&mut encoded, protocol, model, operation, shape, output);
        }
        None => {}
    }
    let has_range = encoded.headers.iter().any(|(name, _)| name == "content-range");
    if is_s3(model) && has_range && encoded.status == 200 {
        // The model has no word for it.
        encoded.status = 206;
    }
    encoded
}

fn write_payload(encoded: &mut Encoded, protocol: Protocol, model: &ServiceModel, member: MemberRef, value: &Value) {
    match value {
        Value::Content(content) => encoded.content = Some(content.clone()),
        Value::Blob(bytes) => encoded.body = bytes.clone(),
        // The one text of S3 that is a whole body is a policy.
        Value::String(text) if is_s3(model) => {
            (encoded.body, encoded.content_type) = (text.clone().into_bytes(), Some("application/json"));
        }
        Value::String(text) => {
            (encoded.body, encoded.content_type) = (text.clone().into_bytes(), Some("text/plain"));
        }
        value if protocol == Protocol::RestXml => {
            let mut writer = xml::Writer::default();
            writer.structure(member.wire_name(), model.xml_namespace, member.shape(), value);
            document(encoded, writer);
        }
        value => {
            encoded.body = json::encode(member.shape(), value);
            encoded.content_type = Some(protocol.content_type());
        }
    }
}

fn write_body(
    encoded: &mut Encoded,
    protocol: Protocol,
    model: &ServiceModel,
    operation: usize,
    shape: ShapeRef,
    output: &Value,
) {
    if protocol != Protocol::RestXml {
        encoded.body = json::encode(shape, &only_body(shape, output));
        encoded.content_type = Some(protocol.content_type());
        return;
    }
    let root = model.result_wrapper(operation).unwrap_or_else(|| shape.name());
    let mut writer = xml::Writer::default();
    let members = || shape.members().filter(|member| member.location() == Location::Body);
    let is_unwrapped = members().count() == 1 && members().all(|member| member.wire_name() == root);
    let Value::Structure(fields) = output else { return };
    match shape.members().zip(fields).find(|(member, _)| is_unwrapped && member.wire_name() == root) {
        // An output that is its only member: the location of a bucket.
        Some((member, field)) => {
            let text = field.as_ref().map(|value| xml::text_of(member, value)).unwrap_or_default();
            writer.element(root, model.xml_namespace, |w| w.characters(&text));
        }
        None => writer.structure(root, model.xml_namespace, shape, output),
    }
    document(encoded, writer);
}

fn document(encoded: &mut Encoded, writer: xml::Writer) {
    encoded.body = [DECLARATION.as_bytes(), writer.finish().as_bytes()].concat();
    encoded.content_type = Some(Protocol::RestXml.content_type());
}

/// The output without what stands in headers or status.
fn only_body(shape: ShapeRef, output: &Value) -> Value {
    let Value::Structure(fields) = output else { return output.clone() };
    let kept = shape.members().zip(fields).map(|(member, field)| match member.location() {
        Location::Body => field.clone(),
        _ => None,
    });
    Value::Structure(kept.collect())
}

fn prefixed<'a>(
    member: MemberRef,
    entries: &'a [(String, Value)],
) -> impl Iterator<Item = (Cow<'static, str>, Cow<'static, str>)> + use<'a> {
    let prefix = member.wire_name();
    entries.iter().filter_map(move |(name, value)| match value {
        Value::String(text) => Some((format!("{prefix}{name}").into(), encoded_word::encode(text).into_owned().into())),
        _ => None,
    })
}

/// What a header says; nothing for what it cannot.
fn header_text(member: MemberRef, value: &Value) -> Option<String> {
    Some(match value {
        Value::Bool(inner) => inner.to_string(),
        Value::Integer(inner) => inner.to_string(),
        Value::Double(inner) => inner.to_string(),
        Value::String(inner) => inner.clone(),
        Value::Blob(inner) => BASE64.encode(inner),
        Value::Timestamp(inner) => match member.timestamp_format(TimestampFormat::HttpDate) {
            TimestampFormat::EpochSeconds => inner.as_secs().to_string(),
            TimestampFormat::Iso8601 => inner.iso8601(),
            _ => inner.http_date(),
        },
        Value::List(items) if member.shape().kind() == Kind::List => {
            let element = member.shape().member(0);
            items.iter().filter_map(|item| header_text(element, item)).collect::<Vec<_>>().join(",")
        }
        Value::Document(inner) => inner.to_string(),
        Value::List(_) | Value::Map(_) | Value::Structure(_) | Value::Content(_) => return None,
    })
}
