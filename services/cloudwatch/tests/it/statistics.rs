use super::*;

fn ask(period: i64, start: i64, end: i64, statistics: &[&str]) -> Value {
    json!({
        "Namespace": "test", "MetricName": "m", "Period": period, "Statistics": statistics,
        "StartTime": START + start, "EndTime": START + end
    })
}

async fn points(bed: &Bed, input: Value, statistic: &str) -> Vec<(i64, f64)> {
    let answer = bed.ok("GetMetricStatistics", input).await;
    assert_eq!(answer["Label"], "m");
    let point = |it: &Value| (it["Timestamp"].as_f64().unwrap() as i64 - START, it[statistic].as_f64().unwrap());
    answer["Datapoints"].as_array().unwrap().iter().map(point).collect()
}

#[tokio::test]
async fn every_statistic_of_a_period() {
    let bed = Bed::new();
    bed.put(&[(0, 1.0), (30, 3.0), (59, 8.0), (60, 5.0)]).await;
    for (statistic, expected) in
        [("SampleCount", 3.0), ("Sum", 12.0), ("Average", 4.0), ("Minimum", 1.0), ("Maximum", 8.0)]
    {
        let found = points(&bed, ask(60, 0, 120, &[statistic]), statistic).await;
        assert_eq!(found, [(0, expected), (60, if statistic == "SampleCount" { 1.0 } else { 5.0 })], "{statistic}");
    }
    assert_eq!(points(&bed, ask(300, 0, 300, &["Sum"]), "Sum").await, [(0, 17.0)]);
}

#[tokio::test]
async fn values_with_counts_and_percentiles() {
    let bed = Bed::new();
    let datum = json!({"MetricName": "m", "Values": [1, 2, 10], "Counts": [50, 40, 10], "Unit": "Milliseconds"});
    bed.ok("PutMetricData", json!({"Namespace": "test", "MetricData": [datum]})).await;
    let mut input = ask(60, 0, 60, &["Sum"]);
    input["ExtendedStatistics"] = json!(["p50", "p90", "p99.5", "tm90", "TC(:2)", "PR(1:2)", "IQM"]);
    let point = bed.ok("GetMetricStatistics", input).await["Datapoints"][0].clone();
    assert_eq!(point["Unit"], "Milliseconds");
    assert_eq!(point["Sum"], json!(230.0));
    let extended = &point["ExtendedStatistics"];
    for (name, expected) in [
        ("p50", 1.0),
        ("p90", 2.0),
        ("p99.5", 10.0),
        ("tm90", 130.0 / 90.0),
        ("TC(:2)", 90.0),
        ("PR(1:2)", 40.0),
        ("IQM", 1.5),
    ] {
        assert!((extended[name].as_f64().unwrap() - expected).abs() < 1e-9, "{name}: {extended}");
    }
}

#[tokio::test]
async fn statistic_sets_have_no_percentiles() {
    let bed = Bed::new();
    let set = json!({"SampleCount": 4, "Sum": 10, "Minimum": 1, "Maximum": 5});
    let data = json!([{"MetricName": "m", "StatisticValues": set}]);
    bed.ok("PutMetricData", json!({"Namespace": "test", "MetricData": data})).await;
    let mut input = ask(60, 0, 60, &["Average", "Maximum"]);
    input["ExtendedStatistics"] = json!(["p50"]);
    let point = bed.ok("GetMetricStatistics", input).await["Datapoints"][0].clone();
    assert_eq!((&point["Average"], &point["Maximum"]), (&json!(2.5), &json!(5.0)));
    assert_eq!(point["ExtendedStatistics"], json!({}));
}

#[tokio::test]
async fn units_are_kept_apart() {
    let bed = Bed::new();
    let data = json!([
        {"MetricName": "m", "Value": 1, "Unit": "Seconds"}, {"MetricName": "m", "Value": 2, "Unit": "Bytes"},
        {"MetricName": "m", "Value": 4}
    ]);
    bed.ok("PutMetricData", json!({"Namespace": "test", "MetricData": data})).await;
    let all = bed.ok("GetMetricStatistics", ask(60, 0, 60, &["Sum"])).await;
    assert_eq!(all["Datapoints"].as_array().unwrap().len(), 3);
    let mut input = ask(60, 0, 60, &["Sum"]);
    input["Unit"] = json!("Bytes");
    assert_eq!(points(&bed, input, "Sum").await, [(0, 2.0)]);
}

#[tokio::test]
async fn the_start_is_rounded_down_to_its_minute_and_periods_are_counted_from_there() {
    let bed = Bed::new();
    bed.put(&[(0, 1.0), (600, 2.0), (3600, 4.0)]).await;
    assert_eq!(points(&bed, ask(3600, 330, 7200, &["Sum"]), "Sum").await, [(300, 6.0)]);
    assert_eq!(points(&bed, ask(3600, 0, 3600, &["Sum"]), "Sum").await, [(0, 3.0)]);
}

#[tokio::test]
async fn high_resolution_data_has_periods_of_seconds() {
    let bed = Bed::new();
    let datum = |at: i64, value: f64| json!({"MetricName": "m", "Value": value, "Timestamp": START + at, "StorageResolution": 1});
    let data = json!([datum(-12, 1.0), datum(-11, 2.0), datum(-5, 4.0), datum(-1, 8.0)]);
    bed.ok("PutMetricData", json!({"Namespace": "test", "MetricData": data})).await;
    assert_eq!(points(&bed, ask(5, -15, 0, &["Sum"]), "Sum").await, [(-15, 3.0), (-5, 12.0)]);
    assert_eq!(points(&bed, ask(1, -12, -10, &["Sum"]), "Sum").await, [(-12, 1.0), (-11, 2.0)]);
    assert_eq!(points(&bed, ask(60, -60, 0, &["Sum"]), "Sum").await, [(-60, 15.0)]);
    // Data of minutes is in no shorter period.
    bed.put(&[(-30, 100.0)]).await;
    assert_eq!(points(&bed, ask(10, -60, 0, &["Sum"]), "Sum").await.iter().map(|it| it.1).sum::<f64>(), 15.0);
}

#[tokio::test]
async fn what_asks_for_too_much_or_for_nothing_is_refused() {
    let bed = Bed::new();
    let message = "You have requested up to 2,880 datapoints, which exceeds the limit of 1,440. You may reduce the datapoints \
                   requested by increasing Period, or decreasing the time range.";
    assert_eq!(
        bed.refused("GetMetricStatistics", ask(60, -172_800, 0, &["Sum"])).await,
        ("InvalidParameterCombination".to_owned(), message.to_owned())
    );
    assert_eq!(bed.refused("GetMetricStatistics", ask(60, 0, 0, &["Sum"])).await.0, "InvalidParameterCombination");
    assert_eq!(bed.refused("GetMetricStatistics", ask(90, 0, 600, &["Sum"])).await.0, "InvalidParameterValue");
    let mut none = ask(60, 0, 60, &[]);
    none.as_object_mut().unwrap().remove("Statistics");
    assert_eq!(bed.refused("GetMetricStatistics", none.clone()).await.0, "MissingParameter");
    none["ExtendedStatistics"] = json!(["p101"]);
    assert_eq!(bed.refused("GetMetricStatistics", none).await.0, "InvalidParameterValue");
}
