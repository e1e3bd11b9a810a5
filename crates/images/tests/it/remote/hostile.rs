//! Registries that mean harm.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use images::remote::RemoteError;
use images::{DocumentError, Error};

use super::bed::{CONFIG, LAYER, MANIFEST, Pull, Stock, descriptor, noise};
use super::fake::{Fake, Reply};

const PAUSE: Duration = Duration::from_micros(100);

/// The error that a registry causes that answers requests for layers so.
async fn layer_error(size: usize, answer: impl Fn(Reply) -> Reply + Send + Sync + 'static) -> (RemoteError, Pull) {
    let layer = noise(1, size);
    let (stock, _) = Stock::image(std::slice::from_ref(&layer));
    let digest = descriptor(LAYER, &layer).digest.to_string();
    let fake = Fake::plain(move |seen| {
        let reply = stock.answer(seen);
        if seen.target.contains(&digest) { answer(reply) } else { reply }
    })
    .await;
    let pull = Pull::of(&fake);
    let error = pull.run().await.unwrap_err();
    (error, pull)
}

fn manifest_head(length: impl std::fmt::Display) -> Reply {
    Reply::raw(format!("HTTP/1.1 200 OK\r\nContent-Type: {MANIFEST}\r\nContent-Length: {length}\r\n\r\n"))
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    for endless in ["X-Header: value\r\n".repeat(100), "x".repeat(1000)] {
        let fake = Fake::plain(move |_| Reply::raw("HTTP/1.1 200 OK\r\nA: ").repeat(endless.clone(), PAUSE)).await;
        let pull = Pull::of(&fake).with(|config| config.limits.attempts = 2);
        let error = pull.run().await.unwrap_err();
        assert!(matches!(error, RemoteError::Exchange { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_head_of_too_many_bytes_is_refused() {
    let fake = Fake::plain(|_| Reply::ok("").header("X-Long", "x".repeat(100_000))).await;
    let pull = Pull::of(&fake).with(|config| config.limits.attempts = 1);
    assert!(matches!(pull.run().await, Err(RemoteError::Exchange { .. })));
}

#[tokio::test]
async fn heads_that_announce_another_never_end_in_an_answer_and_time_runs_out() {
    let fake = Fake::plain(|_| Reply::raw("").repeat("HTTP/1.1 103 Early Hints\r\n\r\n", PAUSE)).await;
    let pull = Pull::of(&fake).with(|config| {
        config.limits.attempts = 1;
        config.timeouts.head = Duration::from_millis(100);
    });
    assert!(matches!(pull.run().await, Err(RemoteError::TimedOut { .. })));
}

#[tokio::test]
async fn a_document_that_never_ends_is_cut_off_at_the_bound_of_documents() {
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {MANIFEST}\r\nTransfer-Encoding: chunked\r\n\r\n");
    let fake = Fake::plain(move |_| Reply::raw(head.clone()).repeat(chunk.clone(), Duration::ZERO)).await;
    let error = Pull::of(&fake).run().await.unwrap_err();
    assert!(matches!(error, RemoteError::Length { .. }), "{error:?}");
}

#[tokio::test]
async fn a_document_that_announces_too_much_is_not_read() {
    let fake = Fake::plain(|_| manifest_head(1_u64 << 40)).await;
    assert!(matches!(Pull::of(&fake).run().await, Err(RemoteError::Length { .. })));
    for impossible in ["18446744073709551615", "18446744073709551616", "-1", "1, 2"] {
        let fake = Fake::plain(move |_| manifest_head(impossible)).await;
        let pull = Pull::of(&fake).with(|config| config.limits.attempts = 1);
        assert!(matches!(pull.run().await, Err(RemoteError::Exchange { .. })), "{impossible}");
    }
}

#[tokio::test]
async fn what_a_registry_complains_about_at_length_is_not_read_to_the_end() {
    let head = "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let fake = Fake::plain(move |_| Reply::raw(head).repeat(chunk.clone(), Duration::ZERO)).await;
    assert!(matches!(Pull::of(&fake).run().await, Err(RemoteError::Denied { .. })));
}

#[tokio::test]
async fn a_token_that_is_too_long_or_none_is_refused() {
    for token in [
        format!(r#"{{"token":"{}"}}"#, "x".repeat(100_000)),
        r#"{"token":"a\r\nX-Injected: b"}"#.to_owned(),
        r#"{"token":""}"#.to_owned(),
        r#"{"token":7}"#.to_owned(),
        "{}".to_owned(),
        "[".repeat(100_000),
        "x".repeat(1_000_000),
    ] {
        let fake = Fake::plain(move |seen| match seen.path() {
            "/token" => Reply::ok(&token),
            _ => Reply::challenge(format!(r#"Bearer realm="http://{}/token""#, seen.header("host").unwrap())),
        })
        .await;
        let error = Pull::of(&fake).run().await.unwrap_err();
        let is_refused = matches!(error, RemoteError::Answer { .. } | RemoteError::Length { .. });
        assert!(is_refused, "{error:?}");
    }
}

#[tokio::test]
async fn a_layer_of_another_length_than_announced_is_refused() {
    let (error, _) = layer_error(1000, |_| Reply::ok(noise(1, 1001))).await;
    assert!(matches!(error, RemoteError::Length { .. }), "{error:?}");
    let (error, _) = layer_error(1000, |_| Reply::ok(noise(1, 999))).await;
    assert!(matches!(error, RemoteError::Length { .. }), "{error:?}");
    let (error, _) = layer_error(1000, |_| Reply::status(200).endless_body(noise(1, 1001))).await;
    assert!(matches!(error, RemoteError::Length { .. }), "{error:?}");
    let (error, _) = layer_error(1000, |_| Reply::status(200).endless_body(noise(1, 999))).await;
    assert!(matches!(error, RemoteError::Exchange { .. }), "{error:?}");
}

#[tokio::test]
async fn a_layer_that_never_ends_is_cut_off_where_it_should_have_ended() {
    let head = "HTTP/1.1 200 OK\r\n\r\n";
    let (error, pull) =
        layer_error(1_000_000, move |_| Reply::raw(head).repeat(noise(1, 65_536), Duration::ZERO)).await;
    assert!(matches!(error, RemoteError::Length { .. }), "{error:?}");
    assert!(pull.watch.advanced.lock().unwrap().values().all(|bytes| *bytes <= 1_000_000));
}

#[tokio::test]
async fn another_layer_of_the_right_length_is_refused_and_nothing_of_it_is_kept_as_a_blob() {
    let (error, pull) = layer_error(1000, |_| Reply::ok(noise(2, 1000))).await;
    assert!(matches!(error, RemoteError::Mismatch { .. }), "{error:?}");
    assert_eq!(pull.shelf.read(&descriptor(LAYER, &noise(1, 1000))), None);
    assert_eq!(pull.shelf.read(&descriptor(LAYER, &noise(2, 1000))), None);
}

#[tokio::test]
async fn another_manifest_or_configuration_than_was_asked_for_is_refused() {
    for part in ["/manifests/sha256", "/blobs/"] {
        let (stock, root) = Stock::image(&[noise(1, 10)]);
        let fake = Fake::plain(move |seen| {
            let reply = stock.answer(seen);
            if !seen.target.contains(part) || seen.method == "HEAD" {
                return reply;
            }
            // Of the same length, and JSON as well.
            let text = String::from_utf8_lossy(reply.bytes())
                .replace("linux", "minix")
                .replace("schemaVersion\":2", "schemaVersion\":3");
            Reply::ok(text).header("Content-Type", MANIFEST)
        })
        .await;
        let pull = Pull::named(&format!("{}/team/app@{}", fake.host(), root.digest));
        let error = pull.run().await.unwrap_err();
        assert!(matches!(error, RemoteError::Mismatch { .. }), "{part}: {error:?}");
    }
}

#[tokio::test]
async fn parts_of_a_layer_that_were_not_asked_for_are_refused() {
    for (range, status) in [
        ("bytes 0-599/1000", 206),
        ("bytes 401-999/1000", 206),
        ("bytes 400-1000/1001", 206),
        ("bytes 400-9999/10000", 206),
        ("bytes 400-399/1000", 206),
        ("chunks 400-999/1000", 206),
        ("", 206),
    ] {
        let attempt = AtomicUsize::new(0);
        let (error, _) = layer_error(1000, move |reply| match attempt.fetch_add(1, Ordering::SeqCst) {
            0 => reply.cut(400),
            _ => Reply::status(status).header("Content-Range", range).body(noise(1, 600)),
        })
        .await;
        assert!(matches!(error, RemoteError::Length { .. }), "{range}: {error:?}");
    }
    // Nothing was asked for in parts.
    let (error, _) =
        layer_error(1000, |reply| Reply::status(206).header("Content-Range", "bytes 0-999/1000").body(reply.bytes()))
            .await;
    assert!(matches!(error, RemoteError::Length { .. }), "{error:?}");
}

#[tokio::test]
async fn a_registry_that_always_has_another_range_is_not_asked_for_ever() {
    let asked = std::sync::Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let (error, _) = layer_error(100_000, move |reply| match count.fetch_add(1, Ordering::SeqCst) % 2 {
        0 => reply.cut(1000),
        _ => Reply::status(416).body(""),
    })
    .await;
    assert!(matches!(error, RemoteError::Exchange { .. } | RemoteError::Status { status: 416, .. }), "{error:?}");
    assert!(asked.load(Ordering::SeqCst) < 40, "{asked:?}");
}

#[tokio::test]
async fn a_layer_that_comes_byte_by_byte_is_given_up() {
    let layer = noise(1, 100_000);
    let (stock, _) = Stock::image(std::slice::from_ref(&layer));
    let digest = descriptor(LAYER, &layer).digest.to_string();
    let fake = Fake::plain(move |seen| {
        let reply = stock.answer(seen);
        let slow = Reply::status(200).repeat("x", Duration::from_millis(2));
        if seen.target.contains(&digest) { slow } else { reply }
    })
    .await;
    let pull = Pull::of(&fake).with(|config| {
        config.limits.attempts = 2;
        config.limits.speed_least = 100_000;
        config.limits.slow_window = Duration::from_millis(30);
    });
    let error = pull.run().await.unwrap_err();
    assert!(error.to_string().contains("byte by byte"), "{error:?}");
}

#[tokio::test]
async fn an_index_that_leads_to_itself_or_too_deep_ends() {
    let mut stock = Stock::default();
    let mut inner = stock.add("image", "amd64", &[noise(1, 10)]);
    for level in 0..6 {
        let text = serde_json::json!({"schemaVersion": 2, "mediaType": super::bed::INDEX, "manifests": [inner]});
        inner = stock.manifest(if level == 5 { "v1" } else { "x" }, super::bed::INDEX, text.to_string().as_bytes());
    }
    let fake = Fake::plain(move |seen| stock.answer(seen)).await;
    let error = Pull::of(&fake).run().await.unwrap_err();
    let RemoteError::Image(Error::Document { source, .. }) = &error else { panic!("{error:?}") };
    assert!(matches!(**source, DocumentError::IndexesTooDeep { .. }), "{error:?}");
}

#[tokio::test]
async fn a_manifest_that_says_impossible_things_is_refused_before_anything_else_is_fetched() {
    let mut huge = descriptor(LAYER, b"layer");
    huge.size = u64::MAX;
    let mut config = descriptor(CONFIG, b"config");
    config.size = 1 << 40;
    for layers in
        [serde_json::json!([huge]), serde_json::json!({}), serde_json::json!([1]), serde_json::json!([config])]
    {
        let mut stock = Stock::default();
        let text = serde_json::json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": layers,
            "config": descriptor(CONFIG, b"config")});
        stock.manifest("v1", MANIFEST, text.to_string().as_bytes());
        let fake = Fake::plain(move |seen| stock.answer(seen)).await;
        let error = Pull::of(&fake).run().await.unwrap_err();
        assert!(matches!(error, RemoteError::Image(Error::Document { .. })), "{error:?}");
        assert!(fake.asked("/blobs/").is_empty());
    }
}

#[tokio::test]
async fn what_is_no_http_is_an_error() {
    for text in [
        "",
        "\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 999999 X\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/0.9 200",
    ] {
        let fake = Fake::plain(move |_| Reply::raw(text)).await;
        let pull = Pull::of(&fake).with(|config| config.limits.attempts = 2);
        let error = pull.run().await.unwrap_err();
        assert!(matches!(error, RemoteError::Exchange { .. } | RemoteError::Status { .. }), "{text:?}: {error:?}");
    }
}

#[tokio::test]
async fn two_lengths_that_differ_are_refused() {
    let (error, _) = layer_error(10, |reply| reply.header("Content-Length", 11)).await;
    assert!(matches!(error, RemoteError::Exchange { .. } | RemoteError::Length { .. }), "{error:?}");
}
