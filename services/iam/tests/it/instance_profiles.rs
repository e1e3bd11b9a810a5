use iam::api::{
    AddRoleToInstanceProfileRequest, CreateInstanceProfileRequest, CreateInstanceProfileResponse,
    DeleteInstanceProfileRequest, GetInstanceProfileRequest, GetInstanceProfileResponse, InstanceProfile,
    ListInstanceProfilesForRoleRequest, ListInstanceProfilesForRoleResponse, ListInstanceProfilesRequest,
    ListInstanceProfilesResponse, RemoveRoleFromInstanceProfileRequest,
};
use platform::ports::InstanceProfileDirectory as _;

use crate::bench::{ACCOUNT, Bench, Refusal, refusal, tag};

async fn create(bench: &Bench, name: &str, path: Option<&str>) -> Result<InstanceProfile, Refusal> {
    let input = CreateInstanceProfileRequest {
        instance_profile_name: name.to_owned(),
        path: path.map(str::to_owned),
        ..Default::default()
    };
    let answer: CreateInstanceProfileResponse = bench.ask("CreateInstanceProfile", input).await?;
    Ok(answer.instance_profile)
}

async fn get(bench: &Bench, name: &str) -> Result<InstanceProfile, Refusal> {
    let input = GetInstanceProfileRequest { instance_profile_name: name.to_owned() };
    bench.ask::<GetInstanceProfileResponse>("GetInstanceProfile", input).await.map(|answer| answer.instance_profile)
}

async fn delete(bench: &Bench, name: &str) -> Result<(), Refusal> {
    let input = DeleteInstanceProfileRequest { instance_profile_name: name.to_owned() };
    bench.tell("DeleteInstanceProfile", input).await
}

async fn add(bench: &Bench, profile: &str, role: &str) -> Result<(), Refusal> {
    let input =
        AddRoleToInstanceProfileRequest { instance_profile_name: profile.to_owned(), role_name: role.to_owned() };
    bench.tell("AddRoleToInstanceProfile", input).await
}

async fn remove(bench: &Bench, profile: &str, role: &str) -> Result<(), Refusal> {
    let input =
        RemoveRoleFromInstanceProfileRequest { instance_profile_name: profile.to_owned(), role_name: role.to_owned() };
    bench.tell("RemoveRoleFromInstanceProfile", input).await
}

fn missing(name: &str) -> Refusal {
    refusal("NoSuchEntity", 404, &format!("Instance Profile {name} cannot be found."))
}

#[tokio::test]
async fn an_instance_profile_is_made_answered_and_removed() {
    let bench = Bench::new();
    let made = create(&bench, "web", Some("/team/")).await.unwrap();
    assert_eq!(made.arn, format!("arn:aws:iam::{ACCOUNT}:instance-profile/team/web"));
    assert!(made.instance_profile_id.starts_with("AIPA"));
    assert_eq!((made.tags.as_ref(), made.roles.len()), (None, 0));
    assert_eq!(get(&bench, "web").await, Ok(InstanceProfile { tags: Some(Vec::new()), ..made }));
    let exists = refusal("EntityAlreadyExists", 409, "Instance Profile Web already exists.");
    assert_eq!(create(&bench, "Web", None).await, Err(exists));
    delete(&bench, "web").await.unwrap();
    assert_eq!(get(&bench, "web").await, Err(missing("web")));
    assert_eq!(delete(&bench, "web").await, Err(missing("web")));
    let input = CreateInstanceProfileRequest {
        instance_profile_name: "tagged".to_owned(),
        tags: Some(vec![tag("a", "1")]),
        ..Default::default()
    };
    let answer: CreateInstanceProfileResponse = bench.ask("CreateInstanceProfile", input).await.unwrap();
    assert_eq!(answer.instance_profile.tags, Some(vec![tag("a", "1")]));
}

