use std::time::Duration;

use super::*;

async fn refused(bed: &Bed, datum: Value) -> (String, String) {
    bed.refused("PutMetricData", json!({"Namespace": "test", "MetricData": [datum]})).await
}

#[tokio::test]
async fn a_datum_that_breaks_a_rule_is_refused_with_the_rule() {
    let bed = Bed::new();
    let at = "MetricData.member.1";
    for (datum, code, message) in [
        (
            json!({"MetricName": "m"}),
            "MissingParameter",
            format!(
                "At least one of the parameters {at}.Value, {at}.Values and {at}.StatisticValues must be specified."
            ),
        ),
        (
            json!({"MetricName": "m", "Value": 1, "Values": [1]}),
            "InvalidParameterCombination",
            format!("The parameters {at}.Value and {at}.Values are mutually exclusive and you have specified both."),
        ),
        (
            json!({"MetricName": "m", "Value": "NaN"}),
            "InvalidParameterValue",
            format!("The value NaN for parameter {at}.Value is invalid."),
        ),
        (
            json!({"MetricName": "m", "Value": "-Infinity"}),
            "InvalidParameterValue",
            format!("The value -inf for parameter {at}.Value is invalid."),
        ),
        (
            json!({"MetricName": "m", "Values": [1, 2], "Counts": [1]}),
            "InvalidParameterValue",
            format!("The parameters {at}.Values and {at}.Counts must be of the same size."),
        ),
        (
            json!({"MetricName": "m", "Values": vec![1; 151]}),
            "InvalidParameterValue",
            format!("The collection {at}.Values must not have a size greater than 150."),
        ),
        (
            json!({"MetricName": "m", "Value": 1, "Timestamp": START + 7201}),
            "InvalidParameterValue",
            format!("The parameter {at}.Timestamp must specify a time no more than two hours in the future."),
        ),
        (
            json!({"MetricName": "m", "Value": 1, "Timestamp": START - 14 * 86400 - 1}),
            "InvalidParameterValue",
            format!("The parameter {at}.Timestamp must specify a time within the past two weeks."),
        ),
        (
            json!({"MetricName": "m", "Value": 1, "StorageResolution": 5}),
            "InvalidParameterValue",
            format!("The value 5 for parameter {at}.StorageResolution is invalid: it must be 1 or 60."),
        ),
        (
            json!({"MetricName": "m", "Value": 1, "Dimensions": [{"Name": "a", "Value": "1"}, {"Name": "a", "Value": "2"}]}),
            "InvalidParameterValue",
            format!("No two elements of {at}.Dimensions may have the name a."),
        ),
        (
            json!({"MetricName": "m", "StatisticValues": {"SampleCount": 0, "Sum": 1, "Minimum": 1, "Maximum": 1}}),
            "InvalidParameterValue",
            format!("The value 0 for parameter {at}.StatisticValues.SampleCount is invalid."),
        ),
    ] {
        assert_eq!(refused(&bed, datum.clone()).await, (code.to_owned(), message), "{datum}");
    }
    assert_eq!(bed.ok("ListMetrics", json!({})).await["Metrics"], json!([]));
}

#[tokio::test]
async fn aws_namespaces_are_aws_own_and_data_has_an_end() {
    let bed = Bed::new();
    for namespace in ["AWS/EC2", " ", "ä"] {
        let input = json!({"Namespace": namespace, "MetricData": [{"MetricName": "m", "Value": 1}]});
        assert_eq!(bed.refused("PutMetricData", input).await.0, "InvalidParameterValue", "{namespace}");
    }
    let input = json!({"Namespace": "test", "MetricData": vec![json!({"MetricName": "m", "Value": 1}); 1001]});
    let message = "The collection MetricData must not have a size greater than 1000.";
    assert_eq!(bed.refused("PutMetricData", input).await, ("InvalidParameterValue".to_owned(), message.to_owned()));
    assert_eq!(bed.refused("PutMetricData", json!({"Namespace": "test"})).await.0, "MissingParameter");
}

#[tokio::test]
async fn other_services_may_write_to_aws_namespaces() {
    use platform::ports::{MetricSample, MetricSink as _};
    let bed = Bed::new();
    let sample = |value| MetricSample {
        name: "IncomingBytes".to_owned(),
        dimensions: vec![("LogGroupName".to_owned(), "g".to_owned())],
        timestamp: Timestamp::from_secs(START),
        value,
        unit: "Bytes".to_owned(),
    };
    let samples = vec![sample(1.0), sample(f64::NAN), sample(2.0)];
    bed.cloudwatch.put(ACCOUNT.parse().unwrap(), &Region::default(), "AWS/Logs", samples).await.unwrap();
    let input = json!({
        "Namespace": "AWS/Logs", "MetricName": "IncomingBytes", "Period": 60, "Statistics": ["Sum", "SampleCount"],
        "Dimensions": [{"Name": "LogGroupName", "Value": "g"}], "StartTime": START, "EndTime": START + 60
    });
    let point = &bed.ok("GetMetricStatistics", input).await["Datapoints"][0];
    assert_eq!((&point["Sum"], &point["SampleCount"], &point["Unit"]), (&json!(3.0), &json!(2.0), &json!("Bytes")));
}

