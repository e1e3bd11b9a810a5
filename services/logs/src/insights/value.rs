//! Values: what a field holds, and what an expression yields.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value as Json;

use super::time;

/// A value. Fields have no declared type: a text that is a number is compared and computed with as one.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    /// The field is missing, or an operation has no result. Whatever is asked of it has none either.
    Missing,
    /// Shown as 1 and 0.
    Bool(bool),
    Whole(i64),
    /// Never infinite, never NaN.
    Double(f64),
    Text(Cow<'a, str>),
    /// Milliseconds since 1970 began in UTC; a number to compute with, a date and time to show.
    Time(i64),
    /// An array or object.
    Structure(Cow<'a, Json>),
}

/// A number that a value can be used as.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Whole(i64),
    Double(f64),
}

impl Number {
    /// The nearest double.
    pub(super) fn double(self) -> f64 {
        match self {
            Number::Whole(n) => n as f64,
            Number::Double(x) => x,
        }
    }

    /// The order of two numbers. It is exact for large whole numbers too, beside which two doubles may look equal: sorting
    /// relies on an order without contradictions.
    pub(super) fn compare(self, other: Number) -> Ordering {
        match (self, other) {
            (Number::Whole(a), Number::Whole(b)) => a.cmp(&b),
            (Number::Double(a), Number::Double(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            (Number::Whole(a), Number::Double(b)) => compare_exactly(a, b),
            (Number::Double(a), Number::Whole(b)) => compare_exactly(b, a).reverse(),
        }
    }

    /// Reads a text that is a number from end to end. `inf`, `NaN` and what overflows are none.
    pub(super) fn parse(text: &str) -> Option<Number> {
        if !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E')) {
            return None;
        }
        if let Ok(whole) = text.parse() {
            return Some(Number::Whole(whole));
        }
        text.parse::<f64>().ok().filter(|x| x.is_finite()).map(Number::Double)
    }
}

/// The order of a whole number and a finite double.
fn compare_exactly(whole: i64, double: f64) -> Ordering {
    // 2^63, the first double beyond every i64.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if double >= BEYOND {
        return Ordering::Less;
    }
    if double < -BEYOND {
        return Ordering::Greater;
    }
    let floor = double.floor();
    // In range, as tested above, so the cast is exact.
    whole.cmp(&(floor as i64)).then(if double > floor { Ordering::Less } else { Ordering::Equal })
}

impl From<Number> for Value<'_> {
    fn from(number: Number) -> Self {
        match number {
            Number::Whole(n) => Value::Whole(n),
            Number::Double(x) => Value::double(x),
        }
    }
}

