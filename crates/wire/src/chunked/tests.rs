use std::sync::Arc;

use base::Timestamp;

use super::*;
use crate::sigv4::{CredentialScope, SecretAccessKey, SigningKey};

const HEAD: &str = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";

fn chain() -> ChunkChain {
    let at = Timestamp::parse_basic("20130524T000000Z").unwrap();
    let scope = CredentialScope::new(at, "us-east-1", "s3");
    let key = SigningKey::derive(&SecretAccessKey::new("secret"), &scope);
    ChunkChain::new(Arc::new(key), &scope, at, HEAD.to_owned())
}

fn announced(length: u64, trailers: &[&str]) -> Announced {
    Announced { length, trailers: trailers.iter().map(|name| (*name).to_owned()).collect() }
}

/// Chunks as a client signs them, one text each, the last one empty.
fn signed(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, ChunkChain) {
    let mut chain = chain();
    let last: &[u8] = b"";
    let chunks = pieces.iter().chain([&last]).map(|piece| {
        let signature = chain.chunk(Sha256::digest(piece).into()).to_owned();
        let mut chunk = format!("{:x};chunk-signature={signature}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(if piece.is_empty() { b"" } else { b"\r\n" });
        chunk
    });
    (chunks.collect(), chain)
}

/// What is read of a body that comes in pieces of `step` bytes.
fn read(mut chunks: Chunks, body: &[u8], step: usize) -> Result<(Vec<u8>, Trailers), ContentError> {
    let mut whole = Vec::new();
    for piece in body.chunks(step.max(1)) {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(bytes) = chunks.next(&mut input)? {
            assert!(!bytes.is_empty());
            whole.extend_from_slice(&bytes);
        }
        assert!(input.is_empty());
    }
    let trailers = chunks.finish()?;
    Ok((whole, trailers))
}

fn read_signed(body: &[u8], length: u64) -> Result<Vec<u8>, ContentError> {
    read(Chunks::new(announced(length, &[]), Some(chain()), false), body, usize::MAX).map(|(whole, _)| whole)
}

fn read_unsigned(body: &str, length: u64, trailers: &[&str]) -> Result<(Vec<u8>, Trailers), ContentError> {
    read(Chunks::new(announced(length, trailers), None, true), body.as_bytes(), 7)
}

const LARGE: [u8; 9000] = [b'x'; 9000];
const OTHER: [u8; 9000] = [b'y'; 9000];

#[test]
fn signed_chunks_are_read_however_they_come() {
    let (chunks, _) = signed(&[&LARGE, &OTHER, b"rest"]);
    let body = [chunks.concat(), b"\r\n".to_vec()].concat();
    for step in [1, 2, 63, 8192, usize::MAX] {
        let read = read(Chunks::new(announced(18_004, &[]), Some(chain()), false), &body, step);
        assert_eq!(read, Ok(([&LARGE[..], &OTHER, b"rest"].concat(), Trailers::new())), "{step}");
    }
}

#[test]
fn chunks_in_another_order_doubled_left_out_or_cut_short_are_refused() {
    let (chunks, _) = signed(&[&LARGE, &OTHER]);
    let (first, second, last) = (&chunks[0], &chunks[1], [&chunks[2][..], b"\r\n"].concat());
    let whole = [first, second, &last].map(|chunk| &chunk[..]).concat();
    assert!(read_signed(&whole, 18_000).is_ok());
    for (attack, length, refused) in [
        (vec![second, first, &last], 18_000, ContentError::ChunkSignature),
        (vec![first, first, &last], 18_000, ContentError::ChunkSignature),
        (vec![second, &last], 9000, ContentError::ChunkSignature),
        (vec![first, &last], 9000, ContentError::ChunkSignature),
        (vec![first, second, second], 27_000, ContentError::ChunkSignature),
        (vec![first, second], 18_000, ContentError::Incomplete),
        (vec![first], 18_000, ContentError::Incomplete),
        // The length that the head has signed holds.
        (vec![first, second, &last], 18_001, ContentError::Incomplete),
        (vec![first, second, &last], 17_999, ContentError::Incomplete),
        (vec![first, second, &last, &last], 18_000, ContentError::MalformedChunk),
    ] {
        let body = attack.into_iter().flatten().copied().collect::<Vec<u8>>();
        assert_eq!(read_signed(&body, length), Err(refused));
    }
    for cut in [whole.len() - 1, whole.len() - 2, whole.len() - 90, 9100, 50, 1, 0] {
        assert_eq!(read_signed(&whole[..cut], 18_000), Err(ContentError::Incomplete), "{cut}");
    }
}

#[test]
fn a_changed_byte_or_a_foreign_or_missing_signature_is_refused() {
    let (chunks, _) = signed(&[&LARGE]);
    let body = [chunks.concat(), b"\r\n".to_vec()].concat();
    let mut changed = body.clone();
    changed[200] ^= 1;
    assert_eq!(read_signed(&changed, 9000), Err(ContentError::ChunkSignature));
    let text = String::from_utf8(body).unwrap();
    let stripped = format!("2328\r\n{}\r\n0\r\n\r\n", "x".repeat(9000));
    assert_eq!(read_signed(stripped.as_bytes(), 9000), Err(ContentError::ChunkSignature), "signatures stripped");
    let start = text.find('=').unwrap() + 1;
    for foreign in ["", "0", HEAD, &text[start..start + 63]] {
        let body = text.replacen(&text[start..start + 64], foreign, 1);
        assert_eq!(read_signed(body.as_bytes(), 9000), Err(ContentError::ChunkSignature), "{foreign}");
    }
    // Nor may a chunk be taken out of another request, whose chain began elsewhere.
    let mut elsewhere = chain();
    elsewhere.chunk([0; 32]);
    let chunks = Chunks::new(announced(9000, &[]), Some(elsewhere), false);
    assert_eq!(read(chunks, text.as_bytes(), usize::MAX), Err(ContentError::ChunkSignature));
}

#[test]
fn a_signed_trailer_is_verified_and_one_that_is_forged_is_not() {
    let name = "x-amz-checksum-crc32c";
    let (chunks, mut chain_so_far) = signed(&[&LARGE]);
    let signature = chain_so_far.trailer("x-amz-checksum-crc32c:sOO8/Q==\n").to_owned();
    let body = |value: &str, signature: &str| {
        let trailer = format!("{name}:{value}\r\nx-amz-trailer-signature:{signature}\r\n\r\n");
        [chunks.concat(), trailer.into_bytes()].concat()
    };
    let told = |body: &[u8]| read(Chunks::new(announced(9000, &[name]), Some(chain()), true), body, 11).map(|(_, t)| t);
    let expected = Trailers::from([(name.to_owned(), "sOO8/Q==".to_owned())]);
    assert_eq!(told(&body("sOO8/Q==", &signature)), Ok(expected));
    assert_eq!(told(&body("AAAAAA==", &signature)), Err(ContentError::ChunkSignature));
    assert_eq!(told(&body("sOO8/Q==", HEAD)), Err(ContentError::ChunkSignature));
    let unsigned = [chunks.concat(), format!("{name}:sOO8/Q==\r\n\r\n").into_bytes()].concat();
    assert_eq!(told(&unsigned), Err(ContentError::ChunkSignature));
    let none = [chunks.concat(), b"\r\n".to_vec()].concat();
    assert_eq!(told(&none), Err(ContentError::MalformedTrailer));
}

#[test]
fn unsigned_chunks_bring_the_trailers_that_were_announced_and_no_others() {
    let name = "x-amz-checksum-crc32";
    let body = |trailer: &str| format!("4\r\nabcd\r\n0\r\n{trailer}\r\n");
    let expected = Trailers::from([(name.to_owned(), "AAAA".to_owned())]);
    assert_eq!(read_unsigned(&body("X-Amz-Checksum-CRC32: AAAA \r\n"), 4, &[name]), Ok((b"abcd".to_vec(), expected)));
    assert_eq!(read_unsigned(&body(""), 4, &[]), Ok((b"abcd".to_vec(), Trailers::new())));
    for (trailer, announced) in [
        ("", &[name][..]),
        ("x-amz-checksum-crc32:AAAA\r\n", &[]),
        ("x-amz-checksum-sha1:AAAA\r\n", &[name]),
        ("x-amz-checksum-crc32:AAAA\r\nx-amz-checksum-crc32:BBBB\r\n", &[name]),
        ("x-amz-checksum-crc32\r\n", &[name]),
        ("x-amz-meta-evil:1\r\n", &[name]),
        ("x-amz-trailer-signature:0\r\n", &[]),
    ] {
        assert_eq!(read_unsigned(&body(trailer), 4, announced), Err(ContentError::MalformedTrailer), "{trailer}");
    }
    let chunks = Chunks::new(announced(4, &[]), None, false);
    let found = read(chunks, body("x-amz-checksum-crc32:AAAA\r\n").as_bytes(), 5);
    assert_eq!(found, Err(ContentError::MalformedTrailer), "a trailer where none is to be");
}

#[test]
fn what_stands_between_chunks_is_nothing_else() {
    for body in [
        "4;x\r\nabcd\r\n0\r\n\r\n",
        "4 \r\nabcd\r\n0\r\n\r\n",
        "+4\r\nabcd\r\n0\r\n\r\n",
        "0x4\r\nabcd\r\n0\r\n\r\n",
        "\r\nabcd\r\n0\r\n\r\n",
        "4\nabcd\r\n0\r\n\r\n",
        "4\r\nabcdX\r\n0\r\n\r\n",
        "00000000000000004\r\nabcd\r\n0\r\n\r\n",
        "4\r\nabcd\r\n0\r\n\r\nX",
    ] {
        assert_eq!(read_unsigned(body, 4, &[]), Err(ContentError::MalformedChunk), "{body}");
    }
    assert_eq!(read_unsigned("ffffffffffffffff\r\nabcd", 4, &[]), Err(ContentError::Incomplete));
    let endless = format!("4{}", "0".repeat(LINE_BYTES_MAX));
    assert_eq!(read_unsigned(&endless, 4, &[]), Err(ContentError::MalformedChunk));
}

#[test]
fn only_the_last_chunk_may_be_small() {
    assert_eq!(read_unsigned("4\r\nabcd\r\n4\r\nabcd\r\n0\r\n\r\n", 8, &[]), Err(ContentError::SmallChunk));
    let body = format!("2000\r\n{}\r\n1\r\nx\r\n0\r\n\r\n", "x".repeat(8192));
    assert!(read_unsigned(&body, 8193, &[]).is_ok());
    assert_eq!(read_unsigned("0\r\n\r\n", 0, &[]), Ok((Vec::new(), Trailers::new())));
}

#[test]
fn the_head_says_how_long_the_object_is_and_what_follows_it() {
    let of = |pairs: &[(&'static str, &str)]| {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        Announced::of(&headers).map(|announced| (announced.length, announced.trailers.len()))
    };
    let length = (DECODED_LENGTH, "17");
    assert_eq!(of(&[length]), Ok((17, 0)));
    assert_eq!(of(&[length, (TRAILER, "x-amz-checksum-crc32, X-Amz-Checksum-SHA1")]), Ok((17, 2)));
    assert_eq!(of(&[]).unwrap_err().code, "MissingContentLength");
    for wrong in ["", "-1", "+1", "1.0", "99999999999999999999"] {
        assert_eq!(of(&[(DECODED_LENGTH, wrong)]).unwrap_err().code, "InvalidArgument", "{wrong}");
    }
    for wrong in ["x-amz-meta-a", "content-length", "x-amz-trailer-signature"] {
        assert_eq!(of(&[length, (TRAILER, wrong)]).unwrap_err().code, "InvalidRequest", "{wrong}");
    }
}

proptest::proptest! {
    #[test]
    fn no_body_makes_the_reader_panic_or_hand_out_more_than_was_announced(
        body in "[0-9a-f;=\r\n:x-]{0,200}",
        step in 1usize..50,
        length in 0u64..40,
    ) {
        let mut chunks = Chunks::new(announced(length, &[]), None, true);
        let mut count = 0;
        for piece in body.as_bytes().chunks(step) {
            let mut input = Bytes::copy_from_slice(piece);
            while let Ok(Some(bytes)) = chunks.next(&mut input) {
                count += bytes.len() as u64;
            }
        }
        proptest::prop_assert!(count <= length);
    }
}
