//! What is kept in memory is never told once it is wrong.

use ecr::names::RepositoryName;
use ecr::{image, repository};

use super::*;

impl Caller {
    /// The digest that a tag or digest of the repository `web` means.
    async fn means(&self, reference: &str) -> Option<String> {
        let name = RepositoryName::of_request(&self.ctx(), None, "web");
        let found = image::look_up(&self.ecr, &name, reference).await.unwrap();
        found.map(|image| image.name().to_owned())
    }

    async fn has_repository(&self) -> bool {
        let name = RepositoryName::of_request(&self.ctx(), None, "web");
        repository::look_up(&self.ecr, &name).await.is_ok()
    }
}

#[tokio::test]
async fn whatever_becomes_of_a_tag_is_seen_at_once() {
    for caller in [Caller::new(), Caller::on_disk()] {
        assert!(!caller.has_repository().await);
        caller.repository("web").await;
        assert!(caller.has_repository().await);
        assert_eq!(caller.means("v1").await, None);
        let first = caller.image("web", &["v1"], "first").await;
        for _ in 0..2 {
            assert_eq!(caller.means("v1").await, Some(first.digest.clone()));
            assert_eq!(caller.means(&first.digest).await, Some(first.digest.clone()));
        }
        let second = caller.image("web", &["v1"], "second").await;
        assert_eq!(caller.means("v1").await, Some(second.digest.clone()));
        let delete = json!({"repositoryName": "web", "imageIds": [{"imageTag": "v1"}]});
        caller.ok("BatchDeleteImage", delete).await;
        assert_eq!(caller.means("v1").await, None);
        assert_eq!(caller.means(&first.digest).await, Some(first.digest));
        caller.ok("DeleteRepository", json!({"repositoryName": "web", "force": true})).await;
        assert!(!caller.has_repository().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_asks_after_an_answer_sees_what_was_answered() {
    let caller = Caller::on_disk();
    caller.repository("web").await;
    let readers = (0..3).map(|_| {
        let caller = caller.clone();
        tokio::spawn(async move {
            while caller.means("stop").await.is_none() {
                caller.means("v1").await;
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    for n in 0..30 {
        let image = caller.image("web", &["v1"], &format!("{n}")).await;
        assert_eq!(caller.means("v1").await, Some(image.digest));
    }
    caller.image("web", &["stop"], "stop").await;
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test]
async fn a_policy_holds_from_the_next_request_on() {
    let caller = Caller::new();
    caller.repository("web").await;
    let other = caller.other_account();
    let asks = || async {
        let access = platform::Access::to("ecr:BatchGetImage").on(arn("web"));
        other.ctx().admit(&caller.ecr, &access).await.is_ok()
    };
    let statement = |effect: &str| {
        let statement = json!({"Effect": effect, "Principal": {"AWS": OTHER}, "Action": "ecr:BatchGetImage"});
        json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    };
    let set = |text: String| json!({"repositoryName": "web", "policyText": text});
    for _ in 0..2 {
        assert!(!asks().await);
        caller.ok("SetRepositoryPolicy", set(statement("Allow"))).await;
        assert!(asks().await && asks().await);
        caller.ok("SetRepositoryPolicy", set(statement("Deny"))).await;
    }
    caller.ok("DeleteRepositoryPolicy", json!({"repositoryName": "web"})).await;
    let registry = json!({"Sid": "a", "Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "ecr:*",
                          "Resource": arn("*")});
    let registry = json!({"Version": "2012-10-17", "Statement": [registry]}).to_string();
    caller.ok("PutRegistryPolicy", json!({"policyText": registry})).await;
    assert!(asks().await);
    caller.ok("PutAccountSetting", json!({"name": "REGISTRY_POLICY_SCOPE", "value": "V1"})).await;
    assert!(!asks().await);
    caller.ok("PutAccountSetting", json!({"name": "REGISTRY_POLICY_SCOPE", "value": "V2"})).await;
    assert!(asks().await);
    caller.ok("DeleteRegistryPolicy", json!({})).await;
    assert!(!asks().await);
}
