//! The client's side of awsQuery: a value as a form.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use wire::schema::{MemberRef, ShapeRef, TimestampFormat, flag};
use wire::value::Value;

/// The form of a structure. What is empty stands there with an empty value, as SDKs write empty lists.
pub(crate) fn encode(shape: ShapeRef, value: &Value) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    members(&mut form, "", shape, value);
    form.finish()
}

type Form<'a> = form_urlencoded::Serializer<'a, String>;

fn members(form: &mut Form<'_>, prefix: &str, shape: ShapeRef, value: &Value) {
    let Value::Structure(fields) = value else { panic!("{value:?} is no structure") };
    for (member, field) in shape.members().zip(fields) {
        if let Some(inner) = field {
            write(form, &format!("{prefix}{}", member.wire_name()), member, inner);
        }
    }
}

fn write(form: &mut Form<'_>, key: &str, member: MemberRef, value: &Value) {
    let shape = member.shape();
    let is_flat = member.has(flag::FLATTENED);
    match value {
        Value::Structure(fields) if fields.iter().all(Option::is_none) => drop(form.append_pair(key, "")),
        Value::Structure(_) => members(form, &format!("{key}."), shape, value),
        Value::List(items) => {
            if items.is_empty() {
                form.append_pair(key, "");
            }
            let element = shape.member(0);
            let rows = if is_flat { key.to_owned() } else { format!("{key}.{}", element.wire_name()) };
            for (place, item) in items.iter().enumerate() {
                write(form, &format!("{rows}.{}", place + 1), element, item);
            }
        }
        Value::Map(entries) => {
            if entries.is_empty() {
                form.append_pair(key, "");
            }
            let (name, inner) = (shape.member(0), shape.member(1));
            let rows = if is_flat { key.to_owned() } else { format!("{key}.entry") };
            for (place, (entry, value)) in entries.iter().enumerate() {
                let row = format!("{rows}.{}", place + 1);
                form.append_pair(&format!("{row}.{}", name.wire_name()), entry);
                write(form, &format!("{row}.{}", inner.wire_name()), inner, value);
            }
        }
        scalar => drop(form.append_pair(key, &text(member, scalar))),
    }
}

fn text(member: MemberRef, value: &Value) -> String {
    match value {
        Value::Bool(inner) => inner.to_string(),
        Value::Integer(inner) => inner.to_string(),
        Value::Double(inner) if inner.is_infinite() => (if *inner > 0.0 { "Infinity" } else { "-Infinity" }).to_owned(),
        Value::Double(inner) => inner.to_string(),
        Value::String(inner) => inner.clone(),
        Value::Blob(inner) => BASE64.encode(inner),
        Value::Timestamp(inner) => match member.timestamp_format(TimestampFormat::Iso8601) {
            TimestampFormat::EpochSeconds => (inner.as_millis() as f64 / 1000.0).to_string(),
            TimestampFormat::HttpDate => inner.http_date(),
            _ => inner.iso8601(),
        },
        Value::Document(inner) => inner.to_string(),
        Value::List(_) | Value::Map(_) | Value::Structure(_) | Value::Content(_) => {
            unreachable!("written by its members")
        }
    }
}
