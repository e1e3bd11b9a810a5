use super::*;

use std::time::Duration;

use base::{Clock, ManualClock};
use ecs::reconcile::task_definition::{KEPT, sweep};

#[tokio::test]
async fn a_definition_is_registered_and_described_with_everything_that_ecs_adds() {
    let caller = Caller::new();
    let mut input = small("web");
    input["tags"] = json!([{"key": "k", "value": "v"}]);
    let registered = caller.ok("RegisterTaskDefinition", input).await;
    let definition = registered["taskDefinition"].clone();
    assert_eq!(registered["tags"], json!([{"key": "k", "value": "v"}]));
    assert_eq!(definition["taskDefinitionArn"], arn("task-definition/web:1"));
    assert_eq!((&definition["revision"], &definition["status"]), (&json!(1), &json!("ACTIVE")));
    assert_eq!(definition["registeredBy"], format!("arn:aws:iam::{ACCOUNT}:root"));
    assert_eq!(definition["registeredAt"].as_f64(), Some(1_767_225_600.0));
    assert!(definition.get("deregisteredAt").is_none() && definition.get("requiresAttributes").is_none());
    for name in ["web", "web:1", &arn("task-definition/web:1"), &arn("task-definition/web")] {
        let described = caller.ok("DescribeTaskDefinition", json!({"taskDefinition": name})).await;
        assert_eq!(described["taskDefinition"], definition, "{name}");
        assert_eq!(described["tags"], json!([]));
    }
    let with_tags = json!({"taskDefinition": "web", "include": ["TAGS"]});
    assert_eq!(caller.ok("DescribeTaskDefinition", with_tags).await["tags"], json!([{"key": "k", "value": "v"}]));
    let untagged = caller.ok("RegisterTaskDefinition", small("web")).await;
    assert!(untagged.get("tags").is_none());
    assert_eq!(untagged["taskDefinition"]["revision"], 2);
}

#[tokio::test]
async fn a_family_means_its_latest_active_revision() {
    let caller = Caller::new();
    for _ in 0..3 {
        caller.register("web").await;
    }
    caller.register("web-2").await;
    let latest = async || {
        let answer = caller.call("DescribeTaskDefinition", json!({"taskDefinition": "web"})).await;
        answer.map(|it| it["taskDefinition"]["revision"].as_i64().unwrap()).map_err(|error| error.message)
    };
    assert_eq!(latest().await, Ok(3));
    caller.ok("DeregisterTaskDefinition", json!({"taskDefinition": "web:3"})).await;
    assert_eq!(latest().await, Ok(2));
    caller.ok("DeregisterTaskDefinition", json!({"taskDefinition": "web:1"})).await;
    assert_eq!(latest().await, Ok(2));
    caller.ok("DeregisterTaskDefinition", json!({"taskDefinition": "web:2"})).await;
    assert_eq!(latest().await, Err("Unable to describe task definition.".to_owned()));
}

#[tokio::test]
async fn a_deregistered_definition_stays_describable() {
    let caller = Caller::new();
    let name = caller.register("web").await;
    let first = caller.ok("DeregisterTaskDefinition", json!({"taskDefinition": name})).await;
    assert_eq!(first["taskDefinition"]["status"], "INACTIVE");
    assert!(first["taskDefinition"].get("deregisteredAt").is_none());
    let again = caller.ok("DeregisterTaskDefinition", json!({"taskDefinition": name})).await;
    assert_eq!(again["taskDefinition"]["deregisteredAt"].as_f64(), Some(1_767_225_600.0));
    let described = caller.ok("DescribeTaskDefinition", json!({"taskDefinition": name})).await;
    assert_eq!(described["taskDefinition"], again["taskDefinition"]);
    caller.ok("TagResource", json!({"resourceArn": name, "tags": [{"key": "k", "value": "v"}]})).await;
}

