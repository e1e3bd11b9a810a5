//! The statements of a policy document, as far as they are needed here: their members by name.

use serde_json::{Map, Value};

/// A statement's members.
pub(crate) type Statement = Map<String, Value>;

/// The statements of a document, one or many; none if it has none or one of them is no statement.
pub(crate) fn of_document(document: &Value) -> Option<Vec<&Statement>> {
    let statements = match document.get("Statement")? {
        Value::Array(statements) => statements.iter().map(Value::as_object).collect::<Option<Vec<_>>>()?,
        one => vec![one.as_object()?],
    };
    (!statements.is_empty()).then_some(statements)
}

/// A text or a list of texts.
pub(crate) fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(texts) => texts.iter().map(Value::as_str).collect(),
        _ => None,
    }
}
