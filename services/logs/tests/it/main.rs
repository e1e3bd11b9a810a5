//! Every operation, called as the gateway calls it: a request in JSON, checked against the model, over a platform that
//! forgets and events in a directory that goes with the test.

#![allow(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod events;
mod groups;
mod metric_filters;
mod policies;
mod properties;
mod queries;
mod sink;
mod streams;
mod subscriptions;
mod tags;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{AccountId, Clock, ManualClock, Principal, Region, Timestamp};
use logs::Logs;
use platform::ports::{MetricSample, MetricSink};
use platform::{BoxFuture, Ctx, Platform, Reconciler, Service};
use segments::{Disk, Segments, SystemDisk};
use serde_json::{Value, json};
use store::{Store, StoreError, StoreOptions};

/// The account that most tests call from.
const ACCOUNT: &str = "123456789012";
/// When the clock starts: 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000;

/// What metric filters have sent: namespace and sample.
#[derive(Default)]
struct Metrics(Mutex<Vec<(String, MetricSample)>>);

impl MetricSink for Metrics {
    fn put<'a>(
        &'a self,
        _: AccountId,
        _: &'a Region,
        namespace: &'a str,
        samples: Vec<MetricSample>,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.lock().unwrap().extend(samples.into_iter().map(|sample| (namespace.to_owned(), sample)));
        Box::pin(async { Ok(()) })
    }
}

/// Who calls: a service and an account.
#[derive(Clone)]
struct Caller {
    logs: Logs,
    account: AccountId,
    clock: Arc<ManualClock>,
    metrics: Arc<Metrics>,
    _directory: Arc<tempfile::TempDir>,
}

impl Caller {
    /// The root user of [`ACCOUNT`], on a platform of its own.
    fn new() -> Self {
        Self::on_disk(Arc::new(SystemDisk))
    }

    fn on_disk(disk: Arc<dyn Disk>) -> Self {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(START)));
        let platform = Platform {
            store: Store::in_memory(StoreOptions { clock: clock.clone(), ..StoreOptions::default() }),
            clock: clock.clone(),
            ..Platform::in_memory()
        };
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let options = segments::Options { clock: clock.clone(), disk, ..segments::Options::default() };
        let segments = Segments::open(directory.path(), options).unwrap();
        let metrics = Arc::new(Metrics::default());
        let logs = Logs::new(platform, segments, metrics.clone());
        Self { logs, account: ACCOUNT.parse().unwrap(), clock, metrics, _directory: directory }
    }

    /// The root user of another account, on the same platform.
    fn other_account(&self) -> Self {
        Self { account: "999999999999".parse().unwrap(), ..self.clone() }
    }

    fn ctx(&self) -> Ctx {
        Ctx::new(Principal::root(self.account), Region::default(), self.clock.now(), "test")
    }

    fn now(&self) -> i64 {
        self.clock.now().as_millis()
    }

    /// Calls an operation.
    async fn call(&self, operation: &str, input: Value) -> Result<Value, wire::Error> {
        let model = self.logs.model();
        let number = model.operation(operation).unwrap();
        let shape = model.input(number).unwrap();
        let value = wire::json::decode(shape, input.to_string().as_bytes(), &wire::json::Limits::REQUEST).unwrap();
        wire::validate::validate(shape, &value).unwrap();
        let answer = self.logs.call(&self.ctx(), number, value).await?.into_value();
        let Some(output) = model.output(number) else { return Ok(Value::Null) };
        Ok(serde_json::from_slice(&wire::json::encode(output, &answer)).unwrap())
    }

    /// Calls an operation that must be answered.
    async fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input.clone()).await.unwrap_or_else(|error| panic!("{operation} {input}: {error}"))
    }

    /// Calls an operation that must be refused, and answers code and message.
    async fn refused(&self, operation: &str, input: Value) -> (String, String) {
        match self.call(operation, input.clone()).await {
            Err(error) => (error.code.into_owned(), error.message),
            Ok(answer) => panic!("{operation} {input} answered {answer}"),
        }
    }

    /// Creates a group.
    async fn group(&self, name: &str) {
        self.ok("CreateLogGroup", json!({"logGroupName": name})).await;
    }

    /// Creates a group and a stream in it.
    async fn stream(&self, group: &str, stream: &str) {
        let _ = self.call("CreateLogGroup", json!({"logGroupName": group})).await;
        self.ok("CreateLogStream", json!({"logGroupName": group, "logStreamName": stream})).await;
    }

    /// Runs one round of a reconciler.
    async fn reconcile(&self, reconciler: Arc<dyn Reconciler>) -> platform::Round {
        reconciler.round().await.unwrap()
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

/// A refusal as [`Caller::refused`] answers it.
fn refusal(code: &str, message: &str) -> (String, String) {
    (code.to_owned(), message.to_owned())
}

fn group_not_found() -> (String, String) {
    refusal("ResourceNotFoundException", "The specified log group does not exist.")
}

fn stream_not_found() -> (String, String) {
    refusal("ResourceNotFoundException", "The specified log stream does not exist.")
}

fn arn(resource: &str) -> String {
    format!("arn:aws:logs:us-east-1:{ACCOUNT}:{resource}")
}

/// The values of a member in a list of structures.
fn column(rows: &Value, member: &str) -> Vec<Value> {
    rows.as_array().unwrap().iter().map(|row| row[member].clone()).collect()
}
