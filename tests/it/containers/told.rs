//! What containers print and use is found where AWS's clients look for it: in CloudWatch Logs, and among CloudWatch's metrics.

use serde_json::{Value, json};
use tests::Aws;
use tests::program::{LIMIT, until};
use wire::model::Protocol;

use super::{Stage, has_stopped};

/// So many turns of a minute, in which what is used is asked for, are waited for.
const TURNS: u32 = 3;

fn call(stage: &Stage, model: &wire::model::ServiceModel, operation: &str, input: &Value) -> Option<Value> {
    let mut api = tests::Api::new(&stage.server, &stage.server.root());
    let answer = api.call(model, operation, Protocol::AwsJson11, &input.to_string());
    (answer.status == 200).then(|| answer.json())
}

/// What is in a log stream so far, in its order.
fn lines(stage: &Stage, group: &str, stream: &str) -> Vec<String> {
    let input = json!({ "logGroupName": group, "logStreamName": stream, "startFromHead": true });
    let told = call(stage, &logs::api::MODEL, "GetLogEvents", &input).unwrap_or_default();
    let messages = told["events"].as_array().into_iter().flatten().filter_map(|event| event["message"].as_str());
    messages.map(str::to_owned).collect()
}

#[track_caller]
fn until_lines(stage: &Stage, group: &str, stream: &str, last: &str) -> Vec<String> {
    let found =
        until(LIMIT, || Some(lines(stage, group, stream)).filter(|lines| lines.iter().any(|line| line == last)));
    found.unwrap_or_else(|| panic!("{last} has not come:\n{:?}\n{}", lines(stage, group, stream), stage.server.log()))
}

#[test]
fn what_a_container_prints_is_in_cloudwatch_logs_once_whoever_is_killed_meanwhile() {
    let Some(mut stage) = Stage::new() else { return };
    let script = "for i in 1 2 3; do echo line $i; done; echo error >&2; i=4; \
                  while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); sleep 0.02; done; echo last";
    let flags = ["--log-driver", "awslogs", "--log-opt", "awslogs-group=/containers/web"];
    let run = [&["run", "-d", "--name", "shipped"], flags.as_slice(), &["--log-opt", "awslogs-create-group=true"]];
    stage.server.do_pilvi(&[&run.concat(), [stage.image.as_str(), "sh", "-c", script].as_slice()].concat()).success();
    until_lines(&stage, "/containers/web", "shipped", "line 5");
    let node = stage.server.node_process().and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?));
    rustix::process::kill_process(node.unwrap(), rustix::process::Signal::KILL).unwrap();
    until_lines(&stage, "/containers/web", "shipped", "line 20");
    stage.server.stop();
    stage.server.up();
    assert!(stage.server.has_node());
    let told = until_lines(&stage, "/containers/web", "shipped", "last");
    let numbers: Vec<u32> = told.iter().filter_map(|line| line.strip_prefix("line ")?.parse().ok()).collect();
    assert_eq!(numbers, (1..100).collect::<Vec<u32>>());
    assert_eq!(told.iter().filter(|line| *line == "error").count(), 1, "{told:?}");

    let aws = Aws::new(&stage.server, &stage.server.root());
    let stream = ["--log-group-name", "/containers/web", "--log-stream-name", "shipped"];
    let read =
        aws.call(&[&["logs", "get-log-events", "--start-from-head", "--limit", "2"], stream.as_slice()].concat());
    assert_eq!(read["events"][0]["message"], "line 1", "{read}");
    let found =
        aws.call(&["logs", "filter-log-events", "--log-group-name", "/containers/web", "--filter-pattern", "error"]);
    assert_eq!(found["events"].as_array().map(Vec::len), Some(1), "{found}");
    // The node has it, too.
    assert!(stage.pilvi(&["logs", "shipped"]).success().ends_with("last\n"));
}

#[test]
fn logs_that_nobody_takes_stop_no_container() {
    let Some(stage) = Stage::shared() else { return };
    // There is no such group, and it is not to be made.
    let flags = ["--log-driver", "awslogs", "--log-opt", "awslogs-group=/nobody/made/it"];
    let one = stage.start("unheard", &flags, &["sh", "-c", "yes | head -c 100000000; echo done >&2"]);
    let told = stage.server.until_container("unheard", has_stopped);
    assert_eq!(told["observed"]["containers"][0]["state"]["exited"]["code"], 0, "{told}");
    assert!(stage.pilvi(&["logs", "--tail", "1", "unheard"]).stderr.contains("done"));
    drop(one);
}

#[test]
fn what_a_container_uses_is_among_the_metrics_of_cloudwatch() {
    let Some(stage) = Stage::shared() else { return };
    let _one = stage.start(
        "metered",
        &["--memory", "64m"],
        &["sh", "-c", "while :; do i=0; while [ $i -lt 9999 ]; do i=$((i+1)); done; sleep 0.1; done"],
    );
    let aws = Aws::new(&stage.server, &stage.server.root());
    let list = [
        "cloudwatch",
        "list-metrics",
        "--namespace",
        "Pilvi/Containers",
        "--dimensions",
        "Name=Workload,Value=metered",
    ];
    let names = |told: &Value| -> Vec<String> {
        let metrics = told["Metrics"].as_array().into_iter().flatten();
        metrics.filter_map(|metric| Some(metric["MetricName"].as_str()?.to_owned())).collect()
    };
    // It is asked once a minute, and what is counted is told from the second time on.
    let found = (0..TURNS).find_map(|_| {
        until(LIMIT, || {
            let found = names(&aws.call(&list));
            found.contains(&"CpuUtilized".to_owned()).then_some(found)
        })
    });
    let found = found.unwrap_or_else(|| panic!("no figures have come:\n{}", stage.server.log()));
    for name in ["MemoryUtilized", "Processes", "NetworkRxBytes", "StorageWriteBytes"] {
        assert!(found.contains(&name.to_owned()), "{name}: {found:?}");
    }
    let present = crate::security::now().as_millis() / 1000;
    let (from, to) = ((present - 600).to_string(), (present + 60).to_string());
    let of = |metric: &str, statistic: &str| {
        let dimensions = ["--dimensions", "Name=Workload,Value=metered", "Name=Container,Value=main"];
        let span = ["--start-time", &from, "--end-time", &to, "--period", "600", "--statistics", statistic];
        let metric =
            ["cloudwatch", "get-metric-statistics", "--namespace", "Pilvi/Containers", "--metric-name", metric];
        let told = aws.call(&[metric.as_slice(), &dimensions, &span].concat());
        let points = told["Datapoints"].as_array().into_iter().flatten();
        points.filter_map(|point| point[statistic].as_f64()).fold(f64::NAN, f64::max)
    };
    let memory = of("MemoryUtilized", "Maximum");
    assert!((1e4..=64.0 * 1024.0 * 1024.0).contains(&memory), "{memory}");
    assert!(of("CpuUtilized", "Maximum") > 0.0);
}
