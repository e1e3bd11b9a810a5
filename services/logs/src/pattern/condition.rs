//! Comparisons: an operator and what is compared with, for both forms that have them.

use std::cmp::Ordering;

use regex::Regex;

use super::PatternError;
use super::cursor::Cursor;
use super::glob::Glob;
use super::regular;

/// `= "Update*"`, `> 1e3`, `!= %^10\.%`.
#[derive(Debug, Clone)]
pub(super) struct Comparison {
    operator: Operator,
    operand: Operand,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone)]
enum Operand {
    Text(Glob),
    /// A bare number: equal to a text if it is written so, or has its value.
    Number(String, Number),
    Regex(Regex),
}

/// A number as it is written. Whole numbers are compared exactly: an account's id or a nanosecond is more than a double
/// can tell apart.
#[derive(Debug, Clone, Copy)]
enum Number {
    Whole(i128),
    Double(f64),
}

impl Number {
    /// Reads `[+-]digits[.digits][e[+-]digits]`, and nothing else: no `inf`, no hexadecimal, no space.
    fn parse(text: &str) -> Option<Number> {
        let well_formed = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
            && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
        if !well_formed {
            return None;
        }
        text.parse().map(Number::Whole).ok().or_else(|| text.parse().map(Number::Double).ok())
    }

    fn compare(self, other: Number) -> Option<Ordering> {
        match (self, other) {
            (Number::Whole(a), Number::Whole(b)) => Some(a.cmp(&b)),
            _ => self.double().partial_cmp(&other.double()),
        }
    }

    fn double(self) -> f64 {
        match self {
            Number::Whole(n) => n as f64,
            Number::Double(x) => x,
        }
    }
}

impl Comparison {
    /// Reads an operator and what follows it.
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Comparison, PatternError> {
        cursor.skip_space();
        let operator = operator(cursor).ok_or_else(|| cursor.error("a comparison was expected"))?;
        cursor.skip_space();
        let operand = operand(cursor)?;
        let orders = !matches!(operator, Operator::Equal | Operator::NotEqual);
        if orders && !matches!(operand, Operand::Number(..)) {
            return Err(cursor.error("a number was expected before this"));
        }
        Ok(Comparison { operator, operand })
    }

    /// Whether it holds for a value, of which the text is known.
    pub(super) fn holds(&self, value: &str) -> bool {
        match &self.operand {
            Operand::Text(glob) => (self.operator == Operator::Equal) == glob.matches(value),
            Operand::Regex(regex) => (self.operator == Operator::Equal) == regex.is_match(value),
            Operand::Number(text, number) => self.holds_for_number(value, text, *number),
        }
    }

    fn holds_for_number(&self, value: &str, text: &str, number: Number) -> bool {
        let ordering = Number::parse(value).and_then(|value| value.compare(number));
        let equal = ordering.map_or_else(|| value == text, Ordering::is_eq);
        match self.operator {
            Operator::Equal => equal,
            Operator::NotEqual => !equal,
            Operator::Less => ordering.is_some_and(Ordering::is_lt),
            Operator::LessOrEqual => ordering.is_some_and(Ordering::is_le),
            Operator::Greater => ordering.is_some_and(Ordering::is_gt),
            Operator::GreaterOrEqual => ordering.is_some_and(Ordering::is_ge),
        }
    }

    /// A text that every value for which it holds contains, or the empty one.
    pub(super) fn required_text(&self) -> &str {
        match (&self.operand, self.operator) {
            (Operand::Text(glob), Operator::Equal) => glob.longest_part(),
            _ => "",
        }
    }
}

fn operator(cursor: &mut Cursor<'_>) -> Option<Operator> {
    const TOKENS: [(&str, Operator); 6] = [
        ("!=", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("=", Operator::Equal),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ];
    TOKENS.iter().find(|(token, _)| cursor.eat(token)).map(|(_, operator)| *operator)
}

fn operand(cursor: &mut Cursor<'_>) -> Result<Operand, PatternError> {
    match cursor.peek() {
        Some('%') => Ok(Operand::Regex(regular::compile(cursor.regex()?)?)),
        Some('"') => Ok(Operand::Text(Glob::quoted(quoted(cursor)?))),
        _ => {
            let text = cursor.take_while(is_bare);
            if text.is_empty() {
                return Err(cursor.error("a value was expected"));
            }
            Ok(match Number::parse(text) {
                Some(number) => Operand::Number(text.to_owned(), number),
                None => Operand::Text(Glob::bare(text)),
            })
        }
    }
}

/// What a value may consist of without quotation marks. The guide names letters, digits, `_` and `*`; its examples also
/// have the rest.
fn is_bare(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '*' | '.' | '-' | '+' | ':' | '/')
}

/// What stands between quotation marks, with its backslashes.
pub(super) fn quoted<'p>(cursor: &mut Cursor<'p>) -> Result<&'p str, PatternError> {
    let opening = cursor.mark();
    cursor.eat("\"");
    let mut escaped = false;
    let inner = cursor.rest();
    let start = cursor.mark();
    while let Some(c) = cursor.bump() {
        if c == '"' && !escaped {
            let end = cursor.mark() - start - 1;
            return Ok(&inner[..end]);
        }
        escaped = c == '\\' && !escaped;
    }
    cursor.rewind(opening);
    Err(cursor.error("the closing quotation mark is missing"))
}
