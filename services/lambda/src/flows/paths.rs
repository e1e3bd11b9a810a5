//! Requests as clients send them: which operation a path asks for, and what comes out of it.

use http::{HeaderMap, Method};
use wire::model::Protocol;
use wire::rest::{self, Body, Parameters, Request};

use super::*;
use crate::api;

fn request(method: &str, target: &str, body: &str) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Request {
        method: method.parse().unwrap(),
        path: path.to_owned(),
        parameters: Parameters::parse(Some(query)).unwrap(),
        headers: HeaderMap::new(),
        body: Body::Whole(Bytes::copy_from_slice(body.as_bytes())),
    }
}

/// The operation that a request asks for.
fn asked(request: &Request) -> &'static str {
    let Request { method, path, parameters, headers, .. } = request;
    let found = rest::route::route(&api::MODEL, method, path, parameters, headers);
    api::MODEL.operation_name(found.unwrap_or_else(|none| panic!("{method} {path}: {none:?}")))
}

#[test]
fn every_operation_is_found_by_its_own_path() {
    for operation in 0..api::MODEL.operations.len() {
        let http = api::MODEL.http(operation).unwrap();
        let method: Method = http.method.parse().unwrap();
        let target = http.uri.replace(['{', '}'], "");
        assert_eq!(asked(&request(method.as_str(), &target, "")), api::MODEL.operation_name(operation));
    }
}

#[test]
fn paths_are_taken_as_clients_write_them() {
    for (method, target, operation) in [
        ("GET", "/2015-03-31/functions/", "ListFunctions"),
        ("GET", "/2015-03-31/functions", "ListFunctions"),
        ("GET", "/2015-03-31/functions?MaxItems=2&FunctionVersion=ALL", "ListFunctions"),
        ("GET", "/2018-10-31/layers?find=LayerVersion&Arn=x", "GetLayerVersionByArn"),
        ("GET", "/2018-10-31/layers", "ListLayers"),
        ("POST", "/2015-03-31/functions/f/invocations", "Invoke"),
        ("POST", "/2014-11-13/functions/f/invoke-async", "InvokeAsync"),
        ("POST", "/2021-11-15/functions/f/response-streaming-invocations", "InvokeWithResponseStream"),
        ("DELETE", "/2017-03-31/tags/x?tagKeys=a&tagKeys=b", "UntagResource"),
    ] {
        assert_eq!(asked(&request(method, target, "")), operation, "{method} {target}");
    }
}

#[test]
fn an_arn_in_a_path_comes_out_of_its_escapes_and_a_payload_is_bytes() {
    let target = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af/invocations?Qualifier=%24LATEST";
    let mut request = request("POST", target, "{\"a\":1}");
    request.headers.insert("x-amz-invocation-type", "Event".parse().unwrap());
    let operation = api::MODEL.operation("Invoke").unwrap();
    let input = rest::decode(Protocol::RestJson1, &api::MODEL, operation, &request).unwrap();
    let input: api::InvocationRequest = wire::read(input).unwrap();
    assert_eq!(input.function_name, "arn:aws:lambda:us-east-1:123456789012:function:f");
    assert_eq!((input.qualifier.as_deref(), input.payload.as_deref()), (Some("$LATEST"), Some(&b"{\"a\":1}"[..])));
    assert_eq!(input.invocation_type, Some(api::InvocationType::Event));
}

#[test]
fn an_answer_has_its_status_and_its_headers_where_clients_look_for_them() {
    let operation = |name: &str| api::MODEL.operation(name).unwrap();
    let written =
        |name: &str, output: wire::value::Value| Protocol::RestJson1.encode(&api::MODEL, operation(name), &output, "r");
    let answered = api::InvocationResponse {
        executed_version: Some("7".to_owned()),
        function_error: Some("Unhandled".to_owned()),
        payload: Some(b"{}".to_vec()),
        status_code: Some(200),
        ..Default::default()
    };
    let encoded = written("Invoke", wire::write(answered));
    assert_eq!((encoded.status, encoded.body.as_slice()), (200, &b"{}"[..]));
    let header = |name: &str| encoded.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_ref());
    assert_eq!((header("x-amz-executed-version"), header("x-amz-function-error")), (Some("7"), Some("Unhandled")));
    assert_eq!(written("CreateFunction", wire::write(api::FunctionConfiguration::default())).status, 201);
    assert_eq!(written("DeleteAlias", wire::nothing()).status, 204);
    let gone = api::DeleteFunctionResponse { status_code: Some(204) };
    let encoded = written("DeleteFunction", wire::write(gone));
    assert_eq!((encoded.status, encoded.body.len()), (204, 0));
}
