//! Kill -9 at any moment: what was acknowledged is there, what is served is whole, and nothing is left over.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tests::image::{Blob, Compression, Entry, Image, Layer};
use tests::raw::Answer;
use tests::{Account, Options, Registry, Server, program};

use super::Shop;
use super::leaks::{age, blobs, collect_until, files};

/// How often the server is killed, unless `PILVI_CRASH_KILLS` says otherwise.
const KILLS: usize = 44;
const PUSHERS: usize = 2;
const BYTES: &str = "application/octet-stream";
/// How long one request goes on being tried; a server is back within two seconds.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What the threads have in common.
struct Scene {
    over: AtomicBool,
    /// Whatever moves on counts here, so that each kill meets work.
    steps: AtomicUsize,
    /// The images that the registry has acknowledged, by repository and tag.
    acknowledged: Mutex<Vec<(String, String)>>,
}

impl Scene {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn step(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }
}

fn kills() -> usize {
    std::env::var("PILVI_CRASH_KILLS").ok().map_or(KILLS, |text| text.parse().expect("PILVI_CRASH_KILLS is a number"))
}

/// An image of three layers that no other has, one of them a MiB.
fn image(name: &str) -> Image {
    let noise = |seed: u64, length: usize| -> Vec<u8> {
        let mut state = seed | 1;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()
        };
        (0..length / 8).flat_map(|_| next()).collect()
    };
    let seed = name.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(131).wrapping_add(u64::from(byte)));
    let layers = [1 << 20, 1 << 12, 1 << 8].map(|length: usize| {
        let entries =
            [Entry::directory("data"), Entry::file(&format!("data/{length}"), noise(seed + length as u64, length))];
        Layer::new(&entries, Compression::None)
    });
    Image::new(&layers, "amd64", &json!({ "Cmd": ["/bin/true"] }))
}

/// Sends a request until there is an answer that is not the server's going down.
fn send(registry: &mut Registry, method: &str, target: &str, media_type: &str, body: &[u8]) -> Answer {
    let begun = Instant::now();
    loop {
        match once(registry, method, target, media_type, body) {
            Ok(answer) if answer.status < 500 => return answer,
            said => assert!(begun.elapsed() < PATIENCE, "{method} {target}: {said:?}"),
        }
        // It is down; whoever asks at once asks in vain.
        std::thread::sleep(LOOK_EVERY);
    }
}

fn once(registry: &mut Registry, method: &str, target: &str, media_type: &str, body: &[u8]) -> io::Result<Answer> {
    let mut request = registry.request(method, target);
    request.set("content-type", media_type);
    request.body = body.to_vec();
    registry.try_send(&request)
}

/// A piece that says where it belongs: one that comes twice is refused the second time.
fn piece(registry: &mut Registry, method: &str, target: &str, first: usize, bytes: &[u8]) -> io::Result<Answer> {
    let mut request = registry.request(method, target);
    request.set("content-type", BYTES);
    if !bytes.is_empty() {
        request.set("content-range", &format!("{first}-{}", first + bytes.len() - 1));
    }
    request.body = bytes.to_vec();
    registry.try_send(&request)
}

/// Uploads a blob in two pieces, going on from where the server is after each of its ends.
fn upload(registry: &mut Registry, scene: &Scene, repository: &str, blob: &Blob) {
    let (content, name) = (&blob.content, blob.digest());
    let there = format!("/v2/{repository}/blobs/{name}");
    'anew: loop {
        if send(registry, "HEAD", &there, BYTES, &[]).status == 200 {
            return;
        }
        let begun = send(registry, "POST", &format!("/v2/{repository}/blobs/uploads/"), BYTES, &[]);
        let location = begun.with_status(202).location();
        loop {
            scene.step();
            let at = send(registry, "GET", &location, BYTES, &[]);
            if at.status == 404 {
                // It was finished and the answer got lost, or it was lost before anything was acknowledged.
                continue 'anew;
            }
            let received = match at.header("range").and_then(|range| range.split_once('-')) {
                Some((_, last)) if last != "0" => last.parse::<usize>().unwrap() + 1,
                _ => 0,
            };
            assert!(received <= content.len(), "more was received than was sent");
            let middle = (content.len() / 2).max(received);
            if received < middle {
                let _ = piece(registry, "PATCH", &location, received, &content[received..middle]);
                continue;
            }
            match piece(registry, "PUT", &format!("{location}?digest={name}"), received, &content[received..]) {
                Ok(answer) if answer.status == 201 => return,
                Ok(answer) if answer.status == 404 => continue 'anew,
                Ok(answer) => assert!(answer.status >= 500 || answer.status == 416, "{}", answer.text()),
                Err(_) => {}
            }
        }
    }
}

