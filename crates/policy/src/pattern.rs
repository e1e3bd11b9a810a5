//! Texts of a policy that are compared with texts of a request: wildcards and policy variables.
//!
//! `*` stands for any characters, `?` for one. `${key}` stands for the value of a condition key of the request, its value
//! taken literally; `${key, 'default'}` for a default where the request has no value; `${*}`, `${?}` and `${$}` for the
//! characters themselves. A pattern with a variable that has no value is like nothing.

use std::collections::BTreeMap;

use crate::Context;
use crate::wildcard::{self, Unit};

/// What of a text has a meaning beyond itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// `*` and `?`.
    pub(crate) wildcards: bool,
    /// `${…}`.
    pub(crate) variables: bool,
}

/// A compiled text.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    parts: Box<[Part]>,
}

#[derive(Debug, Clone)]
enum Part {
    Literal(Box<str>),
    AnyOne,
    AnyRun,
    Variable(Box<Variable>),
}

#[derive(Debug, Clone)]
struct Variable {
    /// The key's name as written.
    name: Box<str>,
    lower_case: Box<str>,
    default: Option<Box<str>>,
}

/// The longest text that is compared, in bytes: no ARN, tag or header that anybody can act on is as long. Longer ones are
/// like nothing but what everything is like.
pub(crate) const TEXT_BYTES_MAX: usize = 8192;
/// How many steps a pattern is tried from the left for each of its parts and each byte of the text. Few patterns need as
/// many as one; one that was made to need more would hold up everybody.
const STEPS_MAX: usize = 4;
/// How many bytes of a text are compared in about the time of a step.
const BYTES_PER_STEP: usize = 32;

impl Pattern {
    /// Compiles a text.
    pub(crate) fn new(text: &str, reading: Reading) -> Self {
        Self { parts: parts(text, reading).into() }
    }

    /// What matches everything.
    pub(crate) fn anything() -> Self {
        Self { parts: Box::new([Part::AnyRun]) }
    }

    /// Whether a text is like it.
    pub(crate) fn matches(&self, text: &str, context: &Context) -> bool {
        match &*self.parts {
            [] => text.is_empty(),
            [Part::AnyRun] => true,
            _ if text.len() > TEXT_BYTES_MAX => false,
            [Part::Literal(literal)] => &**literal == text,
            parts => parts.iter().all(|part| part.unit(context).is_some()) && is_like(parts, text, context),
        }
    }

    /// The text that it stands for, if it has no wildcards and all its variables have values.
    pub(crate) fn text(&self, context: &Context) -> Option<String> {
        self.parts.iter().try_fold(String::new(), |text, part| match part.unit(context)? {
            Unit::Literal(literal) => Some(text + literal),
            Unit::AnyOne | Unit::AnyRun => None,
        })
    }

    /// Whether it is one variable and nothing else.
    pub(crate) fn is_variable(&self) -> bool {
        matches!(&*self.parts, [Part::Variable(_)])
    }

    /// Adds the keys of its variables to `keys`, lower case to name.
    pub(crate) fn add_keys(&self, keys: &mut BTreeMap<Box<str>, Box<str>>) {
        for part in &self.parts {
            if let Part::Variable(variable) = part {
                keys.entry(variable.lower_case.clone()).or_insert_with(|| variable.name.clone());
            }
        }
    }
}

impl Part {
    fn unit<'a>(&'a self, context: &'a Context) -> Option<Unit<'a>> {
        match self {
            Self::Literal(literal) => Some(Unit::Literal(literal)),
            Self::AnyOne => Some(Unit::AnyOne),
            Self::AnyRun => Some(Unit::AnyRun),
            Self::Variable(variable) => variable.value(context).map(Unit::Literal),
        }
    }
}

impl Variable {
    /// Of `key` or `key, 'default'`.
    fn new(text: &str) -> Self {
        let quoted = |text: &str| text.trim().strip_prefix('\'')?.strip_suffix('\'').map(Box::from);
        let (name, default) = match text.split_once(',') {
            Some((name, rest)) => (name.trim(), quoted(rest)),
            None => (text.trim(), None),
        };
        Self { name: name.into(), lower_case: name.to_ascii_lowercase().into(), default }
    }

    /// Its value in a request. A key with several values cannot stand for one.
    fn value<'a>(&'a self, context: &'a Context) -> Option<&'a str> {
        match context.get(&self.lower_case) {
            Some([value]) => Some(value),
            Some(_) => None,
            None => self.default.as_deref(),
        }
    }
}

