//! `aws logs`: groups, streams, events, queries, and what is counted in them.

use serde_json::{Value, json};
use tests::program::{LIMIT, until};
use tests::{Aws, Server};

use crate::security::now;

fn list<'v>(answer: &'v Value, key: &str, field: &str) -> Vec<&'v str> {
    let items = answer[key].as_array().unwrap_or_else(|| panic!("no list {key}: {answer}"));
    items.iter().map(|item| item[field].as_str().unwrap()).collect()
}

/// `--log-events` of these messages, a second apart, the last of the present.
fn events(messages: &[&str]) -> String {
    let present = now().as_millis();
    let count = i64::try_from(messages.len()).unwrap();
    let events: Vec<Value> = (1..)
        .zip(messages)
        .map(|(number, message)| json!({ "timestamp": present - (count - number) * 1000, "message": message }))
        .collect();
    json!(events).to_string()
}

#[test]
fn groups_streams_and_events_by_the_command_line() {
    let server = Server::shared();
    let account = server.account();
    let aws = Aws::new(&server, &account.root);
    let logs = |arguments: &[&str]| aws.call(&[&["logs"], arguments].concat());
    super::make(&server, &account, "/shop/db", &[]);
    super::make(&server, &account, "other", &[]);
    logs(&["create-log-group", "--log-group-name", "/shop/web", "--tags", "team=storefront"]);
    for name in ["two", "three"] {
        let stream = json!({ "logGroupName": "/shop/web", "logStreamName": name });
        super::call(&server, &account, "CreateLogStream", &stream);
    }
    logs(&["create-log-stream", "--log-group-name", "/shop/web", "--log-stream-name", "one"]);
    let found = logs(&["describe-log-groups", "--log-group-name-prefix", "/shop/", "--page-size", "1"]);
    assert_eq!(list(&found, "logGroups", "logGroupName"), ["/shop/db", "/shop/web"]);
    let first = logs(&["describe-log-groups", "--max-items", "2"]);
    let token = first["NextToken"].as_str().expect("there is more");
    let rest = logs(&["describe-log-groups", "--starting-token", token]);
    assert_eq!(list(&rest, "logGroups", "logGroupName"), ["other"]);
    let found = logs(&["describe-log-streams", "--log-group-name", "/shop/web", "--page-size", "2"]);
    assert_eq!(list(&found, "logStreams", "logStreamName"), ["one", "three", "two"]);

    logs(&["put-retention-policy", "--log-group-name", "/shop/web", "--retention-in-days", "30"]);
    let arn = format!("arn:aws:logs:us-east-1:{}:log-group:/shop/web", account.id);
    logs(&["tag-resource", "--resource-arn", &arn, "--tags", "stage=test"]);
    let tags = logs(&["list-tags-for-resource", "--resource-arn", &arn]);
    assert_eq!(tags["tags"], json!({ "stage": "test", "team": "storefront" }));

    let stream = ["--log-group-name", "/shop/web", "--log-stream-name", "one"];
    let put = events(&["first", "second: 500", "third", "fourth"]);
    logs(&[&["put-log-events"], &stream[..], &["--log-events", &put]].concat());
    let get = |more: &[&str]| logs(&[&["get-log-events"], &stream[..], more].concat());
    let head = get(&["--limit", "2", "--start-from-head"]);
    assert_eq!(list(&head, "events", "message"), ["first", "second: 500"]);
    let next = get(&["--limit", "2", "--next-token", head["nextForwardToken"].as_str().unwrap()]);
    assert_eq!(list(&next, "events", "message"), ["third", "fourth"]);
    let back = get(&["--limit", "2", "--next-token", next["nextBackwardToken"].as_str().unwrap()]);
    assert_eq!(back["events"], head["events"]);
    let filter = ["filter-log-events", "--log-group-name", "/shop/web", "--page-size", "1"];
    let filtered = logs(&[&filter[..], &["--filter-pattern", "?first ?500"]].concat());
    assert_eq!(list(&filtered, "events", "message"), ["first", "second: 500"]);

    logs(&["delete-log-group", "--log-group-name", "/shop/web"]);
    let refused = aws.refused(&[&["logs", "get-log-events"], &stream[..]].concat());
    assert_eq!((&*refused.code, &*refused.operation), ("ResourceNotFoundException", "GetLogEvents"));
    assert_eq!(refused.message, "The specified log group does not exist.");
}

