//! Tokens that claim to continue a list: without the installation's key nobody can make one.

#![no_main]

use std::cell::OnceCell;

use base::{AccountId, Principal, Region, Timestamp};
use libfuzzer_sys::fuzz_target;
use platform::{Ctx, Platform};

thread_local! {
    static PLATFORM: OnceCell<Platform> = const { OnceCell::new() };
}

fuzz_target!(|token: &str| {
    PLATFORM.with(|platform| {
        let platform = platform.get_or_init(Platform::in_memory);
        let ctx = Ctx::new(Principal::root(AccountId::DEFAULT), Region::default(), Timestamp::default(), "request");
        assert!(platform.open_page_token(&ctx, "ListClusters", token).is_err(), "a forged token was taken");
    });
});
