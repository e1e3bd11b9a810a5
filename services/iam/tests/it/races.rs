use iam::api::{DeletePolicyRequest, DetachUserPolicyRequest};
use tokio::task::JoinSet;

use crate::bench::{Bench, POLICY, policy_arn};

fn again(bench: &Bench) -> Bench {
    bench.as_caller(bench.ctx.principal.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_concurrent_creations_of_one_name_exactly_one_wins() {
    let bench = Bench::new();
    let mut racers = JoinSet::new();
    for number in 0..16 {
        let bench = again(&bench);
        let name = if number % 2 == 0 { "alice" } else { "Alice" };
        racers.spawn(async move { bench.create_user(name).await });
    }
    let answers = racers.join_all().await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    assert!(lost.iter().all(|answer| answer.as_ref().unwrap_err().0 == "EntityAlreadyExists"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_keys_do_not_exceed_the_quota() {
    let bench = Bench::new();
    bench.create_user("alice").await.unwrap();
    let mut racers = JoinSet::new();
    for _ in 0..8 {
        let bench = again(&bench);
        racers.spawn(async move { bench.create_key("alice").await });
    }
    assert_eq!(racers.join_all().await.iter().filter(|answer| answer.is_ok()).count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_attachments_are_all_counted() {
    let bench = Bench::new();
    bench.create_policy("reader").await.unwrap();
    let mut racers = JoinSet::new();
    for number in 0..12 {
        let bench = again(&bench);
        racers.spawn(async move {
            let name = format!("u{number}");
            bench.create_user(&name).await.unwrap();
            bench.attach_to_user(&name, &policy_arn("reader")).await.unwrap();
            if number % 3 == 0 {
                let input = DetachUserPolicyRequest { policy_arn: policy_arn("reader"), user_name: name };
                bench.tell("DetachUserPolicy", input).await.unwrap();
            }
        });
    }
    racers.join_all().await;
    assert_eq!(bench.get_policy(&policy_arn("reader")).await.unwrap().attachment_count, Some(8));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_not_deleted_while_it_is_attached() {
    for _ in 0..16 {
        let bench = Bench::new();
        bench.create_user("alice").await.unwrap();
        bench.create_policy("reader").await.unwrap();
        let (one, other) = (again(&bench), again(&bench));
        let attach = tokio::spawn(async move { one.attach_to_user("alice", &policy_arn("reader")).await });
        let delete = tokio::spawn(async move {
            other.tell("DeletePolicy", DeletePolicyRequest { policy_arn: policy_arn("reader") }).await
        });
        let (attached, deleted) = (attach.await.unwrap().is_ok(), delete.await.unwrap().is_ok());
        assert_ne!(attached, deleted);
        assert_eq!(bench.get_policy(&policy_arn("reader")).await.is_ok(), attached);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_not_deleted_while_it_gets_something() {
    for _ in 0..16 {
        let bench = Bench::new();
        bench.create_user("alice").await.unwrap();
        let (one, other) = (again(&bench), again(&bench));
        let put = tokio::spawn(async move { one.put_user_policy("alice", "own", POLICY).await });
        let delete = tokio::spawn(async move { other.delete_user("alice").await });
        assert_ne!(put.await.unwrap().is_ok(), delete.await.unwrap().is_ok());
    }
}
