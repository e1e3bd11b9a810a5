//! Pages of lists.

use platform::{Ctx, Platform};

use crate::Error;

/// The page that is answered when none is asked for. (API reference: "If this parameter is not used, then … 100 results".)
pub(crate) const PAGE_DEFAULT: usize = 100;

/// The size of a page: what was asked for, whose bounds the model has checked, or the default.
pub(crate) fn size(asked: Option<i32>, default: usize) -> usize {
    asked.and_then(|asked| usize::try_from(asked).ok()).filter(|size| *size > 0).unwrap_or(default)
}

/// What a token continues after. It is good for one list of one repository alone, which `list` names.
///
/// # Errors
/// [`Error::NextToken`] for one that was not given out for this list.
pub(crate) fn open(platform: &Platform, ctx: &Ctx, list: &str, token: Option<&str>) -> Result<Option<String>, Error> {
    let token = token.filter(|token| !token.is_empty());
    token.map(|token| platform.open_page_token(ctx, list, token).map_err(|_| Error::NextToken)).transpose()
}

/// The token that continues `list` after `last`.
pub(crate) fn next(platform: &Platform, ctx: &Ctx, list: &str, last: Option<&str>) -> Option<String> {
    last.map(|last| platform.page_token(ctx, list, last))
}
