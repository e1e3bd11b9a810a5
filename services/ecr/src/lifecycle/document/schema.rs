//! The form of a policy, checked in the order and the words of the JSON schema validator that the service uses.

use serde_json::{Map, Value};

use super::InvalidPolicy;

/// An object that has what it must and nothing that it must not.
pub(super) struct Object<'a>(&'a Map<String, Value>);

impl<'a> Object<'a> {
    pub(super) fn read(json: &'a Value, required: &[&str], optional: &[&str]) -> Result<Self, InvalidPolicy> {
        let object = json.as_object().ok_or_else(|| wrong_type(json, "object"))?;
        let missing: Vec<&str> = required.iter().copied().filter(|name| !object.contains_key(*name)).collect();
        if !missing.is_empty() {
            return Err(fault(format!("object has missing required properties ({})", listed(&missing))));
        }
        let is_known = |name: &str| required.contains(&name) || optional.contains(&name);
        let unknown: Vec<&str> = object.keys().map(String::as_str).filter(|name| !is_known(name)).collect();
        if !unknown.is_empty() {
            let unknown = listed(&unknown);
            return Err(fault(format!(
                "object instance has properties which are not allowed by the schema: ({unknown})"
            )));
        }
        Ok(Self(object))
    }

    /// A member that [`Object::read`] has found.
    pub(super) fn required(&self, name: &str) -> &'a Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    pub(super) fn optional(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }
}

/// An array of so many elements.
pub(super) fn array(json: &Value, min: usize, max: usize) -> Result<&[Value], InvalidPolicy> {
    let items = json.as_array().ok_or_else(|| wrong_type(json, "array"))?;
    let count = items.len();
    if count < min {
        let text = format!("array is too short: must have at least {min} elements but instance has {count} elements");
        return Err(fault(text));
    }
    if count > max {
        let text = format!("array is too long: must have at most {max} elements but instance has {count} elements");
        return Err(fault(text));
    }
    Ok(items)
}

/// A text.
pub(super) fn text(json: &Value) -> Result<&str, InvalidPolicy> {
    json.as_str().ok_or_else(|| wrong_type(json, "string"))
}

/// One or more texts, none of them empty.
pub(super) fn texts(json: &Value) -> Result<Vec<String>, InvalidPolicy> {
    /// A policy's text is bounded, so this is more than any can have.
    const TEXTS_MAX: usize = 10_000;
    let texts = array(json, 1, TEXTS_MAX)?.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    if texts.iter().any(|text| text.is_empty()) {
        return Err(fault("string \"\" is too short (length: 0, required minimum: 1)".to_owned()));
    }
    Ok(texts.into_iter().map(str::to_owned).collect())
}

/// Which of some words a text is.
pub(super) fn one_of(json: &Value, words: &[&str]) -> Result<usize, InvalidPolicy> {
    let word = text(json)?;
    let found = words.iter().position(|it| *it == word);
    let shown = || Value::String(word.chars().take(64).collect());
    found.ok_or_else(|| {
        fault(format!("instance value ({}) not found in enum (possible values: {})", shown(), listed(words)))
    })
}

/// A whole number from 1.
pub(super) fn integer_from_one(json: &Value) -> Result<i32, InvalidPolicy> {
    let number = json.as_i64().ok_or_else(|| wrong_type(json, "integer"))?;
    if number < 1 {
        let text = format!("numeric instance is lower than the required minimum (minimum: 1, found: {number})");
        return Err(fault(text));
    }
    let max = i32::MAX;
    i32::try_from(number).map_err(|_| {
        fault(format!("numeric instance is greater than the required maximum (maximum: {max}, found: {number})"))
    })
}

fn wrong_type(json: &Value, allowed: &str) -> InvalidPolicy {
    let found = match json {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    fault(format!("instance type ({found}) does not match any allowed primitive type (allowed: [\"{allowed}\"])"))
}

fn listed(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    format!("[{}]", words.join(","))
}

fn fault(text: String) -> InvalidPolicy {
    InvalidPolicy::Schema(text)
}
