//! Every operation, called as the gateway calls it, over a platform that forgets, with a clock that the test moves; and the
//! reconcilers, run by hand.

#![allow(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod alarm_history;
mod alarms;
mod composite;
mod lists;
mod metric_data;
mod put_metric_data;
mod retention;
mod statistics;

use std::sync::Arc;
use std::time::Duration;

use base::{Clock as _, ManualClock, Principal, Region, Timestamp};
use cloudwatch::CloudWatch;
use platform::{Asked, Ctx, Platform, Runner, Service, Turn};
use serde_json::{Value, json};
use store::{Store, StoreOptions};

/// The account that tests call from.
const ACCOUNT: &str = "123456789012";
/// When tests begin: 2026-11-23T05:00:00Z.
const START: i64 = 1_795_410_000;

/// A service, its clock and its reconcilers.
struct Bed {
    cloudwatch: CloudWatch,
    clock: Arc<ManualClock>,
    runners: Vec<Runner>,
}

impl Bed {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_secs(START)));
        let store = Store::in_memory(StoreOptions { clock: clock.clone(), ..StoreOptions::default() });
        Self::on(store, clock)
    }

    fn on(store: Store, clock: Arc<ManualClock>) -> Self {
        let platform = Platform { store, clock: clock.clone(), ..Platform::in_memory() };
        let cloudwatch = CloudWatch::new(platform.clone());
        let runners = cloudwatch.reconcilers().into_iter().map(|it| Runner::new(&platform, it)).collect();
        Self { cloudwatch, clock, runners }
    }

    /// The same state under a new process.
    fn restarted(self) -> Self {
        Self::on(self.cloudwatch.platform.store.clone(), self.clock)
    }

    fn ctx(&self) -> Ctx {
        Ctx::new(Principal::root(ACCOUNT.parse().unwrap()), Region::default(), self.clock.now(), "test")
    }

    /// Calls an operation.
    async fn call(&self, operation: &str, input: Value) -> Result<Value, wire::Error> {
        let model = self.cloudwatch.model();
        let number = model.operation(operation).unwrap();
        let shape = model.input(number).unwrap();
        let value = wire::json::decode(shape, input.to_string().as_bytes(), &wire::json::Limits::REQUEST).unwrap();
        wire::validate::validate(shape, &value).unwrap();
        let answer = self.cloudwatch.call(&self.ctx(), number, value).await?.into_value();
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
            Err(error) => (error.code_in_query().to_owned(), error.message),
            Ok(answer) => panic!("{operation} {input} answered {answer}"),
        }
    }

    /// Puts values of the metric `m` in `test`, each at so many seconds from the start.
    async fn put(&self, data: &[(i64, f64)]) {
        let datum = |(at, value): &(i64, f64)| json!({"MetricName": "m", "Timestamp": START + at, "Value": value});
        let data: Vec<Value> = data.iter().map(datum).collect();
        self.ok("PutMetricData", json!({"Namespace": "test", "MetricData": data})).await;
    }

    /// Lets time pass, and everything happen that is due on the way.
    async fn pass(&mut self, seconds: i64) {
        let end = self.clock.now().as_secs() + seconds;
        loop {
            let next = self.settle().await;
            let now = self.clock.now().as_secs();
            let to = next.map_or(end, |it| it.as_millis().div_euclid(1000).max(now + 1).min(end));
            if now >= end {
                return;
            }
            self.clock.advance(Duration::from_secs((to - now).unsigned_abs()));
        }
    }

    /// Runs every reconciler until none has anything to do now, and answers when the next has.
    async fn settle(&mut self) -> Option<Timestamp> {
        loop {
            let mut ran = 0;
            for runner in &mut self.runners {
                ran += runner.settle().await;
            }
            if ran == 0 {
                break;
            }
        }
        let mut next = None;
        for runner in &mut self.runners {
            if let Turn::Waits(Some(at)) = runner.step().await {
                next = Some(next.map_or(at, |before: Timestamp| before.min(at)));
            }
        }
        next
    }
}
