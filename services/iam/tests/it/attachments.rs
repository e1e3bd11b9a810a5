use iam::api::{
    CreateRoleRequest, CreateRoleResponse, CreateUserRequest, CreateUserResponse, DeletePolicyRequest,
    DetachRolePolicyRequest, DetachUserPolicyRequest, EntityType, ListAttachedRolePoliciesRequest,
    ListAttachedRolePoliciesResponse, ListEntitiesForPolicyRequest, ListEntitiesForPolicyResponse, PolicyUsageType,
};

use crate::bench::{ACCOUNT, Bench, Refusal, TRUST, policy_arn, refusal};

const LAMBDA: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";

async fn detach_from_role(bench: &Bench, role: &str, arn: &str) -> Result<(), Refusal> {
    let input = DetachRolePolicyRequest { policy_arn: arn.to_owned(), role_name: role.to_owned() };
    bench.tell("DetachRolePolicy", input).await
}

async fn attached_to_role(bench: &Bench, path: Option<&str>) -> Vec<String> {
    let input = ListAttachedRolePoliciesRequest {
        role_name: "worker".to_owned(),
        path_prefix: path.map(str::to_owned),
        ..Default::default()
    };
    let answer: ListAttachedRolePoliciesResponse = bench.ask("ListAttachedRolePolicies", input).await.unwrap();
    answer.attached_policies.unwrap().into_iter().filter_map(|policy| policy.policy_name).collect()
}

async fn holders(bench: &Bench, input: ListEntitiesForPolicyRequest) -> (Vec<String>, Vec<String>) {
    let answer: ListEntitiesForPolicyResponse = bench.ask("ListEntitiesForPolicy", input).await.unwrap();
    assert_eq!(answer.policy_groups, Some(Vec::new()));
    let roles = answer.policy_roles.unwrap().into_iter().filter_map(|role| role.role_name).collect();
    let users = answer.policy_users.unwrap().into_iter().filter_map(|user| user.user_name).collect();
    (roles, users)
}

async fn attachments(bench: &Bench, arn: &str) -> Option<i32> {
    bench.get_policy(arn).await.unwrap().attachment_count
}

#[tokio::test]
async fn an_attachment_is_counted_listed_and_taken_back() {
    let bench = Bench::new();
    let arn = policy_arn("reader");
    bench.create_role("worker").await.unwrap();
    bench.create_user("alice").await.unwrap();
    bench.create_policy("reader").await.unwrap();
    bench.attach_to_role("worker", &arn).await.unwrap();
    bench.attach_to_role("worker", &arn).await.unwrap();
    bench.attach_to_user("alice", &arn).await.unwrap();
    assert_eq!(attachments(&bench, &arn).await, Some(2));
    assert_eq!(attached_to_role(&bench, None).await, ["reader"]);

    let all = ListEntitiesForPolicyRequest { policy_arn: arn.clone(), ..Default::default() };
    let names = |roles: &[&str], users: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        (owned(roles), owned(users))
    };
    assert_eq!(holders(&bench, all.clone()).await, names(&["worker"], &["alice"]));
    for (filter, expected) in [
        (EntityType::Role, names(&["worker"], &[])),
        (EntityType::User, names(&[], &["alice"])),
        (EntityType::Group, names(&[], &[])),
        (EntityType::LocalManagedPolicy, names(&[], &[])),
    ] {
        let input = ListEntitiesForPolicyRequest { entity_filter: Some(filter), ..all.clone() };
        assert_eq!(holders(&bench, input).await, expected, "{filter}");
    }

    let in_use = refusal("DeleteConflict", 409, "Cannot delete a policy attached to entities.");
    let delete = DeletePolicyRequest { policy_arn: arn.clone() };
    assert_eq!(bench.tell("DeletePolicy", delete.clone()).await, Err(in_use));
    detach_from_role(&bench, "worker", &arn).await.unwrap();
    let input = DetachUserPolicyRequest { policy_arn: arn.clone(), user_name: "alice".to_owned() };
    bench.tell("DetachUserPolicy", input).await.unwrap();
    assert_eq!(attachments(&bench, &arn).await, Some(0));
    assert_eq!(holders(&bench, all).await, names(&[], &[]));
    bench.tell("DeletePolicy", delete).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_attached_or_detached_is_told() {
    let bench = Bench::new();
    bench.create_role("worker").await.unwrap();
    bench.create_policy("reader").await.unwrap();
    let unknown =
        |arn: &str| refusal("NoSuchEntity", 404, &format!("Policy {arn} does not exist or is not attachable."));
    for arn in [policy_arn("none"), policy_arn("Reader"), "arn:aws:iam::aws:policy/None".to_owned()] {
        assert_eq!(bench.attach_to_role("worker", &arn).await, Err(unknown(&arn)));
    }
    let invalid = |arn: &str| refusal("ValidationError", 400, &format!("ARN {arn} is not valid."));
    for arn in ["longpolicynamebutnoarn", &format!("arn:aws:iam::{ACCOUNT}:role/worker")] {
        assert_eq!(bench.attach_to_role("worker", arn).await, Err(invalid(arn)));
    }
    let not_attached = refusal("NoSuchEntity", 404, &format!("Policy {} was not found.", policy_arn("reader")));
    assert_eq!(detach_from_role(&bench, "worker", &policy_arn("reader")).await, Err(not_attached));
    let nobody = refusal("NoSuchEntity", 404, "The role with name nobody cannot be found.");
    assert_eq!(bench.attach_to_role("nobody", &policy_arn("reader")).await, Err(nobody));
    let input = ListEntitiesForPolicyRequest { policy_arn: policy_arn("none"), ..Default::default() };
    let refused = bench.ask::<ListEntitiesForPolicyResponse>("ListEntitiesForPolicy", input).await.unwrap_err();
    assert_eq!(refused, unknown(&policy_arn("none")));
}