#[tokio::test]
async fn a_deleted_definition_goes_and_its_number_is_never_used_again() {
    let caller = Caller::new();
    let clock = Arc::new(ManualClock::starting_at(caller.ctx.now));
    let store = store::Store::in_memory(store::StoreOptions { clock: clock.clone(), ..Default::default() });
    let platform = Platform { clock: clock.clone(), store, ..Platform::in_memory() };
    let caller = Caller::on(platform, caller.ctx.principal.clone());
    let name = caller.register("web").await;
    let delete = json!({"taskDefinitions": [name, "web", "gone:1"]});
    let refused = caller.ok("DeleteTaskDefinitions", delete.clone()).await;
    let failure = |arn: &str, reason: &str| json!({"arn": arn, "reason": reason});
    let invalid = "The specified task definition identifier is invalid. Specify a valid name or ARN and try again.";
    let gone = "The specified task definition does not exist. Specify a valid account, family, revision and try again.";
    let active = "The specified task definition is still in ACTIVE status. Please deregister the target and try again.";
    assert_eq!(
        refused,
        json!({"taskDefinitions": [],
               "failures": [failure(&name, active), failure("web", invalid), failure("gone:1", gone)]})
    );
    caller.ok("DeregisterTaskDefinition", json!({"taskDefinition": name})).await;
    for _ in 0..2 {
        let deleted = caller.ok("DeleteTaskDefinitions", delete.clone()).await;
        assert_eq!(deleted["taskDefinitions"][0]["status"], "DELETE_IN_PROGRESS");
        assert_eq!(deleted["failures"], json!([failure("web", invalid), failure("gone:1", gone)]));
    }
    let message = "The task definition could not be deregistered because it is in the process of being deleted.";
    let again = caller.refused("DeregisterTaskDefinition", json!({"taskDefinition": name})).await;
    assert_eq!(again, refusal("ClientException", message));
    let listed = caller.ok("ListTaskDefinitions", json!({"status": "DELETE_IN_PROGRESS"})).await;
    assert_eq!(listed["taskDefinitionArns"], json!([name]));
    assert_eq!(sweep(&caller.ecs.platform).await.unwrap(), 0);
    clock.advance(KEPT - Duration::from_secs(1));
    assert_eq!(sweep(&caller.ecs.platform).await.unwrap(), 0);
    caller.ok("DescribeTaskDefinition", json!({"taskDefinition": name})).await;
    clock.advance(Duration::from_secs(1));
    assert_eq!(clock.now().since(caller.ctx.now), KEPT);
    assert_eq!(sweep(&caller.ecs.platform).await.unwrap(), 1);
    let message = refusal("ClientException", "Unable to describe task definition.");
    assert_eq!(caller.refused("DescribeTaskDefinition", json!({"taskDefinition": name})).await, message);
    assert_eq!(caller.ok("ListTaskDefinitionFamilies", json!({})).await, json!({"families": []}));
    assert_eq!(caller.register("web").await, arn("task-definition/web:2"));
}

#[tokio::test]
async fn between_one_and_ten_definitions_are_deleted_at_once() {
    let caller = Caller::new();
    for names in [Vec::new(), vec!["web:1"; 11]] {
        let refused = caller.refused("DeleteTaskDefinitions", json!({"taskDefinitions": names})).await;
        assert_eq!(refused.0, "InvalidParameterException");
    }
}

#[tokio::test]
async fn definitions_are_listed_by_status_family_and_direction() {
    let caller = Caller::new();
    for family in ["web", "web", "web-a", "api"] {
        caller.register(family).await;
    }
    caller.ok("DeregisterTaskDefinition", json!({"taskDefinition": "web:1"})).await;
    let list = async |input: Value| {
        let answer = caller.ok("ListTaskDefinitions", input).await;
        let short = |it: &Value| it.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        answer["taskDefinitionArns"].as_array().unwrap().iter().map(short).collect::<Vec<_>>()
    };
    assert_eq!(list(json!({})).await, ["api:1", "web:2", "web-a:1"]);
    assert_eq!(list(json!({"sort": "DESC"})).await, ["web-a:1", "web:2", "api:1"]);
    assert_eq!(list(json!({"familyPrefix": "web"})).await, ["web:2"]);
    assert_eq!(list(json!({"familyPrefix": "we"})).await, Vec::<String>::new());
    assert_eq!(list(json!({"familyPrefix": "a b"})).await, Vec::<String>::new());
    assert_eq!(list(json!({"status": "INACTIVE"})).await, ["web:1"]);
}

