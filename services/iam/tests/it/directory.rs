//! What callers' policies say, as the gate asks it.

use std::sync::Arc;

use base::Principal;
use iam::api::{
    AddUserToGroupRequest, CreateGroupRequest, CreatePolicyVersionRequest, DeleteUserPolicyRequest,
    PutGroupPolicyRequest, PutUserPermissionsBoundaryRequest, TagUserRequest, UpdateUserRequest,
};
use platform::identity::{FixedKey, Keys};
use platform::ports::{PolicyDirectory as _, RoleDirectory as _, UserDirectory as _};
use platform::{Asked, Ctx, Platform, Rights, Service as _};
use policy::IdentityPolicies;

use crate::bench::{ACCOUNT, Bench, POLICY, policy_arn, tag};

impl Bench {
    async fn principal(&self, user: &str) -> Principal {
        let id = self.get_user(Some(user)).await.unwrap().user_id;
        self.iam.user(ACCOUNT.parse().unwrap(), &id).await.unwrap().unwrap()
    }

    async fn policies(&self, principal: &Principal) -> Arc<IdentityPolicies> {
        self.iam.identity_policies(principal).await.unwrap()
    }

    /// The names of the policies that bear on a user.
    async fn names(&self, principal: &Principal) -> Vec<String> {
        self.policies(principal).await.attached.iter().map(|policy| policy.name.clone()).collect()
    }

    /// A caller with the rights that it has.
    async fn with_rights(&self, principal: Principal) -> Self {
        let caller = platform::identity::Caller { access_key_id: String::new(), principal, session: None };
        let rights = Rights::of(&self.iam, &caller).await.unwrap();
        let mut bench = self.as_caller(caller.principal);
        bench.ctx = Ctx { rights, ..bench.ctx };
        bench
    }
}

fn allowing(action: &str, resource: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}]}}"#
    )
}

#[tokio::test]
async fn a_user_has_its_own_policies_and_those_of_its_groups() {
    let bench = Bench::new();
    bench.create_user("alice").await.unwrap();
    let alice = bench.principal("alice").await;
    assert!(bench.names(&alice).await.is_empty());
    bench.put_user_policy("alice", "own", POLICY).await.unwrap();
    bench.create_policy("managed").await.unwrap();
    bench.attach_to_user("alice", &policy_arn("managed")).await.unwrap();
    let group = CreateGroupRequest { group_name: "readers".to_owned(), ..Default::default() };
    bench.ask::<iam::api::CreateGroupResponse>("CreateGroup", group).await.unwrap();
    let join = AddUserToGroupRequest { group_name: "readers".to_owned(), user_name: "alice".to_owned() };
    bench.tell("AddUserToGroup", join).await.unwrap();
    assert_eq!(bench.names(&alice).await, ["own", &policy_arn("managed")]);
    let put = PutGroupPolicyRequest {
        group_name: "readers".to_owned(),
        policy_name: "shared".to_owned(),
        policy_document: POLICY.to_owned(),
    };
    bench.tell("PutGroupPolicy", put).await.unwrap();
    assert_eq!(bench.names(&alice).await, ["own", &policy_arn("managed"), "shared"]);
    assert!(bench.policies(&alice).await.boundary.is_none());
    let bound = PutUserPermissionsBoundaryRequest {
        user_name: "alice".to_owned(),
        permissions_boundary: "arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned(),
    };
    bench.tell("PutUserPermissionsBoundary", bound).await.unwrap();
    assert!(bench.policies(&alice).await.boundary.as_ref().unwrap().name.ends_with("ReadOnlyAccess"));
}

