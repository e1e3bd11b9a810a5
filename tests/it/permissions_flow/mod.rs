//! Who may do what, as somebody arranges it who types `aws iam`: groups, roles of profiles, boundaries, sessions,
//! federation, and why something was denied.

mod issuer;

use serde_json::json;
use tests::raw::{Answer, Connection, Failure, Request, form};
use tests::{Account, Aws, REGION, Server, Shared};
use wire::model::{Protocol, ServiceModel};
use wire::sigv4::{Credentials, SecretAccessKey};

use crate::first_minutes::request_id;
use crate::security::{now, trust};

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

    fn send(&self, by: &Credentials, model: &ServiceModel, operation: &str, protocol: Protocol, input: &str) -> Answer {
        let request = Request::of(&self.server.address().to_string(), model, operation, protocol, input);
        let request = request.signed(by, model.signing_name, REGION, now());
        Connection::to(self.server.address()).send(&request)
    }

    /// What the root arranges.
    #[track_caller]
    fn iam(&self, operation: &str, input: &[(&str, &str)]) -> Answer {
        let protocol = Protocol::AwsQuery;
        self.send(&self.account.root, &iam::api::MODEL, operation, protocol, &form(input)).success()
    }

    /// A new user with a key.
    fn user(&self, name: &str) -> Credentials {
        self.iam("CreateUser", &[("UserName", name)]);
        key(&self.iam("CreateAccessKey", &[("UserName", name)]))
    }

    /// Gives a user a policy.
    fn allow(&self, user: &str, name: &str, policy: &str) {
        self.iam("PutUserPolicy", &[("UserName", user), ("PolicyName", name), ("PolicyDocument", policy)]);
    }

    /// A new role with one policy; its ARN.
    fn role(&self, name: &str, trust: &str, policy: &str) -> String {
        self.iam("CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", trust)]);
        self.iam("PutRolePolicy", &[("RoleName", name), ("PolicyName", "own"), ("PolicyDocument", policy)]);
        self.arn(&format!("role/{name}"))
    }

    fn as_user(&self, credentials: &Credentials) -> Aws {
        Aws::new(&self.server, credentials)
    }
}

