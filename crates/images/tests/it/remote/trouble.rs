//! Registries that are busy, slow or gone for a while; disks that are full.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base::{Clock as _, ManualClock, Timestamp};
use images::remote::{Partial, Registries, RemoteError, Sink};
use images::{BlobSource, Descriptor, Digest, Platform};

use super::bed::{LAYER, Pull, Stock, descriptor, noise};
use super::fake::{Fake, Reply};

fn stock() -> Stock {
    Stock::image(&[noise(1, 50_000), noise(2, 1000)]).0
}

/// A registry that answers the first requests otherwise.
async fn at_first(times: usize, reply: impl Fn() -> Reply + Send + Sync + 'static) -> Fake {
    let (stock, asked) = (stock(), AtomicUsize::new(0));
    Fake::plain(move |seen| if asked.fetch_add(1, Ordering::SeqCst) < times { reply() } else { stock.answer(seen) })
        .await
}

#[tokio::test]
async fn a_registry_that_is_out_of_order_for_a_while_is_asked_again() {
    for status in [500, 502, 503, 504, 408] {
        let fake = at_first(2, move || Reply::status(status).body("")).await;
        Pull::of(&fake).run().await.unwrap_or_else(|error| panic!("{status}: {error:?}"));
    }
    let fake = at_first(2, || Reply::raw("")).await;
    let pull = Pull::of(&fake);
    pull.run().await.unwrap();
}

#[tokio::test]
async fn a_registry_that_stays_out_of_order_is_given_up() {
    let fake = at_first(usize::MAX, || Reply::status(503).body("")).await;
    let error = Pull::of(&fake).run().await.unwrap_err();
    assert!(matches!(error, RemoteError::Status { status: 503, .. }), "{error:?}");
    assert_eq!(fake.asked("/v2/team").iter().filter(|seen| seen.method == "GET").count(), 6);
}

#[tokio::test]
async fn a_registry_that_asks_for_time_gets_it() {
    let fake = at_first(1, || Reply::status(429).header("Retry-After", 0).body("")).await;
    let pull = Pull::of(&fake);
    pull.run().await.unwrap();
    let fake = at_first(1, || Reply::status(503).header("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT").body("")).await;
    Pull::of(&fake).run().await.unwrap();
}

