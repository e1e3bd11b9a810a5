//! What was acknowledged is there after every end of the server.

use std::collections::BTreeMap;

use base::{Rng, SeededRng};
use serde_json::{Value, json};
use tests::{Account, Options, Script, Server};

use super::{batch, call, make, messages};
use crate::cloudwatch_flow;
use crate::security::now;

/// How often the server is killed while clients write.
const KILLS: usize = 4;
/// How many clients put events at once.
const WRITERS: usize = 4;
/// How many calls must have been answered between two kills, and how many more there may be.
const CALLS_BETWEEN: usize = 20;
const CALLS_MORE: u64 = 60;

/// A batch of a writer: its first message and how many there are.
type Batches = Vec<(usize, usize)>;

/// What the writers told: what was acknowledged, and what they never heard of, each by its writer; and how many data
/// points were acknowledged and not.
#[derive(Default)]
struct Told {
    acknowledged: BTreeMap<String, Batches>,
    uncertain: BTreeMap<String, Batches>,
    data: [usize; 2],
}

impl Told {
    fn read(lines: &[String]) -> Self {
        let mut told = Self::default();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                [verdict @ ("yes" | "unknown"), stream, first, count] => {
                    let all = if verdict == "yes" { &mut told.acknowledged } else { &mut told.uncertain };
                    let batch = (first.parse().unwrap(), count.parse().unwrap());
                    all.entry(stream.to_owned()).or_default().push(batch);
                }
                ["data", "yes"] => told.data[0] += 1,
                ["data", "unknown"] => told.data[1] += 1,
                _ => panic!("a writer failed:\n{}", lines.join("\n")),
            }
        }
        told
    }
}

#[test]
fn every_acknowledged_event_outlives_kill_9_of_the_server_once_and_in_order() {
    let mut server = Server::start(Options::default());
    let account = server.account();
    let streams: Vec<String> = (0..WRITERS).map(|number| format!("writer-{number}")).collect();
    make(&server, &account, "load", &streams.iter().map(String::as_str).collect::<Vec<_>>());
    let end = server.folder().file("end");
    let script = Script::python("log_writer.py", &server, &account.root).argument(&end).argument(WRITERS.to_string());
    let (_home, writers) = script.follow();
    let rng = SeededRng::new(9);
    for _ in 0..KILLS {
        let more = CALLS_BETWEEN + usize::try_from(rng.next_u64() % CALLS_MORE).unwrap();
        writers.at_least(writers.lines().len() + more);
        server.kill_server();
    }
    writers.at_least(writers.lines().len() + CALLS_BETWEEN);
    std::fs::write(end, "").unwrap();
    let (status, lines) = writers.wait();
    assert!(status.success(), "{}", lines.join("\n"));
    let told = Told::read(&lines);
    check(&server, &account, &told);
    server.kill();
    server.up();
    check(&server, &account, &told);
}

fn check(server: &Server, account: &Account, told: &Told) {
    for (stream, acknowledged) in &told.acknowledged {
        let number = |message: &String| message.split(' ').next().unwrap().parse().unwrap();
        let found: Vec<usize> = messages(server, account, "load", stream).iter().map(number).collect();
        assert!(found.is_sorted_by(|a, b| a < b), "{stream} is in another order, or has an event twice");
        let holds = |number: usize| found.binary_search(&number).is_ok();
        for &(first, count) in acknowledged {
            let missing: Vec<usize> = (first..first + count).filter(|&number| !holds(number)).collect();
            assert!(missing.is_empty(), "{stream} has lost {missing:?} of {first} and {count} more");
        }
        let mut expected: usize = acknowledged.iter().map(|(_, count)| count).sum();
        for &(first, count) in told.uncertain.get(stream).into_iter().flatten() {
            let stored = (first..first + count).filter(|&number| holds(number)).count();
            assert!(stored == 0 || stored == count, "{stream} has {stored} of the {count} events from {first} on");
            expected += stored;
        }
        assert_eq!(found.len(), expected, "{stream} has what nobody has put");
    }
    let count = cloudwatch_flow::sample_count(server, account, "Load", "Calls");
    let [acknowledged, uncertain] = told.data;
    assert!(
        (acknowledged..=acknowledged + uncertain).contains(&count),
        "{count} data points, of which {acknowledged} were acknowledged and {uncertain} are uncertain"
    );
}

