use proptest::prelude::*;

use super::*;

const DAY: i64 = 86_400;

/// The whole of the metric `m` in one period, as count, sum, least and greatest.
async fn total(bed: &Bed, period: i64, from: i64, to: i64) -> Vec<f64> {
    let queries: Vec<Value> = ["SampleCount", "Sum", "Minimum", "Maximum"]
        .iter()
        .enumerate()
        .map(|(n, stat)| {
            let metric = json!({"Namespace": "test", "MetricName": "m"});
            json!({"Id": format!("m{n}"), "MetricStat": {"Metric": metric, "Period": period, "Stat": stat}})
        })
        .collect();
    let input = json!({"StartTime": START + from, "EndTime": START + to, "MetricDataQueries": queries});
    let answer = bed.ok("GetMetricData", input).await;
    let values = answer["MetricDataResults"].as_array().unwrap().iter().map(|it| {
        let values: Vec<f64> = it["Values"].as_array().unwrap().iter().map(|it| it.as_f64().unwrap()).collect();
        match it["Id"].as_str().unwrap() {
            "m0" | "m1" => values.iter().sum(),
            "m2" => values.iter().copied().fold(f64::INFINITY, f64::min),
            _ => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        }
    });
    values.collect()
}

/// How many chunks there are of each resolution.
async fn chunks(bed: &Bed) -> Vec<(String, usize)> {
    let scope = bed.ctx().scope();
    let range = store::Range::prefix(&scope.key().child("cloudwatch").child("data"));
    let mut found = std::collections::BTreeMap::new();
    for entry in bed.cloudwatch.platform.store.range(range).await.unwrap().entries {
        *found.entry(entry.key.segments().nth(5).unwrap().into_owned()).or_insert(0) += 1;
    }
    found.into_iter().collect()
}

fn of(resolution: &str, count: usize) -> Vec<(String, usize)> {
    vec![(resolution.to_owned(), count)]
}

#[tokio::test]
async fn data_is_rolled_up_as_it_grows_old_and_goes_after_455_days() {
    let mut bed = Bed::new();
    let data: Vec<Value> = (0..600)
        .map(|n| json!({"MetricName": "m", "Value": n, "Timestamp": START + n, "StorageResolution": 1}))
        .collect();
    bed.ok("PutMetricData", json!({"Namespace": "test", "MetricData": data})).await;
    let expected = [600.0, (0..600).sum::<i64>() as f64, 0.0, 599.0];
    assert_eq!(chunks(&bed).await, of("1s", 2));
    assert_eq!(total(&bed, 1, 0, 600).await, expected);

    bed.pass(4 * 3600).await;
    assert_eq!(chunks(&bed).await, of("1m", 1));
    assert_eq!(total(&bed, 60, 0, 600).await, expected);
    assert_eq!(total(&bed, 10, 0, 600).await[0], 0.0);

    bed.pass(16 * DAY).await;
    assert_eq!(chunks(&bed).await, of("5m", 1));
    assert_eq!(total(&bed, 300, 0, 600).await, expected);
    assert_eq!(total(&bed, 60, 0, 600).await[0], 0.0);

    bed.pass(48 * DAY).await;
    assert_eq!(chunks(&bed).await, of("1h", 1));
    assert_eq!(total(&bed, 3600, 0, 3600).await, expected);
    assert_eq!(total(&bed, 300, 0, 600).await[0], 0.0);

    bed.pass(400 * DAY).await;
    assert_eq!(chunks(&bed).await, []);
    assert_eq!(total(&bed, 3600, 0, 3600).await[0], 0.0);
    let count = bed.cloudwatch.platform.store.count(cloudwatch::reconcile::retention::QUEUE).await.unwrap();
    assert_eq!((count.visible, count.held, count.delayed), (0, 0, 0), "nothing is left of the metric");
}

#[tokio::test]
async fn what_is_seen_does_not_depend_on_whether_it_has_been_rolled_up() {
    let mut rolled = Bed::new();
    let lazy = Bed::new();
    let data: Vec<(i64, f64)> = (0..300).map(|n| (n * 23, n as f64)).collect();
    rolled.put(&data).await;
    lazy.put(&data).await;
    for days in [1, 15, 40, 20, 300] {
        rolled.pass(days * DAY).await;
        lazy.clock.advance(std::time::Duration::from_secs((days * DAY).unsigned_abs()));
        for period in [60, 300, 3600] {
            assert_eq!(
                total(&rolled, period, 0, 14_400).await,
                total(&lazy, period, 0, 14_400).await,
                "{days} {period}"
            );
        }
    }
}

#[tokio::test]
async fn a_metric_that_is_forgotten_can_come_again() {
    let mut bed = Bed::new();
    bed.put(&[(0, 1.0)]).await;
    bed.pass(460 * DAY).await;
    assert_eq!(chunks(&bed).await, []);
    let now = bed.clock.now().as_secs() - START;
    bed.put(&[(now, 2.0)]).await;
    assert_eq!(total(&bed, 60, now - 60, now + 60).await[1], 2.0);
    assert_eq!(bed.ok("ListMetrics", json!({})).await["Metrics"].as_array().unwrap().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_in_is_conserved_through_all_resolutions(
        data in prop::collection::vec((0i64..40_000, 0u32..1000, prop::bool::ANY), 1..60),
        steps in prop::collection::vec(1i64..40, 1..5)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut bed = Bed::new();
            bed.clock.advance(std::time::Duration::from_secs(40_000));
            for (at, value, is_fine) in &data {
                let resolution = if *is_fine { 1 } else { 60 };
                let datum = json!({
                    "MetricName": "m", "Value": value, "Timestamp": START + at, "StorageResolution": resolution
                });
                bed.ok("PutMetricData", json!({"Namespace": "test", "MetricData": [datum]})).await;
            }
            let values = || data.iter().map(|(_, value, _)| f64::from(*value));
            let expected = [
                data.len() as f64,
                values().sum(),
                values().fold(f64::INFINITY, f64::min),
                values().fold(f64::NEG_INFINITY, f64::max),
            ];
            for days in steps {
                bed.pass(days * DAY).await;
                assert_eq!(total(&bed, 3600, 0, 43_200).await, expected);
                bed = bed.restarted();
            }
        });
    }
}
