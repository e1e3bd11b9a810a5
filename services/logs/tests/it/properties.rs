use proptest::prelude::*;

use super::*;

/// An event: which of three streams, how many seconds before the start, whether it says what is looked for.
type Put = (usize, i64, bool);

fn batches() -> impl Strategy<Value = Vec<Vec<Put>>> {
    prop::collection::vec(prop::collection::vec((0..3usize, 0..30i64, any::<bool>()), 1..8), 1..8)
}

/// Puts the events, each batch stream by stream, and answers them in the order in which they must be read: by time, then
/// as they came.
async fn put(caller: &Caller, batches: &[Vec<Put>]) -> Vec<(String, i64, String)> {
    let mut all = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        for stream in 0..3 {
            let mut events: Vec<_> = batch.iter().filter(|(of, _, _)| *of == stream).collect();
            if events.is_empty() {
                continue;
            }
            events.sort_by_key(|(_, before, _)| -before);
            let of = |(at, (_, before, is_wanted)): (usize, &&Put)| {
                let message = format!("{} {number}.{stream}.{at}", if *is_wanted { "yes" } else { "no" });
                (format!("s{stream}"), START - before * 1000, message)
            };
            let events: Vec<_> = events.iter().enumerate().map(of).collect();
            let rows: Vec<_> =
                events.iter().map(|(_, at, message)| json!({"timestamp": at, "message": message})).collect();
            let stream = format!("s{stream}");
            caller.ok("PutLogEvents", json!({"logGroupName": "g", "logStreamName": stream, "logEvents": rows})).await;
            all.extend(events);
        }
    }
    all.sort_by_key(|(_, at, _)| *at);
    all
}

/// Reads a stream page by page in one direction, until a page's token is the one that was asked with.
async fn pages(caller: &Caller, stream: &str, limit: usize, is_forward: bool) -> Vec<Value> {
    let mut input = json!({"logGroupName": "g", "logStreamName": stream, "limit": limit, "startFromHead": is_forward});
    let member = if is_forward { "nextForwardToken" } else { "nextBackwardToken" };
    let mut all = Vec::new();
    loop {
        let page = caller.ok("GetLogEvents", input.clone()).await;
        let messages = column(&page["events"], "message");
        all = if is_forward { [all, messages].concat() } else { [messages, all].concat() };
        if input.get("nextToken") == page.get(member) {
            return all;
        }
        input["nextToken"] = page[member].clone();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_way_of_reading_finds_every_event_once_and_in_order(batches in batches(), limit in 1..5usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let caller = Caller::new();
            for stream in 0..3 {
                caller.stream("g", &format!("s{stream}")).await;
            }
            let all = put(&caller, &batches).await;
            for stream in ["s0", "s1", "s2"] {
                let expected: Vec<_> = all.iter().filter(|(of, _, _)| of == stream).map(|(_, _, it)| json!(it)).collect();
                assert_eq!(pages(&caller, stream, limit, true).await, expected);
                assert_eq!(pages(&caller, stream, limit, false).await, expected);
            }
            let mut input = json!({"logGroupName": "g", "filterPattern": "yes", "limit": limit});
            let mut found = Vec::new();
            loop {
                let page = caller.ok("FilterLogEvents", input.clone()).await;
                found.extend(column(&page["events"], "message"));
                let Some(token) = page.get("nextToken") else { break };
                input["nextToken"] = token.clone();
            }
            let expected: Vec<_> =
                all.iter().filter(|(_, _, it)| it.starts_with("yes")).map(|(_, _, it)| json!(it)).collect();
            assert_eq!(found, expected);
        });
    }
}
