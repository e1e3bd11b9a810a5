use std::collections::BTreeMap;

use base::Timestamp;
use http::HeaderValue;

use super::*;
use crate::eventstream::Event as _;
use crate::fixture::bound::{
    Chunk, CountThings, CountedThings, Done, GetThing, GotThing, Grant, Grantee, Invoke, Invoked, ListThings,
    ListedThings, LocatedBucket, PutTags, PutThing, Streamed, Tag, Tagging,
};
use crate::fixture::{REST_JSON, S3};
use crate::protocol::Encoded;
use crate::value::Shaped;

fn request(method: &str, target: &str, headers: &[(&'static str, &'static str)], body: &str) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    Request {
        method: method.parse().unwrap(),
        path: path.to_owned(),
        parameters: Parameters::parse(Some(query)).unwrap(),
        headers: map,
        body: Body::Whole(Bytes::copy_from_slice(body.as_bytes())),
    }
}

fn read<T: Shaped>(model: &'static ServiceModel, operation: &str, request: &Request) -> Result<T, Error> {
    let operation = model.operation(operation).unwrap();
    let input = decode(model.protocols[0], model, operation, request)?;
    Ok(T::from_value(input).unwrap())
}

fn written<T: Shaped>(model: &'static ServiceModel, operation: &str, output: T) -> Encoded {
    encode(model.protocols[0], model, model.operation(operation).unwrap(), &output.into_value())
}

fn text(encoded: &Encoded) -> &str {
    std::str::from_utf8(&encoded.body).unwrap()
}

fn header<'e>(encoded: &'e Encoded, name: &str) -> Option<&'e str> {
    encoded.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref())
}

