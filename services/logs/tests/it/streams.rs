use super::*;

#[tokio::test]
async fn a_stream_is_created_described_and_deleted() {
    let caller = Caller::new();
    caller.stream("g", "2026/01/01/[$LATEST]abc").await;
    let described = caller.ok("DescribeLogStreams", json!({"logGroupName": "g"})).await;
    let stream = &described["logStreams"][0];
    assert_eq!(stream["logStreamName"], "2026/01/01/[$LATEST]abc");
    assert_eq!(stream["arn"], arn("log-group:g:log-stream:2026/01/01/[$LATEST]abc"));
    assert_eq!((&stream["creationTime"], &stream["storedBytes"]), (&json!(START), &json!(0)));
    assert!(stream.get("lastEventTimestamp").is_none() && stream["uploadSequenceToken"].is_string());
    let named = json!({"logGroupName": "g", "logStreamName": "2026/01/01/[$LATEST]abc"});
    let again = caller.refused("CreateLogStream", named.clone()).await;
    assert_eq!(again, refusal("ResourceAlreadyExistsException", "The specified log stream already exists"));
    caller.ok("DeleteLogStream", named.clone()).await;
    assert_eq!(caller.refused("DeleteLogStream", named).await, stream_not_found());
    let nowhere = json!({"logGroupName": "x", "logStreamName": "s"});
    assert_eq!(caller.refused("CreateLogStream", nowhere).await, group_not_found());
}

#[tokio::test]
async fn streams_come_by_name_from_either_end_in_pages() {
    let caller = Caller::new();
    for name in ["b/c", "b", "b-c", "a", "b/c/d", "c", "%", "b%"] {
        caller.stream("g", name).await;
    }
    for (input, expected) in [
        (json!({}), vec!["%", "a", "b", "b%", "b-c", "b/c", "b/c/d", "c"]),
        (json!({"descending": true}), vec!["c", "b/c/d", "b/c", "b-c", "b%", "b", "a", "%"]),
        (json!({"logStreamNamePrefix": "b"}), vec!["b", "b%", "b-c", "b/c", "b/c/d"]),
        (json!({"logStreamNamePrefix": "b/", "descending": true}), vec!["b/c/d", "b/c"]),
        (json!({"logStreamNamePrefix": "b/c"}), vec!["b/c", "b/c/d"]),
        (json!({"logStreamNamePrefix": "x"}), vec![]),
        (json!({"orderBy": "LastEventTime"}), vec!["%", "a", "b", "b%", "b-c", "b/c", "b/c/d", "c"]),
    ] {
        for limit in [1, 3, 50] {
            let mut seen = Vec::new();
            let mut input = input.clone();
            input["logGroupName"] = json!("g");
            input["limit"] = json!(limit);
            loop {
                let page = caller.ok("DescribeLogStreams", input.clone()).await;
                seen.extend(column(&page["logStreams"], "logStreamName"));
                let Some(token) = page.get("nextToken") else { break };
                input["nextToken"] = token.clone();
            }
            assert_eq!(seen, expected, "{input}");
        }
    }
    let both = json!({"logGroupName": "g", "orderBy": "LastEventTime", "logStreamNamePrefix": "b"});
    let message = "Cannot order by LastEventTime with a logStreamNamePrefix.";
    assert_eq!(caller.refused("DescribeLogStreams", both).await, refusal("InvalidParameterException", message));
}

#[tokio::test]
async fn the_longest_names_are_told_apart() {
    let caller = Caller::new();
    caller.group("g").await;
    let names = ["😀".repeat(512), "😀".repeat(511), format!("{}x", "😀".repeat(511))];
    for name in &names {
        caller.ok("CreateLogStream", json!({"logGroupName": "g", "logStreamName": name})).await;
    }
    let prefix = json!({"logGroupName": "g", "logStreamNamePrefix": "😀".repeat(511)});
    let found = caller.ok("DescribeLogStreams", prefix).await;
    assert_eq!(found["logStreams"].as_array().unwrap().len(), 3);
    caller.ok("DeleteLogStream", json!({"logGroupName": "g", "logStreamName": names[0]})).await;
    let left = caller.ok("DescribeLogStreams", json!({"logGroupName": "g"})).await;
    assert_eq!(left["logStreams"].as_array().unwrap().len(), 2);
    let longest = "/".repeat(512);
    caller.group(&longest).await;
    assert_eq!(caller.ok("DescribeLogGroups", json!({})).await["logGroups"][0]["logGroupName"], longest);
}
