use super::*;

/// A policy that lets an account do something with the repository it is attached to.
fn lets(account: &str, action: &str) -> String {
    let principal = json!({"AWS": format!("arn:aws:iam::{account}:root")});
    let statement = json!({"Effect": "Allow", "Principal": principal, "Action": action});
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

#[tokio::test]
async fn a_repositorys_policy_is_set_answered_and_deleted() {
    let caller = Caller::new();
    caller.repository("web").await;
    let missing = format!(
        "Repository policy does not exist for the repository with name 'web' in the registry with id '{ACCOUNT}'"
    );
    let name = json!({"repositoryName": "web"});
    for operation in ["GetRepositoryPolicy", "DeleteRepositoryPolicy"] {
        let expected = refusal("RepositoryPolicyNotFoundException", &missing);
        assert_eq!(caller.refused(operation, name.clone()).await, expected);
    }
    let text = lets(OTHER, "ecr:*");
    let kept = json!({"registryId": ACCOUNT, "repositoryName": "web", "policyText": text});
    assert_eq!(caller.ok("SetRepositoryPolicy", json!({"repositoryName": "web", "policyText": text})).await, kept);
    assert_eq!(caller.ok("GetRepositoryPolicy", name.clone()).await, kept);
    assert_eq!(caller.ok("DeleteRepositoryPolicy", name.clone()).await, kept);
    assert_eq!(caller.refused("GetRepositoryPolicy", name).await.0, "RepositoryPolicyNotFoundException");
    let gone = json!({"repositoryName": "gone", "policyText": text});
    assert_eq!(caller.refused("SetRepositoryPolicy", gone).await, repository_not_found("gone"));
}

#[tokio::test]
async fn a_text_that_is_no_policy_is_refused() {
    let caller = Caller::new();
    caller.repository("web").await;
    let identity = json!({"Version": "2012-10-17", "Statement": [everything()]}).to_string();
    for text in ["", "{}", "nonsense", &identity] {
        let refused = caller.refused("SetRepositoryPolicy", json!({"repositoryName": "web", "policyText": text})).await;
        let message = "Invalid parameter at 'PolicyText' failed to satisfy constraint: \
                       'Invalid repository policy provided'";
        assert_eq!(refused, refusal("InvalidParameterException", message), "{text}");
    }
}

#[tokio::test]
async fn a_policy_that_locks_its_author_out_has_to_be_forced() {
    let caller = Caller::new();
    caller.repository("web").await;
    let statement = json!({"Effect": "Deny", "Principal": "*", "Action": "ecr:SetRepositoryPolicy"});
    let text = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let mut input = json!({"repositoryName": "web", "policyText": text});
    assert_eq!(caller.refused("SetRepositoryPolicy", input.clone()).await.0, "InvalidParameterException");
    input["force"] = json!(true);
    caller.ok("SetRepositoryPolicy", input.clone()).await;
    assert_eq!(caller.refused("SetRepositoryPolicy", input).await.0, "AccessDeniedException");
}

#[tokio::test]
async fn another_account_needs_both_sides() {
    let caller = Caller::new();
    caller.repository("web").await;
    let theirs = caller.other_account();
    let input = json!({"registryId": ACCOUNT, "repositoryNames": ["web"]});
    assert_eq!(theirs.refused("DescribeRepositories", input.clone()).await.0, "AccessDeniedException");
    let text = lets(OTHER, "ecr:DescribeRepositories");
    caller.ok("SetRepositoryPolicy", json!({"repositoryName": "web", "policyText": text})).await;
    let described = theirs.ok("DescribeRepositories", input.clone()).await["repositories"][0].clone();
    assert_eq!(described["repositoryArn"], arn("web"));
    let uri = "123456789012.dkr.ecr.us-east-1.amazonaws.com:4566/web";
    assert_eq!(described["repositoryUri"], uri);
    let theirs_without = theirs.user("bob", &json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}));
    assert_eq!(theirs_without.refused("DescribeRepositories", input).await.0, "AccessDeniedException");
    let delete = json!({"registryId": ACCOUNT, "repositoryName": "web"});
    assert_eq!(theirs.refused("DeleteRepository", delete).await.0, "AccessDeniedException");
}