#[tokio::test]
async fn one_role_fits_into_an_instance_profile() {
    let bench = Bench::new();
    bench.create_role("worker").await.unwrap();
    bench.create_role("other").await.unwrap();
    create(&bench, "web", None).await.unwrap();
    add(&bench, "web", "worker").await.unwrap();
    let roles = get(&bench, "web").await.unwrap().roles;
    assert_eq!((roles.len(), roles[0].role_name.as_str()), (1, "worker"));
    assert!(roles[0].assume_role_policy_document.is_some());
    let full = refusal("LimitExceeded", 409, "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1");
    assert_eq!(add(&bench, "web", "other").await, Err(full));
    let conflict =
        refusal("DeleteConflict", 409, "Cannot delete entity, must remove roles from instance profile first.");
    assert_eq!(delete(&bench, "web").await, Err(conflict.clone()));
    assert_eq!(bench.delete_role("worker").await, Err(conflict));
    let elsewhere = refusal("NoSuchEntity", 404, "Role other in Instance Profile web cannot be found.");
    assert_eq!(remove(&bench, "web", "other").await, Err(elsewhere));
    remove(&bench, "web", "worker").await.unwrap();
    bench.delete_role("worker").await.unwrap();
    delete(&bench, "web").await.unwrap();
}

#[tokio::test]
async fn what_is_missing_is_told() {
    let bench = Bench::new();
    bench.create_role("worker").await.unwrap();
    create(&bench, "web", None).await.unwrap();
    let no_role = refusal("NoSuchEntity", 404, "The role with name nobody cannot be found.");
    for (answer, expected) in [
        (add(&bench, "none", "worker").await, missing("none")),
        (add(&bench, "web", "nobody").await, no_role.clone()),
        (remove(&bench, "none", "worker").await, missing("none")),
        (remove(&bench, "web", "nobody").await, no_role.clone()),
    ] {
        assert_eq!(answer, Err(expected));
    }
    let input = ListInstanceProfilesForRoleRequest { role_name: "nobody".to_owned(), ..Default::default() };
    let answer = bench.ask::<ListInstanceProfilesForRoleResponse>("ListInstanceProfilesForRole", input).await;
    assert_eq!(answer.unwrap_err(), no_role);
}

#[tokio::test]
async fn the_instance_profiles_of_a_role_and_of_a_path_are_listed() {
    let bench = Bench::new();
    bench.create_role("worker").await.unwrap();
    for (name, path) in [("a", "/x/"), ("b", "/x/"), ("c", "/y/")] {
        create(&bench, name, Some(path)).await.unwrap();
    }
    add(&bench, "a", "worker").await.unwrap();
    add(&bench, "c", "worker").await.unwrap();
    let names = |profiles: Vec<InstanceProfile>| -> Vec<String> {
        profiles.into_iter().map(|profile| profile.instance_profile_name).collect()
    };
    let input = ListInstanceProfilesForRoleRequest { role_name: "worker".to_owned(), ..Default::default() };
    let answer: ListInstanceProfilesForRoleResponse = bench.ask("ListInstanceProfilesForRole", input).await.unwrap();
    assert_eq!(answer.instance_profiles[0].roles.len(), 1);
    assert_eq!(names(answer.instance_profiles), ["a", "c"]);
    let input = ListInstanceProfilesRequest { path_prefix: Some("/x/".to_owned()), ..Default::default() };
    let answer: ListInstanceProfilesResponse = bench.ask("ListInstanceProfiles", input).await.unwrap();
    assert_eq!(names(answer.instance_profiles), ["a", "b"]);
}

#[tokio::test]
async fn whoever_starts_instances_finds_the_role_by_the_whole_arn() {
    let bench = Bench::new();
    let account = ACCOUNT.parse().unwrap();
    let arn = create(&bench, "web", Some("/team/")).await.unwrap().arn;
    assert_eq!(bench.iam.role_of(account, &arn).await.unwrap(), None);
    let role = bench.create_role("worker").await.unwrap();
    add(&bench, "web", "worker").await.unwrap();
    assert_eq!(bench.iam.role_of(account, &arn).await.unwrap(), Some(role.arn));
    for other in [arn.replace("/team", ""), arn.replace("web", "none"), arn.replace(ACCOUNT, "222222222222")] {
        assert_eq!(bench.iam.role_of(account, &other).await.unwrap(), None, "{other}");
    }
}
