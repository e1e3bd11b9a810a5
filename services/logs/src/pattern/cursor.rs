//! A place in the text of a pattern.

use super::{PatternError, REGEXES_MAX};

/// Reads a pattern from left to right, and keeps count of what a pattern may have only so many of.
#[derive(Debug)]
pub(super) struct Cursor<'p> {
    text: &'p str,
    at: usize,
    regexes_left: usize,
}

impl<'p> Cursor<'p> {
    pub(super) fn new(text: &'p str) -> Cursor<'p> {
        Cursor { text, at: 0, regexes_left: REGEXES_MAX }
    }

    pub(super) fn rest(&self) -> &'p str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    pub(super) fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// As [`Cursor::eat`] for a word of letters, in upper or lower case, that no further letter follows.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let found = rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
            && !rest[word.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        if found {
            self.at += word.len();
        }
        found
    }

    pub(super) fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'p str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// The place, to come back to.
    pub(super) fn mark(&self) -> usize {
        self.at
    }

    /// Back to a place that [`Cursor::mark`] told.
    pub(super) fn rewind(&mut self, mark: usize) {
        self.at = mark;
    }

    /// The source of a regular expression, between `%` and the next `%` that no backslash precedes.
    pub(super) fn regex(&mut self) -> Result<&'p str, PatternError> {
        if !self.eat("%") {
            return Err(self.error("a regular expression between % and % was expected"));
        }
        self.regexes_left =
            self.regexes_left.checked_sub(1).ok_or_else(|| self.error("there are more than 2 regular expressions"))?;
        let rest = self.rest();
        let mut escaped = false;
        for (end, c) in rest.char_indices() {
            if c == '%' && !escaped {
                self.at += end + 1;
                return Ok(&rest[..end]);
            }
            escaped = c == '\\' && !escaped;
        }
        Err(self.error("the % that ends a regular expression is missing"))
    }

    pub(super) fn regexes_left(&self) -> usize {
        self.regexes_left
    }

    pub(super) fn error(&self, reason: &'static str) -> PatternError {
        PatternError::Grammar { reason, position: self.text[..self.at].chars().count() + 1 }
    }
}
