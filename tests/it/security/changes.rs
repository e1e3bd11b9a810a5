//! Rights and their ends count from the next request on: nothing that was allowed a moment ago lives on in a memory.

use tests::raw::Answer;
use wire::model::Protocol;
use wire::sigv4::{Credentials, SecretAccessKey};

use super::authorization::{give, make_role, policy, session_of};
use super::sessions::{by_root, temporary};
use super::target::Scene;

const IAM: &wire::model::ServiceModel = &iam::api::MODEL;

/// A user of the account with a key.
fn user(scene: &mut Scene, name: &str) -> Credentials {
    by_root(scene, IAM, "CreateUser", &[("UserName", name)]);
    let key = by_root(scene, IAM, "CreateAccessKey", &[("UserName", name)]);
    Credentials {
        access_key_id: key.element("AccessKeyId").unwrap(),
        secret_access_key: SecretAccessKey::new(key.element("SecretAccessKey").unwrap()),
        session_token: None,
    }
}

fn list_users(scene: &mut Scene, by: &Credentials) -> Answer {
    scene.form(by, IAM, "ListUsers", &[])
}

#[track_caller]
fn may(scene: &mut Scene, by: &Credentials) {
    list_users(scene, by).success();
}

#[track_caller]
fn may_not(scene: &mut Scene, by: &Credentials) {
    let failure = list_users(scene, by).failure(Protocol::AwsQuery);
    assert_eq!((failure.code.as_str(), failure.status), ("AccessDenied", 403), "{failure:?}");
}

#[track_caller]
fn is_nobody(scene: &mut Scene, by: &Credentials) {
    let failure = list_users(scene, by).failure(Protocol::AwsQuery);
    assert_eq!((failure.code.as_str(), failure.status), ("InvalidClientTokenId", 403), "{failure:?}");
}

/// A managed policy of the account that allows listing users.
fn managed(scene: &mut Scene) -> String {
    let document = policy("Allow", "iam:ListUsers");
    let made = by_root(scene, IAM, "CreatePolicy", &[("PolicyName", "list"), ("PolicyDocument", &document)]);
    made.element("Arn").unwrap()
}

#[test]
fn a_user_has_the_rights_of_a_group_as_long_as_it_is_in_it() {
    let mut scene = Scene::new();
    let key = user(&mut scene, "alice");
    let session = temporary(&scene.form(&key, &sts::api::MODEL, "GetSessionToken", &[]).success());
    let arn = managed(&mut scene);
    by_root(&mut scene, IAM, "CreateGroup", &[("GroupName", "readers")]);
    let member = [("GroupName", "readers"), ("UserName", "alice")];
    let document = policy("Allow", "iam:ListUsers");
    let inline = [("GroupName", "readers"), ("PolicyName", "list"), ("PolicyDocument", &*document)];
    for (begin, end) in [("PutGroupPolicy", "DeleteGroupPolicy"), ("AttachGroupPolicy", "DetachGroupPolicy")] {
        let rights = if begin == "PutGroupPolicy" {
            inline.to_vec()
        } else {
            vec![("GroupName", "readers"), ("PolicyArn", &*arn)]
        };
        may_not(&mut scene, &key);
        by_root(&mut scene, IAM, begin, &rights);
        may_not(&mut scene, &key);
        by_root(&mut scene, IAM, "AddUserToGroup", &member);
        may(&mut scene, &key);
        may(&mut scene, &session);
        by_root(&mut scene, IAM, "RemoveUserFromGroup", &member);
        may_not(&mut scene, &key);
        may_not(&mut scene, &session);
        by_root(&mut scene, IAM, "AddUserToGroup", &member);
        may(&mut scene, &key);
        by_root(&mut scene, IAM, end, &rights);
        may_not(&mut scene, &key);
        by_root(&mut scene, IAM, "RemoveUserFromGroup", &member);
    }
}

#[test]
fn a_group_can_deny_what_a_users_own_policy_allows() {
    let mut scene = Scene::new();
    let key = user(&mut scene, "alice");
    let document = policy("Allow", "*");
    let own = [("UserName", "alice"), ("PolicyName", "all"), ("PolicyDocument", &*document)];
    by_root(&mut scene, IAM, "PutUserPolicy", &own);
    may(&mut scene, &key);
    by_root(&mut scene, IAM, "CreateGroup", &[("GroupName", "banned")]);
    let document = policy("Deny", "iam:*");
    let inline = [("GroupName", "banned"), ("PolicyName", "no"), ("PolicyDocument", &*document)];
    by_root(&mut scene, IAM, "PutGroupPolicy", &inline);
    by_root(&mut scene, IAM, "AddUserToGroup", &[("GroupName", "banned"), ("UserName", "alice")]);
    may_not(&mut scene, &key);
    // The group's name is not what counts.
    by_root(&mut scene, IAM, "UpdateGroup", &[("GroupName", "banned"), ("NewGroupName", "renamed")]);
    may_not(&mut scene, &key);
}

