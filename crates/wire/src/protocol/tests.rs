use base::Timestamp;
use serde_json::json;

use super::*;
use crate::fixture::{EVERYTHING, JSON, QUERY, STRICT, member, structure, text, texts};

const ECHO: usize = 0;
const FAILS: usize = 1;
const NOTHING: usize = 2;

fn body(encoded: &Encoded) -> &str {
    std::str::from_utf8(&encoded.body).unwrap()
}

#[test]
fn an_input_is_read_by_the_operations_shape() {
    let read = Protocol::AwsJson11.decode(&JSON, ECHO, br#"{"String":"a"}"#).unwrap();
    assert_eq!(member(EVERYTHING, &read, "String"), Some(&text("a")));
    let read = Protocol::AwsQuery.decode(&QUERY, ECHO, b"Action=Echo&Version=2010-05-08&String=a").unwrap();
    assert_eq!(member(EVERYTHING, &read, "String"), Some(&text("a")));
}

#[test]
fn an_operation_without_an_input_reads_no_body() {
    for body in [&b""[..], b"{}", b"{\"a\":1}", b"no json"] {
        assert_eq!(Protocol::AwsJson11.decode(&JSON, NOTHING, body), Ok(crate::nothing()));
        assert_eq!(Protocol::AwsQuery.decode(&QUERY, NOTHING, body), Ok(crate::nothing()));
    }
}

#[test]
fn an_idempotency_token_is_the_clients_to_make() {
    let read = Protocol::AwsJson11.decode(&JSON, ECHO, b"{}").unwrap();
    assert_eq!(member(EVERYTHING, &read, "Token"), None);
    let read = Protocol::AwsJson11.decode(&JSON, ECHO, br#"{"Token":"00000000-0000-4000-8000-000000000000"}"#).unwrap();
    assert_eq!(member(EVERYTHING, &read, "Token"), Some(&text("00000000-0000-4000-8000-000000000000")));
}

#[test]
fn a_body_that_cannot_be_read_has_its_code_in_each_protocol() {
    let refused = |body: &[u8]| Protocol::AwsJson11.decode(&JSON, ECHO, body).unwrap_err();
    assert_eq!(refused(b"{"), Error::serialization(""));
    assert_eq!(refused(b""), Error::serialization(""));
    let wrong_type = refused(br#"{"String":1}"#);
    assert_eq!(wrong_type, Error::serialization("NUMBER_VALUE can not be converted to a String"));
    let refused = Protocol::AwsQuery.decode(&QUERY, ECHO, b"Integer=a").unwrap_err();
    assert_eq!(refused, Error::new("MalformedInput", 400, "Invalid value for parameter Integer: a"));
}

#[test]
fn a_broken_constraint_has_its_code_in_each_protocol() {
    let sentence =
        "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null";
    let json = Protocol::AwsJson11.decode(&JSON, FAILS, b"{}").unwrap_err();
    assert_eq!(json, Error::new("InvalidThing", 400, sentence), "the service's own code");
    let json = Protocol::AwsJson10.decode(&QUERY, FAILS, b"{}").unwrap_err();
    assert_eq!(json, Error::new("ValidationException", 400, sentence));
    let query = Protocol::AwsQuery.decode(&QUERY, FAILS, b"").unwrap_err();
    assert_eq!(query, Error::new("ValidationError", 400, sentence));
}

#[test]
fn a_json_answer_is_the_output_alone() {
    let output = structure(EVERYTHING, [("String", text("a")), ("Time", Value::Timestamp(Timestamp::from_secs(1)))]);
    let encoded = Protocol::AwsJson11.encode(&JSON, ECHO, &output, "id");
    assert_eq!((encoded.status, encoded.content_type), (200, Some("application/x-amz-json-1.1")));
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&encoded.body).unwrap(), json!({"String": "a", "Time": 1}));
    let empty = Protocol::AwsJson10.encode(&JSON, ECHO, &structure(EVERYTHING, []), "id");
    assert_eq!((empty.content_type, body(&empty)), (Some("application/x-amz-json-1.0"), "{}"));
    assert_eq!(body(&Protocol::AwsJson11.encode(&JSON, NOTHING, &crate::nothing(), "id")), "");
}

#[test]
fn a_query_answer_is_wrapped_and_tells_the_request_id() {
    let output = structure(EVERYTHING, [("Strings", texts(&["a"]))]);
    let encoded = Protocol::AwsQuery.encode(&QUERY, ECHO, &output, "id");
    assert_eq!((encoded.status, encoded.content_type), (200, Some("text/xml")));
    assert_eq!(
        body(&encoded),
        "<EchoResponse xmlns=\"https://forms.example.com/doc/2010-05-08/\"><EchoAnswer><Strings><member>a</member>\
         </Strings></EchoAnswer><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></EchoResponse>"
    );
    let own_wrapper = Protocol::AwsQuery.encode(&QUERY, FAILS, &structure(STRICT, []), "id");
    assert!(body(&own_wrapper).contains("<FailsResult></FailsResult>"), "{}", body(&own_wrapper));
    assert_eq!(
        body(&Protocol::AwsQuery.encode(&QUERY, NOTHING, &crate::nothing(), "id")),
        "<NothingResponse xmlns=\"https://forms.example.com/doc/2010-05-08/\"><ResponseMetadata><RequestId>id\
         </RequestId></ResponseMetadata></NothingResponse>"
    );
}

#[test]
fn a_json_error_has_its_code_message_and_members() {
    let error = Error::new("ClusterNotFoundException", 400, "Cluster not found.").with("resourceIds", json!(["a"]));
    let encoded = Protocol::AwsJson11.encode_error(None, &error, "id");
    assert_eq!((encoded.status, encoded.content_type), (400, Some("application/x-amz-json-1.1")));
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&encoded.body).unwrap(),
        json!({"__type": "ClusterNotFoundException", "message": "Cluster not found.", "resourceIds": ["a"]})
    );
}

