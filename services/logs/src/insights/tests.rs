//! The examples of the user guide, and what it leaves open.

mod expressions;
mod refusals;

use super::*;

const NOW: i64 = 1_700_000_000_000;

/// Runs a query over messages, one second apart, the first at 2023-11-14 22:13:20; each row as `field=value` and spaces.
fn run(query: &str, messages: &[&str]) -> Vec<String> {
    let rows = try_run(query, messages).unwrap_or_else(|error| panic!("{query}: {error}")).rows;
    rows.iter().map(|row| shown(row)).collect()
}

fn shown(row: &[Field]) -> String {
    let cells: Vec<String> =
        row.iter().filter(|cell| cell.field != "@ptr").map(|cell| format!("{}={}", cell.field, cell.value)).collect();
    cells.join(" ")
}

fn try_run(query: &str, messages: &[&str]) -> Result<Results, ExecutionError> {
    run_with(query, messages, Options::new(NOW + 3_600_000, 0, i64::MAX))
}

fn run_with(query: &str, messages: &[&str], options: Options) -> Result<Results, ExecutionError> {
    let query = Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let mut execution = Execution::new(&query, options);
    for (i, message) in messages.iter().enumerate() {
        let ptr = format!("ptr-{i}");
        execution.push(&Record {
            timestamp_ms: NOW + 1000 * i as i64,
            ingestion_ms: NOW + 1000 * i as i64 + 5,
            message,
            log_stream: if i % 2 == 0 { "even" } else { "odd" },
            log: "111122223333:group",
            ptr: &ptr,
        })?;
    }
    execution.finish()
}

/// The value of one expression, for one message.
fn value(expression: &str, message: &str) -> String {
    run(&format!("fields {expression} as x"), &[message]).remove(0).trim_start_matches("x=").to_owned()
}

fn malformed(query: &str) -> MalformedQuery {
    Query::parse(query).expect_err(query)
}

#[test]
fn a_query_shows_time_and_message_of_the_newest_events_first() {
    let results = try_run("filter @message like \"b\"", &["ab", "x", "b"]).unwrap();
    assert_eq!(shown(&results.rows[0]), "@timestamp=2023-11-14 22:13:22.000 @message=b");
    assert_eq!(shown(&results.rows[1]), "@timestamp=2023-11-14 22:13:20.000 @message=ab");
    assert_eq!(results.rows[1].last().map(|cell| cell.value.as_str()), Some("ptr-0"));
    assert_eq!(results.statistics, Statistics { records_matched: 2, records_scanned: 3, bytes_scanned: 4 });
}

