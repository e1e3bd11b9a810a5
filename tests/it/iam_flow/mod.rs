//! IAM and STS as somebody uses them who types `aws iam` and `aws sts`.

use serde_json::{Value, json};
use tests::{Aws, Server};
use wire::sigv4::{Credentials, SecretAccessKey};

use crate::security::trust;

fn text(answer: &Value, pointer: &str) -> String {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {pointer}: {answer}")).to_owned()
}

/// The key in an answer, temporary or not.
fn key(answer: &Value, pointer: &str) -> Credentials {
    let part = |name: &str| answer.pointer(&format!("{pointer}/{name}")).and_then(Value::as_str);
    Credentials {
        access_key_id: part("AccessKeyId").expect("a key has an id").to_owned(),
        secret_access_key: SecretAccessKey::new(part("SecretAccessKey").expect("a new key shows its secret")),
        session_token: part("SessionToken").map(str::to_owned),
    }
}

#[test]
fn a_users_key_says_who_it_is_and_is_denied_the_rest_in_the_words_of_aws() {
    let server = Server::shared();
    let account = server.account();
    let root = Aws::new(&server, &account.root);
    let user = root.call(&["iam", "create-user", "--user-name", "ann", "--path", "/staff/"]);
    let arn = format!("arn:aws:iam::{}:user/staff/ann", account.id);
    assert_eq!(text(&user, "/User/Arn"), arn);
    let made = root.call(&["iam", "create-access-key", "--user-name", "ann"]);
    let ann = Aws::new(&server, &key(&made, "/AccessKey"));

    let me = ann.call(&["sts", "get-caller-identity"]);
    assert_eq!(text(&me, "/Arn"), arn);
    assert_eq!(text(&me, "/UserId"), text(&user, "/User/UserId"));

    let refused = ann.refused(&["ecs", "list-clusters"]);
    assert_eq!((refused.code.as_str(), refused.operation.as_str()), ("AccessDeniedException", "ListClusters"));
    let why = "on resource: * because no identity-based policy allows the ecs:ListClusters action";
    assert_eq!(refused.message, format!("User: {arn} is not authorized to perform: ecs:ListClusters {why}"));
    let refused = ann.refused(&["iam", "create-user", "--user-name", "eve"]);
    assert_eq!((refused.code.as_str(), refused.operation.as_str()), ("AccessDenied", "CreateUser"));
    assert!(refused.message.starts_with(&format!("User: {arn} is not authorized to perform: iam:CreateUser")));

    root.call(&[
        "iam",
        "update-access-key",
        "--user-name",
        "ann",
        "--access-key-id",
        &text(&made, "/AccessKey/AccessKeyId"),
        "--status",
        "Inactive",
    ]);
    let refused = ann.refused(&["sts", "get-caller-identity"]);
    assert_eq!(refused.code, "InvalidClientTokenId");
    assert_eq!(refused.message, "The security token included in the request is invalid.");
}