fn key(answer: &Answer) -> Credentials {
    Credentials {
        access_key_id: answer.element("AccessKeyId").unwrap(),
        secret_access_key: SecretAccessKey::new(answer.element("SecretAccessKey").unwrap().as_str()),
        session_token: answer.element("SessionToken"),
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
    let auditors = ("GroupName", "auditors");
    desk.iam("CreateGroup", &[auditors]);
    desk.iam("AttachGroupPolicy", &[auditors, ("PolicyArn", read_only)]);
    let refused = ann.refused(&["ecs", "list-clusters"]);
    assert!(refused.message.ends_with("because no identity-based policy allows the ecs:ListClusters action"));

    desk.root.call(&["iam", "add-user-to-group", "--group-name", "auditors", "--user-name", "ann"]);
    assert_eq!(ann.call(&["ecs", "list-clusters"])["clusterArns"], json!([]));
    assert_eq!(ann.refused(&["ecs", "create-cluster", "--cluster-name", "mine"]).code, "AccessDeniedException");
    let logs = desk.arn("x").replace("iam:", "logs:us-east-1").replace(":x", ":log-group:/mine*");
    let own = policy("Allow", &["logs:CreateLogGroup"], &logs);
    desk.iam("PutGroupPolicy", &[auditors, ("PolicyName", "own"), ("PolicyDocument", &own)]);
    ann.call(&["logs", "create-log-group", "--log-group-name", "/mine/web"]);
    let refused = ann.refused(&["logs", "create-log-group", "--log-group-name", "/yours"]);
    assert!(refused.message.contains(":log-group:/yours"), "{}", refused.message);

    desk.iam("RemoveUserFromGroup", &[auditors, ("UserName", "ann")]);
    assert_eq!(ann.refused(&["ecs", "list-clusters"]).code, "AccessDeniedException", "from then on");
}

#[test]
fn a_profile_assumes_its_role_and_has_the_roles_rights_alone() {
    let desk = Desk::new();
    let ann = desk.user("ann");
    let role = desk.role("deployer", &trust(&desk.account.id), &policy("Allow", &["ecs:*"], "*"));
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
    desk.allow("ann", "in", &policy("Allow", &["sts:AssumeRole"], &role));

    let me = work(&["sts", "get-caller-identity"]).json();
    assert_eq!(me["Arn"], format!("arn:aws:sts::{}:assumed-role/deployer/shift", desk.account.id));
    work(&["ecs", "create-cluster", "--cluster-name", "shop"]).success();
    let denied = work(&["sts", "assume-role", "--role-arn", &role, "--role-session-name", "again"]).failure();
    assert!(denied.contains("AccessDenied"), "the user's own rights are not the session's: {denied}");
}

#[test]
fn a_session_policy_and_a_boundary_each_narrow_what_a_role_may() {
    let desk = Desk::new();
    let role = desk.role("worker", &trust(&desk.account.id), &policy("Allow", &["ecs:*", "logs:*"], "*"));
    let session = |more: &[(&str, &str)]| {
        let input = [&[("RoleArn", role.as_str()), ("RoleSessionName", "shift")], more].concat();
        let protocol = Protocol::AwsQuery;
        key(&desk.send(&desk.account.root, &sts::api::MODEL, "AssumeRole", protocol, &form(&input)).success())
    };
    let list = |by: &Credentials, model: &ServiceModel, operation: &str| -> Result<(), Failure> {
        let answer = desk.send(by, model, operation, Protocol::AwsJson11, "{}");
        if answer.status == 200 { Ok(()) } else { Err(answer.failure(Protocol::AwsJson11)) }
    };
    let clusters = |by: &Credentials| list(by, &ecs::api::MODEL, "ListClusters");
    let groups = |by: &Credentials| list(by, &logs::api::MODEL, "DescribeLogGroups");

    let assume = ["sts", "assume-role", "--role-arn", &role, "--role-session-name", "shift", "--policy"];
    let made = desk.root.call(&[&assume[..], &[&policy("Allow", &["ecs:ListClusters"], "*")]].concat());
    let part = |name: &str| made["Credentials"][name].as_str().unwrap().to_owned();
    let narrow = Credentials {
        access_key_id: part("AccessKeyId"),
        secret_access_key: SecretAccessKey::new(part("SecretAccessKey").as_str()),
        session_token: Some(part("SessionToken")),
    };
    assert_eq!(clusters(&narrow), Ok(()));
    let refused = desk.as_user(&narrow).refused(&["logs", "describe-log-groups"]);
    assert!(refused.message.contains("no session policy allows the logs:DescribeLogGroups action"), "{refused:?}");
    let read_logs = "arn:aws:iam::aws:policy/CloudWatchLogsReadOnlyAccess";
    let by_arn = session(&[("PolicyArns.member.1.arn", read_logs)]);
    assert_eq!(groups(&by_arn), Ok(()));
    assert_eq!(clusters(&by_arn).unwrap_err().code, "AccessDeniedException");

    let wide = session(&[]);
    assert_eq!(groups(&wide), Ok(()));
    let limit = policy("Allow", &["ecs:*"], "*");
    desk.iam("CreatePolicy", &[("PolicyName", "limit"), ("PolicyDocument", &limit)]);
    let limit = desk.arn("policy/limit");
    desk.iam("PutRolePermissionsBoundary", &[("RoleName", "worker"), ("PermissionsBoundary", &limit)]);
    assert_eq!(clusters(&wide), Ok(()));
    let refused = desk.as_user(&wide).refused(&["logs", "describe-log-groups"]);
    assert!(
        refused.message.contains("no permissions boundary allows the logs:DescribeLogGroups action"),
        "{refused:?}"
    );
    desk.iam("DeleteRolePermissionsBoundary", &[("RoleName", "worker")]);
    assert_eq!(groups(&wide), Ok(()));
}

#[test]
fn a_token_of_an_identity_provider_opens_a_role_by_the_clients_own_settings() {
    let desk = Desk::new();
    let issuer = Issuer::start();
    let provider = ["iam", "create-open-id-connect-provider", "--url", &issuer.url, "--client-id-list", "pipeline"];
    desk.root.call(&[&provider[..], &["--thumbprint-list", &issuer.thumbprint]].concat());
    let trust = issuer.trust(&desk.account.id, "pipeline", "repo:shop/web");
    let role = desk.role("deploy", &trust, &policy("Allow", &["ecs:ListClusters"], "*"));

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
    desk.allow("ann", "list", &list);
    desk.allow("ann", "deny", &deny);
    let source = desk.arn("user/ann");
    let actions = ["ecs:ListClusters", "ecs:CreateCluster", "logs:DeleteLogGroup"];
    let simulate = ["iam", "simulate-principal-policy", "--policy-source-arn", &source, "--action-names"];
    let told = desk.root.call(&[&simulate[..], &actions].concat());
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
    desk.allow("ann", "all", &allow);
    desk.allow("ann", "guard", &deny);
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