#[tokio::test]
async fn nobody_learns_of_another_accounts_repositories() {
    let caller = Caller::new();
    caller.repository("web").await;
    let theirs = caller.other_account();
    for name in ["web", "gone"] {
        let input = json!({"registryId": ACCOUNT, "repositoryNames": [name]});
        assert_eq!(theirs.refused("DescribeRepositories", input).await.0, "AccessDeniedException", "{name}");
    }
    assert_eq!(theirs.refused("DescribeRepositories", json!({"registryId": ACCOUNT})).await.0, "AccessDeniedException");
}

#[tokio::test]
async fn tags_of_repositories_decide() {
    let caller = Caller::new();
    for (name, team) in [("blue", "blue"), ("red", "red")] {
        let tags = json!([{"Key": "team", "Value": team}]);
        caller.ok("CreateRepository", json!({"repositoryName": name, "tags": tags})).await;
    }
    let user = caller.user(
        "alice",
        &json!({"Effect": "Allow", "Action": "ecr:*", "Resource": "*",
                "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}}}),
    );
    user.ok("DescribeRepositories", json!({"repositoryNames": ["blue"]})).await;
    let both = json!({"repositoryNames": ["blue", "red"]});
    assert_eq!(user.refused("DescribeRepositories", both).await.0, "AccessDeniedException");
}

#[tokio::test]
async fn creating_with_tags_needs_the_right_to_tag() {
    let caller = Caller::new();
    let user = caller.user("alice", &json!({"Effect": "Allow", "Action": "ecr:CreateRepository", "Resource": "*"}));
    user.ok("CreateRepository", json!({"repositoryName": "plain"})).await;
    let input = json!({"repositoryName": "tagged", "tags": [{"Key": "a", "Value": "b"}]});
    assert_eq!(user.refused("CreateRepository", input).await.0, "AccessDeniedException");
}

#[tokio::test]
async fn a_registrys_policy_bears_on_every_repository_unless_its_scope_is_narrow() {
    let caller = Caller::new();
    caller.repository("web").await;
    let missing = format!("Registry policy does not exist in the registry with id '{ACCOUNT}'");
    assert_eq!(
        caller.refused("GetRegistryPolicy", json!({})).await,
        refusal("RegistryPolicyNotFoundException", &missing)
    );
    let statement = json!({
        "Effect": "Allow", "Principal": {"AWS": OTHER},
        "Action": ["ecr:CreateRepository", "ecr:DescribeRepositories"],
        "Resource": format!("arn:aws:ecr:us-east-1:{ACCOUNT}:repository/*"),
    });
    let text = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let kept = json!({"registryId": ACCOUNT, "policyText": text});
    assert_eq!(caller.ok("PutRegistryPolicy", json!({"policyText": text})).await, kept);
    assert_eq!(caller.ok("GetRegistryPolicy", json!({})).await, kept);
    let theirs = caller.other_account();
    let describe = json!({"registryId": ACCOUNT, "repositoryNames": ["web"]});
    theirs.ok("DescribeRepositories", describe.clone()).await;
    caller.ok("PutAccountSetting", json!({"name": "REGISTRY_POLICY_SCOPE", "value": "V1"})).await;
    assert_eq!(theirs.refused("DescribeRepositories", describe.clone()).await.0, "AccessDeniedException");
    theirs.ok("CreateRepository", json!({"registryId": ACCOUNT, "repositoryName": "given"})).await;
    caller.ok("DescribeRepositories", json!({"repositoryNames": ["given"]})).await;
    assert_eq!(caller.ok("DeleteRegistryPolicy", json!({})).await, kept);
    let create = json!({"registryId": ACCOUNT, "repositoryName": "more"});
    assert_eq!(theirs.refused("CreateRepository", create).await.0, "AccessDeniedException");
    let (code, message) = caller.refused("PutRegistryPolicy", json!({"policyText": "{}"})).await;
    assert_eq!(code, "InvalidParameterException");
    assert!(message.contains("Invalid registry policy provided"), "{message}");
}
