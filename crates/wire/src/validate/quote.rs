//! How an offending value is quoted: as Java's `toString` prints it, which is what AWS does. What the model marks as
//! sensitive is not.

use std::fmt::Write as _;

use crate::schema::{MemberRef, ShapeRef, flag};
use crate::value::Value;

/// How many bytes of a value are quoted; the last character is finished.
const QUOTED_MAX: usize = 512;
/// What stands for a sensitive part of a larger value.
const HIDDEN: &str = "***";

/// `Value 'x'`, or `Value` alone when the member is sensitive.
pub(super) fn subject(member: MemberRef, value: &Value) -> String {
    if member.has(flag::SENSITIVE) {
        return "Value".to_owned();
    }
    let mut shown = String::new();
    print(member.shape(), value, &mut shown);
    if shown.len() > QUOTED_MAX {
        let end = (QUOTED_MAX..shown.len()).find(|end| shown.is_char_boundary(*end)).unwrap_or(shown.len());
        shown.truncate(end);
        shown.push_str("...");
    }
    format!("Value '{shown}'")
}

/// Stops once there is enough to quote.
fn print(shape: ShapeRef, value: &Value, out: &mut String) {
    if out.len() > QUOTED_MAX {
        return;
    }
    match value {
        _ if shape.has(flag::SENSITIVE) => out.push_str(HIDDEN),
        Value::Bool(inner) => out.push_str(if *inner { "true" } else { "false" }),
        Value::Integer(inner) => drop(write!(out, "{inner}")),
        Value::Double(inner) => drop(write!(out, "{inner:?}")),
        Value::String(inner) => out.extend(inner.chars().take(QUOTED_MAX + 1)),
        Value::Blob(inner) => drop(write!(out, "{} bytes", inner.len())),
        Value::Timestamp(inner) => drop(write!(out, "{inner}")),
        Value::Document(_) => out.push_str("a document"),
        Value::Content(_) => out.push_str("a stream"),
        Value::List(items) => {
            let element = shape.members().next();
            join(out, ('[', ']'), items, |out, item| print_member(element, item, out));
        }
        Value::Map(entries) => {
            let inner = shape.members().nth(1);
            join(out, ('{', '}'), entries, |out, (key, value)| {
                out.extend(key.chars().take(QUOTED_MAX + 1));
                out.push('=');
                print_member(inner, value, out);
            });
        }
        Value::Structure(fields) => {
            out.push_str(shape.name());
            let present = shape.members().zip(fields).filter_map(|(member, field)| Some((member, field.as_ref()?)));
            join(out, ('(', ')'), present, |out, (member, value)| {
                out.push_str(member.name());
                out.push('=');
                print_member(Some(member), value, out);
            });
        }
    }
}

fn print_member(member: Option<MemberRef>, value: &Value, out: &mut String) {
    match member {
        Some(member) if !member.has(flag::SENSITIVE) => print(member.shape(), value, out),
        _ => out.push_str(HIDDEN),
    }
}

fn join<T>(
    out: &mut String,
    ends: (char, char),
    items: impl IntoIterator<Item = T>,
    mut each: impl FnMut(&mut String, T),
) {
    out.push(ends.0);
    for (index, item) in items.into_iter().enumerate() {
        if out.len() > QUOTED_MAX {
            break;
        }
        if index > 0 {
            out.push_str(", ");
        }
        each(out, item);
    }
    out.push(ends.1);
}