/// Everything that these calls tell, but for what changes with time.
fn told(server: &Server, account: &Account) -> Vec<Value> {
    let group = json!({ "logGroupName": "shop" });
    let mut told = vec![
        call(server, account, "DescribeLogGroups", &json!({})),
        call(server, account, "DescribeLogStreams", &group),
        call(server, account, "DescribeMetricFilters", &group),
        call(server, account, "ListTagsLogGroup", &group),
        call(server, account, "FilterLogEvents", &group),
        call(server, account, "DescribeQueryDefinitions", &json!({})),
        json!(cloudwatch_flow::sample_count(server, account, "Shop", "Orders")),
    ];
    for operation in ["DescribeAlarms", "DescribeAlarmHistory", "ListMetrics"] {
        told.push(cloudwatch_flow::call(server, account, operation, &json!({})));
    }
    told
}

#[test]
fn groups_events_metrics_and_alarms_outlive_down_and_up() {
    let mut server = Server::start(Options::default());
    let account = server.account();
    make(&server, &account, "shop", &["web", "db"]);
    let group = |more: Value| {
        let mut input = json!({ "logGroupName": "shop" });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    call(&server, &account, "PutRetentionPolicy", &group(json!({ "retentionInDays": 14 })));
    call(&server, &account, "TagLogGroup", &group(json!({ "tags": { "team": "storefront" } })));
    let transformation = json!({ "metricName": "Orders", "metricNamespace": "Shop", "metricValue": "1" });
    let filter = json!({ "filterName": "f", "filterPattern": "order", "metricTransformations": [transformation] });
    call(&server, &account, "PutMetricFilter", &group(filter));
    call(&server, &account, "PutQueryDefinition", &json!({ "name": "q", "queryString": "fields @message" }));
    for stream in ["web", "db", "web"] {
        let lines = ["an order", "Å → 雲"].map(str::to_owned);
        call(&server, &account, "PutLogEvents", &batch("shop", stream, now().as_millis(), &lines));
    }
    let alarm = json!({
        "AlarmName": "many", "Namespace": "Shop", "MetricName": "Visits", "Statistic": "Sum", "Period": 10,
        "EvaluationPeriods": 1, "Threshold": 5, "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "ignore",
    });
    cloudwatch_flow::call(&server, &account, "PutMetricAlarm", &alarm);
    // In a period that is over, so that it is looked at soon.
    let at = now().as_secs() - 12;
    let data = json!([{ "MetricName": "Visits", "Value": 1, "Timestamp": at, "StorageResolution": 1 }]);
    cloudwatch_flow::call(&server, &account, "PutMetricData", &json!({ "Namespace": "Shop", "MetricData": data }));
    let orders = || (cloudwatch_flow::sample_count(&server, &account, "Shop", "Orders") == 3).then_some(());
    tests::program::until(tests::program::LIMIT, orders).expect("the filter counts");
    let settled = || {
        let alarms = cloudwatch_flow::call(&server, &account, "DescribeAlarms", &json!({}));
        (alarms["MetricAlarms"][0]["StateValue"] == "OK").then_some(())
    };
    tests::program::until(tests::program::LIMIT, settled).expect("the alarm is evaluated");
    let before = told(&server, &account);
    assert_eq!(messages(&server, &account, "shop", "web").len(), 4);
    server.down();
    server.up();
    assert_eq!(told(&server, &account), before);
    // What goes on by itself goes on.
    let lines = ["one more order".to_owned()];
    call(&server, &account, "PutLogEvents", &batch("shop", "web", now().as_millis(), &lines));
    let orders = || (cloudwatch_flow::sample_count(&server, &account, "Shop", "Orders") == 4).then_some(());
    tests::program::until(tests::program::LIMIT, orders).expect("the filter counts again");
}