#[tokio::test]
async fn members_come_from_path_headers_and_body() {
    let headers = [
        ("content-encoding", "gzip"),
        ("content-length", "5"),
        ("if-modified-since", "Tue, 29 Apr 2014 18:30:38 GMT"),
        ("x-amz-meta-colour", "red"),
        ("x-amz-meta-colour", "blue"),
        ("x-amz-meta-name", "=?UTF-8?B?w6Q=?="),
        ("x-amz-storage-class", "COLD"),
        ("x-amz-unknown", "1"),
    ];
    let put: PutThing = read(&S3, "PutThing", &request("PUT", "/b/a%20b+c/%C3%A4/../d", &headers, "bytes")).unwrap();
    let metadata = [("colour", "red,blue"), ("name", "ä")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let expected = PutThing {
        body: put.body.clone(),
        bucket: "b".to_owned(),
        content_encoding: Some("gzip".to_owned()),
        content_length: Some(5),
        if_modified_since: Some(Timestamp::from_secs(1_398_796_238)),
        key: "a b c/ä/../d".to_owned(),
        metadata: Some(BTreeMap::from(metadata)),
        storage_class: Some("COLD".to_owned()),
    };
    assert_eq!(put, expected);
    let body = put.body.unwrap().into_reader().read_to_end(9).await;
    assert_eq!(body.unwrap(), "bytes");
}

#[test]
fn a_document_is_read_with_its_attributes_and_lists() {
    let document = "<?xml version=\"1.0\"?>\n<Tagging xmlns=\"http://things.example.com/doc/2006-03-01/\">
        <AccessControlList><Grant><Grantee xmlns:i=\"urn:i\" i:type=\"Group\"><ID>1</ID></Grantee></Grant></AccessControlList>
        <TagSet><Tag><Key>a</Key><Value> b </Value></Tag><Tag><Value/><Key>c</Key></Tag></TagSet><Unknown><x/></Unknown>
        </Tagging>";
    let read: PutTags = read(&S3, "PutTags", &request("PUT", "/b/k?tagging", &[], document)).unwrap();
    let tag = |key: &str, value: &str| Tag { key: key.to_owned(), value: value.to_owned() };
    let grantee = Grantee { id: Some("1".to_owned()), r#type: "Group".to_owned() };
    let tagging =
        Tagging { grants: Some(vec![Grant { grantee: Some(grantee) }]), tag_set: vec![tag("a", " b "), tag("c", "")] };
    assert_eq!(read, PutTags { bucket: "b".to_owned(), key: "k".to_owned(), tagging });
}

#[test]
fn a_document_that_is_not_the_one_that_is_wanted_is_malformed_and_none_is_missing() {
    let refused = |body: &str| {
        let error = read::<PutTags>(&S3, "PutTags", &request("PUT", "/b/k?tagging", &[], body)).unwrap_err();
        (error.code.into_owned(), error.status)
    };
    let tag = "<Tag><Key>a</Key><Value>b</Value></Tag>";
    for body in [
        "x",
        "<Tagging>",
        "<Other><TagSet/></Other>",
        "<Tagging/>",
        "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
        "<Tagging><TagSet><Tag><Key>a</Key><Key>b</Key><Value>c</Value></Tag></TagSet></Tagging>",
        "<Tagging><TagSet><Tag><Key><b/></Key><Value>c</Value></Tag></TagSet></Tagging>",
        "<Tagging>text<TagSet/></Tagging>",
        "<!DOCTYPE Tagging [<!ENTITY a \"b\">]><Tagging><TagSet/></Tagging>",
        &format!("<Tagging><TagSet>{tag}</TagSet><TagSet>{tag}</TagSet></Tagging>"),
    ] {
        assert_eq!(refused(body), ("MalformedXML".to_owned(), 400), "{body}");
    }
    assert_eq!(refused(""), ("MissingRequestBodyError".to_owned(), 400));
}

#[test]
fn a_document_of_more_values_than_any_request_has_is_refused() {
    let tags = "<Tag><Key>a</Key><Value>b</Value></Tag>".repeat(100_000);
    let body = format!("<Tagging><TagSet>{tags}</TagSet></Tagging>");
    let error = read::<PutTags>(&S3, "PutTags", &request("PUT", "/b/k?tagging", &[], &body)).unwrap_err();
    assert_eq!(error.code, "MalformedXML");
}

#[test]
fn parameters_are_numbers_texts_and_lists() {
    let target = "/b?max-keys=7&prefix=a%2Fb+c&names=x&names=y&list-type=1";
    let list: ListThings = read(&S3, "ListThings", &request("GET", target, &[], "")).unwrap();
    let names = Some(vec!["x".to_owned(), "y".to_owned()]);
    let expected = ListThings { bucket: "b".to_owned(), max_keys: Some(7), names, prefix: Some("a/b c".to_owned()) };
    assert_eq!(list, expected);
    let get: GetThing =
        read(&S3, "GetThing", &request("GET", "/b/k?versionId=", &[("range", "bytes=0-1")], "")).unwrap();
    assert_eq!((get.version_id.as_deref(), get.range.as_deref()), (Some(""), Some("bytes=0-1")));
    let mode = |text| read::<GetThing>(&S3, "GetThing", &request("GET", "/b/k", &[("x-amz-checksum-mode", text)], ""));
    assert_eq!(mode("cold").unwrap().checksum_mode.as_deref(), Some("COLD"));
    assert_eq!(mode("warm").unwrap_err().code, "InvalidArgument");
}

#[test]
fn an_argument_that_cannot_be_is_named() {
    let list = |target: &str| read::<ListThings>(&S3, "ListThings", &request("GET", target, &[], "")).unwrap_err();
    let error = list("/b?max-keys=many");
    assert_eq!((error.code.as_ref(), error.status), ("InvalidArgument", 400));
    assert_eq!(error.message, "Provided max-keys not an integer or within integer range");
    assert_eq!(error.members[0].1, "max-keys");
    assert_eq!(error.members[1].1, "many");
    for path in ["/b%zz", "/b%f", "/b%ff"] {
        assert_eq!(list(path).code, "InvalidURI", "{path}");
    }
    let put = |headers: &[(&'static str, &'static str)]| {
        read::<PutThing>(&S3, "PutThing", &request("PUT", "/b/k", headers, ""))
    };
    assert_eq!(put(&[("x-amz-storage-class", "WARM")]).unwrap_err().code, "InvalidStorageClass");
    assert_eq!(put(&[("content-length", "x")]).unwrap_err().code, "InvalidArgument");
    // A condition on no time is no condition.
    assert_eq!(put(&[("if-modified-since", "yesterday")]).unwrap().if_modified_since, None);
}

#[test]
fn an_answer_is_headers_and_a_content() {
    let metadata = [("a", "b"), ("c", "ä")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let got = GotThing {
        body: Some(Content::bytes("bytes")),
        content_length: Some(5),
        content_range: None,
        content_type: Some("text/x".to_owned()),
        last_modified: Some(Timestamp::from_millis(1_398_796_238_999)),
        metadata: Some(BTreeMap::from(metadata)),
    };
    let encoded = written(&S3, "GetThing", got.clone());
    assert_eq!((encoded.status, encoded.body.len(), encoded.content.clone()), (200, 0, got.body.clone()));
    for (name, value) in [
        ("content-length", "5"),
        ("content-type", "text/x"),
        ("last-modified", "Tue, 29 Apr 2014 18:30:38 GMT"),
        ("x-amz-meta-a", "b"),
        ("x-amz-meta-c", "=?UTF-8?B?w6Q=?="),
    ] {
        assert_eq!(header(&encoded, name), Some(value), "{name}");
    }
    let part = GotThing { content_range: Some("bytes 0-4/9".to_owned()), ..got };
    assert_eq!(written(&S3, "GetThing", part).status, 206);
}

#[test]
fn an_answer_is_a_document_called_as_the_service_calls_it() {
    let grantee = Grantee { id: Some("<1>".to_owned()), r#type: "Canonical\"User".to_owned() };
    let listed = ListedThings {
        grants: Some(vec![Grant { grantee: Some(grantee) }]),
        name: Some("b".to_owned()),
        prefixes: Some(vec!["a/".to_owned(), "b/".to_owned()]),
    };
    let encoded = written(&S3, "ListThings", listed);
    assert_eq!(encoded.content_type, Some("application/xml"));
    assert_eq!(
        text(&encoded),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ListResult xmlns=\"http://things.example.com/doc/2006-03-01/\"><AccessControlList><Grant>\
         <Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"Canonical&quot;User\">\
         <ID>&lt;1&gt;</ID></Grantee></Grant></AccessControlList><Name>b</Name>\
         <CommonPrefix>a/</CommonPrefix><CommonPrefix>b/</CommonPrefix></ListResult>"
    );
    let located = |place: Option<&str>| {
        let encoded = written(&S3, "LocateThing", LocatedBucket { place: place.map(str::to_owned) });
        text(&encoded).lines().nth(1).unwrap().to_owned()
    };
    let root = "<Place xmlns=\"http://things.example.com/doc/2006-03-01/\">";
    assert_eq!(located(Some("eu-north-1")), format!("{root}eu-north-1</Place>"));
    assert_eq!(located(None), format!("{root}</Place>"));
}

#[test]
fn an_operation_that_answers_nothing_answers_its_status_and_nothing() {
    let abort = S3.operation("AbortThing").unwrap();
    let encoded = encode(Protocol::RestXml, &S3, abort, &crate::nothing());
    assert_eq!((encoded.status, encoded.body.len(), encoded.content_type), (204, 0, None));
}

#[test]
fn rest_json_binds_the_same_places_and_takes_from_the_body_what_belongs_there() {
    let body = "{\"Count\": 3, \"Name\": \"other\", \"dry\": true, \"versionId\": \"injected\"}";
    let count: CountThings =
        read(&REST_JSON, "CountThings", &request("POST", "/2020/things/a%2Fb+c/count/?dry=false", &[], body)).unwrap();
    let expected = CountThings { count: Some(3), is_dry: Some(false), name: "a/b+c".to_owned(), version_id: None };
    assert_eq!(count, expected);
    let encoded = written(&REST_JSON, "CountThings", CountedThings { count: Some(3), error: Some("none".to_owned()) });
    assert_eq!((encoded.status, text(&encoded)), (202, "{\"Count\":3}"));
    assert_eq!((header(&encoded, "x-amz-error"), encoded.content_type), (Some("none"), Some("application/json")));
    let target = "/2020/things/t/invocations?a=1&b=2&a=3";
    let invoke: Invoke =
        read(&REST_JSON, "Invoke", &request("POST", target, &[("x-amz-kind", "Event")], "{raw")).unwrap();
    let extra = [("a", "1"), ("b", "2")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!((invoke.payload.as_deref(), invoke.kind.as_deref()), (Some(&b"{raw"[..]), Some("Event")));
    assert_eq!(invoke.extra, Some(BTreeMap::from(extra)));
    let invoked = Invoked { error: None, payload: Some(b"raw".to_vec()), status: Some(299) };
    let encoded = written(&REST_JSON, "Invoke", invoked);
    assert_eq!((encoded.status, text(&encoded)), (299, "raw"));
    let error = read::<CountThings>(&REST_JSON, "CountThings", &request("POST", "/2020/things/t/count/", &[], "["))
        .unwrap_err();
    assert_eq!((error.code.as_ref(), error.status), ("SerializationException", 400));
}

#[test]
fn an_error_of_s3_is_a_document_without_a_namespace() {
    let error = Error::new("NoSuchKey", 404, "The specified key does not exist.")
        .with("Key", "a<b")
        .header("x-amz-delete-marker", "true");
    let encoded = fault(Protocol::RestXml, &error, Told { request_id: "R", resource: "/b/a<b" });
    assert_eq!((encoded.status, encoded.content_type), (404, Some("application/xml")));
    assert_eq!(header(&encoded, "x-amz-delete-marker"), Some("true"));
    assert_eq!(
        text(&encoded),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not \
         exist.</Message><Key>a&lt;b</Key><Resource>/b/a&lt;b</Resource><RequestId>R</RequestId><HostId>Ug==</HostId></Error>"
    );
    let internal = fault(Protocol::RestXml, &Error::internal(), Told::default());
    assert!(text(&internal).contains("<Code>InternalError</Code>"));
    let unmodified = fault(Protocol::RestXml, &Error::new("NotModified", 304, ""), Told::default());
    assert_eq!((unmodified.status, unmodified.body.len(), unmodified.content_type), (304, 0, None));
}

#[test]
fn an_error_of_rest_json_has_its_code_in_a_header() {
    let error = Error::new("ResourceNotFoundException", 404, "Gone.").with("Type", "User");
    let encoded = fault(Protocol::RestJson1, &error, Told { request_id: "R", resource: "/" });
    assert_eq!(header(&encoded, "x-amzn-errortype"), Some("ResourceNotFoundException"));
    assert_eq!((encoded.status, text(&encoded)), (404, "{\"Type\":\"User\",\"message\":\"Gone.\"}"));
}

#[test]
fn what_comes_before_events_is_in_the_head_and_an_events_payload_is_bytes() {
    use crate::eventstream::message::{self, Kind};
    let (protocol, operation) = (Protocol::RestJson1, REST_JSON.operation("StreamThing").unwrap());
    let head = Invoked { error: Some("none".to_owned()), payload: None, status: Some(202) };
    let encoded = protocol.encode_initial(&REST_JSON, operation, &head.into_value());
    assert_eq!((encoded.status, encoded.content_type), (202, Some(message::CONTENT_TYPE)));
    assert_eq!((header(&encoded, "x-amz-error"), encoded.body.as_slice()), (Some("none"), &b""[..]));
    let events = REST_JSON.events(operation).unwrap();
    let written = |event: Streamed| {
        let (place, value) = event.into_event();
        protocol.encode_event(events.member(place), &value).unwrap()
    };
    let chunk = written(Streamed::Chunk(Chunk { payload: Some(b"\0raw\xff".to_vec()) }));
    assert_eq!(chunk, (message::encode(Kind::Event("Chunk"), "application/octet-stream", b"\0raw\xff"), false));
    let empty = written(Streamed::Chunk(Chunk { payload: None }));
    assert_eq!(empty.0, message::encode(Kind::Event("Chunk"), "application/octet-stream", b""));
    let done = written(Streamed::Done(Done { error: Some("x".to_owned()) }));
    assert_eq!(done.0, message::encode(Kind::Event("Done"), "application/json", br#"{"Error":"x"}"#));
}
