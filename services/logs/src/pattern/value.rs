//! What a metric filter's transformation says its values are.

use super::message::Message;
use super::selector::Selector;
use super::{Pattern, PatternError};

/// A value in the event: a property of JSON (`$.latency`), or a field by name (`$bytes`) or number (`$7`, from 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// `$.latency`.
    Property(Selector),
    /// `$bytes`.
    Field(String),
    /// `$7`.
    Position(usize),
}

impl Reference {
    /// Reads a reference, as a dimension's value is one.
    pub fn parse(text: &str) -> Result<Reference, PatternError> {
        let invalid = || PatternError::Term(text.to_owned());
        let name = text.strip_prefix('$').ok_or_else(invalid)?;
        if name.starts_with(['.', '[']) {
            return Selector::parse(text).map(Reference::Property);
        }
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) {
            return Err(invalid());
        }
        match name.parse() {
            Ok(position) if position > 0 => Ok(Reference::Position(position)),
            _ => Ok(Reference::Field(name.to_owned())),
        }
    }
}

/// A metric transformation's `metricValue`: what each match adds to the metric.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricValue {
    /// The same number for each.
    Number(f64),
    /// A number of the event's own.
    Reference(Reference),
}

impl MetricValue {
    /// Reads a `metricValue`.
    pub fn parse(text: &str) -> Result<MetricValue, PatternError> {
        let text = text.trim();
        if text.starts_with('$') {
            return Reference::parse(text).map(MetricValue::Reference);
        }
        number(text).map(MetricValue::Number).ok_or_else(|| PatternError::Term(text.to_owned()))
    }

    /// What a message that matches adds; nothing where the value that it should have is missing or is no number.
    pub fn of(&self, pattern: &Pattern, message: &Message<'_>) -> Option<f64> {
        match self {
            MetricValue::Number(number) => Some(*number),
            MetricValue::Reference(reference) => number(&pattern.value(message, reference)?),
        }
    }
}

fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}
