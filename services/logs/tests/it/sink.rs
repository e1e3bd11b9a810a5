use platform::ports::{LogEvent, LogSink, LogSinkError, LogTarget};

use super::*;

fn event(timestamp: i64, message: &str) -> LogEvent {
    LogEvent { timestamp: Timestamp::from_millis(timestamp), message: message.to_owned() }
}

#[tokio::test]
async fn output_makes_its_stream_and_if_asked_its_group() {
    let caller = Caller::new();
    let region = Region::default();
    let mut target = LogTarget {
        account: caller.account,
        region: &region,
        group: "/ecs/web",
        stream: "web/1",
        creates_group: false,
    };
    let missing = caller.logs.put_events(target, vec![event(START, "a")]).await;
    assert!(matches!(missing, Err(LogSinkError::NoSuchGroup)));
    target.creates_group = true;
    caller.logs.put_events(target, vec![event(START + 1, "b"), event(START, "a")]).await.unwrap();
    target.creates_group = false;
    caller.logs.put_events(target, vec![event(START + 2, "c"), event(START + 2, "")]).await.unwrap();
    let found = caller.ok("GetLogEvents", json!({"logGroupName": "/ecs/web", "logStreamName": "web/1"})).await;
    assert_eq!(column(&found["events"], "message"), ["a", "b", "c"]);
    target.stream = "a:b";
    assert!(matches!(caller.logs.put_events(target, vec![event(START, "a")]).await, Err(LogSinkError::Name)));
}
