//! Pages of lists.

use platform::{Ctx, Platform};

use crate::Error;

/// The largest page of a Describe operation, and the one that is answered when none is asked for.
pub(crate) const PAGE_MAX: usize = 50;

/// The size of a page: what was asked for (the model has checked its bounds), or the most.
pub(crate) fn size(asked: Option<i32>, max: usize) -> usize {
    asked.and_then(|asked| usize::try_from(asked).ok()).filter(|size| *size > 0).map_or(max, |size| size.min(max))
}

/// What a token continues after.
///
/// # Errors
/// [`Error::NextToken`] for one that was not given out for this list.
pub(crate) fn open(platform: &Platform, ctx: &Ctx, list: &str, token: Option<&str>) -> Result<Option<String>, Error> {
    token.map(|token| platform.open_page_token(ctx, list, token).map_err(|_| Error::NextToken)).transpose()
}

/// The token that continues `list` after `last`.
pub(crate) fn next(platform: &Platform, ctx: &Ctx, list: &str, last: Option<&str>) -> Option<String> {
    last.map(|last| platform.page_token(ctx, list, last))
}
