//! Bodies that the signature covers piece by piece, or not at all: no byte counts that its sender did not vouch for.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tests::REGION;
use tests::raw::{Answer, Request};
use wire::sigv4::{ChunkChain, CredentialScope, Credentials, SignableBody, SigningKey, StreamingKind};

use super::yard::{CONTENT_SHA256, SECRET, Yard, is_refused, outcome, signed, signed_as};
use crate::security::target::{now, whole};

/// Content of three chunks: the first two are as long as chunks have to be.
const PIECE: usize = 8192;
const CRC32: &str = "x-amz-checksum-crc32";

/// A body in chunks, in pieces that can be put together wrongly.
#[derive(Clone)]
struct Stream {
    request: Request,
    chunks: Vec<Vec<u8>>,
    /// The empty chunk and what follows it.
    end: Vec<u8>,
}

impl Stream {
    fn answer(&self, yard: &mut Yard, order: &[usize]) -> Answer {
        let mut request = self.request.clone();
        request.body = order.iter().flat_map(|at| self.chunks[*at].clone()).chain(self.end.clone()).collect();
        yard.scene.connection.send_bytes(&whole(&request))
    }

    /// Whole, and in order.
    fn all(&self, yard: &mut Yard) -> Answer {
        let order: Vec<usize> = (0..self.chunks.len()).collect();
        self.answer(yard, &order)
    }
}

fn content() -> Vec<Vec<u8>> {
    vec![vec![b'a'; PIECE], vec![b'b'; PIECE], b"the rest".to_vec()]
}

