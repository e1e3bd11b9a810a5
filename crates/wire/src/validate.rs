//! The model's constraints, checked on a decoded [`Value`], in AWS's wording:
//! `1 validation error detected: Value 'a b' at 'roleName' failed to satisfy constraint: Member must satisfy regular
//! expression pattern: [\w+=,.@-]+`. A value that the model marks as sensitive is not quoted; some services of AWS have
//! begun to quote none.

mod quote;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use regex::Regex;

use crate::schema::{Kind, MemberRef, ShapeRef, flag};
use crate::value::Value;

/// AWS reports this many violations of one request at the most.
const VIOLATIONS_MAX: usize = 10;
/// How many characters of a map's key become part of a path.
const KEY_SHOWN_MAX: usize = 128;
/// How many characters of a path are shown.
const PATH_SHOWN_MAX: usize = 512;
/// The memory that one compiled pattern may take.
const PATTERN_SIZE_MAX: usize = 4 << 20;

/// Checks an operation's input; the error is the message for the client.
pub fn validate(shape: ShapeRef, input: &Value) -> Result<(), String> {
    let mut violations = Violations::default();
    violations.structure(shape, input, &mut String::new());
    let found = violations.0;
    match found.len() {
        0 => Ok(()),
        1 => Err(format!("1 validation error detected: {}", found[0])),
        many => Err(format!("{many} validation errors detected: {}", found.join("; "))),
    }
}

/// Whether a member's value keeps every constraint of the model.
pub fn holds(member: MemberRef, value: &Value) -> bool {
    let mut violations = Violations::default();
    violations.value(member, value, &mut String::new());
    violations.0.is_empty()
}

#[derive(Default)]
struct Violations(Vec<String>);

impl Violations {
    fn structure(&mut self, shape: ShapeRef, value: &Value, path: &mut String) {
        let Value::Structure(fields) = value else { return };
        let length = path.len();
        for (member, field) in shape.members().zip(fields) {
            if self.is_full() {
                return;
            }
            push_segment(path, member.name());
            match field {
                Some(inner) => self.value(member, inner, path),
                None if member.has(flag::REQUIRED) => self.report("Value null", path, "Member must not be null"),
                None => {}
            }
            path.truncate(length);
        }
        if shape.kind() == Kind::Union && fields.iter().flatten().count() != 1 {
            self.report("Value", path, &format!("Exactly one member of {} must be set", shape.name()));
        }
    }

    fn value(&mut self, member: MemberRef, value: &Value, path: &mut String) {
        let shape = member.shape();
        for problem in violated(shape, value) {
            self.report(&quote::subject(member, value), path, &problem);
        }
        let length = path.len();
        match (shape.kind(), value) {
            (Kind::Structure | Kind::Union, Value::Structure(_)) => self.structure(shape, value, path),
            (Kind::List, Value::List(items)) if is_scalar(shape.member(0).shape()) => {
                let broken = broken_elements(shape.member(0), items.iter(), "Member");
                self.report_elements(member, value, path, broken);
            }
            (Kind::List, Value::List(items)) => {
                for (index, item) in items.iter().enumerate() {
                    let _ = write!(path, ".{}.member", index + 1);
                    self.value(shape.member(0), item, path);
                    path.truncate(length);
                }
            }
            (Kind::Map, Value::Map(entries)) => self.entries(member, value, entries, path),
            _ => {}
        }
    }

    fn entries(&mut self, member: MemberRef, value: &Value, entries: &[(String, Value)], path: &mut String) {
        let (key, inner) = (member.shape().member(0), member.shape().member(1));
        let keys: Vec<Value> = entries.iter().map(|(key, _)| Value::String(key.clone())).collect();
        self.report_elements(member, value, path, broken_elements(key, keys.iter(), "Map keys"));
        if is_scalar(inner.shape()) {
            let values = entries.iter().map(|(_, value)| value);
            self.report_elements(member, value, path, broken_elements(inner, values, "Map value"));
            return;
        }
        let length = path.len();
        for (key, value) in entries {
            path.push('.');
            path.extend(key.chars().take(KEY_SHOWN_MAX));
            path.push_str(".member");
            self.value(inner, value, path);
            path.truncate(length);
        }
    }

    /// One violation for all scalars of a list or map: AWS quotes the whole collection and lists every constraint.
    fn report_elements(&mut self, member: MemberRef, value: &Value, path: &str, broken: Option<String>) {
        if let Some(problem) = broken {
            self.report(&quote::subject(member, value), path, &problem);
        }
    }

    fn report(&mut self, subject: &str, path: &str, problem: &str) {
        if !self.is_full() {
            let path = path.char_indices().nth(PATH_SHOWN_MAX).map_or(path, |(end, _)| &path[..end]);
            self.0.push(format!("{subject} at '{path}' failed to satisfy constraint: {problem}"));
        }
    }

    fn is_full(&self) -> bool {
        self.0.len() >= VIOLATIONS_MAX
    }
}

/// What is said of a collection of which a scalar breaks a constraint.
fn broken_elements<'v>(
    element: MemberRef,
    mut values: impl Iterator<Item = &'v Value>,
    subject: &str,
) -> Option<String> {
    let broken = values.any(|value| !violated(element.shape(), value).is_empty());
    broken.then(|| format!("{subject} must satisfy constraint: [{}]", constraints(element.shape()).join(", ")))
}

fn is_scalar(shape: ShapeRef) -> bool {
    !matches!(shape.kind(), Kind::Structure | Kind::Union | Kind::List | Kind::Map)
}

/// AWS writes each segment with a small first letter (`roleName` for `RoleName`).
fn push_segment(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    let mut chars = name.chars();
    if let Some(first) = chars.next() {
        path.push(first.to_ascii_lowercase());
    }
    path.push_str(chars.as_str());
}