#[tokio::test]
async fn a_registry_that_asks_for_too_much_time_is_given_up_and_the_time_is_told() {
    let fake = at_first(usize::MAX, || {
        Reply::status(429)
            .header("Retry-After", 3600)
            .body(r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}"#)
    })
    .await;
    let error = Pull::of(&fake).run().await.unwrap_err();
    let an_hour = Duration::from_secs(3600);
    assert!(
        matches!(&error, RemoteError::RateLimited { retry_after: Some(after), .. } if *after == an_hour),
        "{error:?}"
    );
    assert!(error.to_string().contains("in 3600 s"), "{error}");
    let now = Timestamp::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
    let clock = Arc::new(ManualClock::starting_at(now));
    assert_eq!(clock.now(), now);
    let fake =
        at_first(usize::MAX, || Reply::status(429).header("Retry-After", "Sun, 06 Nov 1994 09:49:37 GMT").body(""))
            .await;
    let error = Pull::of(&fake).with(|config| config.clock = clock).run().await.unwrap_err();
    assert!(
        matches!(&error, RemoteError::RateLimited { retry_after: Some(after), .. } if *after == an_hour),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_registry_that_says_nothing_more_is_given_up_or_taken_up_again() {
    let layer = noise(1, 50_000);
    let digest = descriptor(LAYER, &layer).digest.to_string();
    let (stock, asked) = (stock(), AtomicUsize::new(0));
    let fake = Fake::plain(move |seen| {
        let reply = stock.answer(seen);
        let is_first = seen.target.contains(&digest) && asked.fetch_add(1, Ordering::SeqCst) == 0;
        if is_first { reply.hang(20_000) } else { reply }
    })
    .await;
    let pull = Pull::of(&fake).with(|config| config.timeouts.idle = Duration::from_millis(100));
    let fetched = pull.run().await.unwrap();
    assert_eq!(fake.asked(&fetched.layers[0].digest.to_string())[1].from(), Some(20_000));
    let silent = Fake::plain(|_| Reply::raw("HTTP/1.1 200 OK\r\n").hang(0)).await;
    let pull = Pull::of(&silent).with(|config| {
        config.timeouts.head = Duration::from_millis(50);
        config.limits.attempts = 2;
    });
    assert!(matches!(pull.run().await, Err(RemoteError::TimedOut { .. })));
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_named() {
    let fake = Fake::plain(|_| Reply::status(500).body("")).await;
    let host = fake.host();
    drop(fake);
    let error = Pull::named(&format!("{host}/team/app:v1")).run().await.unwrap_err();
    assert!(matches!(&error, RemoteError::Connect { host: named, .. } if named.to_string() == host), "{error:?}");
}

#[tokio::test]
async fn an_image_that_is_not_there_is_named() {
    let fake = Fake::plain(|seen| stock().answer(seen)).await;
    let error = Pull::named(&format!("{}/team/app:v9", fake.host())).run().await.unwrap_err();
    let expected = format!("{0} does not have {0}/team/app:v9: manifest unknown", fake.host());
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_blob_that_is_not_there_ends_the_pull_at_once() {
    let mut stock = stock();
    stock.blobs.remove(&descriptor(LAYER, &noise(2, 1000)).digest.to_string());
    let fake = Fake::plain(move |seen| stock.answer(seen)).await;
    let error = Pull::of(&fake).run().await.unwrap_err();
    assert!(matches!(error, RemoteError::NotFound { .. }), "{error:?}");
}

/// A disk that has no room after so many bytes of a blob.
struct FullDisk(usize);

struct FullFile {
    left: usize,
    length: u64,
}

impl BlobSource for FullDisk {
    fn open(&self, _: &Descriptor) -> io::Result<Option<Box<dyn Read + Send>>> {
        Ok(None)
    }
}

impl Sink for FullDisk {
    fn has(&self, _: &Descriptor) -> io::Result<bool> {
        Ok(false)
    }

    fn begin(&self, _: &Descriptor) -> io::Result<Box<dyn Partial>> {
        Ok(Box::new(FullFile { left: self.0, length: 0 }))
    }
}

impl Partial for FullFile {
    fn length(&self) -> u64 {
        self.length
    }

    fn reread(&mut self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(io::empty()))
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(self: Box<Self>, _: &Digest) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_not_tried_again() {
    let (stock, root) = Stock::image(&[noise(1, 50_000)]);
    let fake = Fake::plain(move |seen| stock.answer(seen)).await;
    let pull = Pull::of(&fake);
    let registries = Registries::new(pull.config.clone()).unwrap();
    let repository = registries.repository(&pull.reference.parse().unwrap(), None).unwrap();
    let machine = Platform::linux("amd64", None);
    let error = repository.fetch(&root, &machine, Arc::new(FullDisk(10)), pull.watch.clone()).await.unwrap_err();
    assert!(matches!(error, RemoteError::Full), "{error:?}");
    assert_eq!(fake.asked("/manifests/").len(), 1);
}

#[tokio::test]
async fn a_connection_that_the_registry_closed_meanwhile_is_replaced_without_a_word() {
    let stock = stock();
    // Each connection serves one request and looks as if it would stay.
    let fake = Fake::plain(move |seen| {
        let reply = stock.answer(seen);
        let length = reply.bytes().len();
        reply.cut(length)
    })
    .await;
    let pull = Pull::of(&fake).with(|config| config.limits.attempts = 1);
    pull.run().await.unwrap();
    assert!(pull.watch.retried.lock().unwrap().is_empty());
}
