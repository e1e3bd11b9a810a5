//! The text of one event, and what patterns ask of it.

use std::cell::OnceCell;

use serde_json::Value;

/// A message that several patterns are tried on: it is parsed at most once in each way, and only if asked.
#[derive(Debug)]
pub struct Message<'m> {
    text: &'m str,
    json: OnceCell<Option<Value>>,
    fields: OnceCell<Vec<&'m str>>,
}

impl<'m> Message<'m> {
    /// A message with this text.
    pub fn new(text: &'m str) -> Message<'m> {
        Message { text, json: OnceCell::new(), fields: OnceCell::new() }
    }

    /// The text.
    pub fn text(&self) -> &'m str {
        self.text
    }

    /// The document that it is, if it is an object or array in JSON (of at most 128 levels, the parser's limit).
    pub(super) fn json(&self) -> Option<&Value> {
        let parse = || {
            let text = self.text.trim_start();
            if text.starts_with(['{', '[']) { serde_json::from_str(text).ok() } else { None }
        };
        self.json.get_or_init(parse).as_ref()
    }

    /// Its fields: separated by white space; what stands between brackets or quotation marks is one field, without them.
    pub(super) fn fields(&self) -> &[&'m str] {
        self.fields.get_or_init(|| split(self.text))
    }

    /// One field, counted from 0.
    pub(super) fn field(&self, index: usize) -> Option<&'m str> {
        self.fields().get(index).copied()
    }
}

fn split(text: &str) -> Vec<&str> {
    let mut fields = vec![];
    let mut rest = text.trim_start();
    // Where the last bracket closes: behind it none needs to be looked for, again and again, to the end.
    let closed = text.rfind(']').unwrap_or(0);
    while !rest.is_empty() {
        let hopeless = rest.starts_with('[') && text.len() - rest.len() > closed;
        let (field, after) = if hopeless { None } else { enclosed(rest) }.unwrap_or_else(|| {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            rest.split_at(end)
        });
        fields.push(field);
        rest = after.trim_start();
    }
    fields
}

/// A field that begins with a bracket or quotation mark, and what follows its end; nothing if it has none.
fn enclosed(text: &str) -> Option<(&str, &str)> {
    let close = match text.as_bytes().first()? {
        b'[' => b']',
        b'"' => b'"',
        _ => return None,
    };
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        if byte == close && !escaped {
            return Some((&text[1..at], &text[at + 1..]));
        }
        escaped = close == b'"' && byte == b'\\' && !escaped;
    }
    None
}
