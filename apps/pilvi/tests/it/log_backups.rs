//! Backing up log events while they come in.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base::{Clock, SystemClock};
use http::header::{CONNECTION, CONTENT_TYPE};
use serde_json::{Value, json};
use wire::sigv4::{Credentials, SecretAccessKey, SignableBody, Signer};

use crate::harness::{Up, as_person, ask, stdout, wait_for, writable};

/// What a batch holds: large enough that a few of them fill an active file, so that files are sealed and compacted.
const EVENTS: usize = 40;
const EVENT_BYTES: usize = 20_000;
const GROUP: &str = "ingest";
/// Batches of each writer that are stored before the backup begins.
const BATCHES_BEFORE: usize = 15;

/// A caller as the root of a data directory.
struct Root {
    authority: String,
    credentials: Credentials,
}

impl Root {
    fn of(up: &Up) -> Self {
        let key: Value = serde_json::from_slice(&std::fs::read(up.dir.join("keys/root.json")).unwrap()).unwrap();
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        let credentials = Credentials {
            access_key_id: text("accessKeyId"),
            secret_access_key: SecretAccessKey::new(text("secretAccessKey")),
            session_token: None,
        };
        Self { authority: up.endpoint.strip_prefix("http://").unwrap().to_owned(), credentials }
    }

    fn logs(&self, operation: &str, input: &Value) -> Value {
        let body = input.to_string();
        let request = http::Request::post(format!("http://{}/", self.authority))
            .header(CONTENT_TYPE, "application/x-amz-json-1.1")
            .header(CONNECTION, "close")
            .header("x-amz-target", format!("Logs_20140328.{operation}"))
            .body(())
            .unwrap();
        let (mut parts, ()) = request.into_parts();
        let at = SystemClock.now();
        let signer = Signer { credentials: &self.credentials, region: "us-east-1", service: "logs", at };
        signer.sign(&mut parts, SignableBody::Bytes(body.as_bytes())).unwrap();
        let mut head = String::from("POST / HTTP/1.1\r\n");
        for (name, value) in &parts.headers {
            head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        let mut stream = TcpStream::connect(&self.authority).unwrap();
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{operation}: {answer}");
        if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() }
    }

    /// Stores batches that count up until it is told to stop.
    fn write(&self, stream: &str, stored: &AtomicUsize, stop: &AtomicBool) {
        self.logs("CreateLogStream", &json!({ "logGroupName": GROUP, "logStreamName": stream }));
        for batch in 0.. {
            if stop.load(Ordering::Acquire) {
                return;
            }
            let now = SystemClock.now().as_millis();
            let message = |event: usize| format!("{} {}", batch * EVENTS + event, "x".repeat(EVENT_BYTES));
            let event = |event: usize| json!({ "timestamp": now, "message": message(event) });
            let events: Vec<Value> = (0..EVENTS).map(event).collect();
            let input = json!({ "logGroupName": GROUP, "logStreamName": stream, "logEvents": events });
            self.logs("PutLogEvents", &input);
            stored.store(batch + 1, Ordering::Release);
        }
    }

    /// The numbers of all events of a stream.
    fn numbers(&self, stream: &str) -> Vec<usize> {
        let mut numbers = Vec::new();
        let mut input = json!({ "logGroupName": GROUP, "logStreamName": stream, "startFromHead": true });
        loop {
            let page = self.logs("GetLogEvents", &input);
            let number = |event: &Value| event["message"].as_str()?.split_once(' ')?.0.parse().ok();
            numbers.extend(page["events"].as_array().unwrap().iter().map(|event| -> usize { number(event).unwrap() }));
            if page["nextForwardToken"] == input["nextToken"] {
                return numbers;
            }
            input["nextToken"] = page["nextForwardToken"].clone();
        }
    }
}

fn backup(dir: &Path, file: &Path) {
    stdout(&ask(as_person(), dir, &["backup", file.to_str().unwrap()]));
}

#[test]
fn a_backup_under_ingest_has_every_event_that_was_acknowledged_before_it_and_no_gap() {
    let temp = writable();
    let file = temp.path().join("pilvi.backup");
    let up = Up::start(as_person(), &temp.path().join("data"), &[]);
    let root = Root::of(&up);
    root.logs("CreateLogGroup", &json!({ "logGroupName": GROUP }));
    let streams = ["one", "two"];
    let (stored, stop) = ([const { AtomicUsize::new(0) }; 2], AtomicBool::new(false));
    let before = std::thread::scope(|scope| {
        for (stream, stored) in streams.iter().zip(&stored) {
            scope.spawn(|| root.write(stream, stored, &stop));
        }
        let has_enough = || stored.iter().all(|stored| stored.load(Ordering::Acquire) >= BATCHES_BEFORE).then_some(());
        wait_for("some batches", has_enough);
        let before = stored.each_ref().map(|stored| stored.load(Ordering::Acquire));
        backup(&up.dir, &file);
        stop.store(true, Ordering::Release);
        before
    });
    root.logs("CreateLogGroup", &json!({ "logGroupName": "afterwards" }));
    assert!(!up.dir.join("run/backup-logs").exists());

    let other = temp.path().join("other");
    stdout(&ask(as_person(), &other, &["restore", file.to_str().unwrap()]));
    let restored = Up::start(as_person(), &other, &[]);
    let root = Root::of(&restored);
    let groups = root.logs("DescribeLogGroups", &json!({}));
    assert_eq!(groups["logGroups"].as_array().unwrap().len(), 1, "{groups}");
    for (stream, before) in streams.iter().zip(before) {
        let numbers = root.numbers(stream);
        assert!(numbers.iter().copied().eq(0..numbers.len()), "{stream} has a gap or is out of order");
        assert!(numbers.len() >= before * EVENTS, "{stream} lost {} of {before}", before * EVENTS - numbers.len());
        assert_eq!(numbers.len() % EVENTS, 0, "a batch is there by halves");
    }
    let metrics = restored.get("/_pilvi/metrics").unwrap().1;
    for kind in ["batch", "block", "index", "marks"] {
        assert!(metrics.contains(&format!("pilvi_log_corruptions{{kind=\"{kind}\"}} 0")), "{metrics}");
    }
}
