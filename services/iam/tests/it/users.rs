use iam::api::{
    CreateUserRequest, CreateUserResponse, ListAttachedUserPoliciesRequest, ListAttachedUserPoliciesResponse,
    ListUserPoliciesRequest, ListUserPoliciesResponse, UpdateUserRequest,
};

use platform::ports::UserDirectory as _;

use crate::bench::{ACCOUNT, Bench, POLICY, policy_arn, refusal, tag};

fn no_such_user(name: &str) -> (String, u16, String) {
    refusal("NoSuchEntity", 404, &format!("The user with name {name} cannot be found."))
}

#[tokio::test]
async fn a_user_is_made_answered_and_removed() {
    let bench = Bench::new();
    let made = bench.create_user("alice").await.unwrap();
    assert_eq!(made.arn, format!("arn:aws:iam::{ACCOUNT}:user/alice"));
    assert_eq!((made.path.as_str(), made.tags.as_ref()), ("/", None));
    assert!(made.user_id.starts_with("AIDA") && made.user_id.len() == 21);
    assert_eq!(made.create_date, bench.ctx.now);
    assert_eq!(bench.get_user(Some("alice")).await, Ok(made));
    bench.delete_user("alice").await.unwrap();
    assert_eq!(bench.get_user(Some("alice")).await, Err(no_such_user("alice")));
    assert_eq!(bench.delete_user("alice").await, Err(no_such_user("alice")));
}

#[tokio::test]
async fn a_user_is_found_by_its_id_in_its_account_until_it_is_removed() {
    let bench = Bench::new();
    let (account, other) = (ACCOUNT.parse().unwrap(), "222222222222".parse().unwrap());
    let first = bench.create_user("alice").await.unwrap();
    let found = bench.iam.user(account, &first.user_id).await.unwrap().unwrap();
    assert_eq!((found.account, found.arn.to_string(), found.user_id), (account, first.arn, first.user_id.clone()));
    assert_eq!(bench.iam.user(other, &first.user_id).await.unwrap(), None);
    bench.delete_user("alice").await.unwrap();
    bench.create_user("alice").await.unwrap();
    assert_eq!(bench.iam.user(account, &first.user_id).await.unwrap(), None);
}

#[tokio::test]
async fn a_name_is_taken_in_every_case() {
    let bench = Bench::new();
    bench.create_user("alice").await.unwrap();
    let exists = |name: &str| refusal("EntityAlreadyExists", 409, &format!("User with name {name} already exists."));
    assert_eq!(bench.create_user("alice").await, Err(exists("alice")));
    assert_eq!(bench.create_user("ALICE").await, Err(exists("ALICE")));
    assert_eq!(bench.get_user(Some("Alice")).await.unwrap().user_name, "alice");
}

#[tokio::test]
async fn accounts_do_not_see_each_others_users() {
    let bench = Bench::new();
    bench.create_user("alice").await.unwrap();
    let other = bench.as_root_of("222222222222");
    assert_eq!(other.get_user(Some("alice")).await, Err(no_such_user("alice")));
    assert!(other.create_user("alice").await.is_ok());
}

#[tokio::test]
async fn a_path_is_part_of_the_arn_and_tags_come_back() {
    let bench = Bench::new();
    let input = CreateUserRequest {
        user_name: "alice".to_owned(),
        path: Some("/team/ci/".to_owned()),
        tags: Some(vec![tag("Team", "ci"), tag("Env", "")]),
        ..Default::default()
    };
    let made = bench.ask::<CreateUserResponse>("CreateUser", input).await.unwrap().user.unwrap();
    assert_eq!(made.arn, format!("arn:aws:iam::{ACCOUNT}:user/team/ci/alice"));
    assert_eq!(made.tags, Some(vec![tag("Team", "ci"), tag("Env", "")]));
}

#[tokio::test]
async fn without_a_name_the_caller_is_meant() {
    let bench = Bench::new();
    let root = bench.get_user(None).await.unwrap();
    assert_eq!((root.arn, root.user_id), (format!("arn:aws:iam::{ACCOUNT}:root"), ACCOUNT.to_owned()));
    let nameless = refusal("ValidationError", 400, "Must specify userName when calling with non-User credentials");
    assert_eq!(bench.as_session().get_user(None).await, Err(nameless));
}

#[tokio::test]
async fn what_a_user_still_has_keeps_it_from_being_removed() {
    let bench = Bench::new();
    bench.create_user("alice").await.unwrap();
    let conflict =
        |what: &str| Err(refusal("DeleteConflict", 409, &format!("Cannot delete entity, must {what} first.")));

    let key = bench.create_key("alice").await.unwrap();
    assert_eq!(bench.delete_user("alice").await, conflict("delete access keys"));
    let input =
        iam::api::DeleteAccessKeyRequest { access_key_id: key.access_key_id, user_name: Some("alice".to_owned()) };
    bench.tell("DeleteAccessKey", input).await.unwrap();

    bench.create_policy("reader").await.unwrap();
    bench.attach_to_user("alice", &policy_arn("reader")).await.unwrap();
    assert_eq!(bench.delete_user("alice").await, conflict("detach all policies"));
    let input = iam::api::DetachUserPolicyRequest { policy_arn: policy_arn("reader"), user_name: "alice".to_owned() };
    bench.tell("DetachUserPolicy", input).await.unwrap();

    bench.put_user_policy("alice", "own", POLICY).await.unwrap();
    assert_eq!(bench.delete_user("alice").await, conflict("delete policies"));
    let input = iam::api::DeleteUserPolicyRequest { policy_name: "own".to_owned(), user_name: "alice".to_owned() };
    bench.tell("DeleteUserPolicy", input).await.unwrap();

    assert_eq!(bench.delete_user("alice").await, Ok(()));
}

