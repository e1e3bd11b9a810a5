//! A disk without room: no events go in, everything else goes on.

use std::fs;

use serde_json::json;
use tests::program::{LIMIT, until};
use tests::small_disk::{SmallDisk, fill};
use tests::{Aws, Folder, Options, Server};
use wire::model::Protocol;

use super::{ask, batch, call, figure, make, messages};
use crate::security::now;

/// How many lines a batch has, about a kilobyte each.
const LINES: usize = 100;

#[test]
fn a_full_disk_stops_logging_and_nothing_else_until_there_is_room() {
    let folder = Folder::new();
    let data = folder.data_dir("data");
    let _disk = match SmallDisk::mount(&data, 24) {
        Ok(disk) => disk,
        Err(reason) => return eprintln!("skipped: no small file system can be mounted here: {reason}"),
    };
    let server = Server::start_in(folder, data.clone(), Options::default());
    let account = server.account();
    make(&server, &account, "shop", &["web"]);
    let mut written = Vec::new();
    let mut put = || {
        let first = written.len();
        let lines: Vec<String> = (first..first + LINES).map(|line| format!("{line:05} {}", "x".repeat(1000))).collect();
        let input = batch("shop", "web", now().as_millis(), &lines);
        let answer = ask(&server, &account, &logs::api::MODEL, "PutLogEvents", &input);
        if answer.status == 200 {
            written.extend(lines);
            return None;
        }
        Some(answer.failure(Protocol::AwsJson11))
    };
    assert_eq!(put(), None);
    let ballast = data.join("ballast");
    fill(&ballast);
    let refused = until(LIMIT, &mut put).expect("a full disk takes nothing more");
    assert_eq!((refused.code.as_str(), refused.status), ("ServiceUnavailableException", 503));
    let again = put().expect("it is still full");
    assert_eq!(again.status, 503);

    let aws = Aws::new(&server, &account.root);
    assert_eq!(aws.call(&["sts", "get-caller-identity"])["Account"], account.id);
    assert_eq!(call(&server, &account, "DescribeLogGroups", &json!({}))["logGroups"][0]["logGroupName"], "shop");
    let told = aws.refused(&[
        "logs",
        "put-log-events",
        "--log-group-name",
        "shop",
        "--log-stream-name",
        "web",
        "--log-events",
        &json!([{ "timestamp": now().as_millis(), "message": "x".repeat(100_000) }]).to_string(),
    ]);
    assert_eq!((told.code.as_str(), told.operation.as_str()), ("ServiceUnavailableException", "PutLogEvents"));

    // Two batches by the test, and the one event of the command line.
    assert_eq!(figure(&server, "pilvi_log_events_dropped_total{reason=\"refused\"}"), 2 * LINES + 1);

    fs::remove_file(ballast).unwrap();
    let goes_on = until(LIMIT, || put().is_none().then_some(()));
    assert!(goes_on.is_some(), "there is room again");
    assert_eq!(messages(&server, &account, "shop", "web"), written, "what was acknowledged, and nothing else");
    call(&server, &account, "CreateLogGroup", &json!({ "logGroupName": "more" }));
}