/// Pushes one image after the other until it is over.
fn push(scene: &Scene, mut registry: Registry, number: usize) {
    let repository = format!("crash/{number}");
    for count in 0.. {
        if scene.is_over() {
            return;
        }
        let tag = format!("{number}-{count}");
        let image = image(&tag);
        for blob in image.blobs() {
            upload(&mut registry, scene, &repository, blob);
        }
        let target = format!("/v2/{repository}/manifests/{tag}");
        let answer = send(&mut registry, "PUT", &target, &image.manifest.media_type, &image.manifest.content);
        answer.with_status(201);
        scene.acknowledged.lock().unwrap().push((repository.clone(), tag));
        scene.step();
    }
}

/// Pulls what was acknowledged, again and again; whatever comes whole must be what it is called.
fn pull(scene: &Scene, mut registry: Registry) {
    let mut turn = 0;
    while !scene.is_over() {
        let chosen = {
            let known = scene.acknowledged.lock().unwrap();
            known.get(turn % known.len().max(1)).cloned()
        };
        turn += 7;
        let Some((repository, tag)) = chosen else {
            std::thread::sleep(LOOK_EVERY);
            continue;
        };
        let image = image(&tag);
        for blob in image.blobs() {
            let target = format!("/v2/{repository}/blobs/{}", blob.digest());
            let answer = send(&mut registry, "GET", &target, "", &[]).with_status(200);
            assert!(answer.body == blob.content, "{target} is served with other bytes");
            scene.step();
        }
    }
}

#[test]
fn no_kill_loses_an_image_serves_a_corrupt_blob_or_leaves_anything_behind() {
    let mut server = Server::start(Options { keeps_address: true, ..Options::default() });
    let mut shop = Shop::open(&server, &[]);
    for number in 0..PUSHERS {
        shop.create(&format!("crash/{number}"), json!({}));
    }
    let scene = Scene { over: AtomicBool::new(false), steps: AtomicUsize::new(0), acknowledged: Mutex::default() };
    let registry = |account: &Account, server: &Server| Registry::of(server, &account.root);
    let pushers: Vec<Registry> = (0..PUSHERS).map(|_| registry(&shop.account, &server)).collect();
    let puller = registry(&shop.account, &server);
    std::thread::scope(|scope| {
        let scene = &scene;
        let threads: Vec<_> = pushers
            .into_iter()
            .enumerate()
            .map(|(number, registry)| scope.spawn(move || push(scene, registry, number)))
            .collect();
        scope.spawn(move || pull(scene, puller));
        for kill in 0..kills() {
            let before = scene.steps.load(Ordering::Relaxed);
            // Not always after the same work.
            let wanted = before + 3 + kill % 11;
            let goes_on = program::until(PATIENCE, || (scene.steps.load(Ordering::Relaxed) >= wanted).then_some(()));
            if goes_on.is_none() || threads.iter().any(std::thread::ScopedJoinHandle::is_finished) {
                scene.over.store(true, Ordering::Relaxed);
                panic!("the clients go no further");
            }
            // By turns: `pilvi up` starts another server, or another `pilvi up` starts everything.
            match kill % 4 {
                0 => server.kill_after(age),
                1 => server.kill_server(),
                2 => server.kill_after(|_| ()),
                _ => server.kill_server_after(age),
            }
        }
        scene.over.store(true, Ordering::Relaxed);
    });

    let acknowledged = scene.acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() > kills() / 10, "only {} images were pushed", acknowledged.len());
    for (repository, tag) in &acknowledged {
        assert!(shop.registry.pull(repository, tag) == image(tag), "{repository}:{tag} is not whole");
    }
    let uploads = files(&server.data_dir().join("uploads"));
    assert!(uploads.len() <= kills() + PUSHERS, "{} files of uploads", uploads.len());
    assert_eq!(
        files(&server.data_dir().join("blobs/tmp")),
        [""; 0].map(std::path::PathBuf::from),
        "half-written blobs"
    );
    everything_goes(&mut server, &mut shop);
}

/// With the repositories all of it goes from the disk.
fn everything_goes(server: &mut Server, shop: &mut Shop) {
    for number in 0..PUSHERS {
        shop.api.ecr("DeleteRepository", &json!({ "repositoryName": format!("crash/{number}"), "force": true }));
    }
    let uploads = server.data_dir().join("uploads");
    let gone = program::until(PATIENCE, || files(&uploads).is_empty().then_some(()));
    assert!(gone.is_some(), "uploads of repositories that are gone: {:?}", files(&uploads));
    collect_until(server, |server| blobs(server).is_empty());
}
