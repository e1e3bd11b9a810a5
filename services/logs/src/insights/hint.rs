//! What a query's filters say about events before they are looked at closely: which times, and which words.

use super::ast::{Comparison, Expression, Matcher};
use super::function::Function;
use super::plan::{Stage, Step};
use super::value::{Number, Value};
use crate::pattern::needed::Needed;

/// The first and last millisecond, both inclusive, that an event may be from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeBounds {
    /// The first, if there is one.
    pub start_ms: Option<i64>,
    /// The last, if there is one.
    pub end_ms: Option<i64>,
}

/// What a message must contain to pass the filters of the first stage.
pub(super) fn needed(stages: &[Stage]) -> Needed {
    Needed::All(filters(stages).map(|(filter, made)| needed_by(filter, &made)).collect())
}

/// What the filters of the first stage say about `@timestamp`.
pub(super) fn time_bounds(stages: &[Stage]) -> TimeBounds {
    let mut bounds = TimeBounds::default();
    for (filter, made) in filters(stages) {
        if !made.contains(&"@timestamp") {
            narrow(&mut bounds, filter);
        }
    }
    bounds
}

/// The first stage's filters, each with the fields that commands before it made.
fn filters(stages: &[Stage]) -> impl Iterator<Item = (&Expression, Vec<&str>)> {
    let steps = stages.first().map_or(&[][..], |stage| &stage.steps);
    let mut made: Vec<&str> = vec![];
    steps.iter().filter_map(move |step| match step {
        Step::Filter(filter) => Some((filter, made.clone())),
        Step::Make(name, _) | Step::Unnest(_, name) => {
            made.push(name);
            None
        }
        Step::Parse(_, _, names) => {
            made.extend(names.iter().map(|name| name.as_ref()));
            None
        }
    })
}

fn needed_by(filter: &Expression, made: &[&str]) -> Needed {
    match filter {
        Expression::And(parts) => Needed::All(parts.iter().map(|part| needed_by(part, made)).collect()),
        Expression::Or(parts) => Needed::Any(parts.iter().map(|part| needed_by(part, made)).collect()),
        Expression::Compare(comparison, left, right) => {
            let value = match (comparison, left.as_ref(), right.as_ref()) {
                (Comparison::Equal, Expression::Field(_), Expression::Literal(Value::Text(text)))
                | (Comparison::Equal, Expression::Literal(Value::Text(text)), Expression::Field(_)) => Some(text),
                _ => None,
            };
            let sides = vec![named(left, made), named(right, made)];
            let field = if matches!(left.as_ref(), Expression::Field(_)) { left } else { right };
            match value {
                Some(text) => Needed::All(vec![Needed::All(sides), spelled(field, text, made)]),
                None => Needed::All(sides),
            }
        }
        Expression::Like(subject, matcher) => match matcher {
            Matcher::Substring(text) if is_message(subject, made) && !text.is_empty() => Needed::Text(text.clone()),
            Matcher::Substring(text) => Needed::All(vec![named(subject, made), spelled(subject, text, made)]),
            Matcher::Regex(_) => named(subject, made),
        },
        Expression::In(subject, list) => {
            let one = |item: &Expression| match item {
                Expression::Literal(Value::Text(text)) => spelled(subject, text, made),
                _ => Needed::Nothing,
            };
            Needed::All(vec![named(subject, made), Needed::Any(list.iter().map(one).collect())])
        }
        // A field that is missing makes these as little true as their opposites.
        Expression::Not(inner) => match inner.as_ref() {
            Expression::Compare(_, left, right) => Needed::All(vec![named(left, made), named(right, made)]),
            Expression::Like(subject, _) | Expression::In(subject, _) => named(subject, made),
            _ => Needed::Nothing,
        },
        Expression::Call(Function::IsPresent, arguments) => {
            arguments.first().map_or(Needed::Nothing, |subject| named(subject, made))
        }
        _ => Needed::Nothing,
    }
}

/// The name of a field that must be in the message's document for the expression to have a value. A path of several may
/// be cut anywhere, so those need nothing.
fn named(expression: &Expression, made: &[&str]) -> Needed {
    match document_field(expression, made) {
        Some(name) if !name.contains('.') => Needed::name(name),
        _ => Needed::Nothing,
    }
}

/// A word that a field of the document contains. Only what no number, boolean or structure is written with otherwise.
fn spelled(expression: &Expression, text: &str, made: &[&str]) -> Needed {
    let is_word = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    if document_field(expression, made).is_some() && is_word { Needed::value(text) } else { Needed::Nothing }
}

/// The name of a field that only the message's document can have.
fn document_field<'e>(expression: &'e Expression, made: &[&str]) -> Option<&'e str> {
    match expression {
        Expression::Field(name) => {
            let is_made =
                |made: &&str| name.strip_prefix(made).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            (!name.starts_with('@') && !made.iter().any(is_made)).then_some(name)
        }
        _ => None,
    }
}

fn is_message(expression: &Expression, made: &[&str]) -> bool {
    matches!(expression, Expression::Field(name) if name == "@message") && !made.contains(&"@message")
}

fn narrow(bounds: &mut TimeBounds, filter: &Expression) {
    match filter {
        Expression::And(parts) => parts.iter().for_each(|part| narrow(bounds, part)),
        Expression::Compare(comparison, left, right) => match (left.as_ref(), right.as_ref()) {
            (Expression::Field(name), Expression::Literal(literal)) if name == "@timestamp" => {
                if let Some(Number::Whole(ms)) = literal.number() {
                    bound(bounds, *comparison, ms);
                }
            }
            _ => {}
        },
        _ => {}
    }
}

fn bound(bounds: &mut TimeBounds, comparison: Comparison, ms: i64) {
    let (start, end) = match comparison {
        Comparison::Equal => (Some(ms), Some(ms)),
        Comparison::NotEqual => (None, None),
        Comparison::Less => (None, Some(ms.saturating_sub(1))),
        Comparison::LessOrEqual => (None, Some(ms)),
        Comparison::Greater => (Some(ms.saturating_add(1)), None),
        Comparison::GreaterOrEqual => (Some(ms), None),
    };
    bounds.start_ms = bounds.start_ms.into_iter().chain(start).max();
    bounds.end_ms = bounds.end_ms.into_iter().chain(end).min();
}
