//! Tokens that continue a list: opaque, tamper-evident, good for one operation of one account in one region.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use crate::{Ctx, Platform};

/// A token that was not given out for this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token was not given out for this list")]
pub struct InvalidPageToken;

impl Platform {
    /// The token with which `operation` goes on after the item `last`.
    pub fn page_token(&self, ctx: &Ctx, operation: &str, last: &str) -> String {
        BASE64.encode(self.keyring.seal(&purpose(ctx, operation), last.as_bytes()))
    }

    /// The last item that was listed before `token` was given out.
    pub fn open_page_token(&self, ctx: &Ctx, operation: &str, token: &str) -> Result<String, InvalidPageToken> {
        let sealed = BASE64.decode(token).map_err(|_| InvalidPageToken)?;
        let plain = self.keyring.open(&purpose(ctx, operation), &sealed).ok_or(InvalidPageToken)?;
        std::str::from_utf8(&plain).map(str::to_owned).map_err(|_| InvalidPageToken)
    }
}

fn purpose(ctx: &Ctx, operation: &str) -> String {
    format!("page-token/{}/{}/{operation}", ctx.account(), ctx.region)
}

#[cfg(test)]
mod tests {
    use base::{AccountId, Principal, Region, Timestamp};
    use proptest::prelude::*;

    use super::*;

    fn ctx(account: &str) -> Ctx {
        let account: AccountId = account.parse().unwrap();
        Ctx::new(Principal::root(account), Region::default(), Timestamp::default(), "r")
    }

    #[test]
    fn a_token_is_good_for_its_list_alone() {
        let platform = Platform::in_memory();
        let (mine, other) = (ctx("111111111111"), ctx("222222222222"));
        let token = platform.page_token(&mine, "ListClusters", "last");
        assert_eq!(platform.open_page_token(&mine, "ListClusters", &token).unwrap(), "last");
        assert!(platform.open_page_token(&other, "ListClusters", &token).is_err());
        assert!(platform.open_page_token(&mine, "ListTasks", &token).is_err());
    }

    proptest! {
        #[test]
        fn any_text_as_token_is_refused(text in ".{0,200}") {
            let platform = Platform::in_memory();
            prop_assert!(platform.open_page_token(&ctx("111111111111"), "ListClusters", &text).is_err());
        }
    }
}
