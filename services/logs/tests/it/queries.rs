use super::*;

async fn put(caller: &Caller, group: &str, messages: &[&str]) {
    caller.stream(group, "s").await;
    let events = messages
        .iter()
        .zip(0..)
        .map(|(message, n)| json!({"timestamp": START - 60_000 + n * 1000, "message": message}));
    let events: Vec<_> = events.collect();
    caller.ok("PutLogEvents", json!({"logGroupName": group, "logStreamName": "s", "logEvents": events})).await;
}

fn about(groups: Value, query: &str) -> Value {
    let (start, end) = (START / 1000 - 3600, START / 1000);
    json!({"logGroupNames": groups, "queryString": query, "startTime": start, "endTime": end})
}

async fn start(caller: &Caller, groups: Value, query: &str) -> String {
    let started = caller.ok("StartQuery", about(groups, query)).await;
    started["queryId"].as_str().unwrap().to_owned()
}

/// Asks until the query has ended.
async fn ended(caller: &Caller, id: &str) -> Value {
    loop {
        let results = caller.ok("GetQueryResults", json!({"queryId": id})).await;
        match results["status"].as_str().unwrap() {
            "Scheduled" | "Running" => tokio::task::yield_now().await,
            _ => return results,
        }
    }
}

/// The values of a field, row by row.
fn values(results: &Value, field: &str) -> Vec<String> {
    let of_row = |row: &Value| {
        let found = row.as_array().unwrap().iter().find(|it| it["field"] == field)?;
        Some(found["value"].as_str().unwrap().to_owned())
    };
    results["results"].as_array().unwrap().iter().filter_map(of_row).collect()
}

#[tokio::test]
async fn a_query_runs_and_its_results_are_there() {
    let caller = Caller::new();
    put(&caller, "g", &["one ERROR", "fine", "two ERROR"]).await;
    put(&caller, "h", &["three ERROR"]).await;
    let query = "fields @message, @log | filter @message like /ERROR/ | sort @timestamp asc";
    let id = start(&caller, json!(["g", "h"]), query).await;
    let results = ended(&caller, &id).await;
    assert_eq!(results["status"], "Complete");
    let mut messages = values(&results, "@message");
    messages.sort();
    assert_eq!(messages, ["one ERROR", "three ERROR", "two ERROR"]);
    assert!(values(&results, "@log").contains(&format!("{ACCOUNT}:h")));
    let statistics = &results["statistics"];
    assert_eq!((&statistics["recordsMatched"], &statistics["recordsScanned"]), (&json!(3.0), &json!(4.0)));
    assert_eq!(statistics["logGroupsScanned"], 2.0);
    let described = caller.ok("DescribeQueries", json!({"status": "Complete", "logGroupName": "h"})).await;
    let found = &described["queries"][0];
    assert_eq!((&found["queryId"], &found["queryString"]), (&json!(id), &json!(query)));
    assert_eq!(caller.ok("DescribeQueries", json!({"status": "Failed"})).await, json!({"queries": []}));
    let message = "The specified query is not running.";
    let stopped = caller.refused("StopQuery", json!({"queryId": id})).await;
    assert_eq!(stopped, refusal("InvalidParameterException", message));
    let other = caller.other_account().refused("GetQueryResults", json!({"queryId": id})).await;
    assert_eq!(other.0, "ResourceNotFoundException");
}

