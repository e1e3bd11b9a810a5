//! XML by schema: answers written here, bodies read in [`decode`].

mod decode;
pub mod reader;

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::schema::{Kind, Location, MemberRef, ShapeRef, TimestampFormat, flag};
use crate::value::Value;

pub use decode::{DecodeError, decode, decode_structure};

/// The namespace that the prefix `xsi` stands for, the one prefix that AWS's attributes have.
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// What an entry of a map is called that is not flattened.
pub(crate) const ENTRY: &str = "entry";

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

    /// The element of a structure: its members, those that are attributes among its attributes.
    pub fn structure(&mut self, name: &str, namespace: Option<&str>, shape: ShapeRef, value: &Value) {
        let Value::Structure(fields) = value else { return };
        let _ = write!(self.out, "<{name}");
        if let Some(namespace) = namespace {
            let _ = write!(self.out, " xmlns=\"{}\"", escaped(namespace));
        }
        for (member, field) in shape.members().zip(fields).filter(|(member, _)| member.has(flag::XML_ATTRIBUTE)) {
            let Some(inner) = field else { continue };
            if member.wire_name().starts_with("xsi:") {
                let _ = write!(self.out, " xmlns:xsi=\"{XSI}\"");
            }
            let _ = write!(self.out, " {}=\"{}\"", member.wire_name(), escaped(&text_of(member, inner)));
        }
        self.out.push('>');
        self.members(shape, value);
        let _ = write!(self.out, "</{name}>");
    }

    /// `<name>text</name>`, escaped.
    pub fn text(&mut self, name: &str, text: &str) {
        let _ = write!(self.out, "<{name}>{}</{name}>", escaped(text));
    }

    /// Text in the element that is being written, escaped.
    pub fn characters(&mut self, text: &str) {
        self.out.push_str(&escaped(text));
    }

    /// The elements of a structure's members, of those that stand in the body.
    pub fn members(&mut self, shape: ShapeRef, value: &Value) {
        let Value::Structure(fields) = value else { return };
        for (member, field) in shape.members().zip(fields) {
            if let Some(inner) = field
                && member.location() == Location::Body
                && !member.has(flag::XML_ATTRIBUTE)
            {
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
            Value::Structure(_) => self.structure(name, None, shape, value),
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
                let entry = if flattened { name } else { ENTRY };
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

/// What the elements are called that belong to a member of a structure.
fn element_name(member: MemberRef) -> &'static str {
    let is_flattened_list = member.has(flag::FLATTENED) && member.shape().kind() == Kind::List;
    match is_flattened_list.then(|| member.shape().member(0)) {
        Some(element) if element.has_wire_name() => element.wire_name(),
        _ => member.wire_name(),
    }
}

pub(crate) fn text_of(member: MemberRef, value: &Value) -> String {
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
