//! Who may do what, as somebody arranges it who types `aws iam`: groups, roles of profiles, boundaries, sessions,
//! federation, and why something was denied.

mod issuer;

use serde_json::{Value, json};
use tests::{Account, Aws, Server, Shared};
use wire::sigv4::{Credentials, SecretAccessKey};

use crate::first_minutes::request_id;
use crate::security::trust;

pub(crate) use issuer::Issuer;

/// An account on the shared server, and its root at the command line.
struct Desk {
    server: Shared,
    account: Account,
    root: Aws,
}

impl Desk {
    fn new() -> Self {
        let server = Server::shared();
        let account = server.account();
        let root = Aws::new(&server, &account.root);
        Self { server, account, root }
    }

    fn arn(&self, rest: &str) -> String {
        format!("arn:aws:iam::{}:{rest}", self.account.id)
    }

    fn iam(&self, arguments: &[&str]) -> Value {
        self.root.call(&[&["iam"], arguments].concat())
    }

    /// A new user with a key.
    fn user(&self, name: &str) -> Credentials {
        self.iam(&["create-user", "--user-name", name]);
        key(&self.iam(&["create-access-key", "--user-name", name])["AccessKey"])
    }

    /// A new role that everybody of the account may assume who is allowed to, with one policy.
    fn role(&self, name: &str, policy: &str) -> String {
        let trust = trust(&self.account.id);
        let made = self.iam(&["create-role", "--role-name", name, "--assume-role-policy-document", &trust]);
        self.iam(&["put-role-policy", "--role-name", name, "--policy-name", "own", "--policy-document", policy]);
        made["Role"]["Arn"].as_str().unwrap().to_owned()
    }

    fn as_user(&self, credentials: &Credentials) -> Aws {
        Aws::new(&self.server, credentials)
    }
}

fn key(answer: &Value) -> Credentials {
    let part = |name: &str| answer.get(name).and_then(Value::as_str);
    Credentials {
        access_key_id: part("AccessKeyId").unwrap().to_owned(),
        secret_access_key: SecretAccessKey::new(part("SecretAccessKey").unwrap()),
        session_token: part("SessionToken").map(str::to_owned),
    }
}