/// All that comes in at once is written together: what the store refuses would be everybody's failure.
#[tokio::test]
async fn dimensions_that_an_event_made_up_are_left_out() {
    use platform::ports::{MetricSample, MetricSink as _};
    let bed = Bed::new();
    let sample = |value: &str| MetricSample {
        name: "errors".to_owned(),
        dimensions: vec![("Path".to_owned(), value.to_owned())],
        timestamp: Timestamp::from_secs(START),
        value: 1.0,
        unit: "None".to_owned(),
    };
    let endless = "x".repeat(1 << 20);
    let samples = [endless.as_str(), "", "a\nb", "é", "/a"].map(sample).into();
    bed.cloudwatch.put(ACCOUNT.parse().unwrap(), &Region::default(), "test", samples).await.unwrap();
    let metrics = bed.ok("ListMetrics", json!({})).await["Metrics"].clone();
    assert_eq!(metrics.as_array().unwrap().len(), 1);
    assert_eq!(metrics[0]["Dimensions"][0]["Value"], "/a");
}

#[tokio::test]
async fn data_with_entities_is_kept_like_all_other() {
    let bed = Bed::new();
    let entity = json!({
        "Entity": {"KeyAttributes": {"Type": "Service", "Name": "web"}},
        "MetricData": [{"MetricName": "m", "Value": 3}]
    });
    bed.ok("PutMetricData", json!({"Namespace": "test", "EntityMetricData": [entity]})).await;
    assert_eq!(bed.ok("ListMetrics", json!({})).await["Metrics"][0]["MetricName"], "m");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_write_to_one_metric_at_once_lose_nothing() {
    let bed = Arc::new(Bed::new());
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..32i64 {
        let bed = bed.clone();
        tasks.spawn(async move {
            for n in 0..20i64 {
                bed.put(&[(60 * (n % 7), (caller * 20 + n) as f64), (0, 1.0)]).await;
            }
        });
    }
    tasks.join_all().await;
    let input = json!({
        "Namespace": "test", "MetricName": "m", "Period": 3600, "Statistics": ["Sum", "SampleCount", "Maximum"],
        "StartTime": START, "EndTime": START + 3600
    });
    let point = bed.ok("GetMetricStatistics", input).await["Datapoints"][0].clone();
    let sum = (0..640).sum::<i64>() + 640;
    assert_eq!(point["SampleCount"], json!(1280.0));
    assert_eq!((&point["Sum"], &point["Maximum"]), (&json!(sum as f64), &json!(639.0)));
}

#[tokio::test]
async fn two_processes_on_one_store_lose_nothing() {
    let bed = Bed::new();
    let other = Bed::on(bed.cloudwatch.platform.store.clone(), bed.clock.clone());
    let one = async {
        for n in 0..50 {
            bed.put(&[(n, 1.0)]).await;
        }
    };
    let another = async {
        for n in 0..50 {
            other.put(&[(n, 1.0)]).await;
        }
    };
    tokio::join!(one, another);
    let input = json!({
        "Namespace": "test", "MetricName": "m", "Period": 60, "Statistics": ["Sum"],
        "StartTime": START, "EndTime": START + 60
    });
    assert_eq!(bed.ok("GetMetricStatistics", input).await["Datapoints"][0]["Sum"], json!(100.0));
}

#[tokio::test]
async fn what_is_acknowledged_is_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::starting_at(Timestamp::from_secs(START)));
    let options = || StoreOptions { clock: clock.clone(), ..StoreOptions::default() };
    let store = Store::open(dir.path(), options()).unwrap();
    let bed = Bed::on(store.clone(), clock.clone());
    let data: Vec<Value> = (0..1000).map(|n| json!({"MetricName": format!("m{n}"), "Value": n})).collect();
    bed.ok("PutMetricData", json!({"Namespace": "test", "MetricData": data})).await;
    store.close().await.unwrap();
    drop((bed, store));
    let bed = Bed::on(Store::open(dir.path(), options()).unwrap(), clock.clone());
    clock.advance(Duration::from_secs(60));
    for n in [0, 1, 499, 999] {
        let input = json!({
            "Namespace": "test", "MetricName": format!("m{n}"), "Period": 60, "Statistics": ["Sum"],
            "StartTime": START, "EndTime": START + 60
        });
        assert_eq!(bed.ok("GetMetricStatistics", input).await["Datapoints"][0]["Sum"], json!(f64::from(n)));
    }
}
