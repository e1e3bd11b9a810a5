//! Which request reaches which operation, and what is answered to the others.

use serde_json::json;
use wire::serve::ServeLimits;

use super::backend::KEY;
use super::harness::{Request, Running, run};

#[test]
fn a_target_reaches_its_operation() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let answer = server.send(&Request::json("Echo", r#"{"String":"a","Nope":1}"#).signed("things")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("content-type"), "application/x-amz-json-1.1");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&answer.body).unwrap(), json!({"String": "a"}));
        let answer = server.send(&Request::json("Nothing", "").signed("things")).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
        assert_eq!(*server.observed.lock().unwrap(), [("things", "Echo", 200), ("things", "Nothing", 200)]);
    });
}

#[test]
fn an_action_in_the_body_reaches_its_operation() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let form = "Action=Echo&Version=2010-05-08&Strings.member.1=a+b";
        let answer = server.send(&Request::form(form).signed("forms")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("content-type"), "text/xml");
        assert!(
            answer.body.contains("<EchoAnswer><Strings><member>a b</member></Strings></EchoAnswer>"),
            "{}",
            answer.body
        );
        assert_eq!(answer.element("RequestId"), answer.header("x-amzn-requestid"));
    });
}

#[test]
fn an_action_in_the_query_reaches_its_operation() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let target = "/?Action=Echo&Version=2010-05-08&String=a+b%26c";
        for request in [
            Request::bare("GET", target).presigned("forms"),
            Request::bare("GET", target).signed("forms"),
            Request::bare("POST", target).signed("forms"),
        ] {
            let answer = server.send(&request).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert!(answer.body.contains("<String>a b&amp;c</String>"), "{}", answer.body);
        }
        let mut split = Request::form("String=body");
        split.parts.uri = "/?Action=Echo&Version=2010-05-08".parse().unwrap();
        let answer = server.send(&split.signed("forms")).await;
        assert!(answer.body.contains("<String>body</String>"), "{}", answer.body);
    });
}

#[test]
fn a_body_that_is_not_declared_as_a_form_is_none() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let mut request = Request::form("Action=Nothing&Version=2010-05-08");
        request.parts.headers.remove("content-type");
        let answer = server.send(&request.clone().signed("forms")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "MissingAction"));
        let answer = server.send(&request.header("content-type", "text/plain").signed("forms")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "MissingAction"));
    });
}

#[test]
fn what_goes_nowhere_is_answered_in_the_clients_protocol() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let mut no_target = Request::json("Echo", "{}");
        no_target.parts.headers.remove("x-amz-target");
        for (request, status, code) in [
            (Request::json("Nope", "{}").signed("things"), 400, "UnknownOperationException"),
            (no_target.signed("things"), 400, "UnknownOperationException"),
            (Request::json("Echo", "{}").header("x-amz-target", "Other.Echo").signed("other"), 501, "NotImplemented"),
            (Request::json("Unserved", "{}").signed("things"), 501, "NotImplemented"),
            (Request::json("Echo", "{").signed("things"), 400, "SerializationException"),
            (Request::json("Fails", "{}").signed("things"), 400, "InvalidThing"),
            (Request::form("Action=Nope&Version=2010-05-08").signed("forms"), 400, "InvalidAction"),
            (Request::form("Action=Echo").signed("forms"), 400, "InvalidAction"),
            (Request::form("Action=Fails&Version=2010-05-08").signed("forms"), 400, "ValidationError"),
            (Request::form("Action=Echo&Version=2010-05-08&Integer=x").signed("forms"), 400, "MalformedInput"),
            (Request::form("Action=Publish").signed("sns"), 501, "NotImplemented"),
            (Request::form("").signed("forms"), 400, "MissingAction"),
        ] {
            let answer = server.send(&request).await;
            assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.body);
            let is_json = request.parts.headers["content-type"] == "application/x-amz-json-1.1";
            let expected = if is_json { "application/x-amz-json-1.1" } else { "text/xml" };
            assert_eq!(answer.header("content-type"), expected);
            assert!(!answer.header("x-amzn-requestid").is_empty());
        }
    });
}

#[test]
fn an_error_of_a_service_is_in_its_namespace_and_an_unknown_action_in_none_of_ours() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let namespace = "https://forms.example.com/doc/2010-05-08/";
        let failed = server.send(&Request::form("Action=Fails&Version=2010-05-08&Name=good").signed("forms")).await;
        assert_eq!((failed.status, failed.code().as_str()), (404, "Things.NotFound"));
        assert!(failed.body.contains(namespace), "{}", failed.body);
        assert_eq!(failed.element("RequestId"), failed.header("x-amzn-requestid"));
        let unknown = server.send(&Request::form("Action=Nope&Version=2010-05-08").signed("forms")).await;
        assert!(unknown.body.contains("http://webservices.amazon.com/AWSFault/2005-15-09"), "{}", unknown.body);
        assert_eq!(unknown.element("RequestId"), unknown.header("x-amzn-requestid"));
    });
}

#[test]
fn a_handler_is_told_who_asks_where_and_when() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let answer = server.send(&Request::json("Fails", r#"{"Name":"good"}"#).signed("things")).await;
        assert_eq!(answer.message(), format!("{KEY} eu-north-1 things.example:4566 2026-01-01T00:00:00Z"));
    });
}

#[test]
fn what_is_not_of_the_aws_api_is_answered_without_a_signature() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let answer = server.send(&Request::bare("GET", "/health")).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "well\n"));
        assert!(server.observed.lock().unwrap().is_empty());
    });
}