#[test]
fn a_serialization_error_spells_its_message_as_aws_does_or_has_none() {
    let with = Protocol::AwsJson11.encode_error(None, &Error::serialization("Expected null"), "id");
    assert_eq!(body(&with), r#"{"Message":"Expected null","__type":"SerializationException"}"#);
    let without = Protocol::AwsJson11.encode_error(None, &Error::serialization(""), "id");
    assert_eq!(body(&without), r#"{"__type":"SerializationException"}"#);
}

#[test]
fn a_query_error_says_who_is_to_blame() {
    let encode = |model, error: &Error| Protocol::AwsQuery.encode_error(model, error, "id");
    let sender = encode(Some(&QUERY), &Error::new("NoSuchEntity", 404, "The role <a> cannot be found."));
    assert_eq!((sender.status, sender.content_type), (404, Some("text/xml")));
    assert_eq!(
        body(&sender),
        "<ErrorResponse xmlns=\"https://forms.example.com/doc/2010-05-08/\"><Error><Type>Sender</Type><Code>NoSuchEntity\
         </Code><Message>The role &lt;a&gt; cannot be found.</Message></Error><RequestId>id</RequestId></ErrorResponse>"
    );
    let receiver = encode(Some(&QUERY), &Error::internal());
    assert_eq!(receiver.status, 500);
    assert!(body(&receiver).contains("<Type>Receiver</Type><Code>InternalFailure</Code>"), "{}", body(&receiver));
    let nobodys = encode(None, &Error::new("MalformedInput", 400, ""));
    assert_eq!(
        body(&nobodys),
        "<ErrorResponse xmlns=\"http://webservices.amazon.com/AWSFault/2005-15-09\"><Error><Type>Sender</Type><Code>\
         MalformedInput</Code></Error><RequestId>id</RequestId></ErrorResponse>"
    );
}

#[test]
fn an_operation_that_is_not_served_is_named() {
    let error = Error::not_served(&JSON, 5);
    assert_eq!((error.code.as_ref(), error.status), ("NotImplemented", 501));
    assert_eq!(error.message, "Pilvi does not serve things:Unserved yet.");
    assert!(!error.is_sender());
}
