//! XML answers by schema.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::schema::{MemberRef, ShapeRef, TimestampFormat, flag};
use crate::value::Value;

/// Writes elements into a text; closes what it opens.
#[derive(Debug, Default)]
pub struct Writer {
    out: String,
}

impl Writer {
    /// `<name xmlns="…">inner</name>`.
    pub fn element(&mut self, name: &str, namespace: Option<&str>, inner: impl FnOnce(&mut Self)) {
        let _ = match namespace {
            Some(namespace) => write!(self.out, "<{name} xmlns=\"{}\">", escaped(namespace)),
            None => write!(self.out, "<{name}>"),
        };
        inner(self);
        let _ = write!(self.out, "</{name}>");
    }

    /// `<name>text</name>`, escaped.
    pub fn text(&mut self, name: &str, text: &str) {
        let _ = write!(self.out, "<{name}>{}</{name}>", escaped(text));
    }

    /// The elements of a structure's members.
    pub fn members(&mut self, shape: ShapeRef, value: &Value) {
        let Value::Structure(fields) = value else { return };
        for (member, field) in shape.members().zip(fields) {
            if let Some(inner) = field {
                self.member(member.wire_name(), member, inner);
            }
        }
    }

    /// What has been written.
    pub fn finish(self) -> String {
        self.out
    }

    fn member(&mut self, name: &str, member: MemberRef, value: &Value) {
        let shape = member.shape();
        match value {
            Value::Structure(_) => self.element(name, None, |w| w.members(shape, value)),
            Value::List(items) => {
                let element = shape.member(0);
                if member.has(flag::FLATTENED) {
                    let name = if element.has_wire_name() { element.wire_name() } else { name };
                    items.iter().for_each(|item| self.member(name, element, item));
                } else {
                    self.element(name, None, |w| {
                        items.iter().for_each(|item| w.member(element.wire_name(), element, item));
                    });
                }
            }
            Value::Map(entries) => {
                let flattened = member.has(flag::FLATTENED);
                let entry = if flattened { name } else { "entry" };
                let write = |w: &mut Self| {
                    for (key, inner) in entries {
                        w.element(entry, None, |w| {
                            w.text(shape.member(0).wire_name(), key);
                            w.member(shape.member(1).wire_name(), shape.member(1), inner);
                        });
                    }
                };
                if flattened { write(self) } else { self.element(name, None, write) }
            }
            scalar => self.text(name, &text_of(member, scalar)),
        }
    }
}

fn text_of(member: MemberRef, value: &Value) -> String {
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
        Value::List(_) | Value::Map(_) | Value::Structure(_) | Value::Content(_) => String::new(),
    }
}

/// Text with XML's special characters escaped. Characters that XML 1.0 cannot carry at all become U+FFFD, so that one
/// hostile name cannot make a whole listing unreadable; a carriage return is kept by reference.
pub fn escaped(text: &str) -> Cow<'_, str> {
    let special = |c: char| matches!(c, '<' | '>' | '&' | '"' | '\'' | '\r') || !is_xml_char(c);
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\r' => out.push_str("&#xD;"),
            c if is_xml_char(c) => out.push(c),
            _ => out.push('\u{fffd}'),
        }
    }
    Cow::Owned(out)
}

/// The production `Char` of XML 1.0.
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests;
