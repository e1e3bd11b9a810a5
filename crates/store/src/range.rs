//! Reading many keys at once.

use crate::limits::PAGE_ENTRIES_MAX;
use crate::{Entry, Key, Revision};

/// Which keys to read, and of which revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The first key that is within, in its stored form.
    pub start: String,
    /// The first key that is beyond; none reads to the end.
    pub end: Option<String>,
    /// The most entries to answer; [`PAGE_ENTRIES_MAX`] at most.
    pub limit: usize,
    /// Whether to begin with the last key.
    pub reverse: bool,
    /// The revision to read at; none reads the present.
    pub at: Option<Revision>,
}

impl Range {
    /// The keys below `prefix`; not `prefix` itself.
    pub fn prefix(prefix: &Key) -> Self {
        let (start, end) = prefix.bounds_below();
        Self { start, end, limit: PAGE_ENTRIES_MAX, reverse: false, at: None }
    }

    /// The keys below `above` whose rest begins with the text `rest`, which need not end where a segment does. Of an id
    /// that is written segment by segment (see [`Key`]) `rest` is the beginning in its stored form: [`Key::stored`].
    pub fn beginning_with(above: &Key, rest: &str) -> Self {
        let (below, _) = above.bounds_below();
        let start = format!("{below}{rest}");
        Self { end: first_beyond(&start), start, ..Self::prefix(above) }
    }

    /// Only keys from this text on, which is in its stored form.
    pub fn not_before(self, start: String) -> Self {
        Self { start: self.start.max(start), ..self }
    }

    /// Only keys before this text, which is in its stored form.
    pub fn before(self, end: String) -> Self {
        let end = match self.end {
            Some(own) => own.min(end),
            None => end,
        };
        Self { end: Some(end), ..self }
    }

    /// At most this many entries.
    pub fn limit(self, limit: usize) -> Self {
        Self { limit: limit.min(PAGE_ENTRIES_MAX), ..self }
    }

    /// The last key first.
    pub fn reverse(self) -> Self {
        Self { reverse: true, ..self }
    }

    /// As it was at `revision`.
    pub fn at(self, revision: Revision) -> Self {
        Self { at: Some(revision), ..self }
    }

    /// Continues a listing: only what comes after `key`, in the direction of the range.
    pub fn after(self, key: &Key) -> Self {
        if self.reverse {
            let end = Some(key.as_str().to_owned());
            return Self { end: if self.end.is_some() && self.end < end { self.end } else { end }, ..self };
        }
        Self { start: self.start.max(format!("{}\0", key.as_str())), ..self }
    }

    pub(crate) fn limit_to_page(self) -> Self {
        let limit = self.limit;
        self.limit(limit)
    }

    pub(crate) fn contains(&self, key: &Key) -> bool {
        key.as_str() >= self.start.as_str() && self.end.as_deref().is_none_or(|end| key.as_str() < end)
    }
}

/// The first text that comes after every text with this beginning; none if there is none.
pub fn first_beyond(beginning: &str) -> Option<String> {
    let mut characters: Vec<char> = beginning.chars().collect();
    while let Some(last) = characters.pop() {
        // The bytes of UTF-8 are in the order of the characters, among which the surrogates are missing.
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

/// A part of what a range holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The entries, in the order of their keys (or against it).
    pub entries: Vec<Entry>,
    /// Whether there are more; go on with [`Range::after`] the last.
    pub more: bool,
    /// The revision that was read: watch from it to miss nothing, or read on [`Range::at`] it.
    pub revision: Revision,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_range_of_a_beginning_holds_what_begins_so_and_nothing_else(
            rest in "[a-c/%\u{7f}\u{d7ff}\u{10ffff}]{0,3}",
            key in "[a-c/%\u{7f}\u{d7ff}\u{e000}\u{10ffff}]{1,5}",
        ) {
            let above = Key::new(["p"]);
            let range = Range::beginning_with(&above, &Key::stored(&rest));
            let key = above.join(key.split('/'));
            let begins = key.as_str()[2..].starts_with(&Key::stored(&rest));
            prop_assert_eq!(range.contains(&key), begins, "{} {}", range.start, key);
        }
    }

    #[test]
    fn bounds_only_narrow() {
        let range = Range::beginning_with(&Key::new(["p"]), "b");
        let narrowed = range.clone().not_before("p/bb".to_owned()).before("p/bd".to_owned());
        assert_eq!((narrowed.start.as_str(), narrowed.end.as_deref()), ("p/bb", Some("p/bd")));
        assert_eq!(range.clone().not_before("p/a".to_owned()).before("p/z".to_owned()), range);
        assert_eq!(first_beyond(&char::MAX.to_string()), None);
    }
}
