//! Notifications: the cases, and that every event was told.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tests::{Server, program};

/// How long events may take, on a machine that is busy with everything else.
const EVENTS_LIMIT: Duration = Duration::from_secs(30);
/// What the case causes: the kind, the reason or the kind of deletion, and the key.
const EXPECTED: [[&str; 3]; 8] = [
    ["Object Created", "PutObject", "told/put one"],
    ["Object Created", "CopyObject", "told/copy"],
    ["Object Created", "CompleteMultipartUpload", "told/parts"],
    ["Object Tags Added", "", "told/copy"],
    ["Object Tags Deleted", "", "told/copy"],
    ["Object Deleted", "Delete Marker Created", "told/put one"],
    ["Object Deleted", "Permanently Deleted", "told/parts"],
    ["Object Deleted", "Delete Marker Created", "told/copy"],
];

/// The events of a bucket in the server's log, as far as they have come.
fn events_of(server: &Server, bucket: &str) -> Vec<Value> {
    let log = server.log();
    let events = log.lines().filter_map(|line| line.split_once("an event of S3 event=").map(|(_, event)| event));
    let events = events.filter_map(|event| serde_json::from_str::<Value>(event.trim_end()).ok());
    events.filter(|event| event["detail"]["bucket"]["name"] == bucket).collect()
}

fn shown(event: &Value) -> [String; 3] {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let detail = &event["detail"];
    let kind = text(&event["detail-type"]);
    let of = match kind.as_str() {
        "Object Created" => text(&detail["reason"]),
        _ => text(&detail["deletion-type"]),
    };
    [kind, of, text(&detail["object"]["key"])]
}

#[test]
fn notifications_are_configured_and_every_event_is_told() {
    let server = Server::shared();
    let told = super::run(&server, "notifications", 9);
    let bucket = told["bucket"].as_str().expect("the script tells the bucket");
    let expected: BTreeSet<[String; 3]> = EXPECTED.iter().map(|event| event.map(str::to_owned)).collect();
    let all_there = program::until(EVENTS_LIMIT, || {
        let found: BTreeSet<_> = events_of(&server, bucket).iter().map(shown).collect();
        expected.is_subset(&found).then_some(found)
    });
    let found = all_there.unwrap_or_else(|| events_of(&server, bucket).iter().map(shown).collect());
    assert_eq!(found, expected);
    // Of each key, the events are told apart by what can be compared.
    for key in ["told/put one", "told/copy", "told/parts"] {
        let of_key = |event: &&Value| event["detail"]["object"]["key"] == key;
        let events = events_of(&server, bucket);
        let sequencers: BTreeSet<_> =
            events.iter().filter(of_key).map(|event| event["detail"]["object"]["sequencer"].to_string()).collect();
        assert!(sequencers.iter().all(|it| it.len() > 2), "{sequencers:?}");
    }
}
