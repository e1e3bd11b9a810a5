//! RPC v2 CBOR over HTTP, and services whose clients still look for the codes of awsQuery.

use std::io::Write as _;

use serde_json::json;
use wire::cbor;
use wire::json::Limits;
use wire::serve::ServeLimits;

use super::backend::credentials;
use super::harness::{Answer, Request, Running, run, signer};

fn request(operation: &str, input: &serde_json::Value) -> Request {
    Request::cbor(operation, cbor::encode_json(input))
}

fn body(answer: &Answer) -> serde_json::Value {
    assert_eq!(answer.header("smithy-protocol"), "rpc-v2-cbor");
    assert_eq!(answer.header("content-type"), "application/cbor");
    cbor::decode_json(&answer.bytes, &Limits::REQUEST).unwrap()
}

#[test]
fn a_path_reaches_its_operation() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let input = json!({"String": "a", "Nested": {"labels": ["b"]}, "Nope": {"c": [1.5, null]}});
        for prefix in ["", "/behind/a/proxy"] {
            let mut request = request("Echo", &input);
            request.parts.uri = format!("{prefix}{}", request.parts.uri).parse().unwrap();
            let answer = server.send(&request.signed("meters")).await;
            assert_eq!((answer.status, body(&answer)), (200, json!({"String": "a", "Nested": {"labels": ["b"]}})));
        }
    });
}

#[test]
fn what_has_no_members_may_be_left_out() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let mut bare = Request::cbor("Echo", Vec::new());
        bare.parts.headers.remove("content-type");
        let answer = server.send(&bare.signed("meters")).await;
        assert_eq!((answer.status, body(&answer)), (200, json!({})));
        let answer = server.send(&Request::cbor("Nothing", Vec::new()).signed("meters")).await;
        assert_eq!((answer.status, answer.bytes.len(), answer.header("content-type")), (200, 0, ""));
        assert_eq!(answer.header("smithy-protocol"), "rpc-v2-cbor");
    });
}

#[test]
fn each_refusal_is_cbor_with_the_codes_of_json() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let unsigned = request("Echo", &json!({}));
        let elsewhere = |path: &str| {
            let mut request = request("Echo", &json!({}));
            request.parts.uri = path.parse().unwrap();
            request
        };
        for (request, status, code) in [
            (unsigned.clone(), 400, "MissingAuthenticationTokenException"),
            (request("Nope", &json!({})).signed("meters"), 400, "UnknownOperationException"),
            (request("Unserved", &json!({})).signed("meters"), 501, "NotImplemented"),
            (request("Panics", &json!({})).signed("meters"), 500, "InternalFailure"),
            (elsewhere("/service/Other/operation/Echo").signed("meters"), 400, "UnknownOperationException"),
            (elsewhere("/service/Other/operation/Echo").signed("other"), 501, "NotImplemented"),
            (elsewhere("/service/Things_2020/operation/Echo").signed("things"), 404, "UnknownOperationException"),
            (elsewhere("/").signed("meters"), 400, "UnknownOperationException"),
            (elsewhere("/service/Meters_2010/Echo").signed("meters"), 400, "UnknownOperationException"),
            (
                unsigned.clone().header("content-type", "application/json").signed("meters"),
                415,
                "UnsupportedMediaTypeException",
            ),
            (Request::cbor("Echo", b"\xa1".to_vec()).signed("meters"), 400, "SerializationException"),
            (request("Echo", &json!({"String": 1})).signed("meters"), 400, "SerializationException"),
            (request("Fails", &json!({})).signed("meters"), 400, "ValidationException"),
        ] {
            let answer = server.send(&request).await;
            assert_eq!(
                (answer.status, body(&answer)["__type"].as_str()),
                (status, Some(code)),
                "{:?}",
                request.parts.uri
            );
        }
    });
}

#[test]
fn an_error_has_its_own_name_in_each_protocol_of_a_service_that_was_awsquery() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let input = json!({"Name": "abc"});
        let json = |input: &serde_json::Value| {
            Request::json("Fails", &input.to_string())
                .header("x-amz-target", "Meters_2010.Fails")
                .header("content-type", "application/x-amz-json-1.0")
                .header("x-amzn-query-mode", "true")
                .signed("meters")
        };
        let cbor = server.send(&request("Fails", &input).signed("meters")).await;
        assert_eq!((cbor.status, body(&cbor)["__type"].as_str()), (404, Some("ThingNotFound")));
        assert_eq!(cbor.header("x-amzn-query-error"), "Things.NotFound;Sender");
        let answer = server.send(&json(&input)).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "ThingNotFound"));
        assert_eq!(answer.header("x-amzn-query-error"), "Things.NotFound;Sender");
        let form = |form: &str| Request::form(form).signed("meters");
        let answer = server.send(&form("Action=Fails&Version=2010-08-01&Name=abc")).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "Things.NotFound"));
        assert_eq!(answer.header("x-amzn-query-error"), "");
        let invalid = server.send(&json(&json!({}))).await;
        assert_eq!(
            (invalid.code().as_str(), invalid.header("x-amzn-query-error")),
            ("ValidationException", "ValidationError;Sender")
        );
        assert_eq!(server.send(&form("Action=Fails&Version=2010-08-01")).await.code(), "ValidationError");
        let unsigned = server.send(&request("Fails", &input)).await;
        assert_eq!(unsigned.header("x-amzn-query-error"), "", "nobody has said whose it is");
        let mut unknown =
            request("Fails", &input).signed_by(&signer("meters", &credentials("AKIDNOBODYNOBODY0001", None)));
        unknown.parts.headers.insert("x-amzn-query-mode", "true".parse().unwrap());
        let unknown = server.send(&unknown).await;
        assert_eq!(body(&unknown)["__type"], "UnrecognizedClientException");
        assert_eq!(unknown.header("x-amzn-query-error"), "InvalidClientTokenId;Sender");
        let broken = server.send(&request("Panics", &json!({})).signed("meters")).await;
        assert_eq!(broken.header("x-amzn-query-error"), "InternalFailure;Receiver");
        let other = server.send(&Request::json("Fails", &input.to_string()).signed("things")).await;
        assert_eq!(
            (other.status, other.header("x-amzn-query-error")),
            (404, ""),
            "a service that never spoke awsQuery"
        );
    });
}

#[test]
fn a_compressed_body_is_inflated_after_its_signature_was_verified() {
    run(async {
        let server = Running::start(ServeLimits { body_bytes_max: 100_000, ..ServeLimits::default() }).await;
        let compressed = |plain: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        };
        let long = json!({"String": "x".repeat(50_000)});
        let request = Request::cbor("Echo", compressed(&cbor::encode_json(&long)));
        let answer = server.send(&request.header("content-encoding", "gzip").signed("meters")).await;
        assert_eq!((answer.status, body(&answer)), (200, long));
        let form = compressed(b"Action=Echo&Version=2010-08-01&String=a");
        let mut request = Request::form("");
        request.body = form;
        let answer = server.send(&request.header("content-encoding", "gzip").signed("meters")).await;
        assert!(answer.body.contains("<String>a</String>"), "{}", answer.body);
        let bomb = Request::cbor("Echo", compressed(&vec![0; 200_000])).header("content-encoding", "gzip");
        assert_eq!(server.send(&bomb.clone().signed("meters")).await.status, 413);
        assert_eq!(server.send(&bomb).await.status, 400, "unsigned");
    });
}
