use base::{PrincipalKind, Timestamp};
use iam::api::{
    AccessKeyMetadata, DeleteAccessKeyRequest, GetAccessKeyLastUsedRequest, GetAccessKeyLastUsedResponse,
    ListAccessKeysRequest, ListAccessKeysResponse, StatusType, UpdateAccessKeyRequest,
};
use platform::Ctx;

use crate::bench::{Bench, Refusal, refusal};

async fn keys(bench: &Bench, user: Option<&str>) -> Result<Vec<AccessKeyMetadata>, Refusal> {
    let input = ListAccessKeysRequest { user_name: user.map(str::to_owned), ..Default::default() };
    bench.ask::<ListAccessKeysResponse>("ListAccessKeys", input).await.map(|answer| answer.access_key_metadata)
}

async fn set(bench: &Bench, user: &str, id: &str, status: StatusType) -> Result<(), Refusal> {
    let input = UpdateAccessKeyRequest { access_key_id: id.to_owned(), status, user_name: Some(user.to_owned()) };
    bench.tell("UpdateAccessKey", input).await
}

async fn last_used(bench: &Bench, id: &str) -> Result<GetAccessKeyLastUsedResponse, Refusal> {
    bench.ask("GetAccessKeyLastUsed", GetAccessKeyLastUsedRequest { access_key_id: id.to_owned() }).await
}

#[tokio::test]
async fn a_key_shows_its_secret_once_and_can_be_switched_off_and_removed() {
    let bench = Bench::new();
    bench.create_user("alice").await.unwrap();
    let key = bench.create_key("alice").await.unwrap();
    assert!(key.access_key_id.starts_with("AKIA") && key.access_key_id.len() == 20);
    assert_eq!((key.secret_access_key.len(), key.status), (40, StatusType::Active));

    let listed = keys(&bench, Some("alice")).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].access_key_id.as_ref(), Some(&key.access_key_id));
    assert_eq!(listed[0].create_date, Some(bench.ctx.now));

    set(&bench, "alice", &key.access_key_id, StatusType::Inactive).await.unwrap();
    assert_eq!(keys(&bench, Some("alice")).await.unwrap()[0].status, Some(StatusType::Inactive));
    set(&bench, "alice", &key.access_key_id, StatusType::Active).await.unwrap();
    assert_eq!(keys(&bench, Some("alice")).await.unwrap()[0].status, Some(StatusType::Active));
    assert_eq!(set(&bench, "alice", &key.access_key_id, StatusType::Expired).await.unwrap_err().0, "ValidationError");

    let input = DeleteAccessKeyRequest { access_key_id: key.access_key_id, user_name: Some("alice".to_owned()) };
    bench.tell("DeleteAccessKey", input.clone()).await.unwrap();
    assert_eq!(keys(&bench, Some("alice")).await.unwrap(), []);
    let gone = format!("The Access Key with id {} cannot be found.", input.access_key_id);
    assert_eq!(bench.tell("DeleteAccessKey", input).await, Err(refusal("NoSuchEntity", 404, &gone)));
}

#[tokio::test]
async fn the_secret_is_sealed_where_it_is_stored() {
    let bench = Bench::new();
    let user = bench.create_user("alice").await.unwrap();
    let key = bench.create_key("alice").await.unwrap();
    let platform = &bench.iam.platform;
    let stored = platform::identity::keys_of(&platform.store, &user.user_id, 10).await.unwrap().remove(0);
    assert!(!stored.sealed_secret.windows(40).any(|bytes| bytes == key.secret_access_key.as_bytes()));
    assert_eq!(stored.secret(&platform.keyring).unwrap().expose(), key.secret_access_key);
    assert_eq!(stored.principal.kind, PrincipalKind::User { name: "alice".to_owned() });
}

#[tokio::test]
async fn a_user_has_two_keys_at_most() {
    let bench = Bench::new();
    bench.create_user("alice").await.unwrap();
    for _ in 0..2 {
        bench.create_key("alice").await.unwrap();
    }
    let full = refusal("LimitExceeded", 409, "Cannot exceed quota for AccessKeysPerUser: 2");
    assert_eq!(bench.create_key("alice").await, Err(full));
}

#[tokio::test]
async fn one_users_key_cannot_be_changed_in_the_name_of_another() {
    let bench = Bench::new();
    bench.create_user("alice").await.unwrap();
    bench.create_user("bob").await.unwrap();
    let id = bench.create_key("alice").await.unwrap().access_key_id;
    let missing = refusal("NoSuchEntity", 404, &format!("The Access Key with id {id} cannot be found."));
    assert_eq!(set(&bench, "bob", &id, StatusType::Inactive).await, Err(missing.clone()));
    let other = bench.as_root_of("222222222222");
    other.create_user("alice").await.unwrap();
    assert_eq!(set(&other, "alice", &id, StatusType::Inactive).await, Err(missing));
    let denied = format!(
        "User: arn:aws:iam::222222222222:root is not authorized to perform iam:GetAccessKeyLastUsed on resource: \
         access key {id}"
    );
    assert_eq!(last_used(&other, &id).await, Err(refusal("AccessDenied", 403, &denied)));
}

#[tokio::test]
async fn a_caller_that_is_no_user_must_name_one() {
    let bench = Bench::new();
    let nameless = refusal("ValidationError", 400, "Must specify userName when calling with non-User credentials");
    assert_eq!(keys(&bench, None).await, Err(nameless.clone()));
    assert_eq!(keys(&bench.as_session(), None).await, Err(nameless));
    let missing = refusal("NoSuchEntity", 404, "The user with name nobody cannot be found.");
    assert_eq!(bench.create_key("nobody").await, Err(missing));
}

#[tokio::test]
async fn a_keys_last_use_is_told() {
    let bench = Bench::new();
    let user = bench.create_user("alice").await.unwrap();
    let id = bench.create_key("alice").await.unwrap().access_key_id;
    let never = last_used(&bench, &id).await.unwrap();
    assert_eq!(never.user_name.as_deref(), Some("alice"));
    let never = never.access_key_last_used.unwrap();
    assert_eq!((never.region.as_str(), never.service_name.as_str(), never.last_used_date), ("N/A", "N/A", None));

    let platform = &bench.iam.platform;
    let key = platform::identity::keys_of(&platform.store, &user.user_id, 1).await.unwrap().remove(0);
    let then = Timestamp::from_secs(1_800_000_000);
    let used = Ctx {
        access_key_id: id.clone(),
        ..Ctx::new(key.principal.clone(), "eu-north-1".parse().unwrap(), then, "request")
    };
    platform.keys.note_use(&used, "ecs");
    let last = last_used(&bench, &id).await.unwrap().access_key_last_used.unwrap();
    assert_eq!((last.region.as_str(), last.service_name.as_str()), ("eu-north-1", "ecs"));
    assert_eq!(last.last_used_date, Some(then));
}
