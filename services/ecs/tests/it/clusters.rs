use super::*;

#[tokio::test]
async fn a_new_cluster_is_active_and_empty() {
    let caller = Caller::new();
    let input = json!({"clusterName": "web", "tags": [{"key": "team", "value": "a"}]});
    let expected = json!({"cluster": {
        "clusterArn": arn("cluster/web"), "clusterName": "web", "status": "ACTIVE", "activeServicesCount": 0,
        "pendingTasksCount": 0, "runningTasksCount": 0, "registeredContainerInstancesCount": 0,
        "capacityProviders": [], "defaultCapacityProviderStrategy": [], "statistics": [],
        "settings": [{"name": "containerInsights", "value": "disabled"}], "tags": [{"key": "team", "value": "a"}]
    }});
    assert_eq!(caller.ok("CreateCluster", input.clone()).await, expected);
    assert_eq!(caller.ok("CreateCluster", input).await, expected);
}

#[tokio::test]
async fn no_cluster_is_there_until_it_is_created_and_the_unnamed_one_is_called_default() {
    let caller = Caller::new();
    let missing = json!({"clusters": [], "failures": [{"arn": arn("cluster/default"), "reason": "MISSING"}]});
    assert_eq!(caller.ok("DescribeClusters", json!({})).await, missing);
    caller.ok("CreateCluster", json!({})).await;
    let found = caller.ok("DescribeClusters", json!({})).await;
    assert_eq!(found["clusters"][0]["clusterName"], "default");
    assert_eq!(found["failures"], json!([]));
}

#[tokio::test]
async fn creating_a_cluster_again_must_agree_with_what_it_was_created_from() {
    let caller = Caller::new();
    let created = json!({"clusterName": "web", "tags": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]});
    caller.ok("CreateCluster", created).await;
    caller.ok("TagResource", json!({"resourceArn": arn("cluster/web"), "tags": [{"key": "c", "value": "3"}]})).await;
    let reordered = json!({"clusterName": "web", "tags": [{"key": "b", "value": "2"}, {"key": "a", "value": "1"}]});
    let again = caller.ok("CreateCluster", reordered).await;
    assert_eq!(again["cluster"]["tags"], json!([{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]));
    caller.ok("CreateCluster", json!({"clusterName": "web"})).await;
    for different in [
        json!({"tags": [{"key": "a", "value": "1"}]}),
        json!({"settings": [{"name": "containerInsights", "value": "enabled"}]}),
        json!({"capacityProviders": ["FARGATE"]}),
        json!({"configuration": {"executeCommandConfiguration": {"logging": "NONE"}}}),
    ] {
        let mut input = different;
        input["clusterName"] = json!("web");
        let message =
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).";
        assert_eq!(caller.refused("CreateCluster", input).await, refusal("InvalidParameterException", message));
    }
}

#[tokio::test]
async fn a_description_holds_what_was_asked_to_be_included() {
    let caller = Caller::new();
    let configuration = json!({"executeCommandConfiguration": {"logging": "NONE"}});
    let input = json!({"clusterName": "web", "configuration": configuration, "tags": [{"key": "k", "value": "v"}]});
    caller.ok("CreateCluster", input).await;
    let named = [json!("web"), json!(arn("cluster/web")), json!("gone")];
    let plain = caller.ok("DescribeClusters", json!({"clusters": named})).await;
    assert_eq!(plain["clusters"].as_array().unwrap().len(), 1);
    assert_eq!(plain["failures"], json!([{"arn": arn("cluster/gone"), "reason": "MISSING"}]));
    let cluster = &plain["clusters"][0];
    for empty in ["tags", "settings", "statistics"] {
        assert_eq!(cluster[empty], json!([]), "{empty}");
    }
    assert!(cluster.get("configuration").is_none() && cluster.get("attachments").is_none());
    let all = json!(["TAGS", "SETTINGS", "STATISTICS", "CONFIGURATIONS", "ATTACHMENTS"]);
    let full = caller.ok("DescribeClusters", json!({"clusters": ["web"], "include": all})).await;
    let cluster = &full["clusters"][0];
    assert_eq!(cluster["tags"], json!([{"key": "k", "value": "v"}]));
    assert_eq!(cluster["configuration"], configuration);
    assert_eq!(cluster["attachments"], json!([]));
    assert_eq!(cluster["statistics"].as_array().unwrap().len(), 16);
    assert_eq!(cluster["statistics"][1], json!({"name": "runningFargateTasksCount", "value": "0"}));
}

