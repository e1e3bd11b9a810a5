//! Policy documents: read or refused, and what was read can be written and read again.

#![no_main]

use policy::{Purpose, counted_size, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    counted_size(text);
    for purpose in [Purpose::Managed, Purpose::Inline, Purpose::Trust, Purpose::Session] {
        match parse(text, purpose) {
            Ok(document) => {
                let written = document.to_json().to_string();
                assert_eq!(parse(&written, purpose).as_ref(), Ok(&document), "{written}");
            }
            Err(malformed) => assert!(malformed.to_string().len() < 10_000 + text.len()),
        }
    }
});
