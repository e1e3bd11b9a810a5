//! Images that come, whole, in part, again, at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use images::remote::{Arrival, Registries, RemoteError};
use images::{Algorithm, Digest, Error, Image, Platform};

use super::bed::{CONFIG, INDEX, LAYER, MANIFEST, Pull, Stock, descriptor, noise};
use super::fake::{Fake, Reply};

#[tokio::test]
async fn an_image_comes_with_all_its_blobs_and_can_be_read_where_it_came_to() {
    let layers = [noise(1, 300_000), noise(2, 10), Vec::new()];
    let (stock, root) = Stock::image(&layers);
    let fake = Fake::plain(move |seen| stock.answer(seen)).await;
    let pull = Pull::of(&fake);
    let fetched = pull.run().await.unwrap();
    assert_eq!(fetched.root, root);
    assert_eq!(fetched.manifest, root);
    assert_eq!(fetched.blobs.len(), 5, "manifest, configuration, three layers");
    for (layer, expected) in fetched.layers.iter().zip(&layers) {
        assert_eq!(pull.shelf.read(layer).as_ref(), Some(expected));
        assert_eq!(pull.watch.advanced.lock().unwrap()[&layer.digest], layer.size);
    }
    assert_eq!(fetched.moved_bytes, fetched.blobs.iter().map(|blob| blob.size).sum::<u64>());
    assert_eq!(pull.shelf.unfinished(), 0);
    let image = Image::resolve(&pull.shelf.downloads, &root, &Platform::linux("amd64", None)).unwrap();
    assert_eq!(image.layers.len(), 3);
}

#[tokio::test]
async fn what_is_there_is_not_fetched_again() {
    let (stock, _) = Stock::image(&[noise(1, 1000), noise(2, 1000)]);
    let fake = Fake::plain(move |seen| stock.answer(seen)).await;
    let pull = Pull::of(&fake);
    pull.run().await.unwrap();
    let before = fake.seen().len();
    let fetched = pull.run().await.unwrap();
    assert_eq!(fetched.moved_bytes, 0);
    let after: Vec<_> = fake.seen().drain(before..).map(|seen| (seen.method, seen.target)).collect();
    assert!(after.iter().all(|(method, target)| method == "HEAD" || target == "/v2/"), "{after:?}");
    let finished = pull.watch.finished.lock().unwrap().clone();
    assert_eq!(finished.iter().filter(|(_, arrival)| *arrival == Arrival::Present).count(), 2);
}

#[tokio::test]
async fn of_an_index_the_image_for_the_platform_comes_and_no_other() {
    let mut stock = Stock::default();
    let (ours, theirs) = (stock.add("a", "amd64", &[noise(1, 1000)]), stock.add("b", "arm64", &[noise(2, 1000)]));
    let member = |descriptor: &images::Descriptor, architecture: &str| {
        let mut value = serde_json::to_value(descriptor).unwrap();
        value["platform"] = serde_json::json!({"os": "linux", "architecture": architecture});
        value
    };
    let index = serde_json::json!({"schemaVersion": 2, "mediaType": INDEX,
        "manifests": [member(&theirs, "arm64"), member(&ours, "amd64")]});
    let root = stock.manifest("v1", INDEX, index.to_string().as_bytes());
    let fake = Fake::plain(move |seen| stock.answer(seen)).await;
    let pull = Pull::of(&fake);
    let fetched = pull.run().await.unwrap();
    assert_eq!((fetched.root, fetched.manifest.digest), (root.clone(), ours.digest));
    assert_eq!(fetched.blobs.len(), 4, "index, manifest, configuration, layer");
    assert!(fake.asked(&theirs.digest.to_string()).is_empty());
    assert_eq!(pull.shelf.read(&root).unwrap(), index.to_string().as_bytes());
}

#[tokio::test]
async fn an_image_for_another_machine_is_refused_before_its_layers_come() {
    let mut stock = Stock::default();
    stock.add("v1", "s390x", &[noise(1, 1000)]);
    let fake = Fake::plain(move |seen| stock.answer(seen)).await;
    let error = Pull::of(&fake).run().await.unwrap_err();
    assert!(matches!(error, RemoteError::Image(Error::NoPlatform { .. })), "{error:?}");
    assert_eq!(fake.asked("/blobs/").len(), 1, "the configuration alone");
}

#[tokio::test]
async fn a_digest_that_was_named_decides_whatever_the_registry_says() {
    let (stock, root) = Stock::image(&[noise(1, 10)]);
    let other = descriptor(LAYER, b"other").digest;
    let fake = Fake::plain(move |seen| stock.answer(seen).instead("Docker-Content-Digest", other)).await;
    let pull = Pull::named(&format!("{}/team/app@{}", fake.host(), root.digest));
    assert_eq!(pull.resolve().await.unwrap(), root);
    pull.run().await.unwrap();
}

