use std::collections::BTreeSet;

use iam::api::{
    CreateUserRequest, CreateUserResponse, ListPoliciesRequest, ListPoliciesResponse, ListRolesRequest,
    ListRolesResponse, ListUsersRequest, ListUsersResponse, PolicyScopeType, PolicyUsageType,
};
use proptest::prelude::*;

use crate::bench::{Bench, policy_arn, refusal};

async fn users(bench: &Bench, path_prefix: Option<&str>, max_items: Option<i32>) -> Vec<Vec<String>> {
    let (mut pages, mut marker) = (Vec::new(), None);
    loop {
        let input = ListUsersRequest { marker, max_items, path_prefix: path_prefix.map(str::to_owned) };
        let answer: ListUsersResponse = bench.ask("ListUsers", input).await.unwrap();
        assert_eq!(answer.is_truncated, Some(answer.marker.is_some()));
        pages.push(answer.users.into_iter().map(|user| user.user_name).collect());
        marker = answer.marker;
        if marker.is_none() {
            return pages;
        }
    }
}

async fn create_under(bench: &Bench, name: &str, path: &str) {
    let input = CreateUserRequest { user_name: name.to_owned(), path: Some(path.to_owned()), ..Default::default() };
    bench.ask::<CreateUserResponse>("CreateUser", input).await.unwrap();
}

async fn policies(bench: &Bench, input: ListPoliciesRequest) -> Vec<String> {
    let (mut names, mut marker) = (Vec::new(), None);
    loop {
        let input = ListPoliciesRequest { marker, ..input.clone() };
        let answer: ListPoliciesResponse = bench.ask("ListPolicies", input).await.unwrap();
        names.extend(answer.policies.unwrap().into_iter().filter_map(|policy| policy.arn));
        marker = answer.marker;
        if marker.is_none() {
            return names;
        }
    }
}

#[tokio::test]
async fn a_page_has_a_hundred_items_unless_told_otherwise() {
    let bench = Bench::new();
    for number in 0..101 {
        bench.create_user(&format!("u{number:03}")).await.unwrap();
    }
    let sizes = |pages: Vec<Vec<String>>| pages.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(sizes(users(&bench, None, None).await), [100, 1]);
    assert_eq!(sizes(users(&bench, None, Some(101)).await), [101]);
    assert_eq!(sizes(users(&bench, None, Some(50)).await), [50, 50, 1]);
}

#[tokio::test]
async fn a_path_prefix_chooses() {
    let bench = Bench::new();
    create_under(&bench, "a", "/").await;
    create_under(&bench, "b", "/team/").await;
    create_under(&bench, "c", "/team/ci/").await;
    assert_eq!(users(&bench, Some("/"), None).await, [["a", "b", "c"]]);
    assert_eq!(users(&bench, Some("/team/"), Some(1)).await, [["b"], ["c"]]);
    assert_eq!(users(&bench, Some("/te"), None).await, [["b", "c"]]);
    assert_eq!(users(&bench, Some("/none/"), None).await, [[] as [&str; 0]]);
}

#[tokio::test]
async fn a_list_longer_than_one_read_shows_each_once_in_pages_of_any_size() {
    let bench = Bench::new();
    let (mut all, mut few) = (Vec::new(), Vec::new());
    for number in 0..1100 {
        let (name, is_one_of_few) = (format!("u{number:04}"), number % 150 == 149);
        create_under(&bench, &name, if is_one_of_few { "/few/" } else { "/many/" }).await;
        few.extend(is_one_of_few.then(|| name.clone()));
        all.push(name);
    }
    for size in [100, 550, 999, 1000] {
        assert_eq!(users(&bench, None, Some(size)).await.concat(), all, "{size}");
    }
    for size in [1, 2, few.len(), 1000] {
        let pages = users(&bench, Some("/few/"), i32::try_from(size).ok()).await;
        assert!(pages.iter().all(|page| page.len() <= size) && pages.len() == few.len().div_ceil(size), "{pages:?}");
        assert_eq!(pages.concat(), few, "{size}");
    }
}

