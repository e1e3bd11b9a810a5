//! The model's constraints, checked on a decoded [`Value`], in AWS's wording:
//! `1 validation error detected: Value '' at 'roleName' failed to satisfy constraint: Member must have length greater
//! than or equal to 1`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use regex::Regex;

use crate::schema::{Kind, MemberRef, ShapeRef, flag};
use crate::value::Value;

/// AWS reports this many violations of one request at the most.
const VIOLATIONS_MAX: usize = 10;
/// How much of an offending value is quoted.
const QUOTED_MAX: usize = 512;
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

#[derive(Default)]
struct Violations(Vec<String>);

impl Violations {
    fn structure(&mut self, shape: ShapeRef, value: &Value, path: &mut String) {
        let Value::Structure(fields) = value else { return };
        let length = path.len();
        for (member, field) in shape.members().zip(fields) {
            if self.0.len() >= VIOLATIONS_MAX {
                return;
            }
            push_segment(path, member.name());
            match field {
                Some(inner) => self.value(member, inner, path),
                None if member.has(flag::REQUIRED) => self.report("null", path, "Member must not be null"),
                None => {}
            }
            path.truncate(length);
        }
        if shape.kind() == Kind::Union && fields.iter().flatten().count() != 1 {
            let problem = format!("Exactly one member of {} must be set", shape.name());
            self.report(&quoted(None, value), path, &problem);
        }
    }

    fn value(&mut self, member: MemberRef, value: &Value, path: &mut String) {
        let shape = member.shape();
        for problem in violated(shape, value) {
            self.report(&quoted(Some(member), value), path, &problem);
        }
        let length = path.len();
        match value {
            Value::Structure(_) => self.structure(shape, value, path),
            Value::List(items) => {
                let element = shape.member(0);
                if is_scalar(element.shape()) {
                    self.elements(element, items.iter(), "Member", &quoted(Some(member), value), path);
                    return;
                }
                for (index, item) in items.iter().enumerate() {
                    let _ = write!(path, ".{}.member", index + 1);
                    self.value(element, item, path);
                    path.truncate(length);
                }
            }
            Value::Map(entries) => {
                let (key, inner) = (shape.member(0), shape.member(1));
                let keys: Vec<Value> = entries.iter().map(|(key, _)| Value::String(key.clone())).collect();
                let shown = quoted(Some(member), value);
                self.elements(key, keys.iter(), "Map keys", &shown, path);
                if is_scalar(inner.shape()) {
                    self.elements(inner, entries.iter().map(|(_, value)| value), "Map value", &shown, path);
                    return;
                }
                for (key, value) in entries {
                    let _ = write!(path, ".{key}.member");
                    self.value(inner, value, path);
                    path.truncate(length);
                }
            }
            _ => {}
        }
    }

    /// One violation for all scalars of a list or map: AWS quotes the whole collection and lists every constraint.
    fn elements<'v>(
        &mut self,
        element: MemberRef,
        mut values: impl Iterator<Item = &'v Value>,
        subject: &str,
        shown: &str,
        path: &str,
    ) {
        if values.any(|value| !violated(element.shape(), value).is_empty()) {
            let all = constraints(element.shape()).join(", ");
            self.report(shown, path, &format!("{subject} must satisfy constraint: [{all}]"));
        }
    }

    fn report(&mut self, shown: &str, path: &str, problem: &str) {
        if self.0.len() < VIOLATIONS_MAX {
            self.0.push(format!("Value {shown} at '{path}' failed to satisfy constraint: {problem}"));
        }
    }
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
    if size > max {
        problems.push(at_most(noun, max));
    }
    if size < min {
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

fn quoted(member: Option<MemberRef>, value: &Value) -> String {
    if member.is_some_and(|member| member.has(flag::SENSITIVE)) {
        return "'***'".to_owned();
    }
    let mut shown = String::new();
    print(member.map(MemberRef::shape), value, &mut shown);
    if shown.len() > QUOTED_MAX {
        let end = (0..=QUOTED_MAX).rev().find(|i| shown.is_char_boundary(*i)).unwrap_or(0);
        shown.truncate(end);
        shown.push_str("...");
    }
    format!("'{shown}'")
}

/// As Java's `toString` prints collections, which is what AWS quotes. Stops once there is enough to quote.
fn print(shape: Option<ShapeRef>, value: &Value, out: &mut String) {
    if out.len() > QUOTED_MAX {
        return;
    }
    if shape.is_some_and(|shape| shape.has(flag::SENSITIVE)) {
        out.push_str("***");
        return;
    }
    let _ = match value {
        Value::Bool(inner) => write!(out, "{inner}"),
        Value::Integer(inner) => write!(out, "{inner}"),
        Value::Double(inner) => write!(out, "{inner:?}"),
        Value::String(inner) => {
            out.push_str(inner);
            Ok(())
        }
        Value::Blob(inner) => write!(out, "{} bytes", inner.len()),
        Value::Timestamp(inner) => write!(out, "{inner}"),
        Value::Document(inner) => write!(out, "{inner}"),
        Value::List(items) => {
            let element = shape.map(|shape| shape.member(0).shape());
            join(out, ('[', ']'), items.iter(), |out, item| print(element, item, out));
            Ok(())
        }
        Value::Map(entries) => {
            let inner = shape.map(|shape| shape.member(1).shape());
            join(out, ('{', '}'), entries.iter(), |out, (key, value)| {
                out.push_str(key);
                out.push('=');
                print(inner, value, out);
            });
            Ok(())
        }
        Value::Structure(fields) => {
            let Some(shape) = shape else { return };
            out.push_str(shape.name());
            let present = shape.members().zip(fields).filter_map(|(member, field)| Some((member, field.as_ref()?)));
            join(out, ('(', ')'), present, |out, (member, value)| {
                out.push_str(member.name());
                out.push('=');
                if member.has(flag::SENSITIVE) { out.push_str("***") } else { print(Some(member.shape()), value, out) }
            });
            Ok(())
        }
    };
}

fn join<T>(out: &mut String, ends: (char, char), items: impl Iterator<Item = T>, mut each: impl FnMut(&mut String, T)) {
    out.push(ends.0);
    for (index, item) in items.enumerate() {
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

/// The model's patterns are Java's and must match the whole text; `\w`, `\d` and `\s` are ASCII there. `None` for a
/// pattern that this engine cannot run (a test names those).
pub fn compiled(pattern: &'static str) -> Option<Arc<Regex>> {
    type Cache = RwLock<HashMap<&'static str, Option<Arc<Regex>>>>;
    static CACHE: LazyLock<Cache> = LazyLock::new(Cache::default);
    if let Some(found) = CACHE.read().unwrap_or_else(PoisonError::into_inner).get(pattern) {
        return found.clone();
    }
    let ascii = pattern
        .replace(r"\w", "[a-zA-Z0-9_]")
        .replace(r"\d", "[0-9]")
        .replace(r"\s", r"[ \t\n\x0B\f\r]")
        .replace(r"\S", r"[^ \t\n\x0B\f\r]");
    let regex = regex::RegexBuilder::new(&format!("^(?:{ascii})$")).size_limit(PATTERN_SIZE_MAX).build();
    let regex = regex.ok().map(Arc::new);
    CACHE.write().unwrap_or_else(PoisonError::into_inner).insert(pattern, regex.clone());
    regex
}