fn crc32(content: &[u8]) -> String {
    let mut crc = u32::MAX;
    for byte in content {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode((!crc).to_be_bytes())
}

/// An upload to `key` in chunks as `kind` says, with a trailing checksum where there is a trailer.
fn stream(yard: &Yard, by: &Credentials, key: &str, kind: StreamingKind, pieces: &[Vec<u8>]) -> Stream {
    let length: usize = pieces.iter().map(Vec::len).sum();
    let mut request = yard.request("PUT", &yard.at(key), &[("content-encoding", "aws-chunked")], b"");
    request.set("x-amz-decoded-content-length", &length.to_string());
    if kind != StreamingKind::Signed {
        request.set("x-amz-trailer", CRC32);
    }
    let at = now();
    let request = signed_as(request, by, SignableBody::Streaming(kind), REGION, at);
    let scope = CredentialScope::new(at, REGION, "s3");
    let key = Arc::new(SigningKey::derive(&by.secret_access_key, &scope));
    let head = request.header("authorization").unwrap().rsplit_once('=').unwrap().1.to_owned();
    let mut chain = ChunkChain::new(key, &scope, at, head);
    let mut chunk = |data: &[u8]| {
        let signature = match kind {
            StreamingKind::UnsignedTrailer => String::new(),
            _ => format!(";chunk-signature={}", chain.chunk(Sha256::digest(data).into())),
        };
        format!("{:x}{signature}\r\n", data.len()).into_bytes()
    };
    let whole = |head: Vec<u8>, data: &[u8]| [&head[..], data, b"\r\n"].concat();
    let chunks = pieces.iter().map(|piece| whole(chunk(piece), piece)).collect();
    let mut end = chunk(b"");
    if kind != StreamingKind::Signed {
        let sum = crc32(&pieces.concat());
        end.extend_from_slice(format!("{CRC32}:{sum}\r\n").as_bytes());
        if kind == StreamingKind::SignedTrailer {
            let signature = chain.trailer(&format!("{CRC32}:{sum}\n"));
            end.extend_from_slice(format!("x-amz-trailer-signature:{signature}\r\n").as_bytes());
        }
    }
    end.extend_from_slice(b"\r\n");
    Stream { request, chunks, end }
}

const KINDS: [StreamingKind; 3] = [StreamingKind::Signed, StreamingKind::SignedTrailer, StreamingKind::UnsignedTrailer];

/// That an upload was refused for its sender's fault, and left what was there as it was.
#[track_caller]
fn is_refused_without_trace(yard: &mut Yard, answer: &Answer, how: &str) {
    let (status, code) = outcome(answer);
    assert!((400..412).contains(&status) && !code.is_empty(), "{how}: {status} {}", answer.text());
    assert_eq!(yard.content("stream").as_deref(), Some(&b"before"[..]), "{how}: {code}");
}

fn yard() -> Yard {
    let mut yard = Yard::new();
    yard.put("stream", b"before");
    yard
}

#[test]
fn a_body_in_chunks_counts_as_it_was_sent() {
    let mut yard = yard();
    let root = yard.root();
    for kind in KINDS {
        let stream = stream(&yard, &root, "stream", kind, &content());
        let answer = stream.all(&mut yard);
        assert_eq!(answer.status, 200, "{kind:?}: {}", answer.text());
        assert_eq!(yard.content("stream"), Some(content().concat()), "{kind:?}");
    }
}

#[test]
fn chunks_are_neither_reordered_nor_left_out_nor_doubled() {
    let mut yard = yard();
    let root = yard.root();
    for kind in KINDS {
        for order in [&[1, 0, 2][..], &[0, 0, 1, 2], &[0, 2], &[1, 2], &[0, 1], &[], &[0, 1, 2, 2], &[2, 1, 0]] {
            let stream = stream(&yard, &root, "stream", kind, &content());
            let answer = stream.answer(&mut yard, order);
            is_refused_without_trace(&mut yard, &answer, &format!("{kind:?} {order:?}"));
        }
        // Without its end, and with the rest of the body that was announced never coming.
        let mut cut = stream(&yard, &root, "stream", kind, &content());
        cut.end.clear();
        let answer = cut.all(&mut yard);
        is_refused_without_trace(&mut yard, &answer, &format!("{kind:?} without its end"));
    }
}

#[test]
fn a_chunk_of_another_upload_is_no_chunk_of_this_one() {
    let mut yard = yard();
    let root = yard.root();
    for kind in [StreamingKind::Signed, StreamingKind::SignedTrailer] {
        let other = vec![vec![b'x'; PIECE], vec![b'b'; PIECE], b"the rest".to_vec()];
        let donor = stream(&yard, &root, "elsewhere", kind, &other);
        for at in 0..3 {
            let mut stream = stream(&yard, &root, "stream", kind, &content());
            stream.chunks[at] = donor.chunks[at].clone();
            let answer = stream.all(&mut yard);
            is_refused_without_trace(&mut yard, &answer, &format!("{kind:?} {at}"));
        }
        let mut stream = stream(&yard, &root, "stream", kind, &content());
        stream.end = donor.end.clone();
        let answer = stream.all(&mut yard);
        is_refused_without_trace(&mut yard, &answer, &format!("{kind:?} with another's end"));
    }
}

#[test]
fn each_byte_of_a_chunk_counts_and_so_does_its_signature() {
    let mut yard = yard();
    let root = yard.root();
    for kind in [StreamingKind::Signed, StreamingKind::SignedTrailer] {
        type Spoil = fn(&mut Vec<u8>);
        let spoils: [Spoil; 8] = [
            |chunk| *chunk.iter_mut().rev().nth(2).unwrap() ^= 1,
            |chunk| chunk[30] = if chunk[30] == b'0' { b'1' } else { b'0' },
            |chunk| replace(chunk, b";chunk-signature=", b";chunk-signaturx="),
            |chunk| replace(chunk, b";chunk-signature=", b";x="),
            |chunk| replace(chunk, b";chunk-signature=", b";chunk-signature=;chunk-signature="),
            |chunk| replace(chunk, b"2000;", b"1fff;"),
            |chunk| replace(chunk, b"2000;", b"ffffffffffffffffff;"),
            |chunk| replace(chunk, b"2000;", b"-1;"),
        ];
        for (number, spoil) in spoils.into_iter().enumerate() {
            let mut stream = stream(&yard, &root, "stream", kind, &content());
            let good = stream.chunks[1].clone();
            spoil(&mut stream.chunks[1]);
            assert_ne!(good, stream.chunks[1]);
            let answer = stream.all(&mut yard);
            is_refused_without_trace(&mut yard, &answer, &format!("{kind:?} {number}"));
        }
        // Without its signature altogether.
        let mut bare = stream(&yard, &root, "stream", kind, &content());
        bare.chunks[1] = [b"2000\r\n", &content()[1][..], b"\r\n"].concat();
        let answer = bare.all(&mut yard);
        is_refused_without_trace(&mut yard, &answer, &format!("{kind:?} bare"));
    }
}

fn replace(bytes: &mut Vec<u8>, from: &[u8], to: &[u8]) {
    let at = bytes.windows(from.len()).position(|window| window == from).expect("it is there");
    bytes.splice(at..at + from.len(), to.iter().copied());
}

#[test]
fn a_trailer_is_the_one_that_was_announced_and_signed() {
    let mut yard = yard();
    let root = yard.root();
    let sum = crc32(&content().concat());
    let wrong = crc32(b"another");
    let line = format!("{CRC32}:{sum}\r\n");
    for kind in [StreamingKind::SignedTrailer, StreamingKind::UnsignedTrailer] {
        for (how, instead) in [
            ("another value", format!("{CRC32}:{wrong}\r\n")),
            ("none", String::new()),
            ("twice", format!("{line}{line}")),
            ("twice, and differently", format!("{CRC32}:{wrong}\r\n{line}")),
            ("of another name", format!("x-amz-checksum-crc32c:{sum}\r\n")),
            ("beside another", format!("{line}x-amz-meta-forged:yes\r\n")),
            ("a header that rules", format!("{line}x-amz-acl:public-read\r\n")),
            ("without a colon", format!("{CRC32}{sum}\r\n")),
            ("folded", format!("{CRC32}:\r\n {sum}\r\n")),
            ("endless", format!("{CRC32}:{}\r\n", "A".repeat(100_000))),
        ] {
            let mut stream = stream(&yard, &root, "stream", kind, &content());
            replace(&mut stream.end, line.as_bytes(), instead.as_bytes());
            let answer = stream.all(&mut yard);
            is_refused_without_trace(&mut yard, &answer, &format!("{kind:?}, {how}"));
        }
    }
    let mut unsigned = stream(&yard, &root, "stream", StreamingKind::SignedTrailer, &content());
    let end = String::from_utf8(unsigned.end).unwrap();
    unsigned.end = end.split("x-amz-trailer-signature").next().unwrap().as_bytes().to_vec();
    unsigned.end.extend_from_slice(b"\r\n");
    let answer = unsigned.all(&mut yard);
    is_refused_without_trace(&mut yard, &answer, "a trailer whose signature is left out");
}

#[test]
fn a_promise_of_signed_chunks_is_not_taken_back() {
    let mut yard = yard();
    let root = yard.root();
    for promised in KINDS {
        let plain = content().concat();
        for kept in KINDS.into_iter().filter(|kept| *kept != promised) {
            // The head of one kind, the body of another.
            let head = stream(&yard, &root, "stream", promised, &content()).request;
            let mut stream = stream(&yard, &root, "stream", kept, &content());
            stream.request = head;
            let answer = stream.all(&mut yard);
            is_refused_without_trace(&mut yard, &answer, &format!("{promised:?}, sent as {kept:?}"));
        }
        let mut stream = stream(&yard, &root, "stream", promised, &content());
        stream.request.body.clone_from(&plain);
        let answer = yard.scene.connection.send(&stream.request);
        is_refused_without_trace(&mut yard, &answer, &format!("{promised:?}, sent plainly"));
        // The head says otherwise than it was signed.
        for said in ["UNSIGNED-PAYLOAD", &hex::encode(Sha256::digest(&plain)), "STREAMING-UNSIGNED-PAYLOAD", ""] {
            stream.request.set(CONTENT_SHA256, said);
            let answer = yard.scene.connection.send(&stream.request);
            is_refused_without_trace(&mut yard, &answer, &format!("{promised:?}, as `{said}`"));
        }
    }
}

#[test]
fn nobody_lies_about_how_long_the_content_is() {
    let mut yard = yard();
    let root = yard.root();
    let true_length = content().concat().len();
    for kind in KINDS {
        for length in [
            (true_length + 1).to_string(),
            (true_length - 1).to_string(),
            "0".to_owned(),
            "-1".to_owned(),
            "18446744073709551616".to_owned(),
            "5497558138881".to_owned(),
            "0x10".to_owned(),
            String::new(),
        ] {
            let mut stream = stream(&yard, &root, "stream", kind, &content());
            // Signed anew, so that only the length is wrong; then the chunks have to be signed anew, too.
            let mut request = stream.request.clone();
            request.set("x-amz-decoded-content-length", &length);
            stream.request = request;
            let answer = stream.all(&mut yard);
            is_refused_without_trace(&mut yard, &answer, &format!("{kind:?}, `{length}` not signed"));
            if kind == StreamingKind::UnsignedTrailer {
                let body = SignableBody::Streaming(kind);
                stream.request = signed_as(stream.request, &root, body, REGION, now());
                let answer = stream.all(&mut yard);
                is_refused_without_trace(&mut yard, &answer, &format!("{kind:?}, `{length}` signed"));
            }
        }
    }
}

#[test]
fn a_wrong_checksum_stores_nothing_whichever_it_is() {
    let mut yard = yard();
    let root = yard.root();
    let target = yard.at("stream");
    for (name, value) in [
        (CRC32, "AAAAAA=="),
        ("x-amz-checksum-crc32c", "AAAAAA=="),
        ("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="),
        ("x-amz-checksum-sha1", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("x-amz-checksum-sha256", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("content-md5", "AAAAAAAAAAAAAAAAAAAAAA=="),
        (CRC32, "nonsense"),
        (CRC32, "AAAA"),
        ("content-md5", "nonsense"),
    ] {
        for body in [&b"small"[..], &vec![b'x'; 100_000]] {
            let answer = yard.call(Some(&root), "PUT", &target, &[(name, value)], body);
            let (status, code) = outcome(&answer);
            assert!(["BadDigest", "InvalidDigest", "InvalidRequest"].contains(&&*code), "{name}: {status} {code}");
            is_refused_without_trace(&mut yard, &answer, name);
        }
    }
    // One that is right does not make up for one that is wrong.
    let good = crc32(b"small");
    let headers = [(CRC32, &*good), ("x-amz-checksum-sha1", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")];
    let answer = yard.call(Some(&root), "PUT", &target, &headers, b"small");
    is_refused_without_trace(&mut yard, &answer, "one right and one wrong");
}

#[test]
fn a_hash_of_another_body_stores_nothing_nor_does_a_body_that_ends_early() {
    let mut yard = yard();
    let root = yard.root();
    let target = yard.at("stream");
    for size in [10, 100_000] {
        let mut request = signed(yard.request("PUT", &target, &[], &vec![b'x'; size]), &root);
        request.body[size / 2] = b'y';
        let answer = yard.scene.connection.send(&request);
        is_refused(&answer, 400, "XAmzContentSHA256Mismatch", "another body");
        is_refused_without_trace(&mut yard, &answer, "another body");
        let request = signed(yard.request("PUT", &target, &[], &vec![b'x'; size]), &root);
        let mut bytes = whole(&request);
        bytes.truncate(bytes.len() - 3);
        let answer = yard.scene.connection.send_all(&bytes);
        is_refused(&answer, 400, "IncompleteBody", "cut off");
        is_refused_without_trace(&mut yard, &answer, "cut off");
    }
}

#[test]
fn a_document_in_chunks_is_verified_as_content_is() {
    let mut yard = yard();
    let root = yard.root();
    let document = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>".to_vec();
    let pieces = [document];
    for kind in KINDS {
        let mut stream = stream(&yard, &root, &format!("{SECRET}?tagging"), kind, &pieces);
        if kind == StreamingKind::UnsignedTrailer {
            replace(&mut stream.end, CRC32.as_bytes(), b"x-amz-checksum-crc3x");
        } else {
            replace(&mut stream.chunks[0], b"<Value>b", b"<Value>c");
        }
        let answer = stream.all(&mut yard);
        assert!((400..404).contains(&answer.status), "{kind:?}: {}", answer.text());
        let target = yard.at(&format!("{SECRET}?tagging"));
        let tags = yard.own("GET", &target, &[], b"").text();
        assert!(!tags.contains("<Key>"), "{kind:?}: {tags}");
    }
}

#[test]
fn nobody_says_for_a_request_that_nobody_signed_that_its_chunks_are() {
    let mut yard = yard();
    let root = yard.root();
    for kind in [StreamingKind::Signed, StreamingKind::SignedTrailer] {
        let mut stream = stream(&yard, &root, "stream", kind, &content());
        stream.request.remove("authorization");
        let answer = stream.all(&mut yard);
        is_refused_without_trace(&mut yard, &answer, &format!("{kind:?} by nobody"));
    }
}
