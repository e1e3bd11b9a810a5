use iam::api::{
    CreateServiceLinkedRoleRequest, CreateServiceLinkedRoleResponse, DeleteServiceLinkedRoleRequest,
    DeleteServiceLinkedRoleResponse, GetServiceLinkedRoleDeletionStatusRequest,
    GetServiceLinkedRoleDeletionStatusResponse, Role,
};

use crate::bench::{ACCOUNT, Bench, Refusal, policy_arn, refusal};

const ECS: &str = "AWSServiceRoleForECS";

async fn create(bench: &Bench, service: &str, suffix: Option<&str>) -> Result<Role, Refusal> {
    let input = CreateServiceLinkedRoleRequest {
        aws_service_name: service.to_owned(),
        custom_suffix: suffix.map(str::to_owned),
        ..Default::default()
    };
    let answer: CreateServiceLinkedRoleResponse = bench.ask("CreateServiceLinkedRole", input).await?;
    Ok(answer.role.unwrap())
}

#[tokio::test]
async fn a_service_gets_its_role_once() {
    let bench = Bench::new();
    let role = create(&bench, "ecs.amazonaws.com", None).await.unwrap();
    assert_eq!(role.arn, format!("arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.amazonaws.com/{ECS}"));
    let taken = format!("Service role name {ECS} has been taken in this account, please try a different suffix.");
    assert_eq!(create(&bench, "ecs.amazonaws.com", None).await, Err(refusal("InvalidInput", 400, &taken)));
    let suffixed = create(&bench, "autoscaling.amazonaws.com", Some("web")).await.unwrap();
    assert_eq!(suffixed.role_name, "AWSServiceRoleForAutoScaling_web");
    assert_eq!(create(&bench, "ecs.amazonaws.com", Some("web")).await.unwrap_err().0, "InvalidInput");
    assert_eq!(create(&bench, "nothing.amazonaws.com", None).await.unwrap_err().0, "InvalidInput");
}

#[tokio::test]
async fn only_its_service_changes_it() {
    let bench = Bench::new();
    create(&bench, "ecs.amazonaws.com", None).await.unwrap();
    bench.create_policy("reader").await.unwrap();
    let message =
        format!("Cannot perform the operation on the protected role '{ECS}' - this role is only modifiable by AWS");
    let refused = refusal("UnmodifiableEntity", 400, &message);
    assert_eq!(bench.attach_to_role(ECS, &policy_arn("reader")).await, Err(refused.clone()));
    assert_eq!(bench.delete_role(ECS).await, Err(refused));
    bench.create_role("worker").await.unwrap();
    let policy = "arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy";
    let refused = bench.attach_to_role("worker", policy).await.unwrap_err();
    assert_eq!(refused.0, "PolicyNotAttachable");
}

#[tokio::test]
async fn it_is_removed_and_the_removal_can_be_asked_about() {
    let bench = Bench::new();
    create(&bench, "ecs.amazonaws.com", None).await.unwrap();
    let delete = || DeleteServiceLinkedRoleRequest { role_name: ECS.to_owned() };
    let answer: DeleteServiceLinkedRoleResponse = bench.ask("DeleteServiceLinkedRole", delete()).await.unwrap();
    assert!(answer.deletion_task_id.starts_with(&format!("task/aws-service-role/ecs.amazonaws.com/{ECS}/")));
    let status = |id: &str| GetServiceLinkedRoleDeletionStatusRequest { deletion_task_id: id.to_owned() };
    let told: GetServiceLinkedRoleDeletionStatusResponse =
        bench.ask("GetServiceLinkedRoleDeletionStatus", status(&answer.deletion_task_id)).await.unwrap();
    assert_eq!(told.status.as_str(), "SUCCEEDED");
    let unknown = bench
        .ask::<GetServiceLinkedRoleDeletionStatusResponse>("GetServiceLinkedRoleDeletionStatus", status("task/x"))
        .await;
    assert_eq!(unknown.unwrap_err().0, "NoSuchEntity");
    let again = bench.ask::<DeleteServiceLinkedRoleResponse>("DeleteServiceLinkedRole", delete()).await;
    assert_eq!(again.unwrap_err().0, "NoSuchEntity");
    bench.create_role("worker").await.unwrap();
    let ordinary = DeleteServiceLinkedRoleRequest { role_name: "worker".to_owned() };
    assert!(bench.ask::<DeleteServiceLinkedRoleResponse>("DeleteServiceLinkedRole", ordinary).await.is_err());
}