#[test]
fn a_role_is_assumed_used_and_refused_once_it_is_deleted() {
    let server = Server::shared();
    let account = server.account();
    let root = Aws::new(&server, &account.root);
    let trust = trust(&account.id);
    let create = ["iam", "create-role", "--role-name", "auditor", "--assume-role-policy-document", &trust];
    let role = root.call(&create);
    let arn = text(&role, "/Role/Arn");
    let policy = "file://samples/policies/ecs-read-only.json";
    root.call(&[
        "iam",
        "put-role-policy",
        "--role-name",
        "auditor",
        "--policy-name",
        "read",
        "--policy-document",
        policy,
    ]);
    let shown = root.call(&["iam", "get-role-policy", "--role-name", "auditor", "--policy-name", "read"]);
    assert_eq!(shown["PolicyDocument"]["Statement"][0]["Action"], json!(["ecs:Describe*", "ecs:List*"]));

    let session = root.call(&["sts", "assume-role", "--role-arn", &arn, "--role-session-name", "audit"]);
    let auditor = Aws::new(&server, &key(&session, "/Credentials"));
    let me = auditor.call(&["sts", "get-caller-identity"]);
    assert_eq!(text(&me, "/Arn"), format!("arn:aws:sts::{}:assumed-role/auditor/audit", account.id));
    assert_eq!(text(&me, "/UserId"), text(&session, "/AssumedRoleUser/AssumedRoleId"));
    let made = root.call(&["ecs", "create-cluster", "--cluster-name", "seen"]);
    let seen = auditor.call(&["ecs", "list-clusters"]);
    assert_eq!(seen["clusterArns"][0], made["cluster"]["clusterArn"], "a role acts in its account");
    let refused = auditor.refused(&["ecs", "create-cluster", "--cluster-name", "more"]);
    assert_eq!((refused.code.as_str(), refused.operation.as_str()), ("AccessDeniedException", "CreateCluster"));
    assert!(refused.message.ends_with("because no identity-based policy allows the ecs:CreateCluster action"));

    let refused = root.refused(&["iam", "delete-role", "--role-name", "auditor"]);
    assert_eq!((refused.code.as_str(), refused.operation.as_str()), ("DeleteConflict", "DeleteRole"));
    assert_eq!(refused.message, "Cannot delete entity, must delete policies first.");
    root.call(&["iam", "delete-role-policy", "--role-name", "auditor", "--policy-name", "read"]);
    root.call(&["iam", "delete-role", "--role-name", "auditor"]);
    let refused = auditor.refused(&["ecs", "list-clusters"]);
    assert_eq!(refused.code, "UnrecognizedClientException");
    root.call(&create);
    let refused = auditor.refused(&["sts", "get-caller-identity"]);
    assert_eq!(refused.code, "InvalidClientTokenId", "a new role of that name is another role");
}

#[test]
fn policies_and_instance_profiles_by_the_command_line() {
    let server = Server::shared();
    let account = server.account();
    let aws = Aws::new(&server, &account.root);
    let file = "file://samples/policies/ecs-read-only.json";
    let made = aws.call(&["iam", "create-policy", "--policy-name", "read", "--policy-document", file]);
    let arn = text(&made, "/Policy/Arn");
    let trust = "file://samples/policies/trust-ecs-tasks.json";
    aws.call(&["iam", "create-role", "--role-name", "task", "--assume-role-policy-document", trust]);
    aws.call(&["iam", "attach-role-policy", "--role-name", "task", "--policy-arn", &arn]);
    let attached = aws.call(&["iam", "list-attached-role-policies", "--role-name", "task"]);
    assert_eq!(attached["AttachedPolicies"], json!([{ "PolicyName": "read", "PolicyArn": arn }]));
    let version = aws.call(&["iam", "get-policy-version", "--policy-arn", &arn, "--version-id", "v1"]);
    assert_eq!(version["PolicyVersion"]["Document"]["Version"], "2012-10-17");

    aws.call(&["iam", "create-instance-profile", "--instance-profile-name", "host"]);
    aws.call(&["iam", "add-role-to-instance-profile", "--instance-profile-name", "host", "--role-name", "task"]);
    aws.call(&["iam", "wait", "instance-profile-exists", "--instance-profile-name", "host"]);
    aws.call(&["iam", "wait", "role-exists", "--role-name", "task"]);
    let profile = aws.call(&["iam", "get-instance-profile", "--instance-profile-name", "host"]);
    assert_eq!(profile["InstanceProfile"]["Roles"][0]["RoleName"], "task");

    for name in ["ann", "bob", "eve"] {
        aws.call(&["iam", "create-user", "--user-name", name]);
    }
    let query = "Users[].UserName";
    let paged = aws.call(&["iam", "list-users", "--page-size", "1", "--query", query]);
    assert_eq!(paged, json!(["ann", "bob", "eve"]));
    let first = aws.call(&["iam", "list-users", "--max-items", "2"]);
    let token = text(&first, "/NextToken");
    let rest = aws.call(&["iam", "list-users", "--starting-token", &token, "--query", query]);
    assert_eq!(rest, json!(["eve"]));

    let refused = aws.refused(&["iam", "get-role", "--role-name", "nobody"]);
    assert_eq!((refused.code.as_str(), refused.operation.as_str()), ("NoSuchEntity", "GetRole"));
    assert_eq!(refused.message, "The role with name nobody cannot be found.");
    let refused = aws.refused(&["iam", "create-policy", "--policy-name", "bad", "--policy-document", "{"]);
    assert_eq!(refused.code, "MalformedPolicyDocument");
}