/// Splits at colons into at most `parts_max` parts, the last with all that follows. Colons of variables do not count.
pub(crate) fn split_at_colons(text: &str, parts_max: usize, variables: bool) -> Vec<&str> {
    let mut parts = Vec::with_capacity(parts_max);
    let (mut start, mut at) = (0, 0);
    while parts.len() + 1 < parts_max && at < text.len() {
        match variables.then(|| variable(&text[at..])).flatten() {
            Some((_, length)) => at += length,
            None if text.as_bytes()[at] == b':' => {
                parts.push(&text[start..at]);
                at += 1;
                start = at;
            }
            None => at += text[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The variable with which a text begins: what is between its braces, and its length with them.
fn variable(text: &str) -> Option<(&str, usize)> {
    let inner = text.strip_prefix("${")?;
    let end = inner.find('}')?;
    Some((&inner[..end], end + "${}".len()))
}

fn parts(text: &str, reading: Reading) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let (part, length) = match reading.variables.then(|| variable(rest)).flatten() {
            Some((inner @ ("*" | "?" | "$"), length)) => {
                literal.push_str(inner);
                (None, length)
            }
            Some((inner, length)) => (Some(Part::Variable(Box::new(Variable::new(inner)))), length),
            None if reading.wildcards && character == '*' => (Some(Part::AnyRun), 1),
            None if reading.wildcards && character == '?' => (Some(Part::AnyOne), 1),
            None => {
                literal.push(character);
                (None, character.len_utf8())
            }
        };
        rest = &rest[length..];
        if let Some(part) = part {
            flush(&mut literal, &mut parts);
            // Several stars in a row say no more than one.
            if !matches!((&part, parts.last()), (Part::AnyRun, Some(Part::AnyRun))) {
                parts.push(part);
            }
        }
    }
    flush(&mut literal, &mut parts);
    parts
}

fn flush(literal: &mut String, parts: &mut Vec<Part>) {
    if !literal.is_empty() {
        parts.push(Part::Literal(std::mem::take(literal).into()));
    }
}

/// Matches from the left; what does not fit lengthens the run that was met last, which is enough, since a run met
/// before it has taken as little as it could.
fn is_like(parts: &[Part], text: &str, context: &Context) -> bool {
    let (mut part, mut at) = (0, 0);
    let mut run: Option<(usize, usize)> = None;
    let mut steps_left = STEPS_MAX * (parts.len() + text.len());
    loop {
        let unit = parts.get(part).and_then(|part| part.unit(context));
        let bytes = if let Some(Unit::Literal(literal)) = unit { literal.len() } else { 0 };
        let Some(left) = steps_left.checked_sub(1 + bytes / BYTES_PER_STEP) else {
            return wildcard::is_like(parts.iter().filter_map(|part| part.unit(context)), text);
        };
        steps_left = left;
        let taken = match unit {
            Some(Unit::AnyRun) if part + 1 == parts.len() => return true,
            Some(Unit::AnyRun) => {
                part += 1;
                run = Some((part, at));
                continue;
            }
            Some(Unit::AnyOne) => text[at..].chars().next().map(char::len_utf8),
            Some(Unit::Literal(literal)) => text[at..].starts_with(literal).then_some(literal.len()),
            None if at == text.len() => return true,
            None => None,
        };
        if let Some(taken) = taken {
            (part, at) = (part + 1, at + taken);
            continue;
        }
        let Some((after, from)) = run else { return false };
        let Some(character) = text[from..].chars().next() else { return false };
        (part, at) = (after, from + character.len_utf8());
        run = Some((part, at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_match(pattern: &str, text: &str) -> bool {
        let mut context = Context::new();
        context.set("aws:username", "alice");
        context.set("star", "*");
        context.set_all("aws:TagKeys", ["a", "b"]);
        Pattern::new(pattern, Reading { wildcards: true, variables: true }).matches(text, &context)
    }

    #[test]
    fn wildcards_stand_for_any_characters_or_for_one() {
        let rows = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*", "a", true),
            ("a**c", "abc", true),
            ("*a", "ba", true),
            ("*ab*ab", "abab", true),
            ("*ab*ab", "aba", false),
            ("a*b?d", "axxbbcd", true),
            ("a*b?d", "axxbd", false),
            ("?", "é", true),
            ("??", "é", false),
            ("*é?", "ééa", true),
            ("abc", "ab", false),
            ("ab", "abc", false),
        ];
        for (pattern, text, expected) in rows {
            assert_eq!(is_match(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_that_was_made_to_be_slow_is_matched_by_other_means() {
        let pattern = format!("*{}b*{}b", "?a".repeat(300), "a?".repeat(300));
        let text = "a".repeat(4000);
        assert!(!is_match(&pattern, &text));
        assert!(is_match(&pattern, &format!("{text}b{text}b")));
        assert!(is_match("*${star}*${aws:username}?", &format!("{}*alice!", "alice".repeat(100))));
        let too_long = "a".repeat(TEXT_BYTES_MAX + 1);
        assert!(is_match("*", &too_long) && !is_match("a*", &too_long) && is_match("a*", &too_long[1..]));
    }

    #[test]
    fn variables_stand_for_the_requests_values() {
        let rows = [
            ("home/${aws:username}/*", "home/alice/x", true),
            ("home/${AWS:UserName}", "home/alice", true),
            ("home/${aws:username}", "home/bob", false),
            ("${aws:PrincipalTag/team}", "", false),
            ("${aws:PrincipalTag/team, 'all'}", "all", true),
            ("${aws:PrincipalTag/team,'all'}x", "allx", true),
            ("${aws:username, 'all'}", "all", false),
            ("${aws:TagKeys}", "a", false),
            ("${aws:TagKeys, 'c'}", "c", false),
            ("${star}", "*", true),
            ("${star}", "anything", false),
            ("a${*}b${?}c${$}{d}", "a*b?c${d}", true),
            ("a${*}b", "axb", false),
            ("${aws:username", "${aws:username", true),
            ("$${aws:username}", "$alice", true),
        ];
        for (pattern, text, expected) in rows {
            assert_eq!(is_match(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn without_their_meaning_all_characters_are_themselves() {
        let plain = Pattern::new("${aws:username}*", Reading { wildcards: false, variables: false });
        assert!(plain.matches("${aws:username}*", &Context::new()));
        assert!(!plain.matches("${aws:username}x", &Context::new()));
    }

    #[test]
    fn colons_of_variables_do_not_split() {
        assert_eq!(split_at_colons("a:${b:c}:d:e", 3, true), ["a", "${b:c}", "d:e"]);
        assert_eq!(split_at_colons("a:${b:c}:d:e", 3, false), ["a", "${b", "c}:d:e"]);
        assert_eq!(split_at_colons("é:é", 6, true), ["é", "é"]);
    }
}
