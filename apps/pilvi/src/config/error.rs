//! Errors that point into the configuration file.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What is wrong with a configuration file, and where. The text of the file is never quoted: it holds secrets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}", path = .path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    /// The file as a whole is refused.
    #[error("{path}: {message}", path = .path.display())]
    Whole { path: PathBuf, message: String },
    /// A key or value is refused.
    #[error("{path}:{line}:{column}: {message}", path = .path.display())]
    At { path: PathBuf, line: usize, column: usize, message: String },
}

impl ConfigError {
    pub(super) fn unreadable(path: &Path, error: io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), error }
    }

    pub(super) fn whole(path: &Path, message: String) -> Self {
        Self::Whole { path: path.to_owned(), message }
    }

    /// An error at the bytes `span` of the file's text.
    pub(super) fn at(path: &Path, text: &str, span: Range<usize>, message: String) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self::At { path: path.to_owned(), line, column, message }
    }

    /// An error of the TOML reader, without the excerpt of the file that it would show.
    pub(super) fn from_toml(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let message = unknown_key(error.message()).unwrap_or_else(|| error.message().replace('\n', "; "));
        match error.span() {
            Some(span) => Self::at(path, text, span, message),
            None => Self::whole(path, message),
        }
    }
}

/// Says serde's "unknown field `a`, expected one of `b`, `c`" in the words of a configuration file.
fn unknown_key(message: &str) -> Option<String> {
    message.strip_prefix("unknown field ")?;
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    let known: Vec<&str> = quoted.collect();
    Some(match nearest(unknown, &known) {
        Some(near) => format!("unknown key `{unknown}`; did you mean `{near}`?"),
        None => format!("unknown key `{unknown}`; known here: {}", known.join(", ")),
    })
}

/// The known key that a slip of the pen could have meant: at most a third of its letters differ.
fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    let (distance, near) = known.iter().map(|key| (edit_distance(unknown, key), *key)).min()?;
    (distance * 3 <= near.len().max(3)).then_some(near)
}

/// Insertions, removals and substitutions between two words (Levenshtein).
fn edit_distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edit_distance_counts_single_letters() {
        assert_eq!(edit_distance("listen", "listen"), 0);
        assert_eq!(edit_distance("lisen", "listen"), 1);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
    }

    #[test]
    fn a_word_far_from_every_key_gets_no_suggestion() {
        assert_eq!(nearest("acount", &["account", "region"]), Some("account"));
        assert_eq!(nearest("colour", &["account", "region"]), None);
        assert_eq!(nearest("x", &[]), None);
    }

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        let error = ConfigError::at(Path::new("f"), "ä = 1\nöö = 2", 9..11, "m".into());
        assert_eq!(error.to_string(), "f:2:2: m");
    }

    #[test]
    fn why_a_file_cannot_be_read_is_said_once() {
        let refused = ConfigError::unreadable(Path::new("/none.toml"), io::ErrorKind::NotFound.into());
        assert_eq!(format!("{:#}", anyhow::Error::from(refused)), "cannot read /none.toml: entity not found");
    }
}
