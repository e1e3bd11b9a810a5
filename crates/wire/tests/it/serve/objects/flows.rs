//! What clients do.

use std::time::Duration;

use wire::eventstream::message::{self, Kind};

use super::*;
use crate::fixture::bound::STREAMED_BYTES_MAX;
use crate::serve::harness::run;

const SUM: (&str, &str) = ("x-amz-checksum-crc32", "AAAAAA==");

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

#[test]
fn an_object_comes_and_goes_whole_whatever_the_kind_of_signature() {
    run(async {
        let running = Running::start().await;
        let whole = bytes(20_000);
        let unsigned = signed_as(request("PUT", "/b/unsigned", &whole), SignableBody::Unsigned);
        let hashed = signed_as(request("PUT", "/b/hashed", &whole), SignableBody::Bytes(&whole));
        let chunks = chunked(StreamingKind::Signed, "/b/chunks", &whole, None);
        let trailer = chunked(StreamingKind::SignedTrailer, "/b/trailer", &whole, Some(SUM));
        let open = chunked(StreamingKind::UnsignedTrailer, "/b/open", &whole, Some(SUM));
        for (key, put) in
            [("unsigned", unsigned), ("hashed", hashed), ("chunks", chunks), ("trailer", trailer), ("open", open)]
        {
            let answer = running.send(&put).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, "kept/whole"), "{key}: {}", answer.body);
            let object = running.objects.get("b", key).unwrap();
            assert_eq!((&object.bytes, object.declared_length), (&whole, Some(20_000)), "{key}");
            let is_chunked = !matches!(key, "unsigned" | "hashed");
            assert_eq!(object.encoding.as_deref(), is_chunked.then_some("gzip"), "{key}");
            let has_trailer = matches!(key, "trailer" | "open");
            assert_eq!(object.trailers.get(SUM.0).map(String::as_str), has_trailer.then_some(SUM.1), "{key}");
        }
        for form in ["", "?versionId=files"] {
            let answer = running.send(&request("GET", &format!("/b/chunks{form}"), b"").signed("s3")).await;
            assert_eq!((answer.status, answer.header("content-length")), (200, "20000"), "{form}");
            assert_eq!(answer.bytes, whole, "{form}");
        }
    });
}

#[test]
fn an_answer_may_be_made_while_it_is_sent() {
    run(async {
        let running = Running::start().await;
        running.send(&signed_as(request("PUT", "/b/k", b"12345678"), SignableBody::Unsigned)).await;
        let mut client = running.connect().await;
        let answer = client.send(&request("GET", "/b/k?versionId=pieces", b"").signed("s3")).await;
        assert_eq!((answer.status, answer.header("transfer-encoding")), (200, "chunked"));
        let mut whole = Vec::new();
        loop {
            match client.chunk().await {
                chunk if chunk.is_empty() => break,
                chunk => whole.extend(chunk),
            }
        }
        assert_eq!(whole, b"12345678");
        // One that is shorter than it was said to be breaks the connection: nobody may take it for whole.
        let mut client = running.connect().await;
        client.write(&request("GET", "/b/k?versionId=short", b"").signed("s3").bytes()).await;
        let said = client.ended().await;
        assert!(said.split_once("\r\n\r\n").is_none_or(|(_, body)| body.len() < 99), "{said}");
    });
}

#[test]
fn head_tells_what_get_would_send_and_sends_nothing() {
    run(async {
        let running = Running::start().await;
        let put = request("PUT", "/b/k", b"bytes").header("x-amz-meta-a", "b");
        running.send(&signed_as(put, SignableBody::Unsigned)).await;
        let mut client = running.connect().await;
        let answer = client.send(&request("HEAD", "/b/k", b"").signed("s3")).await;
        assert_eq!((answer.status, answer.header("content-length"), answer.header("x-amz-meta-a")), (200, "5", "b"));
        let missing = client.send(&request("HEAD", "/b/none", b"").signed("s3")).await;
        assert_eq!((missing.status, missing.header("content-type")), (404, "application/xml"));
        assert!(missing.header("x-amz-request-id").starts_with("request-") && !missing.header("x-amz-id-2").is_empty());
        // The connection goes on behind both.
        let got = client.send(&request("GET", "/b/k", b"").header("range", "bytes 0-4/5").signed("s3")).await;
        assert_eq!((got.status, got.body.as_str()), (206, "bytes"));
    });
}

