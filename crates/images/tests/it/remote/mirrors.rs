//! Places that are asked before the registry.

use images::remote::{Credentials, Mirror, RemoteError};

use super::bed::{Pull, Stock, noise};
use super::fake::{Fake, FakeProxy, Reply};

const BASIC: &str = "Basic bmFtZTpzZWNyZXQ=";

fn stock() -> Stock {
    Stock::image(&[noise(1, 50_000), noise(2, 1000)]).0
}

fn mirrored(fake: &Fake, mirrors: &[String]) -> Pull {
    let mirrors = mirrors.iter().map(|mirror| Mirror::parse(mirror).unwrap()).collect();
    Pull::of(fake).with(|config| {
        config.mirrors.insert(fake.host(), mirrors);
    })
}

#[tokio::test]
async fn a_mirror_that_has_the_image_is_asked_alone() {
    let stock = stock();
    let registry = Fake::plain(|_| Reply::status(500).body("")).await;
    let mirror = Fake::plain(move |seen| stock.answer(seen)).await;
    let pull = mirrored(&registry, &[format!("http://{}/proxied/hub/", mirror.host())]);
    pull.run().await.unwrap();
    assert!(registry.seen().is_empty());
    let seen = mirror.seen();
    assert!(seen.iter().all(|it| it.target.starts_with("/v2/proxied/hub/team/app/")), "{seen:?}");
    let namespace = format!("?ns={}", registry.host().replace(':', "%3A"));
    assert!(seen.iter().all(|it| it.target.ends_with(&namespace)), "{seen:?}");
}

#[tokio::test]
async fn a_mirror_that_is_down_or_lacks_the_image_or_gives_another_is_passed_over() {
    let stock = stock();
    let whole = stock.clone();
    let registry = Fake::plain(move |seen| whole.answer(seen)).await;
    let gone = {
        let gone = Fake::plain(|_| Reply::status(500).body("")).await;
        gone.host()
    };
    let empty = Fake::plain(|_| Reply::status(404).body("")).await;
    let broken = Fake::plain(|_| Reply::status(500).body("")).await;
    let denying = Fake::plain(|_| Reply::status(403).body("")).await;
    let wrong = stock.clone();
    let lying = Fake::plain(move |seen| {
        let reply = wrong.answer(seen);
        if seen.target.contains("/blobs/") { Reply::ok(vec![7; reply.bytes().len()]) } else { reply }
    })
    .await;
    let hosts = [gone, empty.host(), broken.host(), denying.host(), lying.host()];
    let mirrors: Vec<String> = hosts.iter().map(|host| format!("http://{host}")).collect();
    for mirror in mirrors.iter().map(std::slice::from_ref).chain([&mirrors[..]]) {
        let pull = mirrored(&registry, mirror);
        let fetched = pull.run().await.unwrap_or_else(|error| panic!("{mirror:?}: {error:?}"));
        assert_eq!(pull.shelf.read(&fetched.layers[0]), Some(noise(1, 50_000)), "{mirror:?}");
    }
}

#[tokio::test]
async fn what_a_mirror_began_the_registry_ends() {
    let stock = stock();
    let whole = stock.clone();
    let registry = Fake::plain(move |seen| whole.answer(seen)).await;
    let mirror = Fake::plain(move |seen| {
        let reply = stock.answer(seen);
        if reply.bytes().len() > 20_000 { reply.cut(20_000) } else { reply }
    })
    .await;
    let pull = mirrored(&registry, &[format!("http://{}", mirror.host())]);
    let fetched = pull.run().await.unwrap();
    assert_eq!(pull.shelf.read(&fetched.layers[0]), Some(noise(1, 50_000)));
    let asked = registry.asked(&fetched.layers[0].digest.to_string());
    assert_eq!(asked.len(), 1);
    assert!(asked[0].from() > Some(20_000), "{asked:?}");
}

#[tokio::test]
async fn what_a_lying_mirror_began_is_fetched_anew_and_not_held_against_the_registry() {
    let stock = stock();
    let whole = stock.clone();
    let registry = Fake::plain(move |seen| whole.answer(seen)).await;
    let mirror = Fake::plain(move |seen| {
        let reply = stock.answer(seen);
        if reply.bytes().len() > 20_000 { Reply::ok(vec![7; 50_000]).cut(20_000) } else { reply }
    })
    .await;
    let pull = mirrored(&registry, &[format!("http://{}", mirror.host())]);
    let fetched = pull.run().await.unwrap();
    assert_eq!(pull.shelf.read(&fetched.layers[0]), Some(noise(1, 50_000)));
}

#[tokio::test]
async fn the_registrys_credentials_are_not_shown_to_a_mirror_which_may_have_its_own() {
    let stock = stock();
    let whole = stock.clone();
    let registry = Fake::plain(move |seen| whole.answer(seen)).await;
    let mirror = Fake::plain(move |seen| match seen.header("authorization") {
        Some("Basic bWlycm9yOm93bg==") => stock.answer(seen),
        _ => Reply::challenge(r#"Basic realm="x""#),
    })
    .await;
    let host = format!("http://{}", mirror.host());
    let pull = mirrored(&registry, std::slice::from_ref(&host)).by(Credentials::password("name", "secret"));
    pull.run().await.unwrap();
    assert!(mirror.seen().iter().all(|seen| seen.header("authorization") != Some(BASIC)));
    assert!(!registry.seen().is_empty());
    let own = Mirror::parse(&host).unwrap().with_credentials(Credentials::password("mirror", "own"));
    let pull = Pull::of(&registry).with(|config| {
        config.mirrors.insert(registry.host(), vec![own]);
    });
    let before = registry.seen().len();
    pull.run().await.unwrap();
    assert_eq!(registry.seen().len(), before);
}

#[tokio::test]
async fn the_registrys_error_is_told_when_no_mirror_helps() {
    let registry = Fake::plain(|_| Reply::status(404).body("")).await;
    let mirror = Fake::plain(|_| Reply::status(500).body("")).await;
    let error = mirrored(&registry, &[format!("http://{}", mirror.host())]).run().await.unwrap_err();
    assert!(matches!(&error, RemoteError::NotFound { host, .. } if host.to_string() == registry.host()), "{error:?}");
}

#[tokio::test]
async fn docker_hub_is_reached_by_its_own_host_and_mirrored_by_its_short_name() {
    let stock = stock();
    let whole = stock.clone();
    let hub = Fake::tls(&["registry-1.docker.io"], move |seen| whole.answer(seen)).await;
    let proxy = FakeProxy::new(&[("registry-1.docker.io:443", hub.address)], None).await;
    Pull::named("app:v1").trusting(&hub).through(&proxy).run().await.unwrap();
    assert!(hub.seen().iter().all(|seen| seen.target.starts_with("/v2/library/app/")));
    let mirror = Fake::plain(move |seen| stock.answer(seen)).await;
    let before = hub.seen().len();
    let pull = Pull::named("docker.io/library/app:v1").trusting(&hub).through(&proxy).with(|config| {
        let mirror = Mirror::parse(&format!("http://{}", mirror.host())).unwrap();
        config.mirrors.insert("docker.io".to_owned(), vec![mirror]);
    });
    pull.run().await.unwrap();
    assert_eq!(hub.seen().len(), before);
    assert!(mirror.seen().iter().all(|seen| seen.target.ends_with("?ns=docker.io")));
}
