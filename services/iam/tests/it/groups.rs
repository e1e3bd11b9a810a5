use iam::api::{
    AddUserToGroupRequest, AttachGroupPolicyRequest, CreateGroupRequest, CreateGroupResponse, DeleteGroupPolicyRequest,
    DeleteGroupRequest, DetachGroupPolicyRequest, GetGroupPolicyRequest, GetGroupPolicyResponse, GetGroupRequest,
    GetGroupResponse, Group, ListAttachedGroupPoliciesRequest, ListAttachedGroupPoliciesResponse,
    ListEntitiesForPolicyRequest, ListEntitiesForPolicyResponse, ListGroupPoliciesRequest, ListGroupPoliciesResponse,
    ListGroupsForUserRequest, ListGroupsForUserResponse, ListGroupsRequest, ListGroupsResponse, PutGroupPolicyRequest,
    RemoveUserFromGroupRequest, UpdateGroupRequest,
};

use crate::bench::{ACCOUNT, Bench, POLICY, Refusal, policy_arn, refusal};

impl Bench {
    async fn create_group(&self, name: &str) -> Result<Group, Refusal> {
        let input = CreateGroupRequest { group_name: name.to_owned(), ..Default::default() };
        self.ask::<CreateGroupResponse>("CreateGroup", input).await.map(|answer| answer.group)
    }

    async fn delete_group(&self, name: &str) -> Result<(), Refusal> {
        self.tell("DeleteGroup", DeleteGroupRequest { group_name: name.to_owned() }).await
    }

    async fn join(&self, user: &str, group: &str) -> Result<(), Refusal> {
        let input = AddUserToGroupRequest { group_name: group.to_owned(), user_name: user.to_owned() };
        self.tell("AddUserToGroup", input).await
    }

    async fn leave(&self, user: &str, group: &str) -> Result<(), Refusal> {
        let input = RemoveUserFromGroupRequest { group_name: group.to_owned(), user_name: user.to_owned() };
        self.tell("RemoveUserFromGroup", input).await
    }

    /// A page of a group's users.
    async fn users_of(&self, group: &str, max_items: i32, marker: Option<String>) -> (Vec<String>, Option<String>) {
        let input = GetGroupRequest { group_name: group.to_owned(), max_items: Some(max_items), marker };
        let answer: GetGroupResponse = self.ask("GetGroup", input).await.unwrap();
        (answer.users.into_iter().map(|user| user.user_name).collect(), answer.marker)
    }

    async fn groups_of(&self, user: &str) -> Vec<String> {
        let input = ListGroupsForUserRequest { user_name: user.to_owned(), ..Default::default() };
        let answer: ListGroupsForUserResponse = self.ask("ListGroupsForUser", input).await.unwrap();
        answer.groups.into_iter().map(|group| group.group_name).collect()
    }
}

#[tokio::test]
async fn a_group_is_made_listed_renamed_and_removed() {
    let bench = Bench::new();
    let made = bench.create_group("Admins").await.unwrap();
    assert_eq!(made.arn, format!("arn:aws:iam::{ACCOUNT}:group/Admins"));
    assert!(made.group_id.starts_with("AGPA"));
    let exists = refusal("EntityAlreadyExists", 409, "Group with name admins already exists.");
    assert_eq!(bench.create_group("admins").await, Err(exists));

    let input = UpdateGroupRequest {
        group_name: "Admins".to_owned(),
        new_group_name: Some("Operators".to_owned()),
        new_path: Some("/team/".to_owned()),
    };
    bench.tell("UpdateGroup", input).await.unwrap();
    let listed: ListGroupsResponse = bench.ask("ListGroups", ListGroupsRequest::default()).await.unwrap();
    let found: Vec<_> =
        listed.groups.iter().map(|group| (group.arn.as_str(), group.group_id == made.group_id)).collect();
    assert_eq!(found, [(format!("arn:aws:iam::{ACCOUNT}:group/team/Operators").as_str(), true)]);
    bench.delete_group("operators").await.unwrap();
    let gone = refusal("NoSuchEntity", 404, "The group with name Operators cannot be found.");
    assert_eq!(bench.delete_group("Operators").await, Err(gone));
}

#[tokio::test]
async fn users_join_and_leave_and_a_renamed_group_keeps_them() {
    let bench = Bench::new();
    bench.create_group("readers").await.unwrap();
    for user in ["alice", "bob", "carol"] {
        bench.create_user(user).await.unwrap();
        bench.join(user, "readers").await.unwrap();
        bench.join(user, "readers").await.unwrap();
    }
    let input = UpdateGroupRequest {
        group_name: "readers".to_owned(),
        new_group_name: Some("viewers".to_owned()),
        new_path: None,
    };
    bench.tell("UpdateGroup", input).await.unwrap();
    let (first, marker) = bench.users_of("viewers", 2, None).await;
    let (rest, end) = bench.users_of("viewers", 2, marker).await;
    assert_eq!((first, rest, end), (vec!["alice".to_owned(), "bob".to_owned()], vec!["carol".to_owned()], None));
    assert_eq!(bench.groups_of("bob").await, ["viewers"]);

    let conflict = refusal("DeleteConflict", 409, "Cannot delete entity, must remove users from group first.");
    assert_eq!(bench.delete_group("viewers").await, Err(conflict.clone()));
    assert_eq!(bench.delete_user("bob").await, Err(conflict));
    for user in ["alice", "bob", "carol", "bob"] {
        bench.leave(user, "viewers").await.unwrap();
    }
    assert!(bench.groups_of("bob").await.is_empty());
    bench.delete_user("bob").await.unwrap();
    bench.delete_group("viewers").await.unwrap();
}