#[test]
fn an_error_is_the_document_of_s3() {
    run(async {
        let running = Running::start().await;
        let answer = running.send(&request("GET", "/b/a%3Cb", b"").signed("s3")).await;
        assert_eq!((answer.status, answer.header("content-type")), (404, "application/xml"));
        assert!(answer.body.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code>"));
        assert_eq!((answer.element("Key"), answer.element("Resource")), ("a&lt;b".into(), "/b/a%3Cb".into()));
        assert_eq!(answer.element("RequestId"), answer.header("x-amz-request-id"));
        assert_eq!(answer.element("HostId"), answer.header("x-amz-id-2"));
        let unserved = running.send(&request("GET", "/b/k?tagging", b"").signed("s3")).await;
        assert_eq!((unserved.status, unserved.code()), (501, "NotImplemented".into()));
        let unknown = running.send(&request("PATCH", "/b/k", b"").signed("s3")).await;
        assert_eq!((unknown.status, unknown.code()), (405, "MethodNotAllowed".into()));
        let both = running.send(&request("GET", "/b/k?tagging&acl", b"").signed("s3")).await;
        assert_eq!((both.status, both.message()), (400, "Conflicting query string parameters: acl, tagging".into()));
    });
}

#[test]
fn the_host_may_name_the_bucket() {
    run(async {
        let running = Running::start().await;
        for (number, host) in
            ["photos.s3.localhost:4566", "photos.localhost:4566", "photos.cloud.example", "photos.s3.amazonaws.com"]
                .into_iter()
                .enumerate()
        {
            let put = request_to(host, "PUT", &format!("/{number}/k"), b"x");
            assert_eq!(running.send(&signed_as(put, SignableBody::Unsigned)).await.status, 200, "{host}");
            assert!(running.objects.get("photos", &format!("{number}/k")).is_some(), "{host}");
        }
        let path = running.send(&request_to("s3.localhost", "GET", "/photos/0/k", b"").signed("s3")).await;
        assert_eq!((path.status, path.body.as_str()), (200, "x"));
    });
}

#[test]
fn a_presigned_address_is_good_for_what_it_says() {
    run(async {
        let running = Running::start().await;
        let presigned = |method: &str, target: &str| {
            let mut request = request(method, target, b"");
            let credentials = credentials(KEY, None);
            let signer = signer("s3", &credentials);
            signer.presign(&mut request.parts, Duration::from_secs(60), SignableBody::Unsigned).unwrap();
            request
        };
        let mut put = presigned("PUT", "/b/k%20+1");
        put.body = b"by address".to_vec();
        assert_eq!(running.send(&put).await.status, 200);
        assert_eq!(running.objects.get("b", "k  1").unwrap().caller, KEY);
        let get = presigned("GET", "/b/k%20+1");
        assert_eq!(running.send(&get).await.body, "by address");
        // What other signers put into the address instead of the head; but for the checksum of a body that they did not have.
        let mut hoisted =
            presigned("PUT", "/b/h?X-Amz-Meta-Colour=red&x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-unknown=1");
        hoisted.body = b"hoisted".to_vec();
        assert_eq!(running.send(&hoisted).await.status, 200);
        assert_eq!(running.objects.get("b", "h").unwrap().metadata["colour"], "red");
        let copy = presigned("PUT", "/b/c?x-amz-copy-source=%2Fb%2Fh");
        assert_eq!(running.send(&copy).await.message(), "Pilvi does not serve s3:CopyThing yet.");
        let target = get.parts.uri.to_string();
        for (from, to) in [("k%20", "j%20"), ("Expires=60", "Expires=61"), ("?", "?versionId=files&")] {
            let changed = request("GET", &target.replacen(from, to, 1), b"");
            assert_eq!(running.send(&changed).await.code(), "SignatureDoesNotMatch", "{to}");
        }
        let other_method = request("PUT", &target, b"x");
        assert_eq!(running.send(&other_method).await.code(), "SignatureDoesNotMatch");
    });
}

#[test]
fn anybody_is_let_through_to_the_operation_as_nobody() {
    run(async {
        let running = Running::start().await;
        let answer = running.send(&request("PUT", "/b/k", b"anybody's")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(running.objects.get("b", "k").unwrap().caller, "nobody");
        let mut chunks = chunked(StreamingKind::UnsignedTrailer, "/b/c", b"anybody's", Some(SUM));
        chunks.parts.headers.remove("authorization");
        chunks.parts.headers.remove("x-amz-date");
        assert_eq!(running.send(&chunks).await.status, 200);
        assert_eq!(running.objects.get("b", "c").unwrap().bytes, b"anybody's");
        assert_eq!(running.send(&request("GET", "/b/k", b"")).await.body, "anybody's");
    });
}

#[test]
fn who_asks_first_is_told_to_go_on_only_when_the_body_is_wanted() {
    run(async {
        let running = Running::start().await;
        let put = signed_as(request("PUT", "/b/k", b"bytes").header("expect", "100-continue"), SignableBody::Unsigned);
        let mut client = running.connect().await;
        client.write(&put.head("content-length: 5")).await;
        assert_eq!(client.answer().await.status, 100);
        client.write(b"bytes").await;
        assert_eq!(client.answer().await.status, 200);
        let mut forged = put.clone();
        forged.parts.uri = "/b/other".parse().unwrap();
        client.write(&forged.head("content-length: 5")).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.code()), (403, "SignatureDoesNotMatch".into()));
        assert!(running.objects.get("b", "other").is_none());
    });
}