#[test]
fn the_version_of_a_policy_that_is_its_default_counts_from_the_next_request() {
    let mut scene = Scene::new();
    let key = user(&mut scene, "alice");
    let arn = managed(&mut scene);
    by_root(&mut scene, IAM, "AttachUserPolicy", &[("UserName", "alice"), ("PolicyArn", &arn)]);
    may(&mut scene, &key);
    let deny = policy("Deny", "iam:ListUsers");
    let version = [("PolicyArn", &*arn), ("PolicyDocument", &*deny)];
    by_root(&mut scene, IAM, "CreatePolicyVersion", &version);
    may(&mut scene, &key);
    for (id, allowed) in [("v2", false), ("v1", true), ("v2", false), ("v1", true)] {
        by_root(&mut scene, IAM, "SetDefaultPolicyVersion", &[("PolicyArn", &arn), ("VersionId", id)]);
        if allowed { may(&mut scene, &key) } else { may_not(&mut scene, &key) }
    }
    by_root(&mut scene, IAM, "CreatePolicyVersion", &[version.as_slice(), &[("SetAsDefault", "true")]].concat());
    may_not(&mut scene, &key);
}

#[test]
fn a_policy_that_is_detached_or_taken_away_allows_nothing_any_more() {
    let mut scene = Scene::new();
    let arn = managed(&mut scene);
    make_role(&mut scene, "worker");
    let (key, session) = (user(&mut scene, "alice"), session_of(&mut scene, "worker", None));
    let document = policy("Allow", "iam:ListUsers");
    for (name, holder, by) in [("UserName", "alice", &key), ("RoleName", "worker", &session)] {
        let kind = name.trim_end_matches("Name");
        let attached = [(name, holder), ("PolicyArn", &*arn)];
        let inline = [(name, holder), ("PolicyName", "list"), ("PolicyDocument", &*document)];
        for _ in 0..3 {
            by_root(&mut scene, IAM, &format!("Attach{kind}Policy"), &attached);
            may(&mut scene, by);
            by_root(&mut scene, IAM, &format!("Detach{kind}Policy"), &attached);
            may_not(&mut scene, by);
            by_root(&mut scene, IAM, &format!("Put{kind}Policy"), &inline);
            may(&mut scene, by);
            by_root(&mut scene, IAM, &format!("Delete{kind}Policy"), &inline[..2]);
            may_not(&mut scene, by);
        }
    }
}

#[test]
fn a_permissions_boundary_counts_from_the_next_request_and_gives_nothing_back_when_its_policy_is_gone() {
    let mut scene = Scene::new();
    make_role(&mut scene, "worker");
    give(&mut scene, "worker", &policy("Allow", "iam:*"));
    let session = session_of(&mut scene, "worker", None);
    let nothing = policy("Allow", "ecs:ListClusters");
    let input = [("PolicyName", "bounds"), ("PolicyDocument", &*nothing)];
    let arn = by_root(&mut scene, IAM, "CreatePolicy", &input).element("Arn").unwrap();
    may(&mut scene, &session);
    let bound = [("RoleName", "worker"), ("PermissionsBoundary", &*arn)];
    by_root(&mut scene, IAM, "PutRolePermissionsBoundary", &bound);
    may_not(&mut scene, &session);
    // The bounded one does not get rid of it: neither itself nor by a new role without one is this allowed.
    for (operation, input) in [
        ("DeleteRolePermissionsBoundary", vec![("RoleName", "worker")]),
        ("CreatePolicyVersion", vec![("PolicyArn", &*arn), ("PolicyDocument", &*nothing), ("SetAsDefault", "true")]),
        ("DeletePolicy", vec![("PolicyArn", &*arn)]),
    ] {
        let failure = scene.form(&session, IAM, operation, &input).failure(Protocol::AwsQuery);
        assert_eq!(failure.code, "AccessDenied", "{operation}: {failure:?}");
    }
    // A policy that bounds somebody is not deleted from under them.
    let root = scene.account.root.clone();
    let failure = scene.form(&root, IAM, "DeletePolicy", &[("PolicyArn", &arn)]).failure(Protocol::AwsQuery);
    assert_eq!(failure.code, "DeleteConflict", "{failure:?}");
    may_not(&mut scene, &session);
    by_root(&mut scene, IAM, "DeleteRolePermissionsBoundary", &[("RoleName", "worker")]);
    may(&mut scene, &session);
}

