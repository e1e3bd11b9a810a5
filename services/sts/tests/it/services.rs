use std::time::Duration;

use platform::ports::{CannotAssume, CredentialIssuer as _, ServiceSession};

use crate::bench::{Bench, ELSEWHERE, HERE, role_arn};

fn wanted<'a>(role_arn: &'a str, service: &'a str) -> ServiceSession<'a> {
    ServiceSession {
        role_arn,
        service,
        session_name: "3f2a",
        duration: Duration::from_hours(6),
        account: HERE.parse().unwrap(),
        source_arn: None,
    }
}

#[tokio::test]
async fn a_service_gets_a_session_of_a_role_that_trusts_it() {
    let bench = Bench::new();
    let arn = role_arn("service");
    let issued = bench.sts.issue(wanted(&arn, "ecs-tasks.amazonaws.com")).await.unwrap();
    let longest = Duration::from_hours(1);
    assert_eq!(issued.expiration, bench.ctx.now.plus(longest), "no longer than the role's sessions");
    let credentials = sts::api::Credentials {
        access_key_id: issued.access_key_id,
        expiration: issued.expiration,
        secret_access_key: issued.secret_access_key.expose().to_owned(),
        session_token: issued.session_token,
    };
    let bearer = bench.bearer(&credentials).await;
    assert_eq!(bearer.principal.arn.to_string(), format!("arn:aws:sts::{HERE}:assumed-role/service/3f2a"));
}

#[tokio::test]
async fn a_service_gets_no_session_of_a_role_that_trusts_another_or_is_elsewhere() {
    let bench = Bench::new();
    let (service, open, none) = (role_arn("service"), role_arn("open"), role_arn("none"));
    let mut foreign = wanted(&service, "ecs-tasks.amazonaws.com");
    foreign.account = ELSEWHERE.parse().unwrap();
    for wanted in [
        wanted(&service, "lambda.amazonaws.com"),
        wanted(&open, "ecs-tasks.amazonaws.com"),
        wanted(&none, "ecs-tasks.amazonaws.com"),
        wanted("nothing", "ecs-tasks.amazonaws.com"),
        foreign,
    ] {
        assert!(matches!(bench.sts.issue(wanted).await, Err(CannotAssume::NotAllowed { .. })));
    }
}