#[tokio::test]
async fn a_registry_that_takes_no_head_or_tells_no_digest_is_asked_for_the_whole_manifest() {
    let (stock, root) = Stock::image(&[noise(1, 10)]);
    let bytes = stock.clone();
    let no_head = Fake::plain(move |seen| match seen.method.as_str() {
        "HEAD" => Reply::status(405).body(""),
        _ => bytes.answer(seen),
    })
    .await;
    assert_eq!(Pull::of(&no_head).resolve().await.unwrap(), root);
    let silent = Fake::plain(move |seen| {
        let reply = stock.answer(seen);
        let is_manifest = seen.target.contains("/manifests/");
        let media_type = if is_manifest { MANIFEST } else { "application/octet-stream" };
        // The same without its digest and with a longer name of its type.
        Reply::status(200).header("Content-Type", format!("{media_type}; charset=utf-8")).body(reply.bytes())
    })
    .await;
    assert_eq!(Pull::of(&silent).resolve().await.unwrap(), root);
    Pull::of(&silent).run().await.unwrap();
}

#[tokio::test]
async fn a_connection_that_breaks_anywhere_is_taken_up_where_it_broke() {
    let layer = noise(7, 400_000);
    let cuts: [usize; 7] = [0, 1, 2, 65_535, 65_536, 200_001, 399_999];
    let (stock, _) = Stock::image(std::slice::from_ref(&layer));
    let digest = descriptor(LAYER, &layer).digest.to_string();
    let attempt = Arc::new(AtomicUsize::new(0));
    let fake = Fake::plain(move |seen| {
        let reply = stock.answer(seen);
        if !seen.target.contains(&digest) {
            return reply;
        }
        // Each attempt brings something, up to the next place where it breaks.
        let place = attempt.fetch_add(1, Ordering::SeqCst);
        let from = seen.from().unwrap_or(0);
        cuts.get(place).map_or(reply.clone(), |cut| reply.cut(cut.saturating_sub(from)))
    })
    .await;
    let pull = Pull::of(&fake).with(|config| config.limits.attempts = 20);
    let fetched = pull.run().await.unwrap();
    assert_eq!(pull.shelf.read(&fetched.layers[0]), Some(layer.clone()));
    let starts: Vec<_> = fake.asked(&fetched.layers[0].digest.to_string()).iter().map(|seen| seen.from()).collect();
    let expected: Vec<_> = [None, None].into_iter().chain(cuts[1..].iter().map(|cut| Some(*cut))).collect();
    assert_eq!(starts, expected);
    assert_eq!(fetched.moved_bytes - fetched.manifest.size - fetched.config.size, layer.len() as u64, "no byte twice");
}

#[tokio::test]
async fn breaks_at_random_places_leave_the_right_bytes() {
    for seed in 0..12 {
        let layers: Vec<Vec<u8>> = (0..3).map(|number| noise(seed * 10 + number, 150_000)).collect();
        let (stock, _) = Stock::image(&layers);
        let random = base::SeededRng::new(seed);
        let fake = Fake::plain(move |seen| {
            use base::Rng as _;
            let reply = stock.answer(seen);
            let is_whole = random.next_u64().is_multiple_of(4);
            if is_whole { reply } else { reply.cut(usize::try_from(random.next_u64() % 200_000).unwrap()) }
        })
        .await;
        let pull = Pull::of(&fake).with(|config| config.limits.attempts = 60);
        let fetched = pull.run().await.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        for (layer, expected) in fetched.layers.iter().zip(&layers) {
            assert_eq!(pull.shelf.read(layer).as_ref(), Some(expected), "seed {seed}");
        }
    }
}

#[tokio::test]
async fn a_pull_that_was_given_up_is_gone_on_with_by_the_next() {
    let layer = noise(7, 600_000);
    let (stock, _) = Stock::image(std::slice::from_ref(&layer));
    let digest = descriptor(LAYER, &layer).digest;
    let whole = stock.clone();
    let stuck = Fake::plain(move |seen| {
        let reply = whole.answer(seen);
        if seen.target.contains(&digest.to_string()) { reply.hang(250_000) } else { reply }
    })
    .await;
    let pull = Pull::of(&stuck);
    {
        let running = pull.run();
        tokio::pin!(running);
        loop {
            let is_stuck = pull.watch.advanced.lock().unwrap().get(&digest).copied() == Some(250_000);
            if is_stuck {
                break;
            }
            tokio::select! {
                done = &mut running => panic!("{done:?}"),
                () = tokio::time::sleep(std::time::Duration::from_millis(5)) => {}
            }
        }
    }
    let fake = Fake::plain(move |seen| stock.answer(seen)).await;
    let next = Pull { reference: format!("{}/team/app:v1", fake.host()), ..pull };
    let fetched = next.run().await.unwrap();
    assert_eq!(next.shelf.read(&fetched.layers[0]), Some(layer));
    assert_eq!(fake.asked(&digest.to_string())[0].from(), Some(250_000));
    let finished = next.watch.finished.lock().unwrap().clone();
    assert!(finished.contains(&(digest, Arrival::Fetched { resumed_bytes: 250_000 })), "{finished:?}");
}

