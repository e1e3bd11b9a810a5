//! Lists that answer names only, read from secondary keys: no record is read, from either end, from a prefix on.
//!
//! A secondary key lies at `<scope>/<service>/<kind>@<index>/<value>/<id>`; the records that are listed so have ids of
//! one segment.

use store::{Key, Range, Record, Scope, Store, StoreError};

/// Which ids to list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window<'a> {
    /// The secondary key's index.
    pub(crate) index: &'static str,
    /// Its value.
    pub(crate) value: &'a str,
    /// What the ids begin with.
    pub(crate) prefix: &'a str,
    /// The id after which to go on.
    pub(crate) after: Option<&'a str>,
    /// How many at most.
    pub(crate) limit: usize,
    /// Whether to begin with the last.
    pub(crate) reverse: bool,
}

/// Ids, in order, and whether there are more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ids {
    /// The ids.
    pub(crate) ids: Vec<String>,
    /// Whether there are more after the last.
    pub(crate) more: bool,
}

/// The ids of the records of a kind that have a secondary key.
pub(crate) async fn ids<R: Record>(store: &Store, scope: &Scope, window: Window<'_>) -> Result<Ids, StoreError> {
    let base = scope.key().child(R::SERVICE).child(&format!("{}@{}", R::KIND, window.index)).child(window.value);
    let page = store.range(range(&base, window)).await?;
    let ids = page.entries.iter().filter_map(|entry| entry.key.segments().last().map(Into::into)).collect();
    Ok(Ids { ids, more: page.more })
}

fn range(base: &Key, window: Window<'_>) -> Range {
    let mut range = Range::prefix(base).limit(window.limit);
    if let Some(last) = window.prefix.chars().last() {
        let start = base.child(window.prefix).as_str().to_owned();
        let next = char::from_u32(u32::from(last) + 1).unwrap_or(char::MAX);
        range.end = Some(format!("{}{next}", &start[..start.len() - last.len_utf8()]));
        range.start = start;
    }
    if window.reverse {
        range = range.reverse();
    }
    match window.after {
        Some(after) => range.after(&base.child(after)),
        None => range,
    }
}
