//! What clients must not get away with: nothing of it may be stored.

use http::HeaderValue;

use super::*;
use crate::serve::harness::run;

const SUM: (&str, &str) = ("x-amz-checksum-crc32", "AAAAAA==");
static WHOLE: [u8; 20_000] = [b'x'; 20_000];

/// What the server says to a request of which it keeps nothing.
async fn refused(running: &Running, request: &Request) -> (u16, String) {
    let answer = running.send(request).await;
    assert!(running.objects.is_empty(), "{} was stored: {}", request.parts.uri, answer.body);
    (answer.status, answer.code())
}

fn told(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[test]
fn a_body_that_is_not_the_one_that_was_signed_is_not_stored() {
    run(async {
        let running = Running::start().await;
        let mut put = signed_as(request("PUT", "/b/k", b""), SignableBody::Bytes(b"right"));
        put.body = b"wrong".to_vec();
        assert_eq!(refused(&running, &put).await, told(400, "XAmzContentSHA256Mismatch"));
        let mut document = signed_as(request("PUT", "/b/k?tagging", b""), SignableBody::Bytes(b"<Tagging/>"));
        document.body = b"<Tagginh/>".to_vec();
        assert_eq!(refused(&running, &document).await, told(400, "XAmzContentSHA256Mismatch"));
    });
}

#[test]
fn chunks_in_another_order_or_changed_are_not_stored() {
    run(async {
        let running = Running::start().await;
        let put = chunked(StreamingKind::Signed, "/b/k", &WHOLE, None);
        // Three chunks of this length and their lines.
        let line = "2000;chunk-signature=".len() + 64 + 2;
        let chunk = line + 8192 + 2;
        let mut reordered = put.clone();
        reordered.body[..2 * chunk].rotate_left(chunk);
        assert_eq!(refused(&running, &reordered).await, told(403, "SignatureDoesNotMatch"));
        let mut doubled = put.clone();
        doubled.body.copy_within(..chunk, chunk);
        assert_eq!(refused(&running, &doubled).await, told(403, "SignatureDoesNotMatch"));
        let mut changed = put.clone();
        changed.body[chunk + line + 17] ^= 1;
        assert_eq!(refused(&running, &changed).await, told(403, "SignatureDoesNotMatch"));
        let mut left_out = put.clone();
        left_out.body.drain(chunk..2 * chunk);
        assert_eq!(refused(&running, &left_out).await, told(403, "SignatureDoesNotMatch"));
        let mut short = put.clone();
        short.body.truncate(2 * chunk);
        assert_eq!(refused(&running, &short).await, told(400, "IncompleteBody"));
        // The chunks of one request are no chunks of another.
        let mut elsewhere = chunked(StreamingKind::Signed, "/b/other", &WHOLE, None);
        elsewhere.body = put.body;
        assert_eq!(refused(&running, &elsewhere).await, told(403, "SignatureDoesNotMatch"));
    });
}

#[test]
fn signatures_of_chunks_cannot_be_stripped_nor_the_kind_be_changed() {
    run(async {
        let running = Running::start().await;
        let put = chunked(StreamingKind::Signed, "/b/k", &WHOLE, None);
        let open = chunked(StreamingKind::UnsignedTrailer, "/b/k", &WHOLE, Some(SUM));
        let mut stripped = put.clone();
        stripped.body.clone_from(&open.body);
        assert_eq!(refused(&running, &stripped).await, told(403, "SignatureDoesNotMatch"));
        for kind in ["STREAMING-UNSIGNED-PAYLOAD-TRAILER", "UNSIGNED-PAYLOAD", &"a".repeat(64)] {
            let mut downgraded = put.clone();
            downgraded.parts.headers.insert("x-amz-content-sha256", HeaderValue::from_str(kind).unwrap());
            downgraded.body.clone_from(&open.body);
            assert_eq!(refused(&running, &downgraded).await, told(403, "SignatureDoesNotMatch"), "{kind}");
        }
        // Without a key there is nothing that chunks could be signed with.
        let mut nobodys = put.clone();
        nobodys.parts.headers.remove("authorization");
        assert_eq!(refused(&running, &nobodys).await, told(403, "AccessDenied"));
    });
}

#[test]
fn a_forged_trailer_and_one_that_was_not_announced_are_not_stored() {
    run(async {
        let running = Running::start().await;
        let forge = |kind, from: &str, to: &str| {
            let mut put = chunked(kind, "/b/k", b"short", Some(SUM));
            let body = String::from_utf8(put.body).unwrap();
            assert!(body.contains(from));
            put.body = body.replacen(from, to, 1).into_bytes();
            put
        };
        let signed = StreamingKind::SignedTrailer;
        assert_eq!(refused(&running, &forge(signed, "AAAAAA==", "BBBBBB==")).await, told(403, "SignatureDoesNotMatch"));
        let without = forge(signed, "x-amz-trailer-signature:", "x-amz-trailer-signaturf:");
        assert_eq!(refused(&running, &without).await, told(400, "MalformedTrailerError"));
        let open = StreamingKind::UnsignedTrailer;
        let other = forge(open, "x-amz-checksum-crc32:", "x-amz-checksum-sha256:");
        assert_eq!(refused(&running, &other).await, told(400, "MalformedTrailerError"));
        let none = forge(open, "x-amz-checksum-crc32:AAAAAA==\r\n", "");
        assert_eq!(refused(&running, &none).await, told(400, "MalformedTrailerError"));
    });
}

#[test]
fn a_body_that_breaks_off_is_not_stored() {
    run(async {
        let running = Running::start().await;
        for put in [
            signed_as(request("PUT", "/b/k", &WHOLE), SignableBody::Unsigned),
            signed_as(request("PUT", "/b/k", &WHOLE), SignableBody::Bytes(&WHOLE)),
            chunked(StreamingKind::Signed, "/b/k", &WHOLE, None),
            chunked(StreamingKind::UnsignedTrailer, "/b/k", &WHOLE, Some(SUM)),
        ] {
            let mut client = running.connect().await;
            let bytes = put.bytes();
            client.write(&bytes[..bytes.len() - 1]).await;
            tokio::io::AsyncWriteExt::shutdown(&mut client.stream).await.unwrap();
            client.ended().await;
            assert!(running.objects.is_empty());
        }
    });
}

#[test]
fn a_length_that_is_not_that_of_the_chunks_is_not_stored() {
    run(async {
        let running = Running::start().await;
        for length in ["19999", "20001", "0"] {
            let base = request("PUT", "/b/k", b"").header("x-amz-decoded-content-length", length);
            let mut put = signed_as(base, SignableBody::Streaming(StreamingKind::UnsignedTrailer));
            put.body = chunked(StreamingKind::UnsignedTrailer, "/b/k", &WHOLE, None).body;
            assert_eq!(refused(&running, &put).await, told(400, "IncompleteBody"), "{length}");
        }
        let put = signed_as(request("PUT", "/b/k", b""), SignableBody::Streaming(StreamingKind::Signed));
        assert_eq!(refused(&running, &put).await, told(411, "MissingContentLength"));
    });
}

#[test]
fn a_signature_for_one_host_or_path_is_none_for_another() {
    run(async {
        let running = Running::start().await;
        let signed =
            |host: &str, target: &str| signed_as(request_to(host, "PUT", target, b"x"), SignableBody::Unsigned);
        let mismatch = told(403, "SignatureDoesNotMatch");
        // The same object by another name is another request.
        let mut moved = signed("a.s3.localhost", "/k");
        moved.parts.headers.insert("host", HeaderValue::from_static("b.s3.localhost"));
        assert_eq!(refused(&running, &moved).await, mismatch);
        let mut as_path = signed("a.s3.localhost", "/k");
        as_path.parts.headers.insert("host", HeaderValue::from_static("s3.localhost"));
        assert_eq!(refused(&running, &as_path).await, mismatch);
        for (from, to) in [
            ("/b/a/../k", "/b/k"),
            ("/b/k", "/b/a/../k"),
            ("/b/k", "/b//k"),
            ("/b/k", "/b/./k"),
            ("/b/a%2Fk", "/b/a/k"),
            ("/b/a/k", "/b/a%2Fk"),
            ("/b/a/k", "/b/a%2fk"),
            ("/b/k", "/c/k"),
            ("/b/k", "/b/k?tagging"),
        ] {
            let mut put = signed("s3.localhost", from);
            put.parts.uri = to.parse().unwrap();
            assert_eq!(refused(&running, &put).await, mismatch, "{from} as {to}");
        }
        // Two hosts are none.
        let mut two = signed("a.s3.localhost", "/k");
        two.parts.headers.append("host", HeaderValue::from_static("b.s3.localhost"));
        assert_eq!(refused(&running, &two).await.0, 400);
        let mut absolute = signed("a.s3.localhost", "/k");
        absolute.parts.uri = "/k".parse().unwrap();
        let head = String::from_utf8(absolute.head("content-length: 1")).unwrap();
        let mut client = running.connect().await;
        client.write(head.replacen("PUT /k", "PUT http://b.s3.localhost/k", 1).as_bytes()).await;
        assert_eq!(client.answer().await.status, 400);
        assert!(running.objects.is_empty());
    });
}

#[test]
fn odd_paths_are_keys_as_they_were_sent_and_never_another_bucket() {
    run(async {
        let running = Running::start().await;
        for (target, key) in [
            ("/b/../c/k", "../c/k"),
            ("/b//k", "/k"),
            ("/b/a%2F..%2Fk", "a/../k"),
            ("/b/%2E%2E/k", "../k"),
            ("/b/a%00b", "a\0b"),
        ] {
            let answer = running.send(&signed_as(request("PUT", target, b"x"), SignableBody::Unsigned)).await;
            assert_eq!(answer.status, 200, "{target}");
            assert!(running.objects.get("b", key).is_some(), "{target}");
        }
        assert!(running.objects.kept.lock().unwrap().keys().all(|(bucket, _)| bucket == "b"));
        for target in ["/b/%zz", "/b/%f", "/b/%ff", "/b/%C3%28"] {
            let answer = running.send(&signed_as(request("PUT", target, b"x"), SignableBody::Unsigned)).await;
            assert_eq!((answer.status, answer.code()), (400, "InvalidURI".into()), "{target}");
        }
    });
}

#[test]
fn old_and_foreign_signatures_are_refused_by_name() {
    run(async {
        let running = Running::start().await;
        let not_supported = told(400, "InvalidRequest");
        let version_2 = request("PUT", "/b/k", b"x").header("authorization", &format!("AWS {KEY}:frJIUN8DYpKDtOLCwo="));
        assert_eq!(refused(&running, &version_2).await, not_supported);
        let by_query = request("PUT", &format!("/b/k?AWSAccessKeyId={KEY}&Expires=9999999999&Signature=x"), b"x");
        assert_eq!(refused(&running, &by_query).await, not_supported);
        let version_4a = format!(
            "AWS4-ECDSA-P256-SHA256 Credential={KEY}/20260101/s3/aws4_request, SignedHeaders=host, Signature=3045"
        );
        let asymmetric = request("PUT", "/b/k", b"x").header("authorization", &version_4a);
        assert_eq!(refused(&running, &asymmetric).await, not_supported);
        let message = running.send(&asymmetric).await.message();
        assert!(message.contains("Please use AWS4-HMAC-SHA256"), "{message}");
        let mut chunks = signed_as(request("PUT", "/b/k", b"x"), SignableBody::Unsigned);
        let kind = HeaderValue::from_static("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD");
        chunks.parts.headers.insert("x-amz-content-sha256", kind);
        assert_eq!(refused(&running, &chunks).await, told(400, "InvalidArgument"));
    });
}

#[test]
fn documents_that_grow_are_refused_small() {
    run(async {
        let running = Running::start().await;
        let put = |body: &[u8]| signed_as(request("PUT", "/b/k?tagging", body), SignableBody::Bytes(body));
        let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]><Tagging>&b;</Tagging>";
        assert_eq!(refused(&running, &put(laughs.as_bytes())).await, told(400, "MalformedXML"));
        let deep = "<Tagging>".repeat(100_000);
        assert_eq!(refused(&running, &put(deep.as_bytes())).await, told(400, "MalformedXML"));
        let long = vec![b' '; 7 << 20];
        assert_eq!(refused(&running, &put(&long)).await, told(400, "MaxMessageLengthExceeded"));
        let mut wrong_sum =
            request("PUT", "/b/k?tagging", b"<Tagging/>").header("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==");
        wrong_sum = signed_as(wrong_sum, SignableBody::Unsigned);
        assert_eq!(refused(&running, &wrong_sum).await, told(400, "BadDigest"));
    });
}