#[tokio::test]
async fn awss_policies_are_attached_as_the_accounts_own() {
    let bench = Bench::new();
    bench.create_role("worker").await.unwrap();
    bench.create_policy("AWSLambdaBasicExecutionRole").await.unwrap();
    bench.attach_to_role("worker", LAMBDA).await.unwrap();
    assert_eq!(attachments(&bench, LAMBDA).await, Some(1));
    assert_eq!(attachments(&bench, &policy_arn("AWSLambdaBasicExecutionRole")).await, Some(0));
    bench.attach_to_role("worker", &policy_arn("AWSLambdaBasicExecutionRole")).await.unwrap();
    assert_eq!(attached_to_role(&bench, None).await.len(), 2);
    assert_eq!(attached_to_role(&bench, Some("/service-role/")).await, ["AWSLambdaBasicExecutionRole"]);
    assert_eq!(attachments(&bench.as_root_of("222222222222"), LAMBDA).await, Some(0));
    detach_from_role(&bench, "worker", LAMBDA).await.unwrap();
    assert_eq!(attachments(&bench, LAMBDA).await, Some(0));
}

#[tokio::test]
async fn ten_policies_can_be_attached() {
    let bench = Bench::new();
    bench.create_role("worker").await.unwrap();
    bench.create_user("alice").await.unwrap();
    for number in 0..11 {
        bench.create_policy(&format!("p{number}")).await.unwrap();
    }
    for number in 0..10 {
        bench.attach_to_role("worker", &policy_arn(&format!("p{number}"))).await.unwrap();
        bench.attach_to_user("alice", &policy_arn(&format!("p{number}"))).await.unwrap();
    }
    let full = |quota: &str| Err(refusal("LimitExceeded", 409, &format!("Cannot exceed quota for {quota}: 10")));
    assert_eq!(bench.attach_to_role("worker", &policy_arn("p10")).await, full("PoliciesPerRole"));
    assert_eq!(bench.attach_to_user("alice", &policy_arn("p10")).await, full("PoliciesPerUser"));
    assert_eq!(bench.attach_to_user("alice", &policy_arn("p3")).await, Ok(()));
}

#[tokio::test]
async fn a_permissions_boundary_is_checked_answered_and_counted() {
    let bench = Bench::new();
    bench.create_policy("bound").await.unwrap();
    let arn = policy_arn("bound");
    let user = |boundary: &str| CreateUserRequest {
        user_name: "alice".to_owned(),
        permissions_boundary: Some(boundary.to_owned()),
        ..Default::default()
    };
    let role = |boundary: &str| CreateRoleRequest {
        role_name: "worker".to_owned(),
        assume_role_policy_document: TRUST.to_owned(),
        permissions_boundary: Some(boundary.to_owned()),
        ..Default::default()
    };
    let invalid = format!("arn:aws:iam::{ACCOUNT}:not_a_policy/invalid");
    let message = format!("ARN {invalid} is not valid.");
    let refused = bench.ask::<CreateUserResponse>("CreateUser", user(&invalid)).await.unwrap_err();
    assert_eq!(refused, refusal("InvalidInput", 400, &message));
    let none = policy_arn("none");
    let message = format!("Scope ARN: {none} does not exist or is not attachable.");
    let refused = bench.ask::<CreateRoleResponse>("CreateRole", role(&none)).await.unwrap_err();
    assert_eq!(refused, refusal("NoSuchEntity", 404, &message));

    bench.ask::<CreateUserResponse>("CreateUser", user(&arn)).await.unwrap();
    bench.ask::<CreateRoleResponse>("CreateRole", role(&arn)).await.unwrap();
    let boundary = bench.get_user(Some("alice")).await.unwrap().permissions_boundary.unwrap();
    assert_eq!(boundary.permissions_boundary_arn.as_ref(), Some(&arn));
    let policy = bench.get_policy(&arn).await.unwrap();
    assert_eq!((policy.attachment_count, policy.permissions_boundary_usage_count), (Some(0), Some(2)));

    let usage = |filter| ListEntitiesForPolicyRequest {
        policy_arn: arn.clone(),
        policy_usage_filter: Some(filter),
        ..Default::default()
    };
    assert_eq!(holders(&bench, usage(PolicyUsageType::PermissionsPolicy)).await, (Vec::new(), Vec::new()));
    let (roles, users) = holders(&bench, usage(PolicyUsageType::PermissionsBoundary)).await;
    assert_eq!((roles.len(), users.len()), (1, 1));

    let delete = DeletePolicyRequest { policy_arn: arn.clone() };
    assert_eq!(bench.tell("DeletePolicy", delete.clone()).await.unwrap_err().0, "DeleteConflict");
    bench.delete_user("alice").await.unwrap();
    bench.delete_role("worker").await.unwrap();
    bench.tell("DeletePolicy", delete).await.unwrap();
}
