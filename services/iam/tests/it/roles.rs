use iam::api::{
    CreateRoleRequest, CreateRoleResponse, UpdateAssumeRolePolicyRequest, UpdateRoleDescriptionRequest,
    UpdateRoleDescriptionResponse, UpdateRoleRequest, UpdateRoleResponse,
};
use platform::ports::RoleDirectory as _;

use crate::bench::{ACCOUNT, Bench, POLICY, Refusal, TRUST, policy_arn, refusal};

fn no_such_role(name: &str) -> Refusal {
    refusal("NoSuchEntity", 404, &format!("The role with name {name} cannot be found."))
}

fn trusting(principal: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"sts:AssumeRole"}}]}}"#
    )
}

async fn set_trust(bench: &Bench, role: &str, document: &str) -> Result<(), Refusal> {
    let input = UpdateAssumeRolePolicyRequest { policy_document: document.to_owned(), role_name: role.to_owned() };
    bench.tell("UpdateAssumeRolePolicy", input).await
}

#[tokio::test]
async fn a_role_is_made_answered_and_removed() {
    let bench = Bench::new();
    let made = bench.create_role("worker").await.unwrap();
    assert_eq!(made.arn, format!("arn:aws:iam::{ACCOUNT}:role/worker"));
    assert!(made.role_id.starts_with("AROA"));
    assert_eq!((made.max_session_duration, made.role_last_used.as_ref(), made.tags.as_ref()), (None, None, None));
    let document = made.assume_role_policy_document.clone().unwrap();
    assert!(document.starts_with("%7B%22Version%22%3A%222012-10-17%22%2C"), "{document}");

    let answered = bench.get_role("worker").await.unwrap();
    assert_eq!((answered.role_id.clone(), answered.max_session_duration), (made.role_id, Some(3600)));
    assert_eq!(answered.role_last_used, Some(Default::default()));
    bench.delete_role("worker").await.unwrap();
    assert_eq!(bench.get_role("worker").await, Err(no_such_role("worker")));
    assert_eq!(bench.delete_role("worker").await, Err(no_such_role("worker")));
}

#[tokio::test]
async fn a_role_is_made_once() {
    let bench = Bench::new();
    bench.create_role("worker").await.unwrap();
    let exists = refusal("EntityAlreadyExists", 409, "Role with name Worker already exists.");
    assert_eq!(bench.create_role("Worker").await, Err(exists));
}

#[tokio::test]
async fn the_description_is_answered_by_get_and_not_by_create() {
    let bench = Bench::new();
    let input = CreateRoleRequest {
        role_name: "worker".to_owned(),
        assume_role_policy_document: TRUST.to_owned(),
        description: Some("first".to_owned()),
        max_session_duration: Some(7200),
        ..Default::default()
    };
    let made: CreateRoleResponse = bench.ask("CreateRole", input).await.unwrap();
    assert_eq!((made.role.description, made.role.max_session_duration), (None, None));
    let role = bench.get_role("worker").await.unwrap();
    assert_eq!((role.description.as_deref(), role.max_session_duration), (Some("first"), Some(7200)));

    let nothing = UpdateRoleRequest { role_name: "worker".to_owned(), ..Default::default() };
    bench.ask::<UpdateRoleResponse>("UpdateRole", nothing.clone()).await.unwrap();
    assert_eq!(bench.get_role("worker").await.unwrap(), role);

    let all = UpdateRoleRequest { description: Some("second".to_owned()), max_session_duration: Some(3600), ..nothing };
    bench.ask::<UpdateRoleResponse>("UpdateRole", all).await.unwrap();
    let role = bench.get_role("worker").await.unwrap();
    assert_eq!((role.description.as_deref(), role.max_session_duration), (Some("second"), Some(3600)));

    let input = UpdateRoleDescriptionRequest { description: "third".to_owned(), role_name: "worker".to_owned() };
    let answer: UpdateRoleDescriptionResponse = bench.ask("UpdateRoleDescription", input).await.unwrap();
    let answered = answer.role.unwrap();
    assert_eq!((answered.description.as_deref(), answered.max_session_duration), (Some("third"), None));
}