#[tokio::test]
async fn what_is_acknowledged_counts_at_once_and_what_has_not_changed_is_not_read_again() {
    let bench = Bench::new();
    bench.create_user("alice").await.unwrap();
    let alice = bench.principal("alice").await;
    for number in 0..20 {
        bench.put_user_policy("alice", &format!("p{number}"), POLICY).await.unwrap();
        assert_eq!(bench.names(&alice).await.len(), 1);
        assert!(Arc::ptr_eq(&bench.policies(&alice).await, &bench.policies(&alice).await));
        let input = DeleteUserPolicyRequest { user_name: "alice".to_owned(), policy_name: format!("p{number}") };
        bench.tell("DeleteUserPolicy", input).await.unwrap();
        assert!(bench.names(&alice).await.is_empty());
    }
    let tags = TagUserRequest { user_name: "alice".to_owned(), tags: vec![tag("Team", "ci")] };
    bench.tell("TagUser", tags).await.unwrap();
    assert_eq!(bench.iam.principal_tags(&alice).await.unwrap()["Team"], "ci");
    bench.delete_user("alice").await.unwrap();
    assert_eq!(bench.iam.user(ACCOUNT.parse().unwrap(), &alice.user_id).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_concurrent_changes_nothing_old_is_answered() {
    let bench = Arc::new(Bench::new());
    for user in 0..4 {
        bench.create_user(&format!("u{user}")).await.unwrap();
    }
    let tasks = (0..4).map(|user| {
        let bench = bench.clone();
        tokio::spawn(async move {
            let name = format!("u{user}");
            let principal = bench.principal(&name).await;
            for round in 0..100 {
                bench.put_user_policy(&name, &format!("p{}", round % 10), POLICY).await.unwrap();
                assert_eq!(bench.names(&principal).await.len(), (round + 1).min(10));
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_managed_policy_counts_in_its_default_version_for_its_own_account() {
    let bench = Bench::new();
    bench.create_policy("managed").await.unwrap();
    let (account, arn) = (ACCOUNT.parse().unwrap(), policy_arn("managed"));
    let before = bench.iam.managed_policy(account, &arn).await.unwrap().unwrap();
    let input = CreatePolicyVersionRequest {
        policy_arn: arn.clone(),
        policy_document: allowing("sqs:*", "*"),
        set_as_default: Some(true),
    };
    bench.ask::<iam::api::CreatePolicyVersionResponse>("CreatePolicyVersion", input).await.unwrap();
    let after = bench.iam.managed_policy(account, &arn).await.unwrap().unwrap();
    assert_ne!(before.document(), after.document());
    assert!(bench.iam.managed_policy("222222222222".parse().unwrap(), &arn).await.unwrap().is_none());
    assert!(bench.iam.managed_policy(account, "nothing").await.unwrap().is_none());
    let aws = "arn:aws:iam::aws:policy/AdministratorAccess";
    assert!(bench.iam.managed_policy(account, aws).await.unwrap().is_some());
}

#[tokio::test]
async fn a_configured_keys_policies_are_those_of_the_user_of_its_name() {
    let account = ACCOUNT.parse().unwrap();
    let (user, role) = (FixedKey::user(account, "ci"), FixedKey::role(account, "worker"));
    let key = |principal: &Principal, id: &str| FixedKey {
        access_key_id: id.to_owned(),
        secret: String::from("secret").into(),
        principal: principal.clone(),
    };
    let keys = Keys::new(vec![key(&user, "AKIACONFIGURED000001"), key(&role, "AKIACONFIGURED000002")]);
    let bench = Bench::over(Platform { keys: Arc::new(keys), ..Platform::in_memory() });
    assert!(bench.names(&user).await.is_empty());
    bench.create_user("CI").await.unwrap();
    bench.put_user_policy("CI", "own", POLICY).await.unwrap();
    bench.create_role("worker").await.unwrap();
    bench.attach_to_role("worker", "arn:aws:iam::aws:policy/ReadOnlyAccess").await.unwrap();
    assert_eq!(bench.names(&user).await, ["own"]);
    assert_eq!(bench.names(&role).await, ["arn:aws:iam::aws:policy/ReadOnlyAccess"]);
    // A session of a role of that name that is not the configured one must have the role's id.
    let stranger = bench.as_session().ctx.principal;
    assert!(bench.names(&stranger).await.is_empty());
}

#[tokio::test]
async fn a_role_is_answered_as_it_is_now() {
    let bench = Bench::new();
    let account = ACCOUNT.parse().unwrap();
    assert!(bench.iam.role(account, "worker").await.unwrap().is_none());
    let made = bench.create_role("worker").await.unwrap();
    let role = bench.iam.role(account, "WORKER").await.unwrap().unwrap();
    assert_eq!((role.id, role.arn.to_string()), (made.role_id, made.arn));
    bench.delete_role("worker").await.unwrap();
    assert!(bench.iam.role(account, "worker").await.unwrap().is_none());
}

#[tokio::test]
async fn the_gate_knows_paths_tags_and_boundaries() {
    let bench = Bench::new();
    bench.create_user("alice").await.unwrap();
    bench.create_user("bob").await.unwrap();
    let input =
        UpdateUserRequest { user_name: "bob".to_owned(), new_path: Some("/team/".to_owned()), ..Default::default() };
    bench.tell("UpdateUser", input).await.unwrap();
    bench.put_user_policy("alice", "own", &allowing("iam:GetUser", "arn:aws:iam::*:user/team/*")).await.unwrap();
    let alice = bench.with_rights(bench.principal("alice").await).await;
    assert!(alice.get_user(Some("bob")).await.is_ok());
    let refused = alice.get_user(Some("alice")).await.unwrap_err();
    let message = format!(
        "User: arn:aws:iam::{ACCOUNT}:user/alice is not authorized to perform: iam:GetUser on resource: \
         arn:aws:iam::{ACCOUNT}:user/alice because no identity-based policy allows the iam:GetUser action"
    );
    assert_eq!(refused.2, message);
    assert_eq!(alice.create_user("carol").await.unwrap_err().1, refused.1);

    // Who may put policies on bounded users alone.
    let bounded = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:PutUserPolicy","Resource":"*",
        "Condition":{"StringEquals":{"iam:PermissionsBoundary":"arn:aws:iam::aws:policy/ReadOnlyAccess"}}}]}"#;
    bench.put_user_policy("alice", "own", bounded).await.unwrap();
    let alice = bench.with_rights(bench.principal("alice").await).await;
    assert!(alice.put_user_policy("bob", "p", POLICY).await.is_err());
    let input = PutUserPermissionsBoundaryRequest {
        user_name: "bob".to_owned(),
        permissions_boundary: "arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned(),
    };
    bench.tell("PutUserPermissionsBoundary", input).await.unwrap();
    alice.put_user_policy("bob", "p", POLICY).await.unwrap();
    let facts = bench
        .iam
        .facts(&bench.ctx, Asked::to("iam:GetUser"), &format!("arn:aws:iam::{ACCOUNT}:user/BOB"))
        .await
        .unwrap();
    assert_eq!(facts.arn, Some(format!("arn:aws:iam::{ACCOUNT}:user/team/bob")));
}