#[tokio::test]
async fn what_a_user_holds_is_listed() {
    let bench = Bench::new();
    bench.create_user("alice").await.unwrap();
    bench.put_user_policy("alice", "own", POLICY).await.unwrap();
    bench.create_policy("reader").await.unwrap();
    bench.attach_to_user("alice", &policy_arn("reader")).await.unwrap();
    let input = ListUserPoliciesRequest { user_name: "alice".to_owned(), ..Default::default() };
    let inline: ListUserPoliciesResponse = bench.ask("ListUserPolicies", input).await.unwrap();
    assert_eq!((inline.policy_names, inline.is_truncated), (vec!["own".to_owned()], Some(false)));
    let input = ListAttachedUserPoliciesRequest { user_name: "alice".to_owned(), ..Default::default() };
    let attached: ListAttachedUserPoliciesResponse = bench.ask("ListAttachedUserPolicies", input).await.unwrap();
    let attached = attached.attached_policies.unwrap();
    assert_eq!(attached[0].policy_arn, Some(policy_arn("reader")));
    assert_eq!(attached[0].policy_name.as_deref(), Some("reader"));
}

async fn rename(
    bench: &Bench,
    name: &str,
    new_name: Option<&str>,
    path: Option<&str>,
) -> Result<(), (String, u16, String)> {
    let input = UpdateUserRequest {
        user_name: name.to_owned(),
        new_user_name: new_name.map(str::to_owned),
        new_path: path.map(str::to_owned),
    };
    bench.tell("UpdateUser", input).await
}

#[tokio::test]
async fn a_renamed_user_keeps_its_id_its_policies_and_its_keys() {
    let bench = Bench::new();
    let alice = bench.create_user("alice").await.unwrap();
    let key = bench.create_key("alice").await.unwrap();
    bench.create_policy("reader").await.unwrap();
    bench.attach_to_user("alice", &policy_arn("reader")).await.unwrap();
    bench.put_user_policy("alice", "own", POLICY).await.unwrap();

    rename(&bench, "alice", Some("alicia"), Some("/team/")).await.unwrap();

    assert_eq!(bench.get_user(Some("alice")).await, Err(no_such_user("alice")));
    let alicia = bench.get_user(Some("alicia")).await.unwrap();
    assert_eq!((&alicia.user_id, alicia.create_date), (&alice.user_id, alice.create_date));
    assert_eq!(alicia.arn, format!("arn:aws:iam::{ACCOUNT}:user/team/alicia"));

    let account = ACCOUNT.parse().unwrap();
    let present = bench.iam.user(account, &alice.user_id).await.unwrap().unwrap();
    assert_eq!((present.arn.to_string(), &present.user_id), (alicia.arn.clone(), &alice.user_id));

    let stored = platform::identity::keys_of(&bench.iam.platform.store, &alice.user_id, 10).await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].value.id, key.access_key_id);
    assert_eq!(stored[0].principal.arn.to_string(), alicia.arn);

    let input = iam::api::GetUserPolicyRequest { policy_name: "own".to_owned(), user_name: "alicia".to_owned() };
    assert!(bench.ask::<iam::api::GetUserPolicyResponse>("GetUserPolicy", input).await.is_ok());
    let input = iam::api::ListEntitiesForPolicyRequest { policy_arn: policy_arn("reader"), ..Default::default() };
    let holders: iam::api::ListEntitiesForPolicyResponse = bench.ask("ListEntitiesForPolicy", input).await.unwrap();
    let names: Vec<_> = holders.policy_users.unwrap().into_iter().filter_map(|user| user.user_name).collect();
    assert_eq!(names, ["alicia"]);
}

#[tokio::test]
async fn a_user_can_change_the_case_of_its_name_but_not_take_anothers() {
    let bench = Bench::new();
    bench.create_user("alice").await.unwrap();
    bench.create_user("bob").await.unwrap();
    rename(&bench, "alice", Some("Alice"), None).await.unwrap();
    assert_eq!(bench.get_user(Some("alice")).await.unwrap().user_name, "Alice");
    let taken = refusal("EntityAlreadyExists", 409, "User with name BOB already exists.");
    assert_eq!(rename(&bench, "alice", Some("BOB"), None).await, Err(taken));
    assert_eq!(rename(&bench, "carol", Some("dave"), None).await, Err(no_such_user("carol")));
}