#[tokio::test]
async fn a_registry_without_ranges_begins_anew_and_what_is_there_is_passed_over() {
    let layer = noise(3, 300_000);
    let (stock, _) = Stock::image(std::slice::from_ref(&layer));
    let attempt = AtomicUsize::new(0);
    let fake = Fake::plain(move |seen| {
        let whole = seen.without("range");
        let reply = stock.answer(&whole);
        let is_layer = reply.bytes().len() == 300_000;
        if is_layer && attempt.fetch_add(1, Ordering::SeqCst) == 0 { reply.cut(100_000) } else { reply }
    })
    .await;
    let pull = Pull::of(&fake);
    let fetched = pull.run().await.unwrap();
    assert_eq!(pull.shelf.read(&fetched.layers[0]), Some(layer));
}

#[tokio::test]
async fn what_was_kept_and_turns_out_to_be_something_else_is_fetched_anew() {
    use images::remote::Sink as _;
    for kept in [noise(9, 100), noise(9, 1000), noise(9, 2000)] {
        let layer = noise(3, 1000);
        let (stock, _) = Stock::image(std::slice::from_ref(&layer));
        let fake = Fake::plain(move |seen| stock.answer(seen)).await;
        let pull = Pull::of(&fake);
        let layer_blob = descriptor(LAYER, &layer);
        pull.shelf.downloads.begin(&layer_blob).unwrap().append(&kept).unwrap();
        pull.run().await.unwrap();
        assert_eq!(pull.shelf.read(&layer_blob), Some(layer));
    }
}

#[tokio::test]
async fn what_two_images_need_at_once_comes_once() {
    let shared = noise(1, 200_000);
    let mut stock = Stock::default();
    stock.add("v1", "amd64", &[shared.clone(), noise(2, 1000)]);
    stock.add("v2", "amd64", &[shared.clone(), noise(3, 1000)]);
    let fake = Fake::plain(move |seen| stock.answer(seen)).await;
    let one = Pull::of(&fake);
    let registries = Registries::new(one.config.clone()).unwrap();
    let other = Pull::named(&one.reference.replace("v1", "v2")).onto(&one);
    let (first, second) = tokio::join!(one.run_with(&registries), other.run_with(&registries));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.layers[0], second.layers[0]);
    assert_eq!(fake.asked(&first.layers[0].digest.to_string()).len(), 1);
}

#[tokio::test]
async fn an_image_that_is_named_by_sha512_throughout_comes_and_can_be_read() {
    let long = |media_type: &str, bytes: &[u8]| images::Descriptor {
        digest: Digest::of(Algorithm::Sha512, bytes),
        ..descriptor(media_type, bytes)
    };
    let content = noise(1, 100_000);
    let layer = long(LAYER, &content);
    let rootfs = serde_json::json!({"type": "layers", "diff_ids": [layer.digest]});
    let config = serde_json::json!({"os": "linux", "architecture": "amd64", "rootfs": rootfs}).to_string();
    let manifest = serde_json::json!({"schemaVersion": 2, "mediaType": MANIFEST,
        "config": long(CONFIG, config.as_bytes()), "layers": [layer]})
    .to_string();
    let root = long(MANIFEST, manifest.as_bytes());
    let mut stock = Stock::default();
    stock.blobs.insert(layer.digest.to_string(), content.clone());
    stock.blobs.insert(long(CONFIG, config.as_bytes()).digest.to_string(), config.into_bytes());
    stock.manifest(&root.digest.to_string(), MANIFEST, manifest.as_bytes());
    let fake = Fake::plain(move |seen| stock.answer(seen)).await;
    let pull = Pull::named(&format!("{}/team/app@{}", fake.host(), root.digest));
    let fetched = pull.run().await.unwrap();
    assert_eq!(fetched.root, root);
    assert_eq!(pull.shelf.read(&layer), Some(content));
    assert_eq!(pull.run().await.unwrap().moved_bytes, 0);
}

#[tokio::test]
async fn a_layer_that_an_image_has_twice_comes_once() {
    let layer = noise(1, 1000);
    let (stock, _) = Stock::image(&[layer.clone(), layer.clone()]);
    let fake = Fake::plain(move |seen| stock.answer(seen)).await;
    let fetched = Pull::of(&fake).run().await.unwrap();
    assert_eq!((fetched.layers.len(), fetched.blobs.len()), (2, 3));
    assert_eq!(fake.asked(&fetched.layers[0].digest.to_string()).len(), 1);
}

#[tokio::test]
async fn connections_are_used_again() {
    let layers: Vec<Vec<u8>> = (0..20).map(|number| noise(number, 1000)).collect();
    let (stock, _) = Stock::image(&layers);
    let fake = Fake::plain(move |seen| stock.answer(seen)).await;
    let pull = Pull::of(&fake).with(|config| config.limits.downloads_of_image = 2);
    pull.run().await.unwrap();
    assert!(fake.connections() <= 6, "{} connections for {} requests", fake.connections(), fake.seen().len());
}
