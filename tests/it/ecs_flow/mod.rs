//! Amazon ECS as somebody uses it who types `aws ecs`.

use serde_json::{Value, json};
use tests::{Aws, Server};

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap_or_else(|| panic!("no list: {list}")).iter().filter_map(Value::as_str).collect()
}

#[test]
fn clusters_tags_and_settings_by_the_command_line() {
    let server = Server::shared();
    let account = server.account();
    let aws = Aws::new(&server, &account.root);
    let arn = |name: &str| format!("arn:aws:ecs:us-east-1:{}:cluster/{name}", account.id);

    let made = aws.call(&[
        "ecs",
        "create-cluster",
        "--cluster-name",
        "shop",
        "--tags",
        "key=team,value=storefront",
        "--settings",
        "name=containerInsights,value=enabled",
    ]);
    assert_eq!(made["cluster"]["clusterArn"], arn("shop"));
    assert_eq!(made["cluster"]["status"], "ACTIVE");
    for name in ["one", "two"] {
        aws.call(&["ecs", "create-cluster", "--cluster-name", name]);
    }
    let all = [arn("one"), arn("shop"), arn("two")];
    let mut listed = aws.call(&["ecs", "list-clusters", "--page-size", "1"])["clusterArns"].take();
    listed.as_array_mut().unwrap().sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    assert_eq!(texts(&listed), all, "the client itself follows the pages");

    let first = aws.call(&["ecs", "list-clusters", "--max-items", "2"]);
    assert_eq!(texts(&first["clusterArns"]).len(), 2);
    let token = first["NextToken"].as_str().expect("there is more").to_owned();
    let rest = aws.call(&["ecs", "list-clusters", "--max-items", "2", "--starting-token", &token]);
    let mut seen = [texts(&first["clusterArns"]), texts(&rest["clusterArns"])].concat();
    seen.sort_unstable();
    assert_eq!(seen, all);

    let described =
        aws.call(&["ecs", "describe-clusters", "--clusters", "shop", "nowhere", "--include", "TAGS", "SETTINGS"]);
    assert_eq!(described["failures"], json!([{ "arn": arn("nowhere"), "reason": "MISSING" }]));
    assert_eq!(described["clusters"][0]["tags"], json!([{ "key": "team", "value": "storefront" }]));
    aws.call(&["ecs", "tag-resource", "--resource-arn", &arn("shop"), "--tags", "key=stage,value=test"]);
    aws.call(&["ecs", "untag-resource", "--resource-arn", &arn("shop"), "--tag-keys", "team"]);
    let tags = aws.call(&["ecs", "list-tags-for-resource", "--resource-arn", &arn("shop")]);
    assert_eq!(tags["tags"], json!([{ "key": "stage", "value": "test" }]));

    aws.call(&["ecs", "put-account-setting-default", "--name", "containerInsights", "--value", "enabled"]);
    let setting = aws.call(&["ecs", "list-account-settings", "--name", "containerInsights", "--effective-settings"]);
    assert_eq!(setting["settings"][0]["value"], "enabled");

    aws.call(&["ecs", "delete-cluster", "--cluster", "shop"]);
    let refused = aws.refused(&["ecs", "delete-cluster", "--cluster", "nowhere"]);
    assert_eq!((refused.code.as_str(), refused.operation.as_str()), ("ClusterNotFoundException", "DeleteCluster"));
    assert_eq!(refused.message, "Cluster not found.");
    let refused = aws.refused(&["ecs", "create-cluster", "--cluster-name", "no such name"]);
    assert_eq!(refused.code, "InvalidParameterException");
}

#[test]
fn task_definitions_by_the_command_line_from_a_file_to_their_deletion() {
    let server = Server::shared();
    let account = server.account();
    let aws = Aws::new(&server, &account.root);
    let sample = "samples/task-definitions/web.json";
    let asked: Value = serde_json::from_str(&std::fs::read_to_string(tests::source(sample)).unwrap()).unwrap();
    let file = format!("file://{sample}");
    let register = ["ecs", "register-task-definition", "--cli-input-json", &file];
    let web = aws.call(&register);
    assert_eq!(web["taskDefinition"]["revision"], 1);
    assert_eq!(web["taskDefinition"]["status"], "ACTIVE");
    assert_eq!(web["tags"], asked["tags"]);
    for field in ["family", "networkMode", "requiresCompatibilities"] {
        assert_eq!(web["taskDefinition"][field], asked[field], "{field}");
    }
    aws.call(&register);
    let described = aws.call(&["ecs", "describe-task-definition", "--task-definition", "web:1", "--include", "TAGS"]);
    assert_eq!(described, web, "what is described is what was registered");
    let arn = |revision: u32| format!("arn:aws:ecs:us-east-1:{}:task-definition/web:{revision}", account.id);
    let listed = aws.call(&["ecs", "list-task-definitions", "--family-prefix", "web", "--sort", "DESC"]);
    assert_eq!(texts(&listed["taskDefinitionArns"]), [arn(2), arn(1)]);
    let families = aws.call(&["ecs", "list-task-definition-families", "--status", "ACTIVE"]);
    assert_eq!(texts(&families["families"]), ["web"]);
    let gone = aws.call(&["ecs", "deregister-task-definition", "--task-definition", "web:1"]);
    assert_eq!(gone["taskDefinition"]["status"], "INACTIVE");
    let deleted = aws.call(&["ecs", "delete-task-definitions", "--task-definitions", "web:1"]);
    assert_eq!(deleted["taskDefinitions"][0]["status"], "DELETE_IN_PROGRESS");
    assert_eq!(deleted["failures"], json!([]));

    let refused = aws.refused(&["ecs", "describe-task-definition", "--task-definition", "nothing"]);
    assert_eq!((refused.code.as_str(), refused.operation.as_str()), ("ClientException", "DescribeTaskDefinition"));
    assert_eq!(refused.message, "Unable to describe task definition.");
    let refused = aws.refused(&[
        "ecs",
        "register-task-definition",
        "--family",
        "web",
        "--container-definitions",
        r#"[{"name":"app","image":"","memory":64}]"#,
    ]);
    assert_eq!(refused.code, "ClientException");
    assert_eq!(refused.message, "Container.image should not be null or empty.");
}
