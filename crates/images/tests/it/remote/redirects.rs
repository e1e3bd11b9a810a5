//! Where answers lead, and where they do not.

use images::remote::RemoteError;

use super::bed::{Pull, Stock, noise};
use super::fake::{Fake, FakeProxy, Reply};

fn stock() -> Stock {
    Stock::image(&[noise(1, 50_000)]).0
}

#[tokio::test]
async fn blobs_come_from_where_the_registry_leads_to_with_every_status_that_leads() {
    for status in [301, 302, 303, 307, 308] {
        let stock = stock();
        let blobs = stock.clone();
        let storage = Fake::plain(move |seen| blobs.answer(seen)).await;
        let there = storage.host();
        let fake = Fake::plain(move |seen| {
            let is_blob = seen.target.contains("/blobs/");
            if is_blob { Reply::to(status, format!("http://{there}{}", seen.target)) } else { stock.answer(seen) }
        })
        .await;
        Pull::of(&fake).run().await.unwrap();
        assert_eq!(storage.seen().len(), 2, "configuration and layer");
    }
}

#[tokio::test]
async fn a_redirection_may_be_relative() {
    let stock = stock();
    let fake = Fake::plain(move |seen| match seen.path().strip_prefix("/v2/team/app/blobs/") {
        Some(name) => Reply::to(307, format!("/storage/blobs/{name}")),
        None => stock.answer(seen),
    })
    .await;
    Pull::of(&fake).run().await.unwrap();
    assert_eq!(fake.asked("/storage/").len(), 2);
}

#[tokio::test]
async fn a_loop_of_redirections_ends() {
    let fake = Fake::plain(|seen| Reply::to(302, format!("{}x", seen.target))).await;
    let error = Pull::of(&fake).run().await.unwrap_err();
    assert!(matches!(error, RemoteError::Redirects { .. }), "{error:?}");
    assert!(fake.seen().len() < 32, "{}", fake.seen().len());
}

#[tokio::test]
async fn a_redirection_to_nowhere_is_an_error_and_not_an_answer() {
    for location in ["", "ftp://127.0.0.1/", "http://name:password@127.0.0.1/", "http://", "\u{7f}"] {
        let at = location.to_owned();
        let fake = Fake::plain(move |_| Reply::status(302).header("Location", &at).body("")).await;
        let error = Pull::of(&fake).run().await.unwrap_err();
        let is_refused = matches!(error, RemoteError::Redirects { .. } | RemoteError::Address { .. });
        // What is no header at all breaks the exchange.
        assert!(is_refused || matches!(error, RemoteError::Exchange { .. }), "{location:?}: {error:?}");
        assert!(!format!("{error:?}").contains("password"), "{error:?}");
    }
    let fake = Fake::plain(|_| Reply::status(302).body("")).await;
    assert!(matches!(Pull::of(&fake).run().await, Err(RemoteError::Redirects { .. })));
}

#[tokio::test]
async fn nothing_leads_from_tls_to_plain_http() {
    let stock = stock();
    let blobs = stock.clone();
    let storage = Fake::plain(move |seen| blobs.answer(seen)).await;
    let there = storage.host();
    let fake = Fake::tls(&["127.0.0.1"], move |seen| {
        let is_blob = seen.target.contains("/blobs/");
        if is_blob { Reply::to(307, format!("http://{there}{}", seen.target)) } else { stock.answer(seen) }
    })
    .await;
    let error = Pull::of(&fake).trusting(&fake).run().await.unwrap_err();
    assert!(matches!(error, RemoteError::Redirects { .. }), "{error:?}");
    assert!(storage.seen().is_empty());
}

#[tokio::test]
async fn a_registry_elsewhere_leads_to_nothing_of_this_machine_or_its_link_unless_configured() {
    let stock = stock();
    let blobs = stock.clone();
    let inner = Fake::tls(&["127.0.0.1", "localhost"], move |seen| blobs.answer(seen)).await;
    let port = inner.address.port();
    for (host, is_refused) in [
        (format!("https://127.0.0.1:{port}"), true),
        (format!("https://localhost:{port}"), true),
        (format!("https://[::1]:{port}"), true),
        (format!("https://[::ffff:127.0.0.1]:{port}"), true),
        (format!("https://0.0.0.0:{port}"), true),
        ("https://169.254.169.254".to_owned(), true),
        (format!("https://127.0.0.1:{port}"), false),
    ] {
        let (stock, to) = (stock.clone(), host.clone());
        let fake = Fake::tls(&["registry.example"], move |seen| {
            let is_blob = seen.target.contains("/blobs/");
            if is_blob { Reply::to(307, format!("{to}{}", seen.target)) } else { stock.answer(seen) }
        })
        .await;
        let proxy = FakeProxy::new(&[("registry.example:443", fake.address)], None).await;
        let pull = Pull::named("registry.example/team/app:v1").trusting(&fake).trusting(&inner).through(&proxy);
        let pull = pull.with(|config| {
            if !is_refused {
                config.inward.insert(format!("127.0.0.1:{port}"));
            }
        });
        let done = pull.run().await;
        match done {
            Err(RemoteError::Redirects { .. } | RemoteError::Inward { .. }) => assert!(is_refused, "{host}"),
            Ok(_) => assert!(!is_refused, "{host}"),
            Err(error) => panic!("{host}: {error:?}"),
        }
        assert_eq!(inner.seen().is_empty(), is_refused, "{host}");
    }
}

#[tokio::test]
async fn a_name_that_leads_inward_without_saying_so_is_not_asked() {
    // No resolver is needed for an address, and this one is no name of loopback.
    let error = Pull::named("0.0.0.0:1/team/app:v1").run().await.unwrap_err();
    assert!(matches!(error, RemoteError::Inward { .. }), "{error:?}");
    let error = Pull::named("169.254.169.254/team/app:v1").run().await.unwrap_err();
    assert!(matches!(error, RemoteError::Inward { .. }), "{error:?}");
}