#[test]
fn a_query_is_started_and_its_rows_are_fetched_when_it_is_complete() {
    let server = Server::shared();
    let account = server.account();
    let aws = Aws::new(&server, &account.root);
    super::make(&server, &account, "shop", &["web"]);
    let put = events(&["GET /a took 10", "GET /a took 30", "PUT /b took 50", "GET /c took 20", "no request"]);
    aws.call(&["logs", "put-log-events", "--log-group-name", "shop", "--log-stream-name", "web", "--log-events", &put]);

    let [start, end] = [-3600, 60].map(|offset| (now().as_secs() + offset).to_string());
    let window = ["--start-time", &start, "--end-time", &end, "--log-group-name", "shop"];
    let rows = |text: &str| {
        let started = aws.call(&[&["logs", "start-query", "--query-string", text], &window[..]].concat());
        let id = started["queryId"].as_str().unwrap().to_owned();
        let answer = until(LIMIT, || {
            let answer = aws.call(&["logs", "get-query-results", "--query-id", &id]);
            (answer["status"] == "Complete").then_some(answer)
        });
        let answer = answer.expect("a query ends");
        let value = |field: &Value| field["value"].as_str().unwrap().to_owned();
        let row = |row: &Value| {
            let shown = row.as_array().unwrap().iter().filter(|field| field["field"] != "@ptr");
            shown.map(value).collect::<Vec<_>>().join(" ")
        };
        answer["results"].as_array().unwrap().iter().map(row).collect::<Vec<_>>()
    };
    let parse = "parse @message \"* * took *\" as verb, path, ms | filter ispresent(ms)";
    let stats = rows(&format!("{parse} | stats count(*) as n, sum(ms) as total by path | sort total desc"));
    assert_eq!(stats, ["/b 1 50", "/a 2 40", "/c 1 20"]);
    let dedup = rows(&format!("{parse} | fields path, ms | sort ms asc | dedup path | limit 2"));
    assert_eq!(dedup, ["/a 10", "/c 20"]);
    let refused = aws.refused(&[&["logs", "start-query", "--query-string", "stats"], &window[..]].concat());
    assert_eq!(refused.code, "MalformedQueryException");
}

#[test]
fn what_a_metric_filter_counts_is_a_metric() {
    let server = Server::shared();
    let account = server.account();
    let aws = Aws::new(&server, &account.root);
    super::make(&server, &account, "shop", &["web"]);
    let metric = "metricName=Latency,metricNamespace=Shop,metricValue=$ms,unit=Milliseconds";
    let filter = ["logs", "put-metric-filter", "--log-group-name", "shop", "--filter-name", "latency"];
    let pattern = ["--filter-pattern", "[verb, path, took, ms>0]", "--metric-transformations", metric];
    aws.call(&[&filter[..], &pattern].concat());
    let put = super::batch(
        "shop",
        "web",
        now().as_millis(),
        &["GET /a took 10", "GET /b took 30", "idle"].map(str::to_owned),
    );
    super::call(&server, &account, "PutLogEvents", &put);

    let [start, end] = [-600, 120].map(|offset| (now().as_secs() + offset).to_string());
    let metric = json!({ "Namespace": "Shop", "MetricName": "Latency" });
    let query =
        |id: &str, stat: &str| json!({ "Id": id, "MetricStat": { "Metric": metric, "Period": 60, "Stat": stat } });
    let queries = json!([query("sum", "Sum"), query("count", "SampleCount")]).to_string();
    let ask = ["cloudwatch", "get-metric-data", "--start-time", &start, "--end-time", &end];
    let values = until(LIMIT, || {
        let answer = aws.call(&[&ask[..], &["--metric-data-queries", &queries]].concat());
        let total = |id: usize| {
            let values = answer["MetricDataResults"][id]["Values"].as_array().unwrap();
            values.iter().filter_map(Value::as_f64).sum::<f64>()
        };
        (total(1) > 0.0).then(|| (total(0), total(1)))
    });
    assert_eq!(values, Some((40.0, 2.0)));
}
