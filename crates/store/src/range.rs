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
