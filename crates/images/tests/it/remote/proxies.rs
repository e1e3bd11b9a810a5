//! Connections through proxies, and whom TLS trusts.

use images::remote::{Exceptions, Proxies, Proxy, RemoteError};

use super::bed::{Pull, Stock, noise};
use super::fake::{Fake, FakeProxy, Reply};

fn stock() -> Stock {
    Stock::image(&[noise(1, 300_000), noise(2, 1000)]).0
}

#[tokio::test]
async fn tls_goes_through_a_proxy_unopened() {
    let stock = stock();
    let fake = Fake::tls(&["registry.example"], move |seen| stock.answer(seen)).await;
    let proxy = FakeProxy::new(&[("registry.example:8443", fake.address)], None).await;
    let pull = Pull::named("registry.example:8443/team/app:v1").trusting(&fake).through(&proxy);
    let fetched = pull.run().await.unwrap();
    assert_eq!(pull.shelf.read(&fetched.layers[0]), Some(noise(1, 300_000)));
    assert!(proxy.seen().iter().all(|seen| seen.method == "CONNECT" && seen.target == "registry.example:8443"));
}

#[tokio::test]
async fn plain_http_is_asked_of_a_proxy_by_the_whole_address() {
    let stock = stock();
    let fake = Fake::plain(move |seen| stock.answer(seen)).await;
    let proxy = FakeProxy::new(&[("registry.example:5000", fake.address)], None).await;
    let pull = Pull::named("registry.example:5000/team/app:v1").through(&proxy).with(|config| {
        config.plain_http.insert("registry.example:5000".to_owned());
    });
    // The proxy of these tests knows no HEAD and passes no ranges on.
    let fetched = pull.run().await.unwrap();
    assert_eq!(pull.shelf.read(&fetched.layers[1]), Some(noise(2, 1000)));
    let seen = proxy.seen();
    assert!(seen.iter().all(|it| it.target.starts_with("http://registry.example:5000/v2/")), "{seen:?}");
}

#[tokio::test]
async fn a_proxy_gets_its_password_and_the_registry_does_not() {
    let stock = stock();
    let fake = Fake::tls(&["registry.example"], move |seen| stock.answer(seen)).await;
    let authorization = "Basic dXNlcjpwYXNz";
    let proxy = FakeProxy::new(&[("registry.example:443", fake.address)], Some(authorization)).await;
    let pull = Pull::named("registry.example/team/app:v1").trusting(&fake);
    let with = |user: &str| Proxy::parse(&format!("http://{user}{}", proxy.address)).unwrap();
    let pull = pull.with(|config| config.proxies.https = Some(with("user:pass@")));
    pull.run().await.unwrap();
    assert!(fake.seen().iter().all(|seen| seen.header("proxy-authorization").is_none()));
    let pull = pull.with(|config| config.proxies.https = Some(with("")));
    let error = pull.run().await.unwrap_err();
    assert!(matches!(error, RemoteError::Proxy { status: 407, .. }), "{error:?}");
}

#[tokio::test]
async fn what_is_excepted_or_on_this_machine_goes_through_no_proxy() {
    let stock = stock();
    let fake = Fake::plain(move |seen| stock.answer(seen)).await;
    let proxy = FakeProxy::new(&[], None).await;
    Pull::of(&fake).through(&proxy).run().await.unwrap();
    assert!(proxy.seen().is_empty());
    let pull = Pull::named("registry.invalid/team/app:v1").through(&proxy).with(|config| {
        config.proxies.except = Exceptions::parse("invalid");
        config.limits.attempts = 1;
    });
    assert!(matches!(pull.run().await, Err(RemoteError::Lookup { .. })));
    assert!(proxy.seen().is_empty());
}

#[tokio::test]
async fn an_address_of_this_machines_link_is_not_asked_of_a_proxy_either() {
    let proxy = FakeProxy::new(&[], None).await;
    let error = Pull::named("169.254.169.254/team/app:v1").through(&proxy).run().await.unwrap_err();
    assert!(matches!(error, RemoteError::Inward { .. }), "{error:?}");
    assert!(proxy.seen().is_empty());
}

#[tokio::test]
async fn a_server_is_trusted_by_an_authority_that_was_named_and_for_its_own_name() {
    let stock = stock();
    let fake = Fake::tls(&["127.0.0.1"], move |seen| stock.answer(seen)).await;
    Pull::of(&fake).trusting(&fake).run().await.unwrap();
    let error = Pull::of(&fake).run().await.unwrap_err();
    assert!(matches!(error, RemoteError::Certificate { .. }), "no plain HTTP instead: {error:?}");
    let other = Fake::tls(&["other.example"], |_| Reply::status(500).body("")).await;
    let error = Pull::of(&other).trusting(&other).run().await.unwrap_err();
    assert!(matches!(error, RemoteError::Certificate { .. }), "{error:?}");
}

#[tokio::test]
async fn only_this_machine_and_what_was_named_is_asked_without_tls() {
    let stock = stock();
    let fake = Fake::plain(move |seen| stock.answer(seen)).await;
    let proxy = FakeProxy::new(&[("registry.example:5000", fake.address)], None).await;
    let pull = Pull::named("registry.example:5000/team/app:v1").through(&proxy).with(|config| {
        config.limits.attempts = 1;
    });
    let error = pull.run().await.unwrap_err();
    assert!(matches!(error, RemoteError::Connect { .. }), "{error:?}");
    assert!(fake.seen().is_empty());
    Pull::of(&fake).run().await.unwrap();
}

#[tokio::test]
async fn no_proxy_is_used_unless_one_is_named() {
    assert_eq!(Proxies::default().https, None);
}
