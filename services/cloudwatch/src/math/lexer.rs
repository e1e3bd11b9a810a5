//! Expressions to words.

use super::MathError;

/// A word of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Number(f64),
    /// `m1`, `AVG`, `AND`.
    Name(String),
    /// `"errors"`.
    Text(String),
    /// `+`, `<=`, `(`.
    Sign(&'static str),
}

/// The signs; longer ones before those that they begin with.
const SIGNS: [&str; 20] =
    ["==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "^", "(", ")", "[", "]", ",", "!", "%"];

/// The words of an expression, each with the position at which it begins.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, MathError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (token, length) = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if first.is_ascii_digit() || first == '.' {
            number(rest).ok_or_else(|| unexpected(at, rest))?
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            (Token::Name(rest[..length].to_owned()), length)
        } else if matches!(first, '"' | '\'') {
            let end = rest[1..].find(first).ok_or_else(|| unexpected(at, rest))?;
            (Token::Text(rest[1..=end].to_owned()), end + 2)
        } else {
            let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign)).ok_or_else(|| unexpected(at, rest))?;
            (Token::Sign(sign), sign.len())
        };
        tokens.push((at, token));
        at += length;
    }
    Ok(tokens)
}

/// Digits, a fraction, an exponent.
fn number(text: &str) -> Option<(Token, usize)> {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut length = digits(0);
    if text[length..].starts_with('.') {
        length += 1 + digits(length + 1);
    }
    if text[length..].starts_with(['e', 'E']) {
        let sign = usize::from(text[length + 1..].starts_with(['+', '-']));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    Some((Token::Number(text[..length].parse().ok()?), length))
}

fn unexpected(at: usize, rest: &str) -> MathError {
    let shown: String = rest.chars().take(16).collect();
    MathError::Syntax(format!("Unexpected `{shown}` at position {at}"))
}
