//! Inputs made from the model: every required member, and every member that names a thing.

use serde_json::{Value as Json, json};
use wire::json::Limits;
use wire::schema::{Kind, MemberRef, ShapeRef, flag};
use wire::validate::{compiled, validate};
use wire::value::Value;

use super::names::Names;
use super::target::Target;

/// The input of an operation, in its protocol.
pub(crate) fn encoded(target: &Target, names: &Names) -> String {
    let Some(shape) = target.model.input(target.index) else {
        return if target.is_json() { "{}".to_owned() } else { String::new() };
    };
    let value = value(target, shape, names);
    if target.is_json() {
        return String::from_utf8(wire::json::encode(shape, &value)).expect("JSON is text");
    }
    let mut form = form_urlencoded::Serializer::new(String::new());
    structure_into(&mut form, shape, &value, "");
    form.finish()
}

/// The input; the model's constraints hold for it.
pub(super) fn value(target: &Target, shape: ShapeRef, names: &Names) -> Value {
    let mut object = serde_json::Map::new();
    for member in shape.members() {
        let value = names.value(target, member.name());
        let value = value.or_else(|| member.has(flag::REQUIRED).then(|| made(member.shape(), 0)));
        if let Some(value) = value {
            object.insert(member.wire_name().to_owned(), value);
        }
    }
    let text = Json::Object(object).to_string();
    let value = wire::json::decode(shape, text.as_bytes(), &Limits::REQUEST)
        .unwrap_or_else(|error| panic!("{}: {error} in {text}", target.action()));
    let valid = validate(shape, &value);
    assert_eq!(valid, Ok(()), "{}: say in `names.rs` what a member means: {text}", target.action());
    value
}

/// The smallest value that a shape's constraints allow.
fn made(shape: ShapeRef, depth: usize) -> Json {
    assert!(depth < 16, "{} holds itself", shape.name());
    let least = |default: f64| if shape.bounds().0.is_finite() { shape.bounds().0 } else { default };
    match shape.kind() {
        Kind::Structure | Kind::Union => {
            let required = shape.members().filter(|member| member.has(flag::REQUIRED));
            // A structure without a required member says nothing when it is empty: its first member stands for it.
            let mut members: Vec<MemberRef> = required.collect();
            members.extend(if members.is_empty() { shape.members().next() } else { None });
            let entry = |member: MemberRef| (member.wire_name().to_owned(), made(member.shape(), depth + 1));
            members.into_iter().map(entry).collect()
        }
        Kind::List => json!([made(shape.member(0).shape(), depth + 1)]),
        Kind::Map => {
            let key = made(shape.member(0).shape(), depth + 1);
            json!({ key.as_str().unwrap_or_default(): made(shape.member(1).shape(), depth + 1) })
        }
        Kind::Enum => shape.words().next().into(),
        Kind::Boolean => false.into(),
        Kind::Integer | Kind::Long => json!(least(1.0) as i64),
        Kind::Float | Kind::Double => least(1.0).into(),
        Kind::Timestamp => json!(0),
        Kind::Blob => "AA==".into(),
        Kind::Document => json!({}),
        Kind::String => text(shape).into(),
    }
}

/// A text of the right length that matches the pattern.
fn text(shape: ShapeRef) -> String {
    let (min, max) = shape.bounds();
    let candidates = ["marker", "v1", "1", "/", "AKIAVICTIMVICTIM0000", "arn:aws:iam::000000000000:role/victim"];
    let fits = |text: &&str| {
        let length = text.chars().count() as f64;
        let matches = |pattern| compiled(pattern).is_none_or(|regex| regex.is_match(text));
        length >= min && length <= max && shape.pattern().is_none_or(matches)
    };
    candidates.iter().find(|text| fits(text)).map_or_else(
        || panic!("none of the candidates is a {}: add one that is", shape.name()),
        |text| (*text).to_owned(),
    )
}

type Form<'f> = form_urlencoded::Serializer<'f, String>;

fn structure_into(form: &mut Form<'_>, shape: ShapeRef, value: &Value, prefix: &str) {
    let Value::Structure(fields) = value else { return };
    for (member, field) in shape.members().zip(fields) {
        if let Some(field) = field {
            value_into(form, member, field, &format!("{prefix}{}", member.wire_name()));
        }
    }
}

fn value_into(form: &mut Form<'_>, member: MemberRef, value: &Value, key: &str) {
    match value {
        Value::Structure(_) => structure_into(form, member.shape(), value, &format!("{key}.")),
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                value_into(form, member.shape().member(0), item, &format!("{key}.member.{}", index + 1));
            }
        }
        Value::String(text) => drop(form.append_pair(key, text)),
        Value::Integer(number) => drop(form.append_pair(key, &number.to_string())),
        Value::Bool(flag) => drop(form.append_pair(key, &flag.to_string())),
        Value::Double(number) => drop(form.append_pair(key, &number.to_string())),
        Value::Timestamp(time) => drop(form.append_pair(key, &time.iso8601())),
        other => panic!("{key}: no operation's input has needed {other:?} in a form"),
    }
}
