use iam::api::{
    DeleteRolePolicyRequest, DeleteUserPolicyRequest, GetRolePolicyRequest, GetRolePolicyResponse,
    GetUserPolicyRequest, GetUserPolicyResponse, ListRolePoliciesRequest, ListRolePoliciesResponse,
    PutRolePolicyRequest,
};

use crate::bench::{Bench, POLICY, Refusal, refusal};

async fn put(bench: &Bench, role: &str, name: &str, document: &str) -> Result<(), Refusal> {
    let input = PutRolePolicyRequest {
        role_name: role.to_owned(),
        policy_name: name.to_owned(),
        policy_document: document.to_owned(),
    };
    bench.tell("PutRolePolicy", input).await
}

async fn get(bench: &Bench, role: &str, name: &str) -> Result<GetRolePolicyResponse, Refusal> {
    let input = GetRolePolicyRequest { role_name: role.to_owned(), policy_name: name.to_owned() };
    bench.ask("GetRolePolicy", input).await
}

async fn delete(bench: &Bench, role: &str, name: &str) -> Result<(), Refusal> {
    let input = DeleteRolePolicyRequest { role_name: role.to_owned(), policy_name: name.to_owned() };
    bench.tell("DeleteRolePolicy", input).await
}

async fn names(bench: &Bench) -> Vec<String> {
    let input = ListRolePoliciesRequest { role_name: "worker".to_owned(), ..Default::default() };
    bench.ask::<ListRolePoliciesResponse>("ListRolePolicies", input).await.unwrap().policy_names
}

#[tokio::test]
async fn an_inline_policy_is_put_answered_replaced_and_removed() {
    let bench = Bench::new();
    bench.create_role("worker").await.unwrap();
    put(&bench, "worker", "own", POLICY).await.unwrap();
    put(&bench, "WORKER", "own", &POLICY.replace("GetObject", "PutObject")).await.unwrap();
    put(&bench, "worker", "another", POLICY).await.unwrap();
    assert_eq!(names(&bench).await, ["another", "own"]);
    let answer = get(&bench, "Worker", "own").await.unwrap();
    assert_eq!((answer.policy_name.as_str(), answer.role_name.as_str()), ("own", "worker"));
    assert!(answer.policy_document.starts_with("%7B%22") && answer.policy_document.contains("s3%3APutObject"));
    delete(&bench, "worker", "own").await.unwrap();
    assert_eq!(names(&bench).await, ["another"]);
}

#[tokio::test]
async fn what_is_missing_is_told() {
    let bench = Bench::new();
    bench.create_role("worker").await.unwrap();
    bench.create_user("alice").await.unwrap();
    let no_policy =
        |owner: &str| refusal("NoSuchEntity", 404, &format!("The {owner} policy with name own cannot be found."));
    assert_eq!(get(&bench, "worker", "own").await, Err(no_policy("role")));
    assert_eq!(delete(&bench, "worker", "own").await, Err(no_policy("role")));
    let input = GetUserPolicyRequest { user_name: "alice".to_owned(), policy_name: "own".to_owned() };
    assert_eq!(bench.ask::<GetUserPolicyResponse>("GetUserPolicy", input).await.unwrap_err(), no_policy("user"));
    let input = DeleteUserPolicyRequest { user_name: "alice".to_owned(), policy_name: "own".to_owned() };
    assert_eq!(bench.tell("DeleteUserPolicy", input).await.unwrap_err(), no_policy("user"));
    let nobody = refusal("NoSuchEntity", 404, "The role with name nobody cannot be found.");
    assert_eq!(put(&bench, "nobody", "own", POLICY).await, Err(nobody.clone()));
    assert_eq!(get(&bench, "nobody", "own").await, Err(nobody.clone()));
    assert_eq!(delete(&bench, "nobody", "own").await, Err(nobody));
}

#[tokio::test]
async fn a_malformed_inline_policy_is_refused() {
    let bench = Bench::new();
    bench.create_role("worker").await.unwrap();
    let malformed = |message: &str| Err(refusal("MalformedPolicyDocument", 400, message));
    assert_eq!(put(&bench, "worker", "own", "nonsense").await, malformed("Syntax errors in policy."));
    let with_principal = POLICY.replace("\"Action\"", "\"Principal\":\"*\",\"Action\"");
    let expected = malformed("Policy document should not specify a principal.");
    assert_eq!(put(&bench, "worker", "own", &with_principal).await, expected);
    assert_eq!(names(&bench).await, [] as [&str; 0]);
    put(&bench, "worker", "old", &POLICY.replace("2012-10-17", "2008-10-17")).await.unwrap();
}

#[tokio::test]
async fn the_sizes_of_all_inline_policies_count_together() {
    let bench = Bench::new();
    bench.create_role("worker").await.unwrap();
    bench.create_user("alice").await.unwrap();
    let sized = |size: usize| POLICY.replace("GetObject", &"x".repeat(size - (POLICY.len() - "GetObject".len())));
    put(&bench, "worker", "a", &sized(10_000)).await.unwrap();
    put(&bench, "worker", "b", &sized(240)).await.unwrap();
    let full = "Maximum policy size of 10240 bytes exceeded for role worker";
    assert_eq!(put(&bench, "worker", "c", POLICY).await, Err(refusal("LimitExceeded", 409, full)));
    put(&bench, "worker", "a", &sized(9_000)).await.unwrap();
    put(&bench, "worker", "c", POLICY).await.unwrap();
    let full = "Maximum policy size of 2048 bytes exceeded for user alice";
    assert_eq!(bench.put_user_policy("alice", "a", &sized(2049)).await, Err(refusal("LimitExceeded", 409, full)));
    bench.put_user_policy("alice", "a", &sized(2048)).await.unwrap();
}
