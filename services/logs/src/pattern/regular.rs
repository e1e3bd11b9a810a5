//! The regular expressions of filter patterns: `%…%`, a small part of what such expressions usually are.
//!
//! Allowed are letters and digits of ASCII, the space, `: _ # = @ / ; , -`, the operators `^ $ ? [ ] { } | \ * + .`, and the
//! escapes `\d \D \s \S \w \W \xhh`. Parentheses are not, escaped or not (they are written `\x28` and `\x29`).
//!
//! Each is written anew for the engine, character by character, so that nothing that the engine knows further (flags,
//! groups, classes of Unicode, set operations) can slip through; its automaton has a limit. An expression is looked for
//! anywhere in the text unless it says `^` or `$`; `$` also holds before a final line feed.

use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

use super::PatternError;

/// How large one compiled expression may be, in bytes: repetition can make a short one huge, and the time that a text takes
/// grows with it.
const REGEX_BYTES_MAX: usize = 1 << 15;
/// How much one may keep while it runs, in bytes.
const REGEX_CACHE_BYTES_MAX: usize = 1 << 20;

const SYMBOLS: &str = ":_#=@/;,- ";
const OPERATORS: &str = "^$?[]{}|\\*+.";

/// Compiles what stood between the percent signs.
pub(super) fn compile(source: &str) -> Result<Regex, PatternError> {
    let refused = || PatternError::Term(source.to_owned());
    let translated = translate(source).ok_or_else(refused)?;
    RegexBuilder::new(&translated)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_CACHE_BYTES_MAX)
        .build()
        .map_err(|_| refused())
}

fn translate(source: &str) -> Option<String> {
    if source.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(source.len() * 2);
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push_str(&escape(&mut chars)?),
            '[' => class(&mut chars, &mut out)?,
            '{' => repetition(&mut chars, &mut out)?,
            '$' => out.push_str(r"(?:\n?\z)"),
            '^' | '?' | '|' | '*' | '+' | '.' => out.push(c),
            _ if is_literal(c) => literal(c, &mut out),
            _ => return None,
        }
    }
    Some(out)
}

/// What a backslash and what follows it stand for.
fn escape(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let c = chars.next()?;
    Some(match c {
        'd' => "[0-9]".to_owned(),
        'D' => "[^0-9]".to_owned(),
        's' => r"[\t\n\x0B\f\r ]".to_owned(),
        'S' => r"[^\t\n\x0B\f\r ]".to_owned(),
        'w' => "[0-9A-Za-z_]".to_owned(),
        'W' => "[^0-9A-Za-z_]".to_owned(),
        'x' => hexadecimal(chars)?,
        _ if OPERATORS.contains(c) || SYMBOLS.contains(c) => {
            let mut out = String::new();
            literal(c, &mut out);
            out
        }
        _ => return None,
    })
}

fn hexadecimal(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let high = chars.next()?.to_digit(16)?;
    let low = chars.next()?.to_digit(16)?;
    Some(format!(r"\x{{{:02X}}}", high * 16 + low))
}

/// `[…]` after its opening bracket. Inside, operators mean themselves; `-` between two characters is a range.
fn class(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut items = 0;
    let mut in_range = false;
    loop {
        let c = chars.next()?;
        let range = c == '-' && items > 0 && chars.peek() != Some(&']');
        match c {
            ']' if items > 0 => break,
            // Two together would be the engine's set difference.
            '-' if range && in_range => return None,
            '-' if range => out.push('-'),
            '\\' => out.push_str(&escape(chars)?),
            '[' | ']' => return None,
            _ if is_literal(c) || OPERATORS.contains(c) => literal(c, out),
            _ => return None,
        }
        in_range = range;
        items += 1;
    }
    out.push(']');
    Some(())
}

/// `{n}`, `{n,}` or `{n,m}` after its opening brace.
fn repetition(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('{');
    let mut digits = 0;
    let mut commas = 0;
    loop {
        let c = chars.next()?;
        match c {
            '0'..='9' => digits += 1,
            ',' if digits > 0 && commas == 0 => commas += 1,
            '}' if digits > 0 => break,
            _ => return None,
        }
        out.push(c);
    }
    out.push('}');
    Some(())
}

fn is_literal(c: char) -> bool {
    c.is_ascii_alphanumeric() || SYMBOLS.contains(c)
}

/// A character that means itself, inside a class as outside.
fn literal(c: char, out: &mut String) {
    if !c.is_ascii_alphanumeric() && c != ' ' && c != '_' {
        out.push('\\');
    }
    out.push(c);
}
