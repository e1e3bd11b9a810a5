//! Patterns of terms, for events of any form.

use regex::Regex;

use super::PatternError;
use super::condition::quoted;
use super::cursor::Cursor;
use super::regular;
use super::selector::unescaped;

/// Terms that a message must, may not, or should have. Case matters; a term may be part of a longer word.
#[derive(Debug, Clone, Default)]
pub(super) struct Terms {
    /// All of them.
    included: Vec<Term>,
    /// None of them (`-term`).
    excluded: Vec<Term>,
    /// One of them at least (`?term`). Beside terms of the other kinds CloudWatch Logs ignores these, and so do we.
    optional: Vec<Term>,
}

#[derive(Debug, Clone)]
enum Term {
    Text(String),
    Regex(Regex),
}

impl Term {
    fn is_in(&self, message: &str) -> bool {
        match self {
            Term::Text(text) => message.contains(text.as_str()),
            Term::Regex(regex) => regex.is_match(message),
        }
    }
}

impl Terms {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Terms, PatternError> {
        let mut terms = Terms::default();
        loop {
            cursor.skip_space();
            let Some(first) = cursor.peek() else { break };
            let kind = match first {
                '-' => &mut terms.excluded,
                '?' => &mut terms.optional,
                _ => &mut terms.included,
            };
            if matches!(first, '-' | '?') {
                cursor.bump();
            }
            kind.extend(term(cursor)?);
        }
        if !terms.included.is_empty() || !terms.excluded.is_empty() {
            terms.optional.clear();
        }
        Ok(terms)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.included.is_empty() && self.excluded.is_empty() && self.optional.is_empty()
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        self.included.iter().all(|term| term.is_in(message))
            && !self.excluded.iter().any(|term| term.is_in(message))
            && (self.optional.is_empty() || self.optional.iter().any(|term| term.is_in(message)))
    }
}

/// One term; nothing for `" "` and `""`, which ask for nothing.
fn term(cursor: &mut Cursor<'_>) -> Result<Option<Term>, PatternError> {
    match cursor.peek() {
        Some('"') => {
            let text = unescaped(quoted(cursor)?);
            Ok(if text.trim().is_empty() { None } else { Some(Term::Text(text)) })
        }
        Some('%') => Ok(Some(Term::Regex(regular::compile(cursor.regex()?)?))),
        _ => {
            let text = cursor.take_while(|c| !c.is_whitespace());
            if text.is_empty() || !text.chars().all(|c| c.is_alphanumeric() || c == '_') {
                return Err(PatternError::Term(text.to_owned()));
            }
            Ok(Some(Term::Text(text.to_owned())))
        }
    }
}