#[test]
fn fields_are_the_events_own_and_those_of_its_document() {
    let message = r#"{"a":{"b":[{"c":7}]},"x.y":"dotted","t":true,"n":null,"o":{}}"#;
    assert_eq!(run("fields a.b.0.c, x.y, t, n, missing", &[message]), ["a.b.0.c=7 x.y=dotted t=1"]);
    assert_eq!(value("a.b[0].c", message), "7");
    assert_eq!(
        run("fields @logStream, @log, @ingestionTime", &[message]),
        ["@logStream=even @log=111122223333:group @ingestionTime=2023-11-14 22:13:20.005"]
    );
    assert_eq!(value("a.b", message), r#"[{"c":7}]"#);
    assert_eq!(value("level", "2026-01-01 INFO {\"level\":\"info\"} more"), "info");
    assert_eq!(value("`foo-bar` - 1", r#"{"foo-bar":3}"#), "2");
}

#[test]
fn all_fields_of_an_event_are_listed() {
    let message = r#"START {"a":{"b":[1,{"c":null}]},"d":true}"#;
    let record = Record { timestamp_ms: NOW, ingestion_ms: NOW, message, log_stream: "s", log: "l", ptr: "p" };
    let listed = record.fields();
    assert_eq!(shown(&listed[6..]), "@type=START a.b.0=1 d=1");
    let wide = format!("{{{}}}", (0..2000).map(|i| format!("\"k{i}\":{i}")).collect::<Vec<_>>().join(","));
    assert_eq!(Record { message: &wide, ..record }.fields().len(), 6 + DISCOVERED_FIELDS_MAX);
}

#[test]
fn the_fields_of_lambdas_report_are_found() {
    let report = "REPORT RequestId: 7b3a6458-7e43-47b8-8a4e-c38b7693fa38\tDuration: 12.5 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 64 MB\tInit Duration: 100.1 ms\t\nXRAY TraceId: 1-5e\tSegmentId: 12ab\tSampled: true";
    let line = "2026-01-01T00:00:00.000Z\t7b3a6458-7e43-47b8-8a4e-c38b7693fa38\tINFO\thello";
    assert_eq!(
        run(
            "filter @type = \"REPORT\" | fields @requestId, @duration, @billedDuration, @memorySize / 1000 / 1000, @maxMemoryUsed, @initDuration, @xrayTraceId, @xraySegmentId",
            &[report, line, "REPORTED"]
        ),
        [
            "@requestId=7b3a6458-7e43-47b8-8a4e-c38b7693fa38 @duration=12.5 @billedDuration=13 @memorySize / 1000 / 1000=128 @maxMemoryUsed=64000000 @initDuration=100.1 @xrayTraceId=1-5e @xraySegmentId=12ab"
        ]
    );
    assert_eq!(value("@requestId", line), "7b3a6458-7e43-47b8-8a4e-c38b7693fa38");
    assert_eq!(value("@duration", line), "");
}

#[test]
fn parsed_documents_have_members() {
    let message = r#"{"text":"{\"user\":{\"id\":42,\"tags\":[\"a\",\"b\"]}}"}"#;
    assert_eq!(
        run(
            "fields jsonParse(text) as doc | fields doc.user.id, doc.user.tags[1] | display doc.user.id, doc.user.tags.1",
            &[message]
        ),
        ["doc.user.id=42 doc.user.tags.1=b"]
    );
    assert_eq!(
        run("fields jsonParse(text) as doc | stats count(*) as n by doc.user.id", &[message]),
        ["doc.user.id=42 n=1"]
    );
}

#[test]
fn arrays_have_elements_and_become_rows() {
    let message = r#"{"events":[{"name":"exception"},{"name":"user action"}],"tags":["a","b"]}"#;
    let unnested = "fields jsonParse(@message) as json_message | unnest json_message.events into event";
    assert_eq!(
        run(&format!("{unnested} | display event.name"), &[message]),
        ["event.name=user action", "event.name=exception"]
    );
    assert_eq!(run(&format!("{unnested} | filter event.name = 'exception' | display event.name"), &[message]).len(), 1);
    assert_eq!(
        run(&format!("{unnested} | stats count(*) as n by event.name | sort n, event.name"), &[message, message]),
        ["event.name=exception n=2", "event.name=user action n=2"]
    );
    assert_eq!(run("unnest tags into tag | unnest tags into other | display tag, other", &[message]).len(), 4);
    assert_eq!(run("unnest missing into m | display @message", &["x"]), ["@message=x"]);
    assert_eq!(run("unnest e into x | display @message", &[r#"{"e":[]}"#]), [""; 0]);
    let results = try_run(&format!("{unnested} | display event.name"), &[message, message]).unwrap();
    assert_eq!((results.rows.len(), results.statistics.records_matched), (4, 2));
    assert_eq!(run("filter 'a' in tags and 'c' not in tags | display tags", &[message]), [r#"tags=["a","b"]"#]);
    assert_eq!(run("filter 'a' in missing or 'a' not in missing", &[message]), [""; 0]);
}

#[test]
fn any_rows_are_the_first_that_come() {
    let query = Query::parse("where @message like /m/ | limit any 2").unwrap();
    let mut execution = Execution::new(&query, Options::new(0, 0, i64::MAX));
    let done: Vec<bool> = ["m1", "x", "m2", "m3"]
        .iter()
        .map(|message| {
            let record = Record { timestamp_ms: 0, ingestion_ms: 0, message, log_stream: "", log: "", ptr: "" };
            execution.push(&record).unwrap();
            execution.is_done()
        })
        .collect();
    assert_eq!(done, [false, false, true, true]);
    assert_eq!(execution.finish().unwrap().rows.len(), 2);
}

#[test]
fn globs_and_regular_expressions_make_fields() {
    let message = "user=ann, method:GET, latency := 12";
    assert_eq!(
        run(
            "parse @message \"user=*, method:*, latency := *\" as @user, @method, @latency | stats avg(@latency) by @method, @user",
            &[message, "user=ann, method:GET, latency := 13", "x"]
        ),
        ["@method=GET @user=ann avg(@latency)=12.5", ""],
    );
    assert_eq!(
        run(
            r"parse @message /(?<time>[0-9]{10}\.[0-9]{1,3}) .* (?<code>[A-Z_]+\/[0-9]{3}) (?<url>[a-zA-Z.]+:[0-9]{1,5})/ | display time, code, url",
            &["1576518467.123 57 10.0.0.1 TCP_TUNNEL/200 example.com:443 -"]
        ),
        ["time=1576518467.123 code=TCP_TUNNEL/200 url=example.com:443"]
    );
    assert_eq!(
        run("parse '[*] *' as level, rest | display level, rest", &["[INFO] it * works"]),
        ["level=INFO rest=it * works"]
    );
    assert_eq!(
        run(
            r"parse @message /user=(?<user2>.*?), method:(?<method2>.*?),/ | stats count(*) as n by @method2, user2",
            &[message]
        ),
        ["@method2=GET user2=ann n=1"]
    );
    assert_eq!(run(r"parse @message /(\d+)-(\d+)/ as a, b | display b, a", &["12-34"]), ["b=34 a=12"]);
    assert_eq!(run("parse 'a=*;' as x | parse 'b=*;' as x | display x", &["b=2;", "a=1;"]), ["x=1", "x=2"]);
}

#[test]
fn groups_are_counted_and_measured() {
    let messages = [r#"{"k":"a","v":1}"#, r#"{"k":"b","v":10}"#, r#"{"k":"a","v":3}"#, r#"{"k":"b"}"#, r#"{"v":5}"#];
    assert_eq!(
        run("stats count(*), count(v), sum(v), avg(v), min(v), max(v) by k", &messages),
        [
            "k=a count(*)=2 count(v)=2 sum(v)=4 avg(v)=2 min(v)=1 max(v)=3",
            "k=b count(*)=2 count(v)=1 sum(v)=10 avg(v)=10 min(v)=10 max(v)=10",
            "count(*)=1 count(v)=1 sum(v)=5 avg(v)=5 min(v)=5 max(v)=5",
        ]
    );
    assert_eq!(
        run("stats count_distinct(k) as d, stddev(v) as s, pct(v, 50) as p, median(v) as m", &messages),
        ["d=2 s=3.3447720400649135 p=4 m=4"]
    );
    assert_eq!(
        run("stats earliest(v) as e, latest(v) as l, sortsFirst(k) as f, sortsLast(k) as g", &messages),
        ["e=1 l=5 f=a g=b"]
    );
    assert_eq!(run("stats (max(v) - min(v)) / 2 as half, ceil(avg(v)) as c", &messages), ["half=4.5 c=5"]);
    assert_eq!(
        run("stats max(@timestamp) - min(@timestamp) as ms, min(@timestamp) as t", &messages),
        ["ms=4000 t=1700000000000"]
    );
    assert_eq!(
        run("stats count(*) as n by bin(2s) as t | sort n desc, t asc | limit 2", &messages),
        ["t=2023-11-14 22:13:20.000 n=2", "t=2023-11-14 22:13:22.000 n=2",]
    );
    assert_eq!(run("stats count(*)", &[]), [""; 0]);
}

#[test]
fn later_commands_name_a_column_as_it_was_written() {
    let messages = [r#"{"k":"a"}"#, r#"{"k":"b"}"#, r#"{"k":"b"}"#];
    assert_eq!(run("stats count( * ) by k | sort count(*) desc | limit 1", &messages), ["k=b count( * )=2"]);
    assert_eq!(
        run("stats count(*) by k, bin(1h) | filter count(*) > 1 | display k, bin(1h)", &messages),
        ["k=b bin(1h)=2023-11-14 22:00:00.000"]
    );
}

#[test]
fn groups_can_be_grouped_again() {
    let messages = [r#"{"k":"a"}"#, r#"{"k":"b"}"#, r#"{"k":"b"}"#];
    assert_eq!(run("stats count(*) as n by k | stats max(n) as most, avg(n) as mean", &messages), ["most=2 mean=1.5"]);
    assert!(malformed("stats count(*) | stats count(*) | stats count(*)").message.contains("at most 2 stats"));
}

#[test]
fn rows_are_sorted_naturally() {
    let order = [
        "!:",
        "#",
        "*%04",
        "0#",
        "5A",
        "111A",
        "2345_",
        "@",
        "@_",
        "A",
        "A9876fghj",
        "a12345hfh",
        "0",
        "01",
        "2",
        "2.5",
        "10",
    ];
    let messages: Vec<String> = order.iter().rev().map(|text| format!("{{\"v\":{text:?}}}")).collect();
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    let expected: Vec<String> = order.iter().map(|text| format!("v={text}")).collect();
    assert_eq!(run("fields v | sort v asc", &messages), expected);
    let mut descending = run("fields v | sort v desc", &messages);
    descending.reverse();
    assert_eq!(descending, expected);
}

#[test]
fn limits_take_the_first_rows_of_the_order_so_far() {
    let messages = [r#"{"v":3}"#, r#"{"v":1}"#, r#"{"v":2}"#];
    assert_eq!(run("fields v | limit 2", &messages), ["v=2", "v=1"]);
    assert_eq!(run("fields v | sort v | limit 2", &messages), ["v=1", "v=2"]);
    assert_eq!(run("fields v | sort v | head 1", &messages), ["v=1"]);
    assert_eq!(run("fields v | sort v | tail 1", &messages), ["v=3"]);
    assert_eq!(run("fields v | limit 2 | sort v", &messages), ["v=1", "v=2"]);
    assert_eq!(run("fields v | sort v | filter v > 1 | limit 1", &messages), ["v=2"]);
    assert_eq!(run("fields v | limit 2 | stats sum(v) as s", &messages), ["s=3"]);
    let options = Options { limit: 1, ..Options::new(NOW, 0, i64::MAX) };
    assert_eq!(run_with("fields v", &messages, options).unwrap().rows.len(), 1);
    assert_eq!(run_with("fields v | limit 3", &messages, options).unwrap().rows.len(), 3);
}

#[test]
fn of_rows_alike_the_first_in_order_stays() {
    let messages = [r#"{"s":"a","v":1}"#, r#"{"s":"b","v":2}"#, r#"{"s":"a","v":3}"#, r#"{"v":4}"#, r#"{"v":5}"#];
    assert_eq!(run("fields s, v | dedup s", &messages), ["v=5", "v=4", "s=a v=3", "s=b v=2"]);
    assert_eq!(run("fields s, v | sort v asc | dedup s | limit 3", &messages), ["s=a v=1", "s=b v=2", "v=4"]);
    assert!(malformed("dedup s | fields v").message.contains("only limit can follow dedup"));
}

#[test]
fn the_last_display_decides_what_is_shown() {
    assert_eq!(
        run("fields a, b | display b as c | filter c = 2 | display c, a * 2", &[r#"{"a":1,"b":2}"#]),
        ["c=2 a * 2=2"]
    );
    assert_eq!(run("fields a | fields b, a", &[r#"{"a":1,"b":2}"#]), ["a=1 b=2"]);
}

#[test]
fn comments_and_lines_are_skipped() {
    let query = "# errors\nfields @message # as they are\n| filter @message like /#/ # with a mark\n\n| limit 1";
    assert_eq!(run(query, &["no", "a # b"]), ["@message=a # b"]);
}

#[test]
fn the_sample_queries_of_the_guide_are_read() {
    for query in [
        "fields @timestamp, @message | sort @timestamp desc | limit 25",
        "fields @timestamp, @message | filter @message like /(?i)(exception|error)/ | sort @timestamp desc | limit 20",
        "filter @type = \"REPORT\" | stats max(@memorySize / 1000 / 1000) as provisonedMemoryMB, min(@maxMemoryUsed / 1000 / 1000) as smallestMemoryRequestMB, avg(@maxMemoryUsed / 1000 / 1000) as avgMemoryUsedMB, provisonedMemoryMB - maxMemoryUsedMB as overProvisionedMB",
        "filter @type = \"REPORT\" | stats avg(@duration), max(@duration), min(@duration) by bin(5m)",
        "stats sum(packets) as packetsTransferred by srcAddr, dstAddr | sort packetsTransferred desc | limit 15",
        "stats sum(bytes) as bytesTransferred by dstAddr | sort bytesTransferred desc | limit 15",
        "filter isIpv4InSubnet(srcAddr, \"10.0.0.0/8\") | stats count(*) by bin(30s), srcAddr",
        "filter srcAddr like \"192.0.2.\" | fields @timestamp, srcAddr, dstAddr",
        "stats count(*) by eventSource, eventName, awsRegion",
        "filter (eventName = \"StartInstances\" or eventName = \"StopInstances\") and awsRegion = \"us-east-2\"",
        "fields awsRegion, requestParameters.userName, responseElements.user.arn | filter eventName = \"CreateUser\"",
        "parse @message /(?<user>\\w+)@/ | filter @message not like /Trail/ | stats count_distinct(user) as users",
        "fields @timestamp, @message, @logStream, @log | filter strcontains(@message, \"x\") and strlen(@message) > 3 | sort strlen(@message) desc",
        "stats count(*) as exceptionCount by bin(1h) | sort exceptionCount desc",
        "fields concat('Operation = ', replace(operation, 'X', '-')) as op | display op",
    ] {
        if let Err(error) = Query::parse(query) {
            panic!("{query}: {error:?}");
        }
    }
}

#[test]
fn a_run_can_move_between_threads() {
    fn is_send<T: Send>() {}
    is_send::<Execution>();
    is_send::<Query>();
    is_send::<crate::pattern::Pattern>();
}

#[test]
fn percentiles_and_distinct_counts_of_many_values_are_close() {
    let query = Query::parse("stats pct(v, 99) as p, pct(n, 10) as q, count_distinct(v) as d").unwrap();
    let mut execution = Execution::new(&query, Options::new(0, 0, i64::MAX));
    for i in 0..50_000_i64 {
        let message = format!(r#"{{"v":{},"n":{}}}"#, i * 7919 % 50_000, -i);
        execution
            .push(&Record { timestamp_ms: i, ingestion_ms: i, message: &message, log_stream: "", log: "", ptr: "" })
            .unwrap();
    }
    let row = execution.finish().unwrap().rows.remove(0);
    let values: Vec<f64> = row.iter().map(|cell| cell.value.parse().unwrap()).collect();
    for (value, expected) in values.iter().zip([49_500.0, -45_000.0, 50_000.0]) {
        assert!((value / expected - 1.0).abs() < 0.02, "{value} for {expected}");
    }
}

#[test]
fn times_and_words_that_filters_need_are_told() {
    let query = |text: &str| Query::parse(text).unwrap();
    assert_eq!(
        query("filter @timestamp >= 100 and @timestamp < 200 | filter @timestamp > 100").time_bounds(),
        TimeBounds { start_ms: Some(101), end_ms: Some(199) }
    );
    assert_eq!(query("filter @timestamp >= 100 or a = 1").time_bounds(), TimeBounds::default());
    assert_eq!(query("stats max(x) as m | filter @timestamp > 5").time_bounds(), TimeBounds::default());
    let errors = query("filter @message like \"ERROR\" and level = \"fatal\"");
    assert!(errors.may_match(r#"{"level":"fatal","text":"ERROR"}"#));
    assert!(!errors.may_match(r#"{"level":"fatal"}"#) && !errors.may_match(r#"{"kind":"fatal","text":"ERROR"}"#));
    assert!(query("fields 'fatal' as level | filter level = 'fatal'").may_match("x"));
    assert!(
        query("filter status = 404").may_match(r#"{"status":404.0}"#) && !query("filter status = 404").may_match("{}")
    );
    assert!(query("filter a.b = 'x' or isempty(c)").may_match("{}"));
}

#[test]
fn what_cannot_end_in_the_result_is_told() {
    let query = Query::parse("fields @message | limit 2").unwrap();
    let mut execution = Execution::new(&query, Options::new(0, 0, i64::MAX));
    let mut push = |ms: i64| {
        execution
            .push(&Record { timestamp_ms: ms, ingestion_ms: ms, message: "m", log_stream: "", log: "", ptr: "" })
            .unwrap();
        execution.horizon_ms()
    };
    assert_eq!([push(9), push(8), push(3), push(10)], [None, Some(8), Some(8), Some(9)]);
}

#[test]
fn events_outside_of_the_range_do_not_count() {
    let results = run_with("fields @message", &["a", "b", "c"], Options::new(NOW, NOW + 1, NOW + 1000)).unwrap();
    assert_eq!(results.rows.iter().map(|row| shown(row)).collect::<Vec<_>>(), ["@message=b"]);
    assert_eq!(results.statistics.records_scanned, 1);
}

#[test]
fn what_a_result_shows_counts_as_what_a_query_keeps() {
    let message = "x".repeat(20_000);
    let messages = vec![message.as_str(); 50];
    let options = Options { memory_bytes_max: 2 << 20, ..Options::new(NOW + 3_600_000, 0, i64::MAX) };
    let title = "t".repeat(4000);
    let often = ["@message"; 500].join(",");
    let named: Vec<String> = (0..500).map(|at| format!("kept as c{at}")).collect();
    for query in [
        format!("display {often}"),
        format!("stats count(*), {} by @message as kept", named.join(", ")),
        format!("fields 1 as `{title}`, 2 as `{title}2` | limit 100000"),
    ] {
        let messages = if query.starts_with("fields") { vec!["{}"; 1000] } else { messages.clone() };
        assert!(matches!(run_with(&query, &messages, options), Err(ExecutionError::Memory { .. })), "{query:.30}");
    }
    assert_eq!(run_with("display @message, @message", &messages[..20], options).unwrap().rows.len(), 20);
}
