//! Lists that are read key by key: a part of what lies below a key, from a place on, in either direction.

use platform::{Ctx, Platform};
use store::{Key, Range, Store, StoreError};

use crate::Error;

/// Which keys to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span<'a> {
    /// Below what they lie.
    pub(crate) base: &'a Key,
    /// The first name that is within, as a text that names begin with or come after; none for all.
    pub(crate) from: Option<&'a str>,
    /// The first name that is beyond.
    pub(crate) to: Option<&'a str>,
    /// The name after which to go on.
    pub(crate) after: Option<&'a str>,
    /// Whether to begin with the last.
    pub(crate) is_reverse: bool,
    /// How many at most.
    pub(crate) limit: usize,
}

/// Names, in order, and whether there are more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) names: Vec<String>,
    pub(crate) more: bool,
}

/// The last segments of the keys of a span.
pub(crate) async fn names(store: &Store, span: Span<'_>) -> Result<Names, StoreError> {
    let mut range = Range::prefix(span.base).limit(span.limit);
    if let Some(from) = span.from {
        range.start = range.start.max(span.base.child(from).as_str().to_owned());
    }
    if let Some(to) = span.to {
        let to = span.base.child(to).as_str().to_owned();
        range.end = Some(range.end.map_or(to.clone(), |end| end.min(to)));
    }
    if span.is_reverse {
        range = range.reverse();
    }
    if let Some(after) = span.after {
        range = range.after(&span.base.child(after));
    }
    let page = store.range(range).await?;
    let names = page.entries.iter().filter_map(|entry| entry.key.segments().last().map(Into::into)).collect();
    Ok(Names { names, more: page.more })
}

/// What comes after every text that begins with `prefix`.
pub(crate) fn beyond(prefix: &str) -> Option<String> {
    let mut beyond = prefix.to_owned();
    while let Some(last) = beyond.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            beyond.push(next);
            return Some(beyond);
        }
    }
    None
}

/// What a token continues after. The empty token is none: some clients send it for the first page.
pub(crate) fn open(platform: &Platform, ctx: &Ctx, list: &str, token: Option<&str>) -> Result<Option<String>, Error> {
    let token = token.filter(|token| !token.is_empty());
    token.map(|token| platform.open_page_token(ctx, list, token).map_err(|_| Error::NextToken)).transpose()
}

/// The size of a page: what was asked for, within bounds that the model has checked, or the most.
pub(crate) fn size(asked: Option<i32>, max: usize) -> usize {
    asked.and_then(|asked| usize::try_from(asked).ok()).filter(|asked| *asked > 0).map_or(max, |asked| asked.min(max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_a_prefix_comes_after_all_that_begins_with_it() {
        assert_eq!(beyond("ab").as_deref(), Some("ac"));
        assert_eq!(beyond("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(beyond("\u{D7FF}").as_deref(), Some("\u{E000}"));
        assert_eq!(beyond(""), None);
    }
}