/// A policy of one statement.
fn policy(effect: &str, actions: &[&str], resource: &str) -> String {
    let statement = json!({ "Sid": "Only", "Effect": effect, "Action": actions, "Resource": resource });
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

#[test]
fn a_user_may_what_its_group_may_for_as_long_as_it_is_in_the_group() {
    let desk = Desk::new();
    let ann = desk.as_user(&desk.user("ann"));
    let read_only = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    desk.iam(&["create-group", "--group-name", "auditors"]);
    desk.iam(&["attach-group-policy", "--group-name", "auditors", "--policy-arn", read_only]);
    let refused = ann.refused(&["ecs", "list-clusters"]);
    assert!(refused.message.ends_with("because no identity-based policy allows the ecs:ListClusters action"));

    desk.iam(&["add-user-to-group", "--group-name", "auditors", "--user-name", "ann"]);
    assert_eq!(ann.call(&["ecs", "list-clusters"])["clusterArns"], json!([]));
    assert_eq!(ann.refused(&["ecs", "create-cluster", "--cluster-name", "mine"]).code, "AccessDeniedException");
    let logs = desk.arn("x").replace("iam:", "logs:us-east-1").replace(":x", ":log-group:/mine*");
    let own = policy("Allow", &["logs:CreateLogGroup"], &logs);
    let put = ["put-group-policy", "--group-name", "auditors", "--policy-name", "own", "--policy-document", &own];
    desk.iam(&put);
    ann.call(&["logs", "create-log-group", "--log-group-name", "/mine/web"]);
    let refused = ann.refused(&["logs", "create-log-group", "--log-group-name", "/yours"]);
    assert!(refused.message.contains(":log-group:/yours"), "{}", refused.message);

    desk.iam(&["remove-user-from-group", "--group-name", "auditors", "--user-name", "ann"]);
    assert_eq!(ann.refused(&["ecs", "list-clusters"]).code, "AccessDeniedException", "from then on");
}

#[test]
fn a_profile_assumes_its_role_and_has_the_roles_rights_alone() {
    let desk = Desk::new();
    let ann = desk.user("ann");
    let role = desk.role("deployer", &policy("Allow", &["ecs:*"], "*"));
    let config = desk.server.folder().write(
        &format!("config-{}", desk.account.id),
        &format!(
            "[profile base]\naws_access_key_id = {}\naws_secret_access_key = {}\n\
             [profile work]\nrole_arn = {role}\nsource_profile = base\nrole_session_name = shift\n",
            ann.access_key_id,
            ann.secret_access_key.expose()
        ),
    );
    let aws = desk.as_user(&ann);
    let work = |arguments: &[&str]| {
        let mut command = aws.command(arguments);
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        tests::program::run(command.env("AWS_CONFIG_FILE", &config).env("AWS_PROFILE", "work"))
    };
    // The role trusts the account, so it is the account's policies that have to let the user in.
    let denied = work(&["sts", "get-caller-identity"]).failure();
    assert!(denied.contains("is not authorized to perform: sts:AssumeRole on resource: "), "{denied}");
    let assume = policy("Allow", &["sts:AssumeRole"], &role);
    desk.iam(&["put-user-policy", "--user-name", "ann", "--policy-name", "in", "--policy-document", &assume]);

    let me = work(&["sts", "get-caller-identity"]).json();
    assert_eq!(me["Arn"], format!("arn:aws:sts::{}:assumed-role/deployer/shift", desk.account.id));
    work(&["ecs", "create-cluster", "--cluster-name", "shop"]).success();
    let denied = work(&["sts", "assume-role", "--role-arn", &role, "--role-session-name", "again"]).failure();
    assert!(denied.contains("AccessDenied"), "the user's own rights are not the session's: {denied}");
}

#[test]
fn a_session_policy_and_a_boundary_each_narrow_what_a_role_may() {
    let desk = Desk::new();
    let role = desk.role("worker", &policy("Allow", &["ecs:*", "logs:*"], "*"));
    let session = |more: &[&str]| {
        let assume = ["sts", "assume-role", "--role-arn", &role, "--role-session-name", "shift"];
        desk.as_user(&key(&desk.root.call(&[&assume, more].concat())["Credentials"]))
    };
    let list_clusters = ["ecs", "list-clusters"];
    let list_groups = ["logs", "describe-log-groups"];

    let narrow = session(&["--policy", &policy("Allow", &["ecs:ListClusters"], "*")]);
    narrow.call(&list_clusters);
    let refused = narrow.refused(&list_groups);
    assert!(refused.message.contains("no session policy allows the logs:DescribeLogGroups action"), "{refused:?}");
    let by_arn = session(&["--policy-arns", "arn=arn:aws:iam::aws:policy/CloudWatchLogsReadOnlyAccess"]);
    by_arn.call(&list_groups);
    assert_eq!(by_arn.refused(&list_clusters).code, "AccessDeniedException");

    let wide = session(&[]);
    wide.call(&list_groups);
    let limit = policy("Allow", &["ecs:*"], "*");
    let limit = desk.iam(&["create-policy", "--policy-name", "limit", "--policy-document", &limit]);
    let limit = limit["Policy"]["Arn"].as_str().unwrap();
    desk.iam(&["put-role-permissions-boundary", "--role-name", "worker", "--permissions-boundary", limit]);
    wide.call(&list_clusters);
    let refused = wide.refused(&list_groups);
    assert!(
        refused.message.contains("no permissions boundary allows the logs:DescribeLogGroups action"),
        "{refused:?}"
    );
    desk.iam(&["delete-role-permissions-boundary", "--role-name", "worker"]);
    wide.call(&list_groups);
}

#[test]
fn a_token_of_an_identity_provider_opens_a_role_by_the_clients_own_settings() {
    let desk = Desk::new();
    let issuer = Issuer::start();
    desk.iam(&[
        "create-open-id-connect-provider",
        "--url",
        &issuer.url,
        "--client-id-list",
        "pipeline",
        "--thumbprint-list",
        &issuer.thumbprint,
    ]);
    let trust = issuer.trust(&desk.account.id, "pipeline", "repo:shop/web");
    desk.iam(&["create-role", "--role-name", "deploy", "--assume-role-policy-document", &trust]);
    let own = policy("Allow", &["ecs:ListClusters"], "*");
    desk.iam(&["put-role-policy", "--role-name", "deploy", "--policy-name", "own", "--policy-document", &own]);
    let role = desk.arn("role/deploy");

    let token = issuer.token("pipeline", "repo:shop/web");
    let file = desk.server.folder().write(&format!("token-{}", desk.account.id), &token);
    let by_token = |arguments: &[&str]| {
        let mut command = desk.root.command(arguments);
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        command.env("AWS_ROLE_ARN", &role).env("AWS_WEB_IDENTITY_TOKEN_FILE", &file);
        tests::program::run(command.env("AWS_ROLE_SESSION_NAME", "build"))
    };
    let me = by_token(&["sts", "get-caller-identity"]).json();
    assert_eq!(me["Arn"], format!("arn:aws:sts::{}:assumed-role/deploy/build", desk.account.id));
    by_token(&["ecs", "list-clusters"]).success();
    assert!(by_token(&["ecs", "create-cluster"]).failure().contains("AccessDeniedException"));

    let ask = |token: &str| {
        let arguments = ["sts", "assume-role-with-web-identity", "--role-arn", &role, "--role-session-name", "build"];
        desk.root.run(&[&arguments[..], &["--web-identity-token", token]].concat())
    };
    let answer = ask(&token).json();
    assert_eq!(answer["SubjectFromWebIdentityToken"], "repo:shop/web");
    assert_eq!(answer["Audience"], "pipeline");
    assert_eq!(answer["Provider"], desk.arn(&format!("oidc-provider/{}", issuer.name())));
    let denied = ask(&issuer.token("pipeline", "repo:shop/other")).failure();
    assert!(denied.contains("Not authorized to perform sts:AssumeRoleWithWebIdentity"), "{denied}");
    assert!(ask(&issuer.token("others", "repo:shop/web")).failure().contains("Incorrect token audience"));
}

#[test]
fn a_simulation_tells_what_then_happens() {
    let desk = Desk::new();
    let ann = desk.as_user(&desk.user("ann"));
    let list = policy("Allow", &["ecs:List*", "logs:*"], "*");
    let deny = policy("Deny", &["logs:Delete*"], "*");
    for (name, document) in [("list", &list), ("deny", &deny)] {
        desk.iam(&["put-user-policy", "--user-name", "ann", "--policy-name", name, "--policy-document", document]);
    }
    let source = desk.arn("user/ann");
    let actions = ["ecs:ListClusters", "ecs:CreateCluster", "logs:DeleteLogGroup"];
    let simulate = ["simulate-principal-policy", "--policy-source-arn", &source, "--action-names"];
    let told = desk.iam(&[&simulate[..], &actions].concat());
    let of = |action: &str| {
        let results = told["EvaluationResults"].as_array().unwrap();
        results.iter().find(|result| result["EvalActionName"] == action).unwrap().clone()
    };
    let decisions = actions.map(|action| of(action)["EvalDecision"].clone());
    assert_eq!(decisions, ["allowed", "implicitDeny", "explicitDeny"]);
    assert_eq!(of("logs:DeleteLogGroup")["MatchedStatements"][0]["SourcePolicyId"], "user_ann_deny");

    ann.call(&["ecs", "list-clusters"]);
    let refused = ann.refused(&["ecs", "create-cluster"]);
    assert!(refused.message.contains("because no identity-based policy allows"), "{refused:?}");
    let refused = ann.refused(&["logs", "delete-log-group", "--log-group-name", "any"]);
    assert!(refused.message.contains("with an explicit deny in an identity-based policy"), "{refused:?}");
}

#[test]
fn why_denied_names_the_statement_that_decided() {
    let desk = Desk::new();
    let ann = desk.as_user(&desk.user("ann"));
    let allow = policy("Allow", &["ecs:*"], "*");
    let deny = policy("Deny", &["ecs:CreateCluster"], "*");
    for (name, document) in [("all", &allow), ("guard", &deny)] {
        desk.iam(&["put-user-policy", "--user-name", "ann", "--policy-name", name, "--policy-document", document]);
    }
    let denied = ann.run(&["ecs", "create-cluster", "--cluster-name", "shop", "--debug"]).failure();
    let id = request_id(&denied);
    // It is written down soon after it is answered.
    let told = tests::program::until(tests::program::LIMIT, || {
        let told = desk.server.command(&["why-denied", &id]);
        told.status.success().then_some(told)
    });
    let told = told.expect("the denial is written down").success();
    for part in
        ["user/ann", "ecs:CreateCluster", "denied      by statement 1 \"Only\" of guard", "of all (identity-based"]
    {
        assert!(told.contains(part), "{part} is not in:\n{told}");
    }
    let told = desk.server.command(&["why-denied", &id, "--format", "json"]).json();
    assert_eq!(told[0]["requestId"], id);
    assert_eq!(told[0]["statements"].as_array().unwrap().len(), 2);
    let unknown = desk.server.command(&["why-denied", "00000000-0000-4000-8000-000000000000"]).failure();
    assert!(unknown.contains("no denial of a request with the id"), "{unknown}");
}