/// The constraints of `shape` that `value` itself breaks, its members aside.
fn violated(shape: ShapeRef, value: &Value) -> Vec<String> {
    let (min, max) = shape.bounds();
    let mut problems = Vec::new();
    let (size, noun) = match value {
        Value::String(text) => (text.chars().count() as f64, "length"),
        Value::Blob(bytes) => (bytes.len() as f64, "length"),
        Value::List(items) => (items.len() as f64, "length"),
        Value::Map(entries) => (entries.len() as f64, "length"),
        Value::Integer(number) => (*number as f64, "value"),
        Value::Double(number) => (*number, "value"),
        _ => return problems,
    };
    let is_no_number = size.is_nan();
    if size > max || is_no_number && max.is_finite() {
        problems.push(at_most(noun, max));
    }
    if size < min || is_no_number && min.is_finite() {
        problems.push(at_least(noun, min));
    }
    if let Value::String(text) = value {
        if shape.kind() == Kind::Enum && !shape.words().any(|word| word == text) {
            problems.push(enum_set(shape));
        }
        if let Some(pattern) = shape.pattern()
            && !compiled(pattern).is_none_or(|regex| regex.is_match(text))
        {
            problems.push(pattern_text(pattern));
        }
    }
    problems
}

/// Every constraint of a scalar shape, in the order in which AWS lists them.
fn constraints(shape: ShapeRef) -> Vec<String> {
    let (min, max) = shape.bounds();
    let noun = match shape.kind() {
        Kind::String | Kind::Enum | Kind::Blob => "length",
        _ => "value",
    };
    let mut all = Vec::new();
    if max.is_finite() {
        all.push(at_most(noun, max));
    }
    if min.is_finite() {
        all.push(at_least(noun, min));
    }
    if shape.kind() == Kind::Enum {
        all.push(enum_set(shape));
    }
    if let Some(pattern) = shape.pattern() {
        all.push(pattern_text(pattern));
    }
    all
}

fn at_most(noun: &str, max: f64) -> String {
    format!("Member must have {noun} less than or equal to {max}")
}

fn at_least(noun: &str, min: f64) -> String {
    format!("Member must have {noun} greater than or equal to {min}")
}

fn enum_set(shape: ShapeRef) -> String {
    format!("Member must satisfy enum value set: [{}]", shape.words().collect::<Vec<_>>().join(", "))
}

fn pattern_text(pattern: &str) -> String {
    format!("Member must satisfy regular expression pattern: {pattern}")
}

/// Patterns that look around, which an engine that runs in linear time cannot, each with one that accepts the same texts
/// within the bounds of its shape. A test reads every pattern of every model and names what is missing here.
const REWRITTEN: [(&str, &str); 6] = [
    // An account alias, of 3 to 63 characters: no dash at an end, no two in a row.
    (r"^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$", "[a-z0-9](-?[a-z0-9])+"),
    // An alias of a function, twice: not all digits.
    ("(?!^[0-9]+$)([a-zA-Z0-9-_]+)", "[a-zA-Z0-9_-]*[a-zA-Z_-][a-zA-Z0-9_-]*"),
    (r"((?!^\d+$)^[0-9a-zA-Z-_]+$)", "[a-zA-Z0-9_-]*[a-zA-Z_-][a-zA-Z0-9_-]*"),
    // A function, with an alias behind it or none.
    (
        r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]{1,64})(:((?!\d+$)[0-9a-zA-Z-_]+))?",
        r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9_-]{1,64})(:[a-zA-Z0-9_-]*[a-zA-Z_-][a-zA-Z0-9_-]*)?",
    ),
    // A bucket, of 3 characters or more: no dot at the end.
    (r"[0-9A-Za-z\.\-_]*(?<!\.)", "[0-9A-Za-z._-]*[0-9A-Za-z_-]"),
    // A collection: none that begins with `system.`.
    (
        r"(^(?!(system\x2e)))(^[_a-zA-Z0-9])([^$]*)",
        "[_a-rt-zA-Z0-9][^$]*|s([^y$][^$]*)?|sy([^s$][^$]*)?|sys([^t$][^$]*)?|syst([^e$][^$]*)?|syste([^m$][^$]*)?|system([^.$][^$]*)?",
    ),
];

/// The model's patterns are Java's and must match the whole text; `\w`, `\d` and `\s` are ASCII there. `None` for a
/// pattern that this engine cannot run: then only the service itself can judge the text.
pub fn compiled(pattern: &'static str) -> Option<Arc<Regex>> {
    type Cache = RwLock<HashMap<&'static str, Option<Arc<Regex>>>>;
    static CACHE: LazyLock<Cache> = LazyLock::new(Cache::default);
    if let Some(found) = CACHE.read().unwrap_or_else(PoisonError::into_inner).get(pattern) {
        return found.clone();
    }
    let rewritten = REWRITTEN.iter().find(|(known, _)| *known == pattern).map_or(pattern, |(_, rewritten)| rewritten);
    let ascii = rewritten
        .replace(r"\w", "[a-zA-Z0-9_]")
        .replace(r"\d", "[0-9]")
        .replace(r"\s", r"[ \t\n\x0B\f\r]")
        .replace(r"\S", r"[^ \t\n\x0B\f\r]");
    let regex = regex::RegexBuilder::new(&format!("^(?:{ascii})$")).size_limit(PATTERN_SIZE_MAX).build();
    let regex = regex.ok().map(Arc::new);
    CACHE.write().unwrap_or_else(PoisonError::into_inner).insert(pattern, regex.clone());
    regex
}

#[cfg(test)]
mod tests;
