use iam::api::{
    CreateAccountAliasRequest, DeleteAccountAliasRequest, EntityType, GetAccountAuthorizationDetailsRequest,
    GetAccountAuthorizationDetailsResponse, GetAccountSummaryResponse, ListAccountAliasesRequest,
    ListAccountAliasesResponse,
};

use crate::bench::{Bench, POLICY, policy_arn, refusal};

async fn aliases(bench: &Bench) -> Vec<String> {
    let input = ListAccountAliasesRequest::default();
    bench.ask::<ListAccountAliasesResponse>("ListAccountAliases", input).await.unwrap().account_aliases
}

fn alias(name: &str) -> CreateAccountAliasRequest {
    CreateAccountAliasRequest { account_alias: name.to_owned() }
}

#[tokio::test]
async fn an_account_has_one_alias_which_no_other_has() {
    let bench = Bench::new();
    assert!(aliases(&bench).await.is_empty());
    bench.tell("CreateAccountAlias", alias("acme")).await.unwrap();
    bench.tell("CreateAccountAlias", alias("acme")).await.unwrap();
    let other = bench.as_root_of("222222222222");
    let taken = refusal("EntityAlreadyExists", 409, "The account alias acme already exists.");
    assert_eq!(other.tell("CreateAccountAlias", alias("acme")).await, Err(taken));
    bench.tell("CreateAccountAlias", alias("acme-two")).await.unwrap();
    assert_eq!(aliases(&bench).await, ["acme-two"]);
    other.tell("CreateAccountAlias", alias("acme")).await.unwrap();
    let delete = |name: &str| DeleteAccountAliasRequest { account_alias: name.to_owned() };
    let missing = refusal("NoSuchEntity", 404, "The account alias with name acme cannot be found.");
    assert_eq!(bench.tell("DeleteAccountAlias", delete("acme")).await, Err(missing));
    bench.tell("DeleteAccountAlias", delete("acme-two")).await.unwrap();
    assert!(aliases(&bench).await.is_empty());
}

#[tokio::test]
async fn an_account_is_summed_up() {
    let bench = Bench::new();
    bench.create_user("alice").await.unwrap();
    bench.create_user("bob").await.unwrap();
    bench.create_role("worker").await.unwrap();
    bench.create_policy("reader").await.unwrap();
    let answer: GetAccountSummaryResponse = bench.ask_without_input("GetAccountSummary").await.unwrap();
    let summary = answer.summary_map.unwrap();
    let told = |name: &str| summary[name];
    assert_eq!((told("Users"), told("Roles"), told("Policies"), told("Groups")), (2, 1, 1, 0));
    assert_eq!((told("UsersQuota"), told("PolicyVersionsInUse"), told("GroupsPerUserQuota")), (5000, 1, 10));
}

#[tokio::test]
async fn an_accounts_details_are_told_in_pages_of_any_size() {
    let bench = Bench::new();
    for user in ["alice", "bob"] {
        bench.create_user(user).await.unwrap();
    }
    bench.put_user_policy("alice", "own", POLICY).await.unwrap();
    bench.create_role("worker").await.unwrap();
    bench.create_policy("reader").await.unwrap();
    bench.attach_to_role("worker", &policy_arn("reader")).await.unwrap();
    bench.attach_to_user("bob", "arn:aws:iam::aws:policy/ReadOnlyAccess").await.unwrap();
    for size in 1..=6 {
        let (mut users, mut roles, mut policies, mut marker) = (Vec::new(), Vec::new(), Vec::new(), None);
        loop {
            let input = GetAccountAuthorizationDetailsRequest { max_items: Some(size), marker, ..Default::default() };
            let page: GetAccountAuthorizationDetailsResponse =
                bench.ask("GetAccountAuthorizationDetails", input).await.unwrap();
            users.extend(page.user_detail_list.unwrap());
            roles.extend(page.role_detail_list.unwrap());
            policies.extend(page.policies.unwrap());
            marker = page.marker;
            if marker.is_none() {
                break;
            }
        }
        let names: Vec<_> = users.iter().map(|user| user.user_name.as_deref().unwrap()).collect();
        assert_eq!(names, ["alice", "bob"], "pages of {size}");
        assert_eq!(users[0].user_policy_list.as_ref().unwrap()[0].policy_name.as_deref(), Some("own"));
        assert_eq!(roles[0].attached_managed_policies.as_ref().unwrap()[0].policy_arn, Some(policy_arn("reader")));
        let names: Vec<_> = policies.iter().map(|policy| policy.policy_name.as_deref().unwrap()).collect();
        assert_eq!(names, ["reader", "ReadOnlyAccess"]);
        assert!(policies[0].policy_version_list.as_ref().unwrap()[0].document.is_some());
    }
    let input = GetAccountAuthorizationDetailsRequest { filter: Some(vec![EntityType::Role]), ..Default::default() };
    let only: GetAccountAuthorizationDetailsResponse =
        bench.ask("GetAccountAuthorizationDetails", input).await.unwrap();
    assert!(only.user_detail_list.unwrap().is_empty() && only.policies.unwrap().is_empty());
    assert_eq!(only.role_detail_list.unwrap().len(), 1);
}
