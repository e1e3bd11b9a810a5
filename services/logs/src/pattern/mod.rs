//! Filter patterns: the language in which FilterLogEvents, metric filters, subscription filters and Live Tail say which
//! events they want.
//!
//! A pattern has one of three forms, told apart by its first character:
//!
//! | form | example | matched against |
//! | --- | --- | --- |
//! | [terms] | `ERROR -"not found"`, `?WARN ?ERROR`, `%5\d\d%` | the text |
//! | JSON, `{ … }` | `{ $.status = 4* && $.latency > 100 }` | one property or several |
//! | space-delimited, `[ … ]` | `[ip, ..., status = 4*, bytes]` | the text's fields, by position |
//!
//! [`Pattern::parse`] compiles once; matching allocates nothing for terms, and a JSON pattern first looks for the names
//! and words it needs and parses only a message that has them. What several patterns ask of one message is worked out
//! once, in a [`Message`].
//!
//! Source: Amazon CloudWatch Logs User Guide, "Filter pattern syntax for metric filters, subscription filters, filter log
//! events, and Live Tail". Where the guide is silent: `*` is a wildcard anywhere in a text; a comparison with a property
//! that is missing, null, an array or an object never holds, not even `!=`.
//!
//! [terms]: terms::Terms

mod condition;
mod cursor;
mod delimited;
mod glob;
mod json;
mod message;
pub(crate) mod needed;
mod regular;
mod selector;
mod terms;
mod tree;
mod value;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use message::Message;
pub use selector::Selector;
pub use value::{MetricValue, Reference};

use cursor::Cursor;
use delimited::Delimited;
use json::Json;
use terms::Terms;

/// How long a pattern may be, in characters (the `FilterPattern` shape's own limit).
pub const PATTERN_LENGTH_MAX: usize = 1024;
/// How many regular expressions one pattern may have (CloudWatch Logs' quota).
pub const REGEXES_MAX: usize = 2;
/// How deeply parentheses may nest. CloudWatch Logs names no figure; this one bounds the parser's stack.
pub const NESTING_MAX: usize = 32;

/// Why a text is no filter pattern. All of them are an InvalidParameterException; the text is the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Longer than [`PATTERN_LENGTH_MAX`].
    #[error("Invalid filter pattern: it must be at most {PATTERN_LENGTH_MAX} characters long")]
    TooLong,
    /// The closing bracket of `{ … }` or `[ … ]` is missing.
    #[error("If a filter pattern starts with '{open}' it must end with '{close}'")]
    Unclosed {
        /// How it starts.
        open: char,
        /// How it would have to end.
        close: char,
    },
    /// A bare term, or a regular expression, has a character that it may not have.
    #[error("Invalid character(s) in term '{0}'")]
    Term(String),
    /// Anything else that the grammar has no place for.
    #[error("Invalid filter pattern: {reason}, at character {position}")]
    Grammar {
        /// What was expected, or too much.
        reason: &'static str,
        /// Where, counted in characters from 1.
        position: usize,
    },
}

/// A compiled filter pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    form: Form,
    regexes: usize,
}

#[derive(Debug, Clone)]
enum Form {
    Terms(Terms),
    Json(Json),
    Delimited(Delimited),
}

impl Pattern {
    /// Reads a pattern. The empty one matches everything.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        if text.chars().count() > PATTERN_LENGTH_MAX {
            return Err(PatternError::TooLong);
        }
        let mut cursor = Cursor::new(text);
        cursor.skip_space();
        let form = match cursor.peek() {
            Some('{') => Form::Json(Json::parse(&mut cursor)?),
            Some('[') => Form::Delimited(Delimited::parse(&mut cursor)?),
            _ => Form::Terms(Terms::parse(&mut cursor)?),
        };
        Ok(Pattern { text: text.to_owned(), form, regexes: REGEXES_MAX - cursor.regexes_left() })
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether an event with this text is wanted.
    pub fn matches(&self, message: &str) -> bool {
        self.matches_message(&Message::new(message))
    }

    /// As [`Pattern::matches`], for a message that further patterns will be asked about.
    pub fn matches_message(&self, message: &Message<'_>) -> bool {
        match &self.form {
            Form::Terms(terms) => terms.matches(message.text()),
            Form::Json(json) => json.matches(message),
            Form::Delimited(delimited) => delimited.matches(message),
        }
    }

    /// What TestMetricFilter answers as `extractedValues`: nothing where the message does not match; else the values of
    /// the pattern's properties (`$.name`), or all fields of the message (`$name`, or `$3` where the pattern names none).
    pub fn extract(&self, message: &str) -> Option<BTreeMap<String, String>> {
        let message = Message::new(message);
        if !self.matches_message(&message) {
            return None;
        }
        Some(match &self.form {
            Form::Terms(_) => BTreeMap::new(),
            Form::Json(json) => json.extract(&message),
            Form::Delimited(delimited) => delimited.extract(&message),
        })
    }

    /// What a subscription's events have as `extractedFields`, in a message that matches: the fields by name, or by number
    /// where the pattern names none; nothing of patterns that are not space-delimited.
    pub fn fields(&self, message: &str) -> Option<BTreeMap<String, String>> {
        let Form::Delimited(delimited) = &self.form else { return None };
        let fields = delimited.extract(&Message::new(message)).into_iter();
        Some(fields.map(|(name, value)| (name.trim_start_matches('$').to_owned(), value)).collect())
    }

    /// The value that a metric filter's `$…` stands for in a message that matches, or nothing where it has none.
    pub fn value(&self, message: &Message<'_>, reference: &Reference) -> Option<String> {
        match (&self.form, reference) {
            (Form::Json(_), Reference::Property(selector)) => {
                selector.first(message.json()?).map(|text| text.into_owned())
            }
            (Form::Delimited(delimited), Reference::Field(name)) => delimited.named(message, name).map(str::to_owned),
            (Form::Delimited(_), Reference::Position(n)) => message.field(n.checked_sub(1)?).map(str::to_owned),
            _ => None,
        }
    }

    /// Whether every event matches, so that nobody needs to look at any.
    pub fn matches_everything(&self) -> bool {
        matches!(&self.form, Form::Terms(terms) if terms.is_empty())
    }

    /// How many regular expressions it has; a log group takes 5 filters with any.
    pub fn regexes(&self) -> usize {
        self.regexes
    }

    /// Whether metrics made of its matches can have dimensions: terms name no value.
    pub fn supports_dimensions(&self) -> bool {
        !matches!(self.form, Form::Terms(_))
    }

    /// Whether the pattern itself names what is referred to, which a dimension's value must be.
    pub fn names(&self, reference: &Reference) -> bool {
        match (&self.form, reference) {
            (Form::Json(json), Reference::Property(selector)) => json.names(selector),
            (Form::Delimited(delimited), Reference::Field(name)) => delimited.names(name),
            (Form::Delimited(_), Reference::Position(_)) => true,
            _ => false,
        }
    }
}
