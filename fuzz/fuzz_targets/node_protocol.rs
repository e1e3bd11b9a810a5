//! What server and node say to each other, and by what a machine joins: tokens, fingerprints, addresses.

#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use node::certificates::Fingerprint;
use node::gate::Token;
use node::join::Address;
use node::protocol::{FromNode, Hello, Request, ToNode, Welcome};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::serve::Below;

fuzz_target!(|data: &[u8]| {
    for line in data.split(|byte| *byte == b'\n').take(16) {
        frame::<Hello>(line);
        frame::<Welcome>(line);
        frame::<FromNode>(line);
        if let Some(ToNode::Ask { request: Request::Assign(assignment), .. }) = frame::<ToNode<Request>>(line) {
            // What a node is told is looked at before anything is made of it.
            let _ = assignment.spec.validate();
            let _ = assignment.spec.permissions();
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    name::<Fingerprint>(text);
    name::<Address>(text);
    if let Ok(token) = text.parse::<Token>() {
        assert_eq!(token.reveal().parse::<Token>().ok().map(|it| it.id), Some(token.id));
    }
    let _ = Below::new(text);
});

/// What was read is written as something that is read as the same.
fn frame<T: DeserializeOwned + Serialize>(line: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(line).ok()?;
    let written = serde_json::to_value(&read).expect("what was read can be written");
    let again: T = serde_json::from_value(written.clone()).expect("what was written can be read");
    assert_eq!(serde_json::to_value(&again).expect("what was read can be written"), written);
    Some(read)
}

fn name<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        assert_eq!(read.to_string().parse::<T>().ok(), Some(read));
    }
}
