//! Pages of lists.

use platform::Ctx;

use crate::{Error, Lambda};

/// The size of a page: what was asked for, but no more than `max`.
pub(crate) fn size(asked: Option<i32>, max: usize) -> usize {
    asked.and_then(|asked| usize::try_from(asked).ok()).filter(|size| *size > 0).map_or(max, |size| size.min(max))
}

/// What a marker continues after. It is good for one list alone, which `list` names.
///
/// # Errors
/// [`Error::Parameter`] for one that was not given out for this list.
pub(crate) fn open(lambda: &Lambda, ctx: &Ctx, list: &str, marker: Option<&str>) -> Result<Option<String>, Error> {
    let marker = marker.filter(|marker| !marker.is_empty());
    marker.map(|marker| lambda.platform.open_page_token(ctx, list, marker).map_err(|_| Error::marker())).transpose()
}

/// The marker that continues `list` after `last`.
pub(crate) fn next(lambda: &Lambda, ctx: &Ctx, list: &str, last: Option<&str>) -> Option<String> {
    last.map(|last| lambda.platform.page_token(ctx, list, last))
}

/// Of items in the order of their keys: the page that begins after `after`, and the key of its last item if more follow.
pub(crate) fn cut<T>(
    items: Vec<T>,
    after: Option<&str>,
    size: usize,
    key: impl Fn(&T) -> String,
) -> (Vec<T>, Option<String>) {
    let mut page: Vec<T> =
        items.into_iter().filter(|item| after.is_none_or(|after| key(item).as_str() > after)).collect();
    let has_more = page.len() > size;
    page.truncate(size);
    let last = page.last().filter(|_| has_more).map(key);
    (page, last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_cut_between_keys() {
        let all = || vec!["a", "b", "c"];
        let key = |item: &&str| (*item).to_owned();
        assert_eq!(cut(all(), None, 2, key), (vec!["a", "b"], Some("b".to_owned())));
        assert_eq!(cut(all(), Some("b"), 2, key), (vec!["c"], None));
        assert_eq!(cut(all(), Some("bb"), 1, key), (vec!["c"], None));
        assert_eq!((size(None, 50), size(Some(60), 50), size(Some(2), 50)), (50, 50, 2));
    }
}
