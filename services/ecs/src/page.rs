//! Pages of lists.

use platform::{Ctx, Platform};

use crate::Error;

/// Most lists' largest page, and the one that is answered when none is asked for.
pub(crate) const PAGE_MAX: i32 = 100;

/// The size of a page: what was asked for, within bounds, or the most.
pub(crate) fn size(asked: Option<i32>, max: i32) -> Result<usize, Error> {
    let size = asked.unwrap_or(max);
    if !(1..=max).contains(&size) {
        return Err(Error::MaxResults(max));
    }
    usize::try_from(size).map_err(|_| Error::MaxResults(max))
}

/// What a token continues after. The empty token is none: some clients send it for the first page.
pub(crate) fn open(platform: &Platform, ctx: &Ctx, list: &str, token: Option<&str>) -> Result<Option<String>, Error> {
    let token = token.filter(|token| !token.is_empty());
    token.map(|token| platform.open_page_token(ctx, list, token).map_err(|_| Error::NextToken)).transpose()
}

/// The token that continues `list` after `last`.
pub(crate) fn next(platform: &Platform, ctx: &Ctx, list: &str, last: Option<&String>) -> Option<String> {
    last.map(|last| platform.page_token(ctx, list, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_size_within_its_bounds() {
        assert_eq!(size(None, PAGE_MAX).unwrap(), 100);
        assert_eq!(size(Some(1), PAGE_MAX).unwrap(), 1);
        for wrong in [0, -1, 101, i32::MAX, i32::MIN] {
            assert_eq!(size(Some(wrong), PAGE_MAX).unwrap_err().to_string(), "maxResults must be between 1 and 100.");
        }
    }
}
