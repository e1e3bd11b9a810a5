//! Bodies in chunks, however they are cut: never more bytes than were announced, and the same whether they come at once or
//! piece by piece.

#![no_main]

use std::collections::BTreeSet;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wire::chunked::{Announced, Chunks};
use wire::content::{ContentError, Trailers};

fuzz_target!(|data: (u16, u8, bool, &[u8])| {
    let (length, step, has_trailer, body) = data;
    let whole = read(u64::from(length), has_trailer, body, body.len().max(1));
    let pieces = read(u64::from(length), has_trailer, body, usize::from(step).max(1));
    assert_eq!(whole, pieces);
    if let Ok((bytes, _)) = whole {
        assert_eq!(bytes.len(), usize::from(length));
    }
});

fn read(length: u64, has_trailer: bool, body: &[u8], step: usize) -> Result<(Vec<u8>, Trailers), ContentError> {
    let trailers = BTreeSet::from(["x-amz-checksum-crc32".to_owned()]);
    let mut chunks = Chunks::new(Announced { length, trailers }, None, has_trailer);
    let mut bytes = Vec::new();
    for piece in body.chunks(step) {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(piece) = chunks.next(&mut input)? {
            bytes.extend_from_slice(&piece);
            assert!(bytes.len() as u64 <= length);
        }
    }
    Ok((bytes, chunks.finish()?))
}