#[test]
fn sessions_and_keys_end_with_their_user_even_when_there_is_another_of_its_name() {
    let mut scene = Scene::new();
    let key = user(&mut scene, "alice");
    let document = policy("Allow", "iam:ListUsers");
    let inline = [("UserName", "alice"), ("PolicyName", "list"), ("PolicyDocument", &*document)];
    by_root(&mut scene, IAM, "PutUserPolicy", &inline);
    let session = temporary(&scene.form(&key, &sts::api::MODEL, "GetSessionToken", &[]).success());
    may(&mut scene, &session);
    by_root(&mut scene, IAM, "DeleteUserPolicy", &inline[..2]);
    let gone = [("UserName", "alice"), ("AccessKeyId", key.access_key_id.as_str())];
    by_root(&mut scene, IAM, "DeleteAccessKey", &gone);
    is_nobody(&mut scene, &key);
    by_root(&mut scene, IAM, "DeleteUser", &[("UserName", "alice")]);
    is_nobody(&mut scene, &session);
    by_root(&mut scene, IAM, "CreateUser", &[("UserName", "alice")]);
    by_root(&mut scene, IAM, "PutUserPolicy", &inline);
    is_nobody(&mut scene, &session);
    is_nobody(&mut scene, &key);
}

#[test]
fn a_key_that_is_made_inactive_is_nobodys_until_it_is_active_again() {
    let mut scene = Scene::new();
    let key = user(&mut scene, "alice");
    let document = policy("Allow", "iam:ListUsers");
    let inline = [("UserName", "alice"), ("PolicyName", "list"), ("PolicyDocument", &*document)];
    by_root(&mut scene, IAM, "PutUserPolicy", &inline);
    for _ in 0..3 {
        may(&mut scene, &key);
        let status = |status| [("UserName", "alice"), ("AccessKeyId", key.access_key_id.as_str()), ("Status", status)];
        by_root(&mut scene, IAM, "UpdateAccessKey", &status("Inactive"));
        is_nobody(&mut scene, &key);
        by_root(&mut scene, IAM, "UpdateAccessKey", &status("Active"));
    }
}

#[test]
fn a_session_follows_its_role_and_never_the_next_one_of_its_name() {
    let mut scene = Scene::new();
    make_role(&mut scene, "worker");
    let session = session_of(&mut scene, "worker", None);
    give(&mut scene, "worker", &policy("Allow", "iam:ListUsers"));
    may(&mut scene, &session);
    by_root(&mut scene, IAM, "DeleteRolePolicy", &[("RoleName", "worker"), ("PolicyName", "only")]);
    may_not(&mut scene, &session);
    by_root(&mut scene, IAM, "DeleteRole", &[("RoleName", "worker")]);
    is_nobody(&mut scene, &session);
    make_role(&mut scene, "worker");
    give(&mut scene, "worker", &policy("Allow", "*"));
    is_nobody(&mut scene, &session);
    let fresh = session_of(&mut scene, "worker", None);
    may(&mut scene, &fresh);
}

#[test]
fn a_session_is_narrowed_by_managed_policies_as_they_are_now() {
    let mut scene = Scene::new();
    let arn = managed(&mut scene);
    make_role(&mut scene, "worker");
    give(&mut scene, "worker", &policy("Allow", "*"));
    let role = format!("arn:aws:iam::{}:role/worker", scene.account.id);
    let assume = |arn: &str| {
        [
            ("RoleArn", role.clone()),
            ("RoleSessionName", "narrow".to_owned()),
            ("PolicyArns.member.1.arn", arn.to_owned()),
        ]
    };
    let open = |scene: &mut Scene, arn: &str| {
        let input = assume(arn);
        let input: Vec<(&str, &str)> = input.iter().map(|(name, value)| (*name, value.as_str())).collect();
        temporary(&by_root(scene, &sts::api::MODEL, "AssumeRole", &input))
    };
    let narrow = open(&mut scene, &arn);
    may(&mut scene, &narrow);
    let failure = scene.form(&narrow, IAM, "ListRoles", &[]).failure(Protocol::AwsQuery);
    assert!(failure.message.contains("no session policy allows"), "{failure:?}");
    let deny = policy("Deny", "iam:ListUsers");
    let version = [("PolicyArn", &*arn), ("PolicyDocument", &*deny), ("SetAsDefault", "true")];
    by_root(&mut scene, IAM, "CreatePolicyVersion", &version);
    may_not(&mut scene, &narrow);
    by_root(&mut scene, IAM, "SetDefaultPolicyVersion", &[("PolicyArn", &arn), ("VersionId", "v1")]);
    may(&mut scene, &narrow);
    by_root(&mut scene, IAM, "DeletePolicyVersion", &[("PolicyArn", &arn), ("VersionId", "v2")]);
    by_root(&mut scene, IAM, "DeletePolicy", &[("PolicyArn", &arn)]);
    may_not(&mut scene, &narrow);
    let read_only = open(&mut scene, "arn:aws:iam::aws:policy/ReadOnlyAccess");
    may(&mut scene, &read_only);
    let failure = scene.form(&read_only, IAM, "CreateUser", &[("UserName", "eve")]).failure(Protocol::AwsQuery);
    assert_eq!(failure.code, "AccessDenied", "{failure:?}");
}
