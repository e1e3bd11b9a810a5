use std::sync::Arc;
use std::time::Duration;

use platform::identity::{FixedKey, Keys};
use sts::api::{Credentials, GetSessionTokenRequest, GetSessionTokenResponse};
use wire::serve::CredentialError;
use wire::sigv4::SecretAccessKey;

use crate::bench::{Bench, HERE, Refusal, refusal, role, user};

async fn session_token(bench: &Bench, duration_seconds: Option<i32>) -> Result<Credentials, Refusal> {
    let input = GetSessionTokenRequest { duration_seconds, ..Default::default() };
    let answer: GetSessionTokenResponse = bench.ask("GetSessionToken", input).await?;
    Ok(answer.credentials.unwrap())
}

/// The user alice, who exists.
fn as_user(bench: &Bench) -> Bench {
    bench.users.0.lock().unwrap().insert("AIDAALICE".to_owned(), user("alice"));
    bench.as_caller(user("alice"))
}

#[tokio::test]
async fn a_roots_session_lasts_an_hour_at_most() {
    let bench = Bench::new();
    for (asked, expected) in [(None, 3600), (Some(900), 900), (Some(3600), 3600), (Some(43_200), 3600)] {
        let credentials = session_token(&bench, asked).await.unwrap();
        assert_eq!(credentials.expiration, bench.ctx.now.plus(Duration::from_secs(expected)), "{asked:?}");
    }
}

#[tokio::test]
async fn a_users_session_lasts_twelve_hours_unless_told_otherwise() {
    let bench = as_user(&Bench::new());
    for (asked, expected) in [(None, 43_200), (Some(129_600), 129_600)] {
        let credentials = session_token(&bench, asked).await.unwrap();
        assert_eq!(credentials.expiration, bench.ctx.now.plus(Duration::from_secs(expected)), "{asked:?}");
    }
}

#[tokio::test]
async fn the_credentials_act_as_the_caller() {
    let bench = Bench::new();
    for caller in [bench.as_root_of(HERE), as_user(&bench)] {
        let credentials = session_token(&caller, None).await.unwrap();
        assert!(credentials.access_key_id.starts_with("ASIA") && credentials.secret_access_key.len() == 40);
        let bearer = bench.bearer(&credentials).await;
        assert_eq!(bearer.principal, caller.ctx.principal);
        assert_eq!(bearer.session.unwrap().issued, bench.ctx.now);
    }
}

#[tokio::test]
async fn a_users_session_follows_a_renaming_and_ends_with_the_user() {
    let bench = as_user(&Bench::new());
    let credentials = session_token(&bench, None).await.unwrap();
    bench.users.0.lock().unwrap().insert("AIDAALICE".to_owned(), user("alicia"));
    assert_eq!(bench.bearer(&credentials).await.principal, user("alicia"));
    bench.users.0.lock().unwrap().clear();
    assert_eq!(bench.found(&credentials).await.unwrap_err(), CredentialError::InvalidToken);
}

#[tokio::test]
async fn a_configured_users_session_ends_with_the_configured_key() {
    let mut bench = Bench::new();
    let principal = FixedKey::user(HERE.parse().unwrap(), "ci");
    let access_key_id = "AKIACONFIGURED000001".to_owned();
    let secret = SecretAccessKey::new("a-configured-secret");
    let key = FixedKey { access_key_id, secret, principal: principal.clone() };
    bench.sts.platform.keys = Arc::new(Keys::new(vec![key]));
    let mut bench = bench.as_caller(principal.clone());
    let credentials = session_token(&bench, None).await.unwrap();
    assert_eq!(bench.bearer(&credentials).await.principal, principal);
    bench.sts.platform.keys = Arc::default();
    assert_eq!(bench.found(&credentials).await.unwrap_err(), CredentialError::InvalidToken);
}

#[tokio::test]
async fn temporary_credentials_do_not_make_further_ones() {
    let bench = Bench::new();
    let refused = refusal("AccessDenied", 403, "Cannot call GetSessionToken with session credentials");
    let own = session_token(&bench, None).await.unwrap();
    let roles = bench.assume(role("open")).await.unwrap().credentials.unwrap();
    for credentials in [own, roles] {
        let bearer = bench.as_bearer(&credentials).await;
        assert_eq!(session_token(&bearer, None).await, Err(refused.clone()));
    }
}

#[tokio::test]
async fn there_is_no_mfa_device_whose_code_could_be_right() {
    let bench = Bench::new();
    let input = GetSessionTokenRequest {
        serial_number: Some(format!("arn:aws:iam::{HERE}:mfa/root")),
        token_code: Some("123456".to_owned()),
        ..Default::default()
    };
    let refused = bench.ask::<GetSessionTokenResponse>("GetSessionToken", input).await.unwrap_err();
    let message = "MultiFactorAuthentication failed with invalid MFA one time pass code.";
    assert_eq!(refused, refusal("AccessDenied", 403, message));
}