#[tokio::test]
async fn a_marker_is_good_for_its_list_alone() {
    let bench = Bench::new();
    for name in ["a", "b"] {
        bench.create_user(name).await.unwrap();
        bench.create_role(name).await.unwrap();
    }
    let input = ListUsersRequest { max_items: Some(1), ..Default::default() };
    let marker = bench.ask::<ListUsersResponse>("ListUsers", input).await.unwrap().marker;
    let invalid = refusal("ValidationError", 400, "Invalid Marker.");
    let input = ListRolesRequest { marker: marker.clone(), ..Default::default() };
    assert_eq!(bench.ask::<ListRolesResponse>("ListRoles", input).await.unwrap_err(), invalid);
    let input = ListUsersRequest { marker, ..Default::default() };
    let other = bench.as_root_of("222222222222");
    assert_eq!(other.ask::<ListUsersResponse>("ListUsers", input).await.unwrap_err(), invalid);
    let input = ListUsersRequest { marker: Some("nonsense".to_owned()), ..Default::default() };
    assert_eq!(bench.ask::<ListUsersResponse>("ListUsers", input).await.unwrap_err(), invalid);
}

#[tokio::test]
async fn roles_are_listed_without_tags_and_with_their_longest_session() {
    let bench = Bench::new();
    bench.create_role("worker").await.unwrap();
    let answer: ListRolesResponse = bench.ask("ListRoles", ListRolesRequest::default()).await.unwrap();
    let role = &answer.roles[0];
    assert_eq!((role.max_session_duration, role.role_last_used.as_ref(), role.tags.as_ref()), (Some(3600), None, None));
}

#[tokio::test]
async fn policies_are_chosen_by_owner_and_by_use() {
    let bench = Bench::new();
    const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
    bench.create_user("alice").await.unwrap();
    for name in ["reader", "writer"] {
        bench.create_policy(name).await.unwrap();
    }
    bench.attach_to_user("alice", &policy_arn("writer")).await.unwrap();
    bench.attach_to_user("alice", ADMINISTRATOR).await.unwrap();

    let of = |scope| ListPoliciesRequest { scope: Some(scope), max_items: Some(2), ..Default::default() };
    let local = policies(&bench, of(PolicyScopeType::Local)).await;
    assert_eq!(local, [policy_arn("reader"), policy_arn("writer")]);
    let aws = policies(&bench, of(PolicyScopeType::Aws)).await;
    assert!(aws.len() > 2 && aws.iter().all(|arn| arn.starts_with("arn:aws:iam::aws:policy/")));
    let everything: Vec<String> = local.iter().chain(&aws).cloned().collect();
    assert_eq!(policies(&bench, of(PolicyScopeType::All)).await, everything);
    assert_eq!(policies(&bench, ListPoliciesRequest::default()).await, everything);

    let attached = ListPoliciesRequest { only_attached: Some(true), ..of(PolicyScopeType::All) };
    assert_eq!(policies(&bench, attached).await, [policy_arn("writer"), ADMINISTRATOR.to_owned()]);
    let bounding = ListPoliciesRequest {
        policy_usage_filter: Some(PolicyUsageType::PermissionsBoundary),
        ..of(PolicyScopeType::All)
    };
    assert_eq!(policies(&bench, bounding).await, [] as [&str; 0]);
    let under = ListPoliciesRequest { path_prefix: Some("/service-role/".to_owned()), ..of(PolicyScopeType::All) };
    assert!(policies(&bench, under).await.iter().all(|arn| arn.contains(":policy/service-role/")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn pages_visit_each_entity_once(
        names in prop::collection::btree_set("[a-c+=,.@_-]{1,4}", 0..24),
        page in 1..7_i32,
        under in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            let mut expected = BTreeSet::new();
            for (position, name) in names.iter().enumerate() {
                let path = if position % 3 == 0 { "/x/" } else { "/y/" };
                create_under(&bench, name, path).await;
                if !under || path == "/x/" {
                    expected.insert(name.clone());
                }
            }
            let pages = users(&bench, under.then_some("/x/"), Some(page)).await;
            let visited: Vec<String> = pages.concat();
            prop_assert_eq!(visited.iter().cloned().collect::<BTreeSet<_>>(), expected);
            prop_assert_eq!(visited.len(), visited.iter().collect::<BTreeSet<_>>().len());
            prop_assert!(pages.iter().all(|it| it.len() <= usize::try_from(page).unwrap()));
            Ok(())
        })?;
    }
}