#[tokio::test]
async fn a_deleted_cluster_is_described_but_not_listed_changed_or_tagged() {
    let caller = Caller::new();
    caller.ok("CreateCluster", json!({"clusterName": "web", "tags": [{"key": "k", "value": "v"}]})).await;
    for _ in 0..2 {
        let deleted = caller.ok("DeleteCluster", json!({"cluster": arn("cluster/web")})).await;
        assert_eq!(deleted["cluster"]["status"], "INACTIVE");
    }
    let found = caller.ok("DescribeClusters", json!({"clusters": ["web"], "include": ["TAGS"]})).await;
    assert_eq!(found["clusters"][0]["status"], "INACTIVE");
    assert_eq!(found["clusters"][0]["tags"], json!([{"key": "k", "value": "v"}]));
    assert_eq!(caller.ok("ListClusters", json!({})).await, json!({"clusterArns": []}));
    let inactive = refusal("ClientException", "Cluster was not ACTIVE.");
    let settings = json!([{"name": "containerInsights", "value": "enabled"}]);
    assert_eq!(caller.refused("UpdateCluster", json!({"cluster": "web"})).await, inactive);
    assert_eq!(
        caller.refused("UpdateClusterSettings", json!({"cluster": "web", "settings": settings})).await,
        inactive
    );
    let providers = json!({"cluster": "web", "capacityProviders": [], "defaultCapacityProviderStrategy": []});
    assert_eq!(caller.refused("PutClusterCapacityProviders", providers).await, inactive);
    let message = "The specified cluster is inactive. Specify an active cluster and try again.";
    let tags = caller.refused("ListTagsForResource", json!({"resourceArn": arn("cluster/web")})).await;
    assert_eq!(tags, refusal("InvalidParameterException", message));
}