#[test]
fn rest_json_is_routed_by_its_path_too() {
    run(async {
        let running = Running::start().await;
        let count = request("POST", "/2020/things/a/count", b"{}").signed("paths");
        assert_eq!(running.send(&count).await.status, 202);
        let unknown = running.send(&request("POST", "/2020/other", b"{}").signed("paths")).await;
        assert_eq!((unknown.status, unknown.header("x-amzn-errortype")), (404, "UnknownOperationException"));
        let wrong = request("POST", "/2020/things/a/count", b"{}").header("x-amz-date", "20200101T000000Z");
        let mut wrong = wrong.signed("paths");
        wrong.body = b"{ }".to_vec();
        let refused = running.send(&wrong).await;
        assert_eq!((refused.status, refused.header("x-amzn-errortype")), (403, "InvalidSignatureException"));
    });
}

#[test]
fn events_follow_a_head_that_has_all_that_comes_before_them() {
    run(async {
        let running = Running::start().await;
        let mut client = running.connect().await;
        let answer = client.send(&request("POST", "/2020/things/a/streams", b"{}").signed("paths")).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, message::CONTENT_TYPE));
        assert_eq!(answer.header("x-amz-error"), "none");
        let chunk = message::encode(Kind::Event("Chunk"), "application/octet-stream", b"raw");
        assert_eq!(client.chunk().await, chunk);
        assert_eq!(client.chunk().await, message::encode(Kind::Event("Done"), "application/json", b"{}"));
        assert!(client.chunk().await.is_empty());
    });
}

#[test]
fn an_operation_takes_bodies_as_long_as_its_own() {
    run(async {
        let running = Running::start().await;
        let (usual, longer) = (ServeLimits::default().body_bytes_max, STREAMED_BYTES_MAX);
        assert!(usual < longer);
        for (target, max) in [("/2020/things/a/streams", longer), ("/2020/things/a/invocations", usual)] {
            // Hashed for the signature, and said in the head: both ways to read a body.
            for declares in [false, true] {
                let status = async |length: usize| {
                    let body = vec![b' '; length];
                    let mut request = request("POST", target, &body);
                    if declares {
                        request = request.header("x-amz-content-sha256", &hex::encode(Sha256::digest(&body)));
                    }
                    running.send(&request.signed("paths")).await.status
                };
                assert_eq!((status(max).await, status(max + 1).await), (200, 413), "{target} {declares}");
            }
        }
    });
}

#[test]
fn a_page_of_another_origin_is_told_what_it_may_do() {
    run(async {
        let running = Running::start().await;
        let asks = |target: &str, method: &str| {
            request("OPTIONS", target, b"")
                .header("origin", "https://page.example")
                .header("access-control-request-method", method)
        };
        let allowed = running.send(&asks("/shared/k", "PUT")).await;
        assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (200, "https://page.example"));
        for (target, method, message) in [
            ("/shared/k", "DELETE", "CORSResponse: This CORS request is not allowed."),
            ("/b/k", "PUT", "CORSResponse: CORS is not enabled for this bucket."),
        ] {
            let refused = running.send(&asks(target, method)).await;
            assert_eq!(
                (refused.status, refused.code(), refused.message()),
                (403, "AccessForbidden".into(), message.into())
            );
        }
        let bare = running.send(&request("OPTIONS", "/shared/k", b"")).await;
        assert_eq!((bare.status, bare.code()), (400, "BadRequest".into()));
        // What was found, and that nothing was found, may be read by the page.
        let by_host = request_to("shared.s3.localhost", "GET", "/none", b"").header("origin", "https://page.example");
        let missing = running.send(&by_host.signed("s3")).await;
        assert_eq!((missing.status, missing.header("access-control-allow-origin")), (404, "https://page.example"));
        // So may why it was refused.
        let by_host = request_to("shared.s3.localhost", "GET", "/none", b"").header("origin", "https://page.example");
        let forged = by_host.signed("s3").header("x-amz-date", "20260101T000001Z");
        let refused = running.send(&forged).await;
        assert_eq!((refused.status, refused.header("access-control-allow-origin")), (403, "https://page.example"));
        assert_eq!(refused.element("Resource"), "/shared/none");
        let elsewhere = request("GET", "/b/k", b"").header("origin", "https://page.example").signed("s3");
        assert_eq!(running.send(&elsewhere).await.header("access-control-allow-origin"), "");
    });
}
