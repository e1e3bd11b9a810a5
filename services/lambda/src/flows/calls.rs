//! Calling functions.

use super::*;
use crate::executor::Throttle;

#[tokio::test]
async fn a_function_is_called_with_what_was_sent() {
    let house = House::with_function().await;
    let payload = BASE64.encode(r#"{"key":"photo.jpg"}"#);
    let told = house.ok("Invoke", json!({ "FunctionName": "thumbnails", "Payload": payload, "LogType": "Tail" })).await;
    let expected = json!({
        "ExecutedVersion": "$LATEST", "LogResult": BASE64.encode("END"), "Payload": payload, "StatusCode": 200,
    });
    assert_eq!(told, expected);
    let invocation = house.invocations().remove(0);
    assert_eq!((invocation.callee.function.arn().as_str(), invocation.callee.version.as_str()), (ARN, "$LATEST"));
    assert_eq!(invocation.since, Timestamp::from_secs(START));
    house.ok("Invoke", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!(&house.invocations()[0].payload[..], b"{}", "nothing is an empty object");
    house.answer(failed("no"));
    let told = house.ok("Invoke", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!((&told["FunctionError"], &told["StatusCode"]), (&json!("Unhandled"), &json!(200)));
}

#[tokio::test]
async fn a_dry_run_calls_nothing_and_says_whether_it_could() {
    let house = House::with_function().await;
    let dry = json!({ "FunctionName": "thumbnails", "InvocationType": "DryRun" });
    assert_eq!(house.ok("Invoke", dry.clone()).await, json!({ "StatusCode": 204 }));
    assert!(house.invocations().is_empty());
    let denied =
        house.other_account().refused("Invoke", json!({ "FunctionName": ARN, "InvocationType": "DryRun" })).await;
    assert_eq!((denied.0.as_str(), denied.1), ("AccessDeniedException", 403));
    let told = house.refused("Invoke", json!({ "FunctionName": "thumbnails:9", "InvocationType": "DryRun" })).await;
    assert_eq!(told.1, 404);
}

#[tokio::test]
async fn what_is_no_json_or_too_large_is_not_sent() {
    let house = House::with_function().await;
    let send = |payload: Vec<u8>, kind: &str| json!({ "FunctionName": "thumbnails", "InvocationType": kind, "Payload": BASE64.encode(payload) });
    let told = house.refused("Invoke", send(b"no json".to_vec(), "RequestResponse")).await;
    assert_eq!((told.0.as_str(), told.1), ("InvalidRequestContentException", 400));
    assert!(told.2.starts_with("Could not parse request body into json: "), "{}", told.2);
    let text = |length: usize| format!("\"{}\"", "x".repeat(length - 2)).into_bytes();
    let told = house.refused("Invoke", send(text(6_291_457), "RequestResponse")).await;
    assert_eq!((told.0.as_str(), told.1), ("RequestEntityTooLargeException", 413));
    house.ok("Invoke", send(text(6_291_456), "RequestResponse")).await;
    let told = house.refused("Invoke", send(text(1_048_577), "Event")).await;
    let message = "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)";
    assert_eq!(told, ("RequestEntityTooLargeException".to_owned(), 413, message.to_owned()));
    for context in ["no base64!", &BASE64.encode("[1]"), &BASE64.encode(format!("{{\"a\":\"{}\"}}", "x".repeat(3000)))]
    {
        let request = json!({ "FunctionName": "thumbnails", "ClientContext": context });
        assert_eq!(house.refused("Invoke", request).await.0, "InvalidRequestContentException");
    }
    house.ok("Invoke", json!({ "FunctionName": "thumbnails", "ClientContext": BASE64.encode("{}") })).await;
}

#[tokio::test]
async fn a_refusal_has_its_code_and_its_reason() {
    let house = House::with_function().await;
    house.answer(Err(Refused::Throttled(Throttle::ConcurrentInvocationLimitExceeded)));
    let error = house.call("Invoke", json!({ "FunctionName": "thumbnails" })).await.unwrap_err();
    assert_eq!(
        (error.code.as_ref(), error.status, error.message.as_str()),
        ("TooManyRequestsException", 429, "Rate Exceeded.")
    );
    assert_eq!(error.members[0], ("Reason", "ConcurrentInvocationLimitExceeded".into()));
    house
        .ok("PutFunctionConcurrency", json!({ "FunctionName": "thumbnails", "ReservedConcurrentExecutions": 0 }))
        .await;
    let error = house.call("Invoke", json!({ "FunctionName": "thumbnails" })).await.unwrap_err();
    assert_eq!(error.members[0], ("Reason", "ReservedFunctionConcurrentInvocationLimitExceeded".into()));
}

fn event(payload: &str) -> Value {
    json!({ "FunctionName": "thumbnails", "InvocationType": "Event", "Payload": BASE64.encode(payload) })
}

#[tokio::test]
async fn an_event_is_delivered_after_it_was_taken() {
    let house = House::with_function().await;
    assert_eq!(house.ok("Invoke", event("{\"n\":1}")).await, json!({ "StatusCode": 202 }));
    assert!(house.invocations().is_empty());
    house.settle().await;
    let delivered = house.invocations();
    assert_eq!(delivered.iter().map(|it| &it.payload[..]).collect::<Vec<_>>(), [b"{\"n\":1}"]);
    house.advance(10_000);
    house.settle().await;
    assert!(house.invocations().is_empty(), "once");
}

#[tokio::test]
async fn a_large_event_lies_in_a_blob_until_it_is_done_with() {
    let house = House::with_function().await;
    let payload = format!("\"{}\"", "x".repeat(1_000_000));
    house.ok("Invoke", event(&payload)).await;
    let store = &house.lambda.platform.store;
    assert_eq!(store.referenced_blobs().await.unwrap().len(), 2, "the code and the payload");
    house.settle().await;
    assert_eq!(house.invocations()[0].payload, payload.as_bytes());
    assert_eq!(store.referenced_blobs().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_event_that_fails_is_tried_twice_more() {
    let house = House::with_function().await;
    for _ in 0..5 {
        house.answer(failed("no"));
    }
    house.ok("Invoke", event("{}")).await;
    house.settle().await;
    assert_eq!(house.invocations().len(), 1);
    house.advance(59);
    house.settle().await;
    assert_eq!(house.invocations().len(), 0);
    house.advance(1);
    house.settle().await;
    assert_eq!(house.invocations().len(), 1);
    house.advance(120);
    house.settle().await;
    assert_eq!(house.invocations().len(), 1);
    house.advance(10_000);
    house.settle().await;
    assert_eq!(house.invocations().len(), 0, "given up");
}

#[tokio::test]
async fn an_event_that_meets_a_limit_waits_until_it_is_too_old() {
    let house = House::with_function().await;
    let config = json!({ "FunctionName": "thumbnails", "MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 0 });
    house.ok("PutFunctionEventInvokeConfig", config).await;
    let throttled = || Err(Refused::Throttled(Throttle::ConcurrentInvocationLimitExceeded));
    house.answer(throttled());
    house.ok("Invoke", event("{\"n\":1}")).await;
    house.settle().await;
    assert_eq!(house.invocations().len(), 1);
    house.advance(300);
    house.settle().await;
    assert_eq!(house.invocations().len(), 1, "throttling is no failure of the function");
    house.answer(throttled());
    house.ok("Invoke", event("{\"n\":2}")).await;
    house.settle().await;
    house.invocations();
    house.advance(3601);
    house.settle().await;
    assert_eq!(house.invocations().len(), 0, "too old");
    house.answer(failed("no"));
    house.ok("Invoke", event("{\"n\":3}")).await;
    house.settle().await;
    house.invocations();
    house.advance(1000);
    house.settle().await;
    assert_eq!(house.invocations().len(), 0, "no retries are wanted");
}

#[tokio::test]
async fn an_event_of_a_function_that_has_gone_is_dropped() {
    let house = House::with_function().await;
    house.ok("Invoke", event("{}")).await;
    house.ok("DeleteFunction", json!({ "FunctionName": "thumbnails" })).await;
    house.create("thumbnails").await;
    house.settle().await;
    assert!(house.invocations().is_empty(), "another function of the same name");
    assert_eq!(house.lambda.platform.store.count(crate::event::QUEUE).await.unwrap(), Default::default());
}

#[tokio::test]
async fn an_event_whose_payload_is_lost_holds_no_other_up() {
    let house = House::with_function().await;
    house.ok("Invoke", event(&format!("\"{}\"", "x".repeat(1_000_000)))).await;
    let scope = house.ctx().scope();
    let function = house.lambda.platform.store.read::<crate::function::Function>(&scope, &["thumbnails"]).await;
    let code = function.unwrap().unwrap().latest.blobs();
    house.lambda.code.blobs().collect(|digest| code.contains(digest), Duration::ZERO).unwrap();
    house.ok("Invoke", event("{\"n\":2}")).await;
    house.settle().await;
    assert_eq!(house.invocations().iter().map(|it| &it.payload[..]).collect::<Vec<_>>(), [b"{\"n\":2}"]);
}

#[tokio::test]
async fn the_old_way_to_send_an_event_works_still() {
    let house = House::with_function().await;
    let input = crate::api::InvokeAsyncRequest {
        function_name: "thumbnails".to_owned(),
        invoke_args: wire::Content::bytes(&b"{\"old\":true}"[..]),
    };
    let told = crate::ops::invoke_async::invoke_async(&house.lambda, &house.ctx(), input).await.unwrap();
    assert_eq!(told.status, Some(202));
    house.settle().await;
    assert_eq!(&house.invocations()[0].payload[..], b"{\"old\":true}");
}

#[tokio::test]
async fn an_answer_comes_piece_by_piece() {
    use crate::api::{InvokeWithResponseStreamRequest, InvokeWithResponseStreamResponseEvent as Event};
    let house = House::with_function().await;
    let request = || InvokeWithResponseStreamRequest {
        function_name: "thumbnails".to_owned(),
        payload: Some(b"{}".to_vec()),
        ..Default::default()
    };
    let invoke = crate::ops::invoke_with_response_stream::invoke_with_response_stream;
    let (head, mut events) = invoke(&house.lambda, &house.ctx(), request()).await.unwrap();
    assert_eq!((head.status_code, head.executed_version.as_deref()), (Some(200), Some("$LATEST")));
    let Some(Event::PayloadChunk(chunk)) = events.next().await.unwrap() else { panic!("no chunk") };
    assert_eq!(chunk.payload.as_deref(), Some(&b"{}"[..]));
    assert!(matches!(events.next().await.unwrap(), Some(Event::InvokeComplete(_))));
    assert!(events.next().await.unwrap().is_none());
    let dry = Some(crate::api::ResponseStreamingInvocationType::DryRun);
    let request = InvokeWithResponseStreamRequest { invocation_type: dry, ..request() };
    let (head, mut events) = invoke(&house.lambda, &house.ctx(), request).await.unwrap();
    assert_eq!(head.status_code, Some(204));
    assert!(events.next().await.unwrap().is_none());
}