impl<'a> Value<'a> {
    /// A double, or nothing where there is no finite one.
    pub(super) fn double(x: f64) -> Value<'a> {
        if x.is_finite() { Value::Double(x) } else { Value::Missing }
    }

    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Value<'a> {
        Value::Text(text.into())
    }

    /// The value of a node of a JSON document.
    pub(super) fn of_json(node: &'a Json) -> Value<'a> {
        match node {
            Json::Null => Value::Missing,
            Json::Bool(b) => Value::Bool(*b),
            Json::Number(n) => match (n.as_i64(), n.as_u64()) {
                (Some(whole), _) => Value::Whole(whole),
                // Larger than any i64: its digits matter more than its arithmetic.
                (None, Some(_)) => Value::text(n.to_string()),
                _ => n.as_f64().map_or(Value::Missing, Value::double),
            },
            Json::String(text) => Value::text(text.as_str()),
            Json::Array(_) | Json::Object(_) => Value::Structure(Cow::Borrowed(node)),
        }
    }

    /// As [`Value::of_json`], of a node of one's own.
    pub(super) fn from_json(node: Json) -> Value<'static> {
        match node {
            Json::Array(_) | Json::Object(_) => Value::Structure(Cow::Owned(node)),
            Json::String(text) => Value::text(text),
            scalar => Value::of_json(&scalar).into_owned(),
        }
    }

    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Value::Missing)
    }

    /// As a person reads it; nothing if it is missing.
    pub(super) fn shown(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Value::Missing => return None,
            Value::Bool(b) => Cow::Borrowed(if *b { "1" } else { "0" }),
            Value::Whole(n) => Cow::Owned(n.to_string()),
            Value::Double(x) => Cow::Owned(shown_double(*x)),
            Value::Text(text) => Cow::Borrowed(text),
            Value::Time(ms) => Cow::Owned(time::shown(*ms)),
            Value::Structure(json) => Cow::Owned(json.to_string()),
        })
    }

    /// The number that it is, or that its text is.
    pub(super) fn number(&self) -> Option<Number> {
        match self {
            Value::Bool(b) => Some(Number::Whole(i64::from(*b))),
            Value::Whole(n) | Value::Time(n) => Some(Number::Whole(*n)),
            Value::Double(x) => Some(Number::Double(*x)),
            Value::Text(text) => Number::parse(text),
            Value::Missing | Value::Structure(_) => None,
        }
    }

    /// Whether it counts as true: a number that is not 0, or the word itself.
    pub(super) fn truth(&self) -> Option<bool> {
        match self {
            Value::Missing => None,
            Value::Text(text) if Number::parse(text).is_none() => Some(text.eq_ignore_ascii_case("true")),
            _ => Some(self.number().is_some_and(|number| number.double() != 0.0)),
        }
    }

    /// The order of two values: as numbers if both are, else as texts. With a missing value there is none.
    pub(super) fn compare(&self, other: &Value<'_>) -> Option<Ordering> {
        if let (Some(a), Some(b)) = (self.number(), other.number()) {
            return Some(a.compare(b));
        }
        Some(self.spelled()?.cmp(&other.spelled()?))
    }

    /// As a text to compare with another: a boolean is a word there.
    fn spelled(&self) -> Option<Cow<'_, str>> {
        match self {
            Value::Bool(b) => Some(Cow::Borrowed(if *b { "true" } else { "false" })),
            _ => self.shown(),
        }
    }

    /// One that borrows nothing.
    pub(super) fn into_owned(self) -> Value<'static> {
        match self {
            Value::Missing => Value::Missing,
            Value::Bool(b) => Value::Bool(b),
            Value::Whole(n) => Value::Whole(n),
            Value::Double(x) => Value::Double(x),
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Time(ms) => Value::Time(ms),
            Value::Structure(json) => Value::Structure(Cow::Owned(json.into_owned())),
        }
    }

    /// One that borrows from this.
    pub(super) fn borrowed(&self) -> Value<'_> {
        match self {
            Value::Missing => Value::Missing,
            Value::Bool(b) => Value::Bool(*b),
            Value::Whole(n) => Value::Whole(*n),
            Value::Double(x) => Value::Double(*x),
            Value::Text(text) => Value::Text(Cow::Borrowed(text)),
            Value::Time(ms) => Value::Time(*ms),
            Value::Structure(json) => Value::Structure(Cow::Borrowed(json)),
        }
    }

    /// About how much memory of its own it holds beside itself, in bytes: what it borrows does not count.
    pub(super) fn own_weight(&self) -> usize {
        match self {
            Value::Text(Cow::Borrowed(_)) | Value::Structure(Cow::Borrowed(_)) => 0,
            _ => self.weight(),
        }
    }

    /// About how much memory it holds beside itself, in bytes, once it borrows nothing.
    pub(super) fn weight(&self) -> usize {
        match self {
            Value::Text(text) => text.len(),
            Value::Structure(json) => structure_weight(json),
            _ => 0,
        }
    }
}

fn structure_weight(json: &Json) -> usize {
    let inner = match json {
        Json::Array(items) => items.iter().map(structure_weight).sum(),
        Json::Object(members) => members.iter().map(|(name, member)| name.len() + 64 + structure_weight(member)).sum(),
        Json::String(text) => text.len(),
        Json::Null | Json::Bool(_) | Json::Number(_) => 0,
    };
    size_of::<Json>() + inner
}

/// A double without an exponent where it is of ordinary size.
fn shown_double(x: f64) -> String {
    let size = x.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) { format!("{x:e}") } else { x.to_string() }
}