#[tokio::test]
async fn a_user_is_in_ten_groups_at_most() {
    let bench = Bench::new();
    bench.create_user("alice").await.unwrap();
    for number in 0..11 {
        bench.create_group(&format!("g{number}")).await.unwrap();
    }
    for number in 0..10 {
        bench.join("alice", &format!("g{number}")).await.unwrap();
    }
    let full = refusal("LimitExceeded", 409, "Cannot exceed quota for GroupsPerUser: 10");
    assert_eq!(bench.join("alice", "g10").await, Err(full));
}

#[tokio::test]
async fn an_account_has_three_hundred_groups_at_most() {
    let bench = Bench::new();
    for number in 0..300 {
        bench.create_group(&format!("g{number}")).await.unwrap();
    }
    let full = refusal("LimitExceeded", 409, "Cannot exceed quota for GroupsPerAccount: 300");
    assert_eq!(bench.create_group("one-more").await, Err(full.clone()));
    bench.delete_group("g0").await.unwrap();
    bench.create_group("one-more").await.unwrap();
    assert_eq!(bench.create_group("and-another").await, Err(full));
    assert!(bench.as_root_of("222222222222").create_group("other").await.is_ok());
}

#[tokio::test]
async fn a_group_holds_policies_and_is_told_among_those_who_do() {
    let bench = Bench::new();
    bench.create_group("readers").await.unwrap();
    bench.create_policy("reader").await.unwrap();
    let (group_name, arn) = ("readers".to_owned(), policy_arn("reader"));
    let attach = AttachGroupPolicyRequest { group_name: group_name.clone(), policy_arn: arn.clone() };
    bench.tell("AttachGroupPolicy", attach).await.unwrap();
    let input = ListAttachedGroupPoliciesRequest { group_name: group_name.clone(), ..Default::default() };
    let attached: ListAttachedGroupPoliciesResponse = bench.ask("ListAttachedGroupPolicies", input).await.unwrap();
    assert_eq!(attached.attached_policies.unwrap()[0].policy_arn.as_ref(), Some(&arn));
    let input = ListEntitiesForPolicyRequest { policy_arn: arn.clone(), ..Default::default() };
    let entities: ListEntitiesForPolicyResponse = bench.ask("ListEntitiesForPolicy", input).await.unwrap();
    assert_eq!(entities.policy_groups.unwrap()[0].group_name.as_deref(), Some("readers"));

    let put = PutGroupPolicyRequest {
        group_name: group_name.clone(),
        policy_name: "inline".to_owned(),
        policy_document: POLICY.to_owned(),
    };
    bench.tell("PutGroupPolicy", put).await.unwrap();
    let input = ListGroupPoliciesRequest { group_name: group_name.clone(), ..Default::default() };
    let names: ListGroupPoliciesResponse = bench.ask("ListGroupPolicies", input).await.unwrap();
    assert_eq!(names.policy_names, ["inline"]);
    let input = GetGroupPolicyRequest { group_name: group_name.clone(), policy_name: "inline".to_owned() };
    let inline: GetGroupPolicyResponse = bench.ask("GetGroupPolicy", input).await.unwrap();
    assert!(inline.policy_document.contains("s3%3AGetObject"));
    let large = PutGroupPolicyRequest {
        group_name: group_name.clone(),
        policy_name: "large".to_owned(),
        policy_document: POLICY.replace("GetObject", &"x".repeat(5120)),
    };
    let message = "Maximum policy size of 5120 bytes exceeded for group readers";
    assert_eq!(bench.tell("PutGroupPolicy", large).await, Err(refusal("LimitExceeded", 409, message)));

    assert!(bench.delete_group("readers").await.unwrap_err().2.contains("must detach all policies first"));
    let detach = DetachGroupPolicyRequest { group_name: group_name.clone(), policy_arn: arn };
    bench.tell("DetachGroupPolicy", detach).await.unwrap();
    assert!(bench.delete_group("readers").await.unwrap_err().2.contains("must delete policies first"));
    let delete = DeleteGroupPolicyRequest { group_name, policy_name: "inline".to_owned() };
    bench.tell("DeleteGroupPolicy", delete).await.unwrap();
    bench.delete_group("readers").await.unwrap();
}