#[tokio::test]
async fn the_name_of_a_deleted_cluster_can_be_taken_again() {
    let caller = Caller::new();
    caller.ok("CreateCluster", json!({"clusterName": "web", "tags": [{"key": "k", "value": "v"}]})).await;
    caller.ok("DeleteCluster", json!({"cluster": "web"})).await;
    let input = json!({"clusterName": "web", "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
                       "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]});
    let cluster = caller.ok("CreateCluster", input).await["cluster"].clone();
    assert_eq!((&cluster["status"], &cluster["tags"]), (&json!("ACTIVE"), &json!([])));
    assert_eq!(
        cluster["defaultCapacityProviderStrategy"],
        json!([{"base": 0, "capacityProvider": "FARGATE", "weight": 1}])
    );
    assert_eq!(caller.ok("ListClusters", json!({})).await["clusterArns"], json!([arn("cluster/web")]));
}

#[tokio::test]
async fn what_is_given_of_a_cluster_changes_and_the_rest_stays() {
    let caller = Caller::new();
    caller.ok("CreateCluster", json!({"clusterName": "web"})).await;
    let configuration = json!({"executeCommandConfiguration": {"logging": "NONE"}});
    let updated = caller.ok("UpdateCluster", json!({"cluster": "web", "configuration": configuration})).await;
    assert_eq!(updated["cluster"]["configuration"], configuration);
    assert_eq!(updated["cluster"]["settings"], json!([{"name": "containerInsights", "value": "disabled"}]));
    assert_eq!((&updated["cluster"]["tags"], &updated["cluster"]["attachments"]), (&json!([]), &json!([])));
    let settings = json!([{"name": "containerInsights", "value": "enhanced"}]);
    let updated = caller.ok("UpdateClusterSettings", json!({"cluster": "web", "settings": settings})).await;
    assert_eq!((&updated["cluster"]["settings"], &updated["cluster"]["configuration"]), (&settings, &configuration));
    let wrong = json!({"cluster": "web", "settings": [{"name": "containerInsights", "value": "bad"}]});
    let expected = refusal("InvalidParameterException", "Invalid setting 'value'");
    assert_eq!(caller.refused("UpdateClusterSettings", wrong).await, expected);
    let namespace = json!({"cluster": "web", "serviceConnectDefaults": {"namespace": "internal"}});
    assert_eq!(caller.refused("UpdateCluster", namespace).await.0, "NamespaceNotFoundException");
}

#[tokio::test]
async fn capacity_providers_are_replaced_as_a_whole() {
    let caller = Caller::new();
    caller.ok("CreateCluster", json!({"clusterName": "web", "capacityProviders": ["FARGATE"]})).await;
    let put = |providers: Value, strategy: Value| json!({"cluster": "web", "capacityProviders": providers, "defaultCapacityProviderStrategy": strategy});
    let strategy = json!([{"capacityProvider": "FARGATE_SPOT", "base": 1, "weight": 2}]);
    let answer =
        caller.ok("PutClusterCapacityProviders", put(json!(["FARGATE_SPOT"]), strategy.clone())).await["cluster"]
            .clone();
    assert_eq!(answer["capacityProviders"], json!(["FARGATE_SPOT"]));
    assert_eq!(answer["defaultCapacityProviderStrategy"], strategy);
    let message = "The specified capacity provider was not found. Specify a valid capacity provider and try again.";
    let refused = caller.refused("PutClusterCapacityProviders", put(json!(["mine"]), json!([]))).await;
    assert_eq!(refused, refusal("InvalidParameterException", message));
    let answer = caller.ok("PutClusterCapacityProviders", put(json!([]), json!([]))).await;
    assert_eq!(answer["cluster"]["capacityProviders"], json!([]));
}

#[tokio::test]
async fn what_does_not_exist_cannot_be_changed() {
    let caller = Caller::new();
    let missing = refusal("ClusterNotFoundException", "Cluster not found.");
    let settings = json!([{"name": "containerInsights", "value": "enabled"}]);
    for (operation, input) in [
        ("DeleteCluster", json!({"cluster": "gone"})),
        ("UpdateCluster", json!({"cluster": "gone"})),
        ("UpdateClusterSettings", json!({"cluster": "gone", "settings": settings})),
        (
            "PutClusterCapacityProviders",
            json!({"cluster": "gone", "capacityProviders": [], "defaultCapacityProviderStrategy": []}),
        ),
    ] {
        assert_eq!(caller.refused(operation, input).await, missing, "{operation}");
    }
}

#[tokio::test]
async fn an_account_sees_and_touches_its_own_clusters_alone() {
    let caller = Caller::new();
    caller.ok("CreateCluster", json!({"clusterName": "web"})).await;
    let other = caller.other_account();
    assert_eq!(other.ok("ListClusters", json!({})).await, json!({"clusterArns": []}));
    assert_eq!(other.ok("DescribeClusters", json!({"clusters": ["web"]})).await["clusters"], json!([]));
    let message = "Invalid identifier: Identifier is for 123456789012. Your accountId is 999999999999";
    for (operation, input) in [
        ("DescribeClusters", json!({"clusters": [arn("cluster/web")]})),
        ("DeleteCluster", json!({"cluster": arn("cluster/web")})),
        ("ListTagsForResource", json!({"resourceArn": arn("cluster/web")})),
    ] {
        let refused = other.refused(operation, input).await;
        assert_eq!(refused, refusal("InvalidParameterException", message), "{operation}");
    }
}

#[tokio::test]
async fn wrong_input_is_refused_in_the_words_of_ecs() {
    let caller = Caller::new();
    let name = refusal("InvalidParameterException", r"ClusterName must match ^[a-zA-Z0-9\-_]{1,255}$");
    assert_eq!(caller.refused("CreateCluster", json!({"clusterName": "a b"})).await, name);
    assert_eq!(caller.refused("DescribeClusters", json!({"clusters": ["x".repeat(256)]})).await, name);
    let many: Vec<String> = (0..101).map(|n| format!("c{n}")).collect();
    assert_eq!(caller.refused("DescribeClusters", json!({"clusters": many})).await.0, "InvalidParameterException");
    for input in [json!({"maxResults": 0}), json!({"maxResults": 101}), json!({"nextToken": "forged"})] {
        assert_eq!(caller.refused("ListClusters", input).await.0, "InvalidParameterException");
    }
}