#[test]
fn a_document_that_nobody_has_signed_is_small_or_refused_unread() {
    run(async {
        const SMALL: usize = 64 * 1024;
        let running = Running::start().await;
        let tags = "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>";
        let document = |length: usize| format!("{}{tags}", " ".repeat(length - tags.len())).into_bytes();
        let put = |body: &[u8]| request("PUT", "/b/k?tagging", body);
        let (small, large) = (document(SMALL), document(SMALL + 1));
        let signed = signed_as(put(&large), SignableBody::Bytes(&large));
        assert_eq!(running.send(&signed).await.status, 200, "whoever has a key may send more");
        assert_eq!(running.send(&put(&small)).await.status, 200);
        assert_eq!(refused(&running, &put(&large)).await, told(400, "MaxMessageLengthExceeded"));
        // Nothing but the heads are sent: the server must not wait for more.
        let plain = put(b"").head(&format!("content-length: {}", SMALL + 1));
        let chunked = put(b"")
            .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .header("x-amz-decoded-content-length", &(SMALL + 1).to_string())
            .head(&format!("content-length: {}", SMALL + 100));
        for head in [plain, chunked] {
            let mut client = running.connect().await;
            client.write(&head).await;
            let answer = client.answer().await;
            assert_eq!((answer.status, answer.code()), told(400, "MaxMessageLengthExceeded"));
            assert_eq!(answer.header("connection"), "close");
        }
        // Chunks that are more than they were said to be.
        let mut liar = put(format!("{:x}\r\n{}", large.len(), "x".repeat(large.len())).as_bytes());
        liar = liar.header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
        liar = liar.header("x-amz-decoded-content-length", &SMALL.to_string());
        assert_eq!(refused(&running, &liar).await.0, 400);
        // An object streams, and is held by nobody.
        let put = request("PUT", "/b/k", &large);
        assert_eq!(running.send(&put).await.status, 200);
        assert_eq!(running.objects.get("b", "k").map(|object| object.bytes), Some(large));
    });
}

#[test]
fn another_service_s_signature_does_not_reach_an_object() {
    run(async {
        let running = Running::start().await;
        for service in ["things", "forms", "paths", "s3express", "nobody"] {
            let mut put = request("PUT", "/b/k", b"x");
            let body = if service == "s3express" { SignableBody::Unsigned } else { SignableBody::Bytes(b"x") };
            signer(service, &credentials(KEY, None)).sign(&mut put.parts, body).unwrap();
            let (status, _) = refused(&running, &put).await;
            assert!(status >= 400, "{service}");
        }
        let unknown = {
            let mut put = request("PUT", "/b/k", b"x");
            let stranger = credentials("AKIDUNKNOWNUNKNOWN01", None);
            signer("s3", &stranger).sign(&mut put.parts, SignableBody::Unsigned).unwrap();
            put
        };
        assert_eq!(refused(&running, &unknown).await, told(403, "InvalidAccessKeyId"));
    });
}