#[tokio::test]
async fn a_trust_policy_is_checked_when_it_is_written() {
    let bench = Bench::new();
    bench.create_role("worker").await.unwrap();
    let malformed = |message: &str| Err(refusal("MalformedPolicyDocument", 400, message));
    let rows = [
        ("{", "This policy contains invalid Json"),
        (POLICY, "Has prohibited field Resource"),
        (
            r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*"}]}"#,
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
    ];
    for (document, message) in rows {
        assert_eq!(set_trust(&bench, "worker", document).await, malformed(message), "{document}");
        assert_eq!(bench.create_role_with("other", document).await.map(drop), malformed(message), "{document}");
    }
    assert_eq!(set_trust(&bench, "nobody", "{").await, Err(no_such_role("nobody")));
    let long = TRUST.replace("ecs-tasks", &"x".repeat(2000));
    let too_long = refusal("LimitExceeded", 409, "Cannot exceed quota for ACLSizePerRole: 2048");
    assert_eq!(set_trust(&bench, "worker", &long).await, Err(too_long));
    set_trust(&bench, "worker", &TRUST.replace(',', &format!(",{}", " ".repeat(1000)))).await.unwrap();
}

#[tokio::test]
async fn a_trust_policy_names_only_those_that_exist() {
    let bench = Bench::new();
    let missing = format!("arn:aws:iam::{ACCOUNT}:user/alice");
    let invalid = format!("Invalid principal in policy: \"AWS\":\"{missing}\"");
    let refused = bench.create_role_with("worker", &trusting(&missing)).await;
    assert_eq!(refused, Err(refusal("MalformedPolicyDocument", 400, &invalid)));
    bench.create_user("alice").await.unwrap();
    bench.create_role_with("worker", &trusting(&missing)).await.unwrap();
    for accepted in [ACCOUNT, "999999999999", "*", &format!("arn:aws:iam::{ACCOUNT}:role/worker")] {
        set_trust(&bench, "worker", &trusting(accepted)).await.unwrap();
    }
    for wrong in ["user/team/alice", "user/Alice", "role/alice", "role/Worker"] {
        let arn = format!("arn:aws:iam::{ACCOUNT}:{wrong}");
        assert!(set_trust(&bench, "worker", &trusting(&arn)).await.is_err(), "{arn}");
    }
}

#[tokio::test]
async fn a_principal_that_is_made_again_is_not_the_one_that_was_trusted() {
    let bench = Bench::new();
    let account = ACCOUNT.parse().unwrap();
    let first = bench.create_user("alice").await.unwrap();
    let deployer = bench.create_role("deployer").await.unwrap();
    bench.create_role_with("worker", &trusting(&first.arn)).await.unwrap();
    let view = bench.iam.role(account, "worker").await.unwrap().unwrap();
    assert!(view.trust_policy.contains(&first.user_id) && !view.trust_policy.contains(&first.arn));
    assert_eq!(
        (view.arn.to_string(), view.max_session_duration_s),
        (format!("arn:aws:iam::{ACCOUNT}:role/worker"), 3600)
    );

    bench.delete_user("alice").await.unwrap();
    let second = bench.create_user("alice").await.unwrap();
    let view = bench.iam.role(account, "worker").await.unwrap().unwrap();
    assert!(!view.trust_policy.contains(&second.user_id));

    let session = format!("arn:aws:sts::{ACCOUNT}:assumed-role/deployer/ci");
    set_trust(&bench, "worker", &trusting(&session)).await.unwrap();
    let view = bench.iam.role(account, "worker").await.unwrap().unwrap();
    assert!(view.trust_policy.contains(&format!("{}:ci", deployer.role_id)));
    assert!(bench.iam.role(account, "nobody").await.unwrap().is_none());
}

#[tokio::test]
async fn what_a_role_still_has_keeps_it_from_being_removed() {
    let bench = Bench::new();
    bench.create_role("worker").await.unwrap();
    bench.create_policy("reader").await.unwrap();
    bench.attach_to_role("worker", &policy_arn("reader")).await.unwrap();
    let conflict =
        |what: &str| Err(refusal("DeleteConflict", 409, &format!("Cannot delete entity, must {what} first.")));
    assert_eq!(bench.delete_role("worker").await, conflict("detach all policies"));
}

#[tokio::test]
async fn service_linked_roles_are_refused() {
    let bench = Bench::new();
    let refused = bench.create_role("AWSServiceRoleForECS").await.unwrap_err();
    assert_eq!((refused.0.as_str(), refused.1), ("InvalidInput", 400));
    let input = CreateRoleRequest {
        role_name: "x".to_owned(),
        path: Some("/aws-service-role/ecs.amazonaws.com/".to_owned()),
        assume_role_policy_document: TRUST.to_owned(),
        ..Default::default()
    };
    assert_eq!(bench.ask::<CreateRoleResponse>("CreateRole", input).await.unwrap_err().0, "InvalidInput");
}
