//! The text of a query, read from left to right.

use regex::{Regex, RegexBuilder};

use super::{MalformedQuery, REGEXES_MAX};

/// How large one compiled regular expression may be, in bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;
/// How deeply groups may nest in one.
const REGEX_NESTING_MAX: u32 = 50;

/// A place in the text.
#[derive(Debug)]
pub(super) struct Scanner<'q> {
    text: &'q str,
    at: usize,
    regexes: usize,
}

impl<'q> Scanner<'q> {
    pub(super) fn new(text: &'q str) -> Scanner<'q> {
        Scanner { text, at: 0, regexes: 0 }
    }

    /// The place, in bytes, before the next thing to read.
    pub(super) fn mark(&mut self) -> usize {
        self.skip_blank();
        self.at
    }

    /// Back to a place that [`Scanner::mark`] told.
    pub(super) fn rewind(&mut self, mark: usize) {
        self.at = mark;
    }

    /// What was written between a place and the last thing read.
    pub(super) fn since(&self, mark: usize) -> &'q str {
        self.text[mark..self.at].trim()
    }

    pub(super) fn at_end(&mut self) -> bool {
        self.mark() == self.text.len()
    }

    pub(super) fn peek(&mut self) -> Option<char> {
        self.skip_blank();
        self.rest().chars().next()
    }

    pub(super) fn eat(&mut self, token: &str) -> bool {
        self.skip_blank();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// As [`Scanner::eat`], but only right here, without any space before it.
    pub(super) fn eat_adjacent(&mut self, token: char) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len_utf8();
        }
        found
    }

    /// Reads a word of the language, in upper or lower case, that is not the beginning of a longer name.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let mark = self.mark();
        let found = self.name().is_some_and(|name| name.eq_ignore_ascii_case(word));
        if !found {
            self.at = mark;
        }
        found
    }

    pub(super) fn expect(&mut self, token: &str) -> Result<(), MalformedQuery> {
        if self.eat(token) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Reads a name without backticks: letters, digits, `_`, `@` and, between them, points.
    pub(super) fn name(&mut self) -> Option<&'q str> {
        self.skip_blank();
        let rest = self.rest();
        if !rest.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '@' | '$')) {
            return None;
        }
        let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '@' | '$' | '.')));
        let name = rest[..end.unwrap_or(rest.len())].trim_end_matches('.');
        self.at += name.len();
        Some(name)
    }

    /// Reads a name between backticks.
    pub(super) fn backticked(&mut self) -> Result<Option<&'q str>, MalformedQuery> {
        let start = self.mark();
        if !self.eat("`") {
            return Ok(None);
        }
        let rest = self.rest();
        match rest.find('`') {
            Some(end) if end > 0 => {
                self.at += end + 1;
                Ok(Some(&rest[..end]))
            }
            _ => Err(self.error("a field name between backticks was expected", start, self.text.len())),
        }
    }

    /// Reads the digits of a number, with fraction and exponent.
    pub(super) fn number(&mut self) -> Option<&'q str> {
        self.skip_blank();
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let mut end = digits(0);
        if bytes.get(end) == Some(&b'.') && digits(end + 1) > end + 1 {
            end = digits(end + 1);
        }
        if end == 0 {
            return None;
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + sign);
            if exponent > end + 1 + sign {
                end = exponent;
            }
        }
        self.at += end;
        Some(&rest[..end])
    }

    /// Reads a text between quotation marks of either kind. A backslash escapes a mark or another backslash.
    pub(super) fn quoted(&mut self) -> Result<Option<String>, MalformedQuery> {
        let start = self.mark();
        let Some(mark) = self.rest().chars().next().filter(|c| matches!(c, '"' | '\'')) else { return Ok(None) };
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            if c == mark {
                self.at += at + 1;
                return Ok(Some(text));
            }
            if c != '\\' {
                text.push(c);
                continue;
            }
            match chars.next() {
                Some((_, c @ ('"' | '\'' | '\\'))) => text.push(c),
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                Some((_, 'r')) => text.push('\r'),
                Some((_, c)) => text.extend(['\\', c]),
                None => break,
            }
        }
        Err(self.error("the closing quotation mark is missing", start, self.text.len()))
    }

    /// Reads a regular expression between slashes; a backslash escapes one.
    pub(super) fn regex(&mut self) -> Result<Option<Regex>, MalformedQuery> {
        let start = self.mark();
        if !self.eat("/") {
            return Ok(None);
        }
        let mut source = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '/' => {
                    self.at += at + 1;
                    return self.compile(&source, start).map(Some);
                }
                '\\' => match chars.next() {
                    Some((_, '/')) => source.push('/'),
                    Some((_, c)) => source.extend(['\\', c]),
                    None => break,
                },
                _ => source.push(c),
            }
        }
        Err(self.error("the slash that ends a regular expression is missing", start, self.text.len()))
    }

    fn compile(&mut self, source: &str, start: usize) -> Result<Regex, MalformedQuery> {
        self.regexes += 1;
        if self.regexes > REGEXES_MAX {
            return Err(self.error_since(&format!("a query has at most {REGEXES_MAX} regular expressions"), start));
        }
        RegexBuilder::new(source)
            .size_limit(REGEX_BYTES_MAX)
            .dfa_size_limit(REGEX_BYTES_MAX)
            .nest_limit(REGEX_NESTING_MAX)
            .build()
            .map_err(|error| {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
                self.error(&format!("this regular expression cannot be used: {reason}"), start, self.at)
            })
    }

    /// What stands next has no place here.
    pub(super) fn unexpected(&mut self) -> MalformedQuery {
        let start = self.mark();
        let word = self.name().or_else(|| self.number()).map_or(0, str::len);
        let end = start + word.max(self.text[start..].chars().next().map_or(0, char::len_utf8));
        self.at = start;
        if start == self.text.len() {
            return self.error("unexpected end of the query", start, start);
        }
        let before = &self.text[..start];
        let line = before.matches('\n').count() + 1;
        let position = before.rsplit('\n').next().unwrap_or_default().chars().count();
        let symbol = &self.text[start..end];
        self.error(&format!("unexpected symbol found {symbol} at line {line} and position {position}"), start, end)
    }

    /// An error about a part of the text, given in bytes.
    pub(super) fn error(&self, message: &str, start: usize, end: usize) -> MalformedQuery {
        let characters = |at: usize| self.text[..at].chars().count();
        MalformedQuery { message: message.to_owned(), start: characters(start), end: characters(end) }
    }

    /// An error about what was read since a place.
    pub(super) fn error_since(&self, message: &str, start: usize) -> MalformedQuery {
        self.error(message, start, self.at.max(start))
    }

    fn rest(&self) -> &'q str {
        &self.text[self.at..]
    }

    /// Over white space, and comments from `#` to the line's end.
    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with('#') {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }
}
