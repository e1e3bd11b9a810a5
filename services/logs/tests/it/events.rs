use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// Puts messages a second apart, the first at `start`.
async fn put(caller: &Caller, stream: &str, start: i64, messages: &[&str]) -> Value {
    let events =
        messages.iter().zip(0..).map(|(message, n)| json!({"timestamp": start + n * 1000, "message": message}));
    let events: Vec<_> = events.collect();
    caller.ok("PutLogEvents", json!({"logGroupName": "g", "logStreamName": stream, "logEvents": events})).await
}

fn messages(answer: &Value) -> Vec<Value> {
    column(&answer["events"], "message")
}

#[tokio::test]
async fn events_are_stored_and_read_from_either_end() {
    let caller = Caller::new();
    caller.stream("g", "s").await;
    let answer = put(&caller, "s", START - 10_000, &["a", "b", "c", "d", "e"]).await;
    assert!(answer["nextSequenceToken"].is_string() && answer.get("rejectedLogEventsInfo").is_none());
    let get = |more: Value| {
        let mut input = json!({"logGroupName": "g", "logStreamName": "s", "limit": 2});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let last = caller.ok("GetLogEvents", get(json!({}))).await;
    assert_eq!(messages(&last), ["d", "e"]);
    assert_eq!(last["events"][0], json!({"timestamp": START - 7000, "ingestionTime": START, "message": "d"}));
    let before = caller.ok("GetLogEvents", get(json!({"nextToken": last["nextBackwardToken"]}))).await;
    assert_eq!(messages(&before), ["b", "c"]);
    let first = caller.ok("GetLogEvents", get(json!({"startFromHead": true}))).await;
    assert_eq!(messages(&first), ["a", "b"]);
    let mut token = first["nextForwardToken"].clone();
    let mut seen = messages(&first);
    loop {
        let page = caller.ok("GetLogEvents", get(json!({"nextToken": token, "startFromHead": true}))).await;
        seen.extend(messages(&page));
        if page["nextForwardToken"] == token {
            break;
        }
        token = page["nextForwardToken"].clone();
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
    put(&caller, "s", START, &["f"]).await;
    let more = caller.ok("GetLogEvents", get(json!({"nextToken": token}))).await;
    assert_eq!(messages(&more), ["f"]);
    let range = json!({"startTime": START - 9000, "endTime": START - 7000, "limit": 10});
    assert_eq!(messages(&caller.ok("GetLogEvents", get(range)).await), ["b", "c"]);
    for wrong in ["x", "f/1/s", "f/x", "g/00000000000000000000000000000000000000000000000000000001/s"] {
        let refused = caller.refused("GetLogEvents", get(json!({"nextToken": wrong}))).await;
        assert_eq!(refused, refusal("InvalidParameterException", "The specified nextToken is invalid."), "{wrong}");
    }
}

#[tokio::test]
async fn an_empty_stream_can_be_followed() {
    let caller = Caller::new();
    caller.stream("g", "s").await;
    let empty = caller.ok("GetLogEvents", json!({"logGroupName": "g", "logStreamName": "s"})).await;
    assert_eq!(empty["events"], json!([]));
    let token = empty["nextForwardToken"].clone();
    let again = json!({"logGroupName": "g", "logStreamName": "s", "nextToken": token});
    assert_eq!(caller.ok("GetLogEvents", again.clone()).await["nextForwardToken"], token);
    put(&caller, "s", START, &["a"]).await;
    assert_eq!(messages(&caller.ok("GetLogEvents", again).await), ["a"]);
}

#[tokio::test]
async fn a_stream_that_is_deleted_and_created_again_is_empty() {
    let caller = Caller::new();
    caller.stream("g", "s").await;
    caller.stream("g", "other").await;
    put(&caller, "s", START, &["a"]).await;
    put(&caller, "other", START, &["b"]).await;
    caller.ok("DeleteLogStream", json!({"logGroupName": "g", "logStreamName": "s"})).await;
    caller.stream("g", "s").await;
    let empty = caller.ok("GetLogEvents", json!({"logGroupName": "g", "logStreamName": "s"})).await;
    assert_eq!(empty["events"], json!([]));
    assert_eq!(messages(&caller.ok("FilterLogEvents", json!({"logGroupName": "g"})).await), ["b"]);
}

#[tokio::test]
async fn what_is_not_there_or_not_readable_is_refused() {
    let caller = Caller::new();
    caller.group("g").await;
    let event = json!([{"timestamp": START, "message": "m"}]);
    let put = |group: &str| json!({"logGroupName": group, "logStreamName": "s", "logEvents": event});
    assert_eq!(caller.refused("PutLogEvents", put("x")).await, group_not_found());
    assert_eq!(caller.refused("PutLogEvents", put("g")).await, stream_not_found());
    let get = json!({"logGroupName": "g", "logStreamName": "s"});
    assert_eq!(caller.refused("GetLogEvents", get).await, stream_not_found());
    let none = json!({"logGroupName": "g", "logStreamNames": ["s"]});
    assert_eq!(caller.refused("FilterLogEvents", none).await, stream_not_found());
    caller.ok("CreateLogGroup", json!({"logGroupName": "rare", "logGroupClass": "INFREQUENT_ACCESS"})).await;
    let (code, _) = caller.refused("FilterLogEvents", json!({"logGroupName": "rare"})).await;
    assert_eq!(code, "InvalidParameterException");
    let both = json!({"logGroupName": "g", "logGroupIdentifier": "g"});
    assert_eq!(caller.refused("FilterLogEvents", both).await.0, "InvalidParameterException");
}

#[tokio::test]
async fn events_out_of_time_are_told_and_left_out() {
    let caller = Caller::new();
    caller.stream("g", "s").await;
    caller.ok("PutRetentionPolicy", json!({"logGroupName": "g", "retentionInDays": 1})).await;
    let day = 24 * 3600 * 1000;
    let events = json!([
        {"timestamp": START - day - 1000, "message": "expired"},
        {"timestamp": START - 2000, "message": "kept"},
    ]);
    let input = json!({"logGroupName": "g", "logStreamName": "s", "logEvents": events});
    let answer = caller.ok("PutLogEvents", input).await;
    assert_eq!(answer["rejectedLogEventsInfo"], json!({"expiredLogEventEndIndex": 1}));
    assert_eq!(messages(&caller.ok("FilterLogEvents", json!({"logGroupName": "g"})).await), ["kept"]);
}

#[tokio::test]
async fn retention_lets_events_go() {
    let caller = Caller::new();
    caller.stream("g", "s").await;
    put(&caller, "s", START, &["old"]).await;
    caller.ok("PutRetentionPolicy", json!({"logGroupName": "g", "retentionInDays": 1})).await;
    caller.advance(Duration::from_secs(24 * 3600 + 1));
    put(&caller, "s", caller.now(), &["new"]).await;
    let round = caller.reconcile(logs::reconcile::retention::reconciler(&caller.logs)).await;
    assert_eq!(round.changes, 1);
    assert!(round.due.is_some());
    assert_eq!(messages(&caller.ok("FilterLogEvents", json!({"logGroupName": "g"})).await), ["new"]);
}

#[tokio::test]
async fn filtering_goes_over_all_streams_in_the_order_of_time() {
    let caller = Caller::new();
    for stream in ["a/1", "a/2", "b"] {
        caller.stream("g", stream).await;
    }
    put(&caller, "a/1", START - 10_000, &["ERROR one", "fine", "ERROR three"]).await;
    put(&caller, "a/2", START - 9500, &["ERROR two", "fine"]).await;
    put(&caller, "b", START - 9000, &["ERROR other"]).await;
    let found = |input: Value| {
        let caller = caller.clone();
        async move {
            let mut input = input;
            input["logGroupName"] = json!("g");
            let mut all = Vec::new();
            loop {
                let page = caller.ok("FilterLogEvents", input.clone()).await;
                assert_eq!(page["searchedLogStreams"], json!([]));
                all.extend(messages(&page));
                let Some(token) = page.get("nextToken") else { return all };
                input["nextToken"] = token.clone();
            }
        }
    };
    let errors = ["ERROR one", "ERROR two", "ERROR other", "ERROR three"];
    assert_eq!(found(json!({"filterPattern": "ERROR"})).await, errors);
    assert_eq!(found(json!({"filterPattern": "ERROR", "limit": 1})).await, errors);
    let some = json!({"filterPattern": "ERROR", "logStreamNamePrefix": "a/", "limit": 2});
    assert_eq!(found(some).await, ["ERROR one", "ERROR two", "ERROR three"]);
    assert_eq!(found(json!({"logStreamNames": ["b", "a/2"]})).await, ["ERROR two", "ERROR other", "fine"]);
    let range = json!({"startTime": START - 9500, "endTime": START - 9000});
    assert_eq!(found(range).await, ["ERROR two", "fine", "ERROR other"]);
    let backwards = json!({"filterPattern": "ERROR", "startFromHead": false, "limit": 3});
    assert_eq!(found(backwards).await, ["ERROR three", "ERROR other", "ERROR two", "ERROR one"]);
    let one = caller.ok("FilterLogEvents", json!({"logGroupName": "g", "filterPattern": "one"})).await;
    let event = &one["events"][0];
    assert_eq!((&event["logStreamName"], &event["timestamp"]), (&json!("a/1"), &json!(START - 10_000)));
    assert_eq!(event["eventId"].as_str().unwrap().len(), 56);
}

#[tokio::test]
async fn streams_are_described_with_what_is_in_them() {
    let caller = Caller::new();
    for stream in ["a", "b", "c"] {
        caller.stream("g", stream).await;
    }
    put(&caller, "b", START - 5000, &["1", "2"]).await;
    put(&caller, "a", START - 3000, &["3"]).await;
    let by_time = json!({"logGroupName": "g", "orderBy": "LastEventTime", "descending": true, "limit": 2});
    let first = caller.ok("DescribeLogStreams", by_time.clone()).await;
    assert_eq!(column(&first["logStreams"], "logStreamName"), ["a", "b"]);
    let b = &first["logStreams"][1];
    assert_eq!((&b["firstEventTimestamp"], &b["lastEventTimestamp"]), (&json!(START - 5000), &json!(START - 4000)));
    assert_eq!(b["lastIngestionTime"], START);
    let mut rest = by_time;
    rest["nextToken"] = first["nextToken"].clone();
    let rest = caller.ok("DescribeLogStreams", rest).await;
    assert_eq!(column(&rest["logStreams"], "logStreamName"), ["c"]);
    assert!(rest.get("nextToken").is_none());
    let group = caller.ok("DescribeLogGroups", json!({})).await;
    assert!(group["logGroups"][0]["storedBytes"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn the_group_of_another_class_takes_events_too() {
    let caller = Caller::new();
    caller.ok("CreateLogGroup", json!({"logGroupName": "g", "logGroupClass": "DELIVERY"})).await;
    caller.stream("g", "s").await;
    put(&caller, "s", START, &["m"]).await;
    let described = caller.ok("DescribeLogGroups", json!({})).await;
    assert_eq!(described["logGroups"][0]["retentionInDays"], 2);
    let (code, _) = caller.refused("PutRetentionPolicy", json!({"logGroupName": "g", "retentionInDays": 1})).await;
    assert_eq!(code, "InvalidParameterException");
}

/// A disk that can be full.
#[derive(Debug, Default)]
struct SmallDisk {
    is_full: AtomicBool,
}

impl Disk for SmallDisk {
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.is_full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        SystemDisk.write_at(file, bytes, offset)
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        SystemDisk.truncate(file, length)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        SystemDisk.sync(file)
    }
}

#[tokio::test]
async fn a_full_disk_refuses_events_so_that_clients_try_again_and_counts_them() {
    let disk = Arc::new(SmallDisk::default());
    let caller = Caller::on_disk(disk.clone());
    caller.stream("g", "s").await;
    put(&caller, "s", START - 2000, &["before"]).await;
    disk.is_full.store(true, Ordering::SeqCst);
    let events = json!([{"timestamp": START, "message": "lost"}, {"timestamp": START, "message": "too"}]);
    let input = json!({"logGroupName": "g", "logStreamName": "s", "logEvents": events});
    let error = caller.call("PutLogEvents", input).await.unwrap_err();
    assert_eq!((error.code.as_ref(), error.status), ("ServiceUnavailableException", 503));
    assert_eq!(messages(&caller.ok("FilterLogEvents", json!({"logGroupName": "g"})).await), ["before"]);
    let groups = caller.logs.segments.groups().unwrap();
    assert_eq!(caller.logs.segments.dropped(&groups[0]).refused, 2);
    disk.is_full.store(false, Ordering::SeqCst);
    put(&caller, "s", START - 1000, &["after"]).await;
    let found = caller.ok("FilterLogEvents", json!({"logGroupName": "g"})).await;
    assert_eq!(messages(&found), ["before", "after"]);
}

#[tokio::test]
async fn the_largest_batches_are_taken_and_come_back_in_pages() {
    let caller = Caller::new();
    caller.stream("g", "many").await;
    caller.stream("g", "large").await;
    let many: Vec<String> = (0..10_000).map(|n| format!("event {n}")).collect();
    let events: Vec<_> = many.iter().map(|message| json!({"timestamp": START, "message": message})).collect();
    caller.ok("PutLogEvents", json!({"logGroupName": "g", "logStreamName": "many", "logEvents": events})).await;
    let found = caller.ok("FilterLogEvents", json!({"logGroupName": "g", "filterPattern": "event"})).await;
    assert_eq!(messages(&found), many);
    assert!(found.get("nextToken").is_none());
    let large = "x".repeat(1024 * 1024 - 26);
    put(&caller, "large", START, &[large.as_str()]).await;
    let small = "y".repeat(100);
    put(&caller, "large", START + 1, &[small.as_str()]).await;
    let input = json!({"logGroupName": "g", "logStreamName": "large", "startFromHead": true});
    let first = caller.ok("GetLogEvents", input.clone()).await;
    assert!(messages(&first) == [large.as_str()], "the page has as much as it may and no more");
    let mut next = input;
    next["nextToken"] = first["nextForwardToken"].clone();
    assert_eq!(messages(&caller.ok("GetLogEvents", next).await), [small.as_str()]);
}
