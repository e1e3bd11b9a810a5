use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revisions_are_numbered_without_gap_or_repetition_however_many_register_at_once() {
    let caller = Caller::new();
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let caller = caller.clone();
            tokio::spawn(async move {
                let mut revisions = Vec::new();
                for _ in 0..4 {
                    let answer = caller.ok("RegisterTaskDefinition", small("web")).await;
                    revisions.push(answer["taskDefinition"]["revision"].as_i64().unwrap());
                }
                revisions
            })
        })
        .collect();
    let mut all = BTreeSet::new();
    for task in tasks {
        let revisions = task.await.unwrap();
        assert!(revisions.is_sorted(), "{revisions:?}");
        all.extend(revisions);
    }
    assert_eq!(all, (1..=128).collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_that_are_added_at_once_are_all_there() {
    let caller = Caller::new();
    caller.ok("CreateCluster", json!({"clusterName": "web"})).await;
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let caller = caller.clone();
            let tags = json!([{"key": format!("k{n}"), "value": ""}]);
            tokio::spawn(async move {
                caller.ok("TagResource", json!({"resourceArn": arn("cluster/web"), "tags": tags})).await
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let listed = caller.ok("ListTagsForResource", json!({"resourceArn": arn("cluster/web")})).await;
    assert_eq!(listed["tags"].as_array().unwrap().len(), 20);
}

/// All items of a list, page by page.
async fn pages(caller: &Caller, operation: &str, member: &str, mut input: Value) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let page = caller.ok(operation, input.clone()).await;
        let items = page[member].as_array().unwrap();
        assert!(items.len() <= usize::try_from(input["maxResults"].as_i64().unwrap()).unwrap());
        all.extend(items.iter().map(|it| it.as_str().unwrap().to_owned()));
        match page.get("nextToken") {
            Some(token) => input["nextToken"] = token.clone(),
            None => return all,
        }
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_list_visits_each_item_once_and_in_order(
        names in prop::collection::btree_set("[a-zA-Z0-9_-]{1,6}", 0..12),
        size in 1..5,
        descending: bool,
    ) {
        block_on(async {
            let caller = Caller::new();
            for name in &names {
                caller.ok("CreateCluster", json!({"clusterName": name})).await;
                caller.register(name).await;
                caller.register(name).await;
            }
            let clusters = pages(&caller, "ListClusters", "clusterArns", json!({"maxResults": size})).await;
            let expected: Vec<String> = names.iter().map(|name| arn(&format!("cluster/{name}"))).collect();
            assert_eq!(clusters, expected);
            let families =
                pages(&caller, "ListTaskDefinitionFamilies", "families", json!({"maxResults": size})).await;
            assert_eq!(families, names.iter().cloned().collect::<Vec<_>>());
            let sort = if descending { "DESC" } else { "ASC" };
            let input = json!({"maxResults": size, "sort": sort});
            let definitions = pages(&caller, "ListTaskDefinitions", "taskDefinitionArns", input).await;
            let of = |name: &String| [1, 2].map(|revision| arn(&format!("task-definition/{name}:{revision}")));
            let mut expected: Vec<String> = names.iter().flat_map(of).collect();
            if descending {
                expected.reverse();
            }
            assert_eq!(definitions, expected);
        });
    }

    #[test]
    fn what_was_registered_is_what_is_described(
        family in "[a-z0-9_-]{1,20}",
        cpu in 0..1000,
        memory in 6..10_000,
        command in prop::collection::vec(".{0,20}", 0..4),
        environment in prop::collection::btree_map("[A-Z_]{1,8}", ".{0,20}", 0..4),
        ports in prop::collection::btree_set(1..65_536, 0..4),
    ) {
        block_on(async {
            let caller = Caller::new();
            let mut input = small(&family);
            let environment: Vec<Value> =
                environment.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
            let ports: Vec<Value> = ports.iter().map(|port| json!({"containerPort": port})).collect();
            let container = &mut input["containerDefinitions"][0];
            for (member, value) in [
                ("cpu", json!(cpu)), ("memory", json!(memory)), ("command", json!(command)),
                ("environment", json!(environment)), ("portMappings", json!(ports)),
            ] {
                container[member] = value;
            }
            let registered = caller.ok("RegisterTaskDefinition", input.clone()).await["taskDefinition"].clone();
            let described = caller.ok("DescribeTaskDefinition", json!({"taskDefinition": family})).await;
            assert_eq!(described["taskDefinition"], registered);
            let container = &registered["containerDefinitions"][0];
            for member in ["cpu", "memory", "command", "environment"] {
                assert_eq!(container[member], input["containerDefinitions"][0][member], "{member}");
            }
        });
    }
}