#[tokio::test]
async fn families_are_listed_by_prefix_and_by_whether_they_are_in_use() {
    let caller = Caller::new();
    for family in ["web", "web", "web-a", "api"] {
        caller.register(family).await;
    }
    for revision in ["web:1", "api:1"] {
        caller.ok("DeregisterTaskDefinition", json!({"taskDefinition": revision})).await;
    }
    let list = async |input: Value| caller.ok("ListTaskDefinitionFamilies", input).await["families"].clone();
    assert_eq!(list(json!({})).await, json!(["api", "web", "web-a"]));
    assert_eq!(list(json!({"status": "ACTIVE"})).await, json!(["web", "web-a"]));
    assert_eq!(list(json!({"status": "INACTIVE"})).await, json!(["api"]));
    assert_eq!(list(json!({"familyPrefix": "we"})).await, json!(["web", "web-a"]));
    assert_eq!(list(json!({"familyPrefix": "web-"})).await, json!(["web-a"]));
    assert_eq!(list(json!({"familyPrefix": "%"})).await, json!([]));
}

#[tokio::test]
async fn an_account_sees_its_own_definitions_alone() {
    let caller = Caller::new();
    let name = caller.register("web").await;
    let other = caller.other_account();
    let missing = refusal("ClientException", "Unable to describe task definition.");
    assert_eq!(other.refused("DescribeTaskDefinition", json!({"taskDefinition": "web:1"})).await, missing);
    let message = "Invalid identifier: Identifier is for 123456789012. Your accountId is 999999999999";
    for operation in ["DescribeTaskDefinition", "DeregisterTaskDefinition"] {
        let refused = other.refused(operation, json!({"taskDefinition": name})).await;
        assert_eq!(refused, refusal("InvalidParameterException", message));
    }
    assert_eq!(other.ok("ListTaskDefinitions", json!({})).await, json!({"taskDefinitionArns": []}));
    assert_eq!(other.register("web").await, "arn:aws:ecs:us-east-1:999999999999:task-definition/web:1");
}

#[tokio::test]
async fn wrong_names_are_refused_in_the_words_of_ecs() {
    let caller = Caller::new();
    caller.register("web").await;
    for (operation, name, code, message) in [
        ("DescribeTaskDefinition", "gone", "ClientException", "Unable to describe task definition."),
        ("DescribeTaskDefinition", "web:999", "ClientException", "Unable to describe task definition."),
        (
            "DescribeTaskDefinition",
            "web:bad",
            "InvalidParameterException",
            "Invalid task definition: Invalid revision number.",
        ),
        ("DeregisterTaskDefinition", "web", "InvalidParameterException", "Revision is missing"),
    ] {
        let refused = caller.refused(operation, json!({"taskDefinition": name})).await;
        assert_eq!(refused, refusal(code, message), "{operation} {name}");
    }
}

#[tokio::test]
async fn a_refused_definition_takes_no_number() {
    let caller = Caller::new();
    caller.register("web").await;
    let mut wrong = small("web");
    wrong["containerDefinitions"][0]["image"] = json!("");
    let message = "Container.image should not be null or empty.";
    assert_eq!(caller.refused("RegisterTaskDefinition", wrong).await, refusal("ClientException", message));
    let mut untagged = small("web");
    untagged["tags"] = json!([{"key": "k"}]);
    let expected = refusal("ClientException", "Tag value can not be null.");
    assert_eq!(caller.refused("RegisterTaskDefinition", untagged).await, expected);
    assert_eq!(caller.register("web").await, arn("task-definition/web:2"));
}
