//! Who asks, what is shown to whom, and what is never shown to anybody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use images::remote::{Credentials, RemoteError};

use super::bed::{FOREIGN, Pull, Stock, descriptor, noise};
use super::fake::{Fake, Reply, Seen};

/// `name:secret`
const BASIC: &str = "Basic bmFtZTpzZWNyZXQ=";

fn stock() -> Stock {
    Stock::image(&[noise(1, 50_000), noise(2, 1000), noise(3, 1000)]).0
}

fn bearer(realm: &str) -> Reply {
    Reply::challenge(format!(r#"Bearer realm="{realm}",service="registry.test",scope="repository:team/app:pull""#))
}

/// A registry that takes what the token endpoint, which it is itself, gives out; and who may have that.
async fn with_tokens(may: impl Fn(&Seen) -> bool + Send + Sync + 'static) -> Fake {
    let stock = stock();
    Fake::plain(move |seen| {
        if seen.path() == "/token" {
            return if may(seen) {
                Reply::ok(r#"{"token":"T1","access_token":"T1","expires_in":300}"#)
            } else {
                Reply::status(401).body(r#"{"details":"incorrect username or password"}"#)
            };
        }
        match seen.header("authorization") {
            Some("Bearer T1") => stock.answer(seen),
            _ => bearer(&format!("http://{}/token", seen.header("host").unwrap())),
        }
    })
    .await
}

#[tokio::test]
async fn nobody_in_particular_gets_a_token_for_what_is_public() {
    let fake = with_tokens(|seen| seen.header("authorization").is_none()).await;
    Pull::of(&fake).run().await.unwrap();
    let asked = fake.asked("/token");
    assert_eq!(asked.len(), 1, "one token serves for all");
    assert_eq!(asked[0].target, "/token?service=registry.test&scope=repository%3Ateam%2Fapp%3Apull");
}

#[tokio::test]
async fn a_name_and_a_password_are_shown_to_the_token_endpoint_and_its_token_to_the_registry() {
    let fake = with_tokens(|seen| seen.header("authorization") == Some(BASIC)).await;
    Pull::of(&fake).by(Credentials::password("name", "secret")).run().await.unwrap();
    let shown: Vec<_> =
        fake.asked("/v2/team").iter().filter_map(|seen| seen.header("authorization").map(str::to_owned)).collect();
    assert!(shown.iter().all(|it| it == "Bearer T1"), "{shown:?}");
}

#[tokio::test]
async fn a_wrong_password_and_none_are_told_apart_and_neither_is_repeated() {
    let fake = with_tokens(|seen| seen.header("authorization") == Some(BASIC)).await;
    let error = Pull::of(&fake).by(Credentials::password("name", "wr0ng")).run().await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(error.to_string().contains("nobody in with these credentials: incorrect username"), "{text}");
    assert!(!text.contains("wr0ng") && !text.contains("d3IwbmdA"), "{text}");
    let error = Pull::of(&fake).run().await.unwrap_err();
    assert!(error.to_string().contains("nobody in with no credentials"), "{error}");
}

#[tokio::test]
async fn a_registry_may_want_a_name_and_a_password_itself() {
    let stock = stock();
    let fake = Fake::plain(move |seen| match seen.header("authorization") {
        Some(BASIC) => stock.answer(seen),
        _ => Reply::challenge(r#"Basic realm="http://registry.test/",service="ecr.amazonaws.com""#),
    })
    .await;
    Pull::of(&fake).by(Credentials::password("name", "secret")).run().await.unwrap();
    for nobody in [Pull::of(&fake), Pull::of(&fake).by(Credentials::password("name", "other"))] {
        assert!(matches!(nobody.run().await, Err(RemoteError::Unauthorized { .. })));
    }
}

#[tokio::test]
async fn an_identity_token_is_exchanged_and_never_put_into_an_address() {
    let fake = with_tokens(|seen| {
        seen.method == "POST"
            && seen.target == "/token"
            && seen.body.contains("grant_type=refresh_token")
            && seen.body.contains("refresh_token=identity%2Btoken")
            && seen.body.contains("scope=repository%3Ateam%2Fapp%3Apull")
    })
    .await;
    let identity = Credentials::IdentityToken("identity+token".to_owned().into());
    Pull::of(&fake).by(identity).run().await.unwrap();
}

#[tokio::test]
async fn a_token_that_was_given_is_sent_as_it_is_and_not_renewed() {
    let fake = with_tokens(|_| true).await;
    let given = |token: &str| Credentials::Bearer(token.to_owned().into());
    Pull::of(&fake).by(given("T1")).run().await.unwrap();
    assert!(fake.asked("/token").is_empty());
    assert!(matches!(Pull::of(&fake).by(given("T2")).run().await, Err(RemoteError::Unauthorized { .. })));
    assert!(fake.asked("/token").is_empty());
}

#[tokio::test]
async fn a_token_that_ends_is_renewed_once_for_all_who_were_refused() {
    let stock = stock();
    let given = Arc::new(AtomicUsize::new(0));
    let count = given.clone();
    let fake = Fake::plain(move |seen| {
        if seen.path() == "/token" {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            return Reply::ok(format!(r#"{{"access_token":"T{number}"}}"#));
        }
        // The first is for documents alone: it ends when layers are asked for.
        let is_layer =
            stock.answer(&seen.without("range")).bytes().len().is_multiple_of(1000) && seen.target.contains("/blobs/");
        match seen.header("authorization") {
            Some("Bearer T1") if !is_layer => stock.answer(seen),
            Some("Bearer T2") => stock.answer(seen),
            _ => bearer(&format!("http://{}/token", seen.header("host").unwrap())),
        }
    })
    .await;
    Pull::of(&fake).run().await.unwrap();
    assert_eq!(given.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_registry_that_is_never_satisfied_is_not_asked_for_ever() {
    let fake = Fake::plain(|seen| match seen.path() {
        "/token" => Reply::ok(r#"{"token":"T"}"#),
        _ => bearer(&format!("http://{}/token", seen.header("host").unwrap())),
    })
    .await;
    assert!(matches!(Pull::of(&fake).run().await, Err(RemoteError::Unauthorized { .. })));
    assert!(fake.seen().len() < 16, "{}", fake.seen().len());
}

#[tokio::test]
async fn what_is_denied_is_told_in_the_registrys_words() {
    let fake =
        Fake::plain(|_| Reply::status(403).body(r#"{"errors":[{"code":"DENIED","message":"no pull for you"}]}"#)).await;
    let error = Pull::of(&fake).run().await.unwrap_err();
    assert!(matches!(error, RemoteError::Denied { .. }), "{error:?}");
    assert!(error.to_string().ends_with("denies it: no pull for you"), "{error}");
}

#[tokio::test]
async fn nothing_is_shown_to_where_a_redirection_leads() {
    let stock = stock();
    let blobs = stock.clone();
    let storage = Fake::plain(move |seen| blobs.answer(seen)).await;
    let there = storage.host();
    let fake = Fake::plain(move |seen| match seen.header("authorization") {
        Some(BASIC) if seen.target.contains("/blobs/") => {
            Reply::to(307, format!("http://{there}{}?signature=x", seen.target))
        }
        Some(BASIC) => stock.answer(seen),
        _ => Reply::challenge(r#"Basic realm="x""#),
    })
    .await;
    Pull::of(&fake).by(Credentials::password("name", "secret")).run().await.unwrap();
    assert!(!storage.seen().is_empty());
    assert!(storage.seen().iter().all(|seen| seen.header("authorization").is_none()));
}

#[tokio::test]
async fn one_to_whom_a_redirection_leads_gets_nothing_for_asking_cve_2020_15157() {
    let stock = stock();
    let thief = Fake::plain(|seen| match seen.path() {
        "/token" => Reply::ok(r#"{"token":"T"}"#),
        _ => bearer(&format!("http://{}/token", seen.header("host").unwrap())),
    })
    .await;
    let there = thief.host();
    let fake = Fake::plain(move |seen| match seen.header("authorization") {
        Some(BASIC) if seen.target.contains("/blobs/") => Reply::to(302, format!("http://{there}/x")),
        Some(BASIC) => stock.answer(seen),
        _ => Reply::challenge(r#"Basic realm="x""#),
    })
    .await;
    let error = Pull::of(&fake).by(Credentials::password("name", "secret")).run().await.unwrap_err();
    assert!(matches!(error, RemoteError::Unauthorized { .. }), "{error:?}");
    assert!(thief.seen().iter().all(|seen| seen.path() == "/x" && seen.header("authorization").is_none()));
}

#[tokio::test]
async fn an_address_that_a_manifest_names_for_a_layer_learns_nothing_cve_2020_15157() {
    let layer = noise(5, 2000);
    let bytes = layer.clone();
    let elsewhere = Fake::plain(move |seen| match seen.path() {
        "/layer" => Reply::ok(&bytes),
        _ => Reply::challenge(r#"Basic realm="x""#),
    })
    .await;
    let mut stock = Stock::default();
    let mut member = serde_json::to_value(descriptor(FOREIGN, &layer)).unwrap();
    member["urls"] = serde_json::json!([
        format!("http://{}/thief", elsewhere.host()),
        "ftp://x/",
        format!("http://{}/layer", elsewhere.host())
    ]);
    stock.add_with("v1", "amd64", &serde_json::json!([member]));
    let fake = Fake::plain(move |seen| match seen.header("authorization") {
        Some(BASIC) => stock.answer(seen),
        _ => Reply::challenge(r#"Basic realm="x""#),
    })
    .await;
    let pull = Pull::of(&fake).by(Credentials::password("name", "secret"));
    let fetched = pull.run().await.unwrap();
    assert_eq!(pull.shelf.read(&fetched.layers[0]), Some(layer));
    assert_eq!(elsewhere.seen().len(), 2);
    assert!(elsewhere.seen().iter().all(|seen| seen.header("authorization").is_none()));
}

#[tokio::test]
async fn a_token_endpoint_without_tls_gets_no_password_from_a_registry_with_it() {
    let thief = Fake::plain(|_| Reply::ok(r#"{"token":"T"}"#)).await;
    let realm = format!("http://{}/token", thief.host());
    let fake = Fake::tls(&["127.0.0.1"], move |_| bearer(&realm)).await;
    let pull = Pull::of(&fake).trusting(&fake).by(Credentials::password("name", "secret"));
    let error = pull.run().await.unwrap_err();
    assert!(matches!(error, RemoteError::Address { .. }), "{error:?}");
    assert!(thief.seen().is_empty());
}