#[tokio::test]
async fn rows_come_in_pages_and_point_to_their_events() {
    let caller = Caller::new();
    put(&caller, "g", &["a", r#"{"level": "INFO", "n": 1}"#, "c"]).await;
    let id = start(&caller, json!(["g"]), "fields @message | sort @timestamp asc").await;
    ended(&caller, &id).await;
    let first = caller.ok("GetQueryResults", json!({"queryId": id, "maxItems": 2})).await;
    assert_eq!(values(&first, "@message"), ["a", r#"{"level": "INFO", "n": 1}"#]);
    let next = json!({"queryId": id, "maxItems": 2, "nextToken": first["nextToken"]});
    let rest = caller.ok("GetQueryResults", next).await;
    assert_eq!(values(&rest, "@message"), ["c"]);
    assert!(rest.get("nextToken").is_none());
    let pointer = &values(&first, "@ptr")[1];
    let record = caller.ok("GetLogRecord", json!({"logRecordPointer": pointer})).await;
    let expected = json!({
        "@timestamp": (START - 59_000).to_string(), "@ingestionTime": START.to_string(), "@logStream": "s",
        "@log": format!("{ACCOUNT}:g"), "@message": r#"{"level": "INFO", "n": 1}"#, "level": "INFO", "n": "1"
    });
    assert_eq!(record["logRecord"], expected);
    let forged = caller.refused("GetLogRecord", json!({"logRecordPointer": "x"})).await;
    assert_eq!(forged.0, "InvalidParameterException");
    let other = caller.other_account().refused("GetLogRecord", json!({"logRecordPointer": pointer})).await;
    assert_eq!(other.0, "InvalidParameterException");
    caller.ok("DeleteLogGroup", json!({"logGroupName": "g"})).await;
    let gone = caller.refused("GetLogRecord", json!({"logRecordPointer": pointer})).await;
    assert_eq!(gone.0, "ResourceNotFoundException");
}

#[tokio::test]
async fn the_next_process_finishes_what_was_started_and_makes_rows_that_are_gone() {
    let caller = Caller::new();
    put(&caller, "g", &["a", "b"]).await;
    let id = start(&caller, json!(["g"]), "stats count(*) as n").await;
    assert_eq!(values(&ended(&caller, &id).await, "n"), ["2"]);
    let next = Caller {
        logs: logs::Logs::new(caller.logs.platform.clone(), caller.logs.segments.clone(), caller.metrics.clone()),
        ..caller.clone()
    };
    let asked = next.ok("GetQueryResults", json!({"queryId": id})).await;
    assert_eq!((&asked["status"], &asked["results"]), (&json!("Running"), &json!([])));
    assert_eq!(values(&ended(&next, &id).await, "n"), ["2"]);

    let scope = store::Scope::new(caller.account, Region::default());
    let reopen = |query: &mut logs::query::Query| {
        query.status = logs::api::QueryStatus::Scheduled;
        Ok::<_, StoreError>(())
    };
    caller.logs.platform.store.update(&scope, &[&id], reopen).await.unwrap();
    caller.reconcile(logs::reconcile::queries::reconciler(&next.logs)).await;
    assert_eq!(values(&ended(&next, &id).await, "n"), ["2"]);
}

/// Else who has lost the right to ask a group could still look at what comes, by having old rows made again.
#[tokio::test]
async fn rows_that_are_made_again_have_nothing_that_came_later() {
    let caller = Caller::new();
    put(&caller, "g", &["a", "b"]).await;
    let mut query = about(json!(["g"]), "stats count(*) as n");
    query["endTime"] = json!(START / 1000 + 3600);
    let id = caller.ok("StartQuery", query).await["queryId"].as_str().unwrap().to_owned();
    assert_eq!(values(&ended(&caller, &id).await, "n"), ["2"]);
    caller.advance(Duration::from_secs(60));
    let late = json!([{"timestamp": START - 60_000, "message": "c"}, {"timestamp": START + 60_000, "message": "d"}]);
    caller.ok("PutLogEvents", json!({"logGroupName": "g", "logStreamName": "s", "logEvents": late})).await;
    let next = Caller {
        logs: logs::Logs::new(caller.logs.platform.clone(), caller.logs.segments.clone(), caller.metrics.clone()),
        ..caller.clone()
    };
    assert_eq!(values(&ended(&next, &id).await, "n"), ["2"]);
}

#[tokio::test]
async fn a_query_that_waits_or_runs_can_be_stopped() {
    let caller = Caller::new();
    put(&caller, "g", &["a"]).await;
    let id = start(&caller, json!(["g"]), "fields @message").await;
    assert_eq!(caller.ok("StopQuery", json!({"queryId": id})).await, json!({"success": true}));
    let results = ended(&caller, &id).await;
    assert_eq!((&results["status"], &results["results"]), (&json!("Cancelled"), &json!([])));
    assert_eq!(caller.refused("StopQuery", json!({"queryId": id})).await.0, "InvalidParameterException");
    assert_eq!(caller.refused("StopQuery", json!({"queryId": "x"})).await.0, "ResourceNotFoundException");
}

#[tokio::test]
async fn an_account_can_have_a_hundred_queries_that_have_not_ended() {
    let caller = Caller::new();
    caller.group("g").await;
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.push(start(&caller, json!(["g"]), "fields @message").await);
    }
    let message = "Account maximum query concurrency limit of [100] reached.";
    let refused = caller.refused("StartQuery", about(json!(["g"]), "fields @message")).await;
    assert_eq!(refused, refusal("LimitExceededException", message));
    for id in &ids {
        assert_eq!(ended(&caller, id).await["status"], "Complete");
    }
    start(&caller, json!(["g"]), "fields @message").await;
}

#[tokio::test]
async fn old_queries_go() {
    let caller = Caller::new();
    put(&caller, "g", &["a"]).await;
    let id = start(&caller, json!(["g"]), "stats count(*)").await;
    ended(&caller, &id).await;
    caller.advance(Duration::from_secs(7 * 24 * 3600 + 1));
    let round = caller.reconcile(logs::reconcile::queries::reconciler(&caller.logs)).await;
    assert_eq!(round.changes, 1);
    assert_eq!(caller.refused("GetQueryResults", json!({"queryId": id})).await.0, "ResourceNotFoundException");
}

#[tokio::test]
async fn what_is_no_query_is_refused_with_where_it_fails() {
    let caller = Caller::new();
    caller.group("g").await;
    let error = caller.call("StartQuery", about(json!(["g"]), "fields @message | nonsense")).await.unwrap_err();
    assert_eq!(error.code, "MalformedQueryException");
    let (name, compile) = &error.members[0];
    assert_eq!(*name, "queryCompileError");
    assert!(compile["location"]["startCharOffset"].is_u64() && compile["message"].is_string(), "{compile}");
    assert_eq!(caller.refused("StartQuery", about(json!(["x"]), "fields @message")).await, group_not_found());
    let invalid = "InvalidParameterException";
    assert_eq!(caller.refused("StartQuery", about(json!([]), "fields @message")).await.0, invalid);
    let many: Vec<_> = (0..51).map(|n| format!("g{n}")).collect();
    assert_eq!(caller.refused("StartQuery", about(json!(many), "fields @message")).await.0, invalid);
    let mut sql = about(json!(["g"]), "SELECT 1");
    sql["queryLanguage"] = json!("SQL");
    assert_eq!(caller.refused("StartQuery", sql).await.0, invalid);
    let mut backwards = about(json!(["g"]), "fields @message");
    backwards["endTime"] = json!(1);
    assert_eq!(caller.refused("StartQuery", backwards).await.0, invalid);
}

#[tokio::test]
async fn definitions_are_kept_listed_and_deleted() {
    let caller = Caller::new();
    let token = "0123456789012345678901234567890123456789";
    let definition = json!({"name": "folder/errors", "queryString": "fields @message", "clientToken": token});
    let put = caller.ok("PutQueryDefinition", definition.clone()).await;
    assert_eq!(caller.ok("PutQueryDefinition", definition.clone()).await, put);
    let mut other = definition;
    other["name"] = json!("other");
    assert_eq!(caller.refused("PutQueryDefinition", other.clone()).await.0, "InvalidParameterException");
    other["clientToken"] = json!("another-token-another-token-another-token");
    other["logGroupNames"] = json!(["g"]);
    caller.ok("PutQueryDefinition", other).await;
    let names = |answer: Value| column(&answer["queryDefinitions"], "name");
    assert_eq!(names(caller.ok("DescribeQueryDefinitions", json!({})).await), ["folder/errors", "other"]);
    let prefix = json!({"queryDefinitionNamePrefix": "o"});
    let found = caller.ok("DescribeQueryDefinitions", prefix).await;
    assert_eq!(found["queryDefinitions"][0]["logGroupNames"], json!(["g"]));
    let id = put["queryDefinitionId"].clone();
    let renamed = json!({"queryDefinitionId": id, "name": "renamed", "queryString": "limit 1"});
    assert_eq!(caller.ok("PutQueryDefinition", renamed).await["queryDefinitionId"], id);
    let first = caller.ok("DescribeQueryDefinitions", json!({"maxResults": 1})).await;
    let rest = caller.ok("DescribeQueryDefinitions", json!({"nextToken": first["nextToken"]})).await;
    assert_eq!([names(first), names(rest)].concat(), ["other", "renamed"]);
    assert_eq!(caller.ok("DeleteQueryDefinition", json!({"queryDefinitionId": id})).await, json!({"success": true}));
    let missing = caller.refused("DeleteQueryDefinition", json!({"queryDefinitionId": id})).await;
    assert_eq!(missing.0, "ResourceNotFoundException");
}

#[tokio::test]
async fn the_fields_of_a_group_are_counted() {
    let caller = Caller::new();
    put(&caller, "g", &[r#"{"a": {"b": 1}}"#, r#"{"a": {"b": 2}, "c": 3}"#, "text", "more"]).await;
    let fields = caller.ok("GetLogGroupFields", json!({"logGroupName": "g"})).await;
    let of = |name: &str| {
        let rows = fields["logGroupFields"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).map(|row| row["percent"].clone())
    };
    assert_eq!((of("@message"), of("a.b"), of("c")), (Some(json!(100)), Some(json!(50)), Some(json!(25))));
    caller.group("empty").await;
    let none = caller.ok("GetLogGroupFields", json!({"logGroupIdentifier": arn("log-group:empty")})).await;
    assert_eq!(none, json!({"logGroupFields": []}));
}
