//! How fast data comes in and goes out; run by hand: `cargo test -p cloudwatch --release bench -- --ignored --nocapture`.

#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::time::Instant;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a benchmark"]
async fn bench_ingest() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::starting_at(Timestamp::from_secs(START)));
    let options = StoreOptions { clock: clock.clone(), ..StoreOptions::default() };
    let bed = Bed::on(Store::open(dir.path(), options).unwrap(), clock);
    for (what, metrics) in [("1,000 metrics", 1000), ("10 metrics", 10), ("1 metric", 1)] {
        let rounds = 20;
        let begun = Instant::now();
        for round in 0..rounds {
            let data: Vec<Value> = (0..1000)
                .map(
                    |n| json!({"MetricName": format!("m{}", n % metrics), "Value": n, "Timestamp": START + 60 * round}),
                )
                .collect();
            bed.ok("PutMetricData", json!({"Namespace": "test", "MetricData": data})).await;
        }
        let each = begun.elapsed() / rounds as u32;
        println!("put 1,000 data of {what}: {each:?} a call, {:.0} data/s", 1000.0 / each.as_secs_f64());
    }
    let begun = Instant::now();
    let queries: Vec<Value> = (0..500)
        .map(|n| {
            let metric = json!({"Namespace": "test", "MetricName": format!("m{n}")});
            json!({"Id": format!("m{n}"), "MetricStat": {"Metric": metric, "Period": 60, "Stat": "p99"}})
        })
        .collect();
    let input = json!({"StartTime": START, "EndTime": START + 3600, "MetricDataQueries": queries});
    bed.ok("GetMetricData", input).await;
    println!("get an hour of 500 metrics: {:?}", begun.elapsed());
}
