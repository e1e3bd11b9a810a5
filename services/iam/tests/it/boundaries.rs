use iam::api::{
    DeleteRolePermissionsBoundaryRequest, DeleteUserPermissionsBoundaryRequest, PutRolePermissionsBoundaryRequest,
    PutUserPermissionsBoundaryRequest,
};

use crate::bench::{Bench, policy_arn, refusal};

const POWER: &str = "arn:aws:iam::aws:policy/PowerUserAccess";

#[tokio::test]
async fn a_boundary_is_set_replaced_told_and_lifted() {
    let bench = Bench::new();
    bench.create_user("alice").await.unwrap();
    bench.create_policy("bounds").await.unwrap();
    let put = |arn: &str| PutUserPermissionsBoundaryRequest {
        user_name: "alice".to_owned(),
        permissions_boundary: arn.to_owned(),
    };
    bench.tell("PutUserPermissionsBoundary", put(POWER)).await.unwrap();
    bench.tell("PutUserPermissionsBoundary", put(&policy_arn("bounds"))).await.unwrap();
    let boundary = bench.get_user(Some("alice")).await.unwrap().permissions_boundary.unwrap();
    assert_eq!(boundary.permissions_boundary_arn, Some(policy_arn("bounds")));
    assert_eq!(boundary.permissions_boundary_type.map(|word| word.as_str()), Some("Policy"));
    let policy = bench.get_policy(&policy_arn("bounds")).await.unwrap();
    assert_eq!(policy.permissions_boundary_usage_count, Some(1));

    let lift = || DeleteUserPermissionsBoundaryRequest { user_name: "alice".to_owned() };
    bench.tell("DeleteUserPermissionsBoundary", lift()).await.unwrap();
    assert_eq!(bench.get_user(Some("alice")).await.unwrap().permissions_boundary, None);
    assert_eq!(bench.tell("DeleteUserPermissionsBoundary", lift()).await.unwrap_err().0, "NoSuchEntity");
    let policy = bench.get_policy(&policy_arn("bounds")).await.unwrap();
    assert_eq!(policy.permissions_boundary_usage_count, Some(0));
}

#[tokio::test]
async fn a_role_is_bounded_by_a_policy_that_there_is() {
    let bench = Bench::new();
    bench.create_role("worker").await.unwrap();
    let put = |arn: &str| PutRolePermissionsBoundaryRequest {
        role_name: "worker".to_owned(),
        permissions_boundary: arn.to_owned(),
    };
    let message = format!("Scope ARN: {} does not exist or is not attachable.", policy_arn("none"));
    let refused = bench.tell("PutRolePermissionsBoundary", put(&policy_arn("none"))).await;
    assert_eq!(refused, Err(refusal("NoSuchEntity", 404, &message)));
    bench.tell("PutRolePermissionsBoundary", put(POWER)).await.unwrap();
    assert!(bench.get_role("worker").await.unwrap().permissions_boundary.is_some());
    let lift = DeleteRolePermissionsBoundaryRequest { role_name: "worker".to_owned() };
    bench.tell("DeleteRolePermissionsBoundary", lift).await.unwrap();
    assert_eq!(bench.get_role("worker").await.unwrap().permissions_boundary, None);
}
