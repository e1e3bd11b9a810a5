//! How fast data comes in and goes out, on this machine's disk: `cargo run --release -p cloudwatch --example ingest`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for a person, who sees where it stops")]

use std::time::Instant;

use base::{AccountId, Principal, Region, SystemClock};
use cloudwatch::CloudWatch;
use cloudwatch::api::{GetMetricDataInput, Metric, MetricDataQuery, MetricDatum, MetricStat, PutMetricDataInput};
use platform::{Ctx, Platform, Service as _};
use store::{Store, StoreOptions};
use wire::value::Shaped;

/// How many calls are made of each kind.
const ROUNDS: u32 = 20;

#[tokio::main]
async fn main() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
    let platform = Platform { store, clock: std::sync::Arc::new(SystemClock), ..Platform::in_memory() };
    let service = CloudWatch::new(platform);
    for metrics in [1000, 10, 1] {
        let begun = Instant::now();
        for _ in 0..ROUNDS {
            let datum = |n: usize| MetricDatum {
                metric_name: format!("m{}", n % metrics),
                value: Some(n as f64),
                ..MetricDatum::default()
            };
            let data = (0..1000).map(datum).collect();
            let namespace = "bench".to_owned();
            let input = PutMetricDataInput { namespace, metric_data: Some(data), ..PutMetricDataInput::default() };
            call(&service, "PutMetricData", input).await;
        }
        let each = begun.elapsed() / ROUNDS;
        let rate = 1000.0 / each.as_secs_f64();
        println!("put 1,000 data of {metrics} metrics: {each:?} a call, {rate:.0} data/s");
    }
    let begun = Instant::now();
    call(&service, "GetMetricData", an_hour_of(&service, 500)).await;
    println!("get an hour of 500 metrics: {:?}", begun.elapsed());
}

fn an_hour_of(service: &CloudWatch, metrics: usize) -> GetMetricDataInput {
    let query = |n: usize| {
        let (namespace, metric_name) = (Some("bench".to_owned()), Some(format!("m{n}")));
        let metric = Metric { namespace, metric_name, dimensions: None };
        let stat = MetricStat { metric, period: 60, stat: "p99".to_owned(), unit: None };
        MetricDataQuery { id: format!("m{n}"), metric_stat: Some(stat), ..MetricDataQuery::default() }
    };
    let now = service.platform.clock.now();
    GetMetricDataInput {
        start_time: base::Timestamp::from_secs(now.as_secs() - 3600),
        end_time: now,
        metric_data_queries: (0..metrics).map(query).collect(),
        ..GetMetricDataInput::default()
    }
}

async fn call(service: &CloudWatch, operation: &str, input: impl Shaped) {
    let root = Principal::root(AccountId::DEFAULT);
    let ctx = Ctx::new(root, Region::default(), service.platform.clock.now(), "bench");
    let number = service.model().operation(operation).unwrap();
    service.call(&ctx, number, input.into_value()).await.unwrap();
}
