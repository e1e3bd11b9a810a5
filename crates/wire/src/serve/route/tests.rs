use super::*;
use crate::fixture::{JSON, METERS, QUERY};

const SERVICES: &[&ServiceModel] = &[&JSON, &QUERY, &METERS];
const JSON_TYPE: &str = "application/x-amz-json-1.1";

fn head(headers: &[(&str, &str)]) -> Parts {
    let mut request = http::Request::post("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// Where a request goes that is signed for `scope`.
fn route(headers: &[(&str, &str)], scope: &str, form: &[u8]) -> Result<Target, crate::Error> {
    let dialect = Dialect::of(&head(headers), SERVICES, false);
    let target = dialect.service(SERVICES, scope).and_then(|service| dialect.target(SERVICES, service, form));
    target.map_err(|none| none.error(dialect.protocol()))
}

fn json(target: &str) -> Result<Target, crate::Error> {
    route(&[("x-amz-target", target), ("content-type", JSON_TYPE)], "things", b"")
}

fn form(form: &str) -> Result<Target, crate::Error> {
    route(&[("content-type", FORM_TYPE)], "forms", form.as_bytes())
}

fn unknown_operation() -> crate::Error {
    crate::Error::new("UnknownOperationException", 400, "")
}

#[test]
fn a_target_names_service_and_operation() {
    assert_eq!(json("Things_2020.Echo"), Ok(Target { service: 0, operation: 0, protocol: Protocol::AwsJson11 }));
    let upper = [("x-amz-target", "Things_2020.Fails"), ("content-type", "Application/X-Amz-Json-1.1 ; charset=utf-8")];
    assert_eq!(route(&upper, "things", b"").unwrap().operation, 1);
}

#[test]
fn a_target_that_is_none_is_an_unknown_operation() {
    for target in
        ["Things_2020.Nope", "Things_2020.", "Echo", "", "things_2020.echo", "Things_2020.Echo.Echo", "Other.Echo", "."]
    {
        assert_eq!(json(target), Err(unknown_operation()), "{target}");
    }
    assert_eq!(route(&[("content-type", JSON_TYPE)], "things", b"{}"), Err(unknown_operation()), "no target at all");
}

#[test]
fn a_service_that_is_not_here_is_named() {
    let elsewhere = [("x-amz-target", "DynamoDB_20120810.ListTables"), ("content-type", "application/x-amz-json-1.0")];
    let error = route(&elsewhere, "dynamodb", b"").unwrap_err();
    assert_eq!((error.status, error.message.as_str()), (501, "Pilvi does not serve DynamoDB_20120810 yet."));
    let error = route(&[("content-type", FORM_TYPE)], "sns", b"Action=Publish").unwrap_err();
    assert_eq!((error.status, error.message.as_str()), (501, "Pilvi does not serve sns yet."));
    let error = route(&[("content-type", JSON_TYPE)], "dynamo\ndb", b"").unwrap_err();
    assert_eq!(error.message, "Pilvi does not serve dynamodb yet.", "without what would break a line of a log");
}

#[test]
fn a_target_wants_the_content_type_of_its_protocol() {
    let status = |content_type: Option<&str>| {
        let headers: Vec<_> = [("x-amz-target", "Things_2020.Echo")]
            .into_iter()
            .chain(content_type.map(|c| ("content-type", c)))
            .collect();
        let error = route(&headers, "things", b"").unwrap_err();
        assert_eq!(error.code, "UnknownOperationException");
        error.status
    };
    for wrong in
        [None, Some("text/plain"), Some(FORM_TYPE), Some("application/json"), Some("application/x-amz-json-1.1x")]
    {
        assert_eq!(status(wrong), 404, "{wrong:?}");
    }
    assert_eq!(status(Some("application/x-amz-json-1.0")), 404, "a protocol that this service does not speak");
}

#[test]
fn a_form_names_its_operation_and_version() {
    let echo = Ok(Target { service: 1, operation: 0, protocol: Protocol::AwsQuery });
    assert_eq!(form("Action=Echo&Version=2010-05-08"), echo);
    assert_eq!(form("Action=Echo&Action=Nope&Version=2010-05-08&Version=x"), echo, "the first of two counts");
    for (body, sentence) in [
        ("Action=Nope&Version=2010-05-08", "Could not find operation Nope for version 2010-05-08"),
        ("Action=&Version=2010-05-08", "Could not find operation  for version 2010-05-08"),
        ("Action=Echo", "Could not find operation Echo for version NO_VERSION_SPECIFIED"),
        ("Action=Echo&Version=", "Could not find operation Echo for version "),
        ("Action=Echo&Version=2000-01-01", "Could not find operation Echo for version 2000-01-01"),
        ("Action=%0A&Version=2000-01-01", "Could not find operation  for version 2000-01-01"),
    ] {
        assert_eq!(form(body), Err(crate::Error::new("InvalidAction", 400, sentence)), "{body}");
    }
    assert_eq!(form("Version=2010-05-08").unwrap_err().code, "MissingAction");
    assert_eq!(form(&"a.".repeat(100)).unwrap_err().code, "MalformedInput");
}

#[test]
fn a_json_service_takes_no_form() {
    let error = route(&[("content-type", FORM_TYPE)], "things", b"Action=Echo").unwrap_err();
    assert_eq!((error.code.as_ref(), error.status), ("UnknownOperationException", 404));
}

fn cbor(path: &str, content_type: Option<&str>) -> Result<Target, crate::Error> {
    let mut request = http::Request::post(path).header("smithy-protocol", "rpc-v2-cbor");
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    let dialect = Dialect::of(&request.body(()).unwrap().into_parts().0, SERVICES, false);
    assert_eq!((dialect.protocol(), dialect.family()), (Protocol::RpcV2Cbor, ErrorFamily::Json));
    let target = dialect.service(SERVICES, "meters").and_then(|service| dialect.target(SERVICES, service, b""));
    target.map_err(|none| none.error(dialect.protocol()))
}

#[test]
fn a_path_names_service_and_operation_of_cbor() {
    let expected = Ok(Target { service: 2, operation: 1, protocol: Protocol::RpcV2Cbor });
    for content_type in [Some("application/cbor"), Some("Application/CBOR ; v=1"), None] {
        assert_eq!(cbor("/service/Meters_2010/operation/Fails", content_type), expected);
        assert_eq!(cbor("/a/service/b/service/Meters_2010/operation/Fails?x=/", content_type), expected);
    }
}

#[test]
fn a_path_that_names_none_is_an_unknown_operation() {
    for path in [
        "/",
        "/service/Meters_2010/operation/Nope",
        "/service/Meters_2010/operation/Fails/",
        "/service/Meters_2010/operation",
        "/service/Meters_2010/Fails",
        "/service//operation/Fails",
        "/service/meters_2010/operation/Fails",
        "/operation/Fails",
        "//////",
    ] {
        assert_eq!(cbor(path, None), Err(unknown_operation()), "{path}");
    }
}

#[test]
fn a_path_of_cbor_goes_with_no_other_content_type() {
    let error = cbor("/service/Meters_2010/operation/Fails", Some("application/json")).unwrap_err();
    assert_eq!((error.code.as_ref(), error.status), ("UnsupportedMediaTypeException", 415));
}
