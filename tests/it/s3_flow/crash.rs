//! Kill -9 at any moment: what was acknowledged is there and whole, what was not is there as a whole or not at all, everybody is
//! told of what has happened, and nothing is left over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use tests::raw::Answer;
use tests::{Options, Server, program};

use super::by_hand::{ByHand, Elements, content, object_files};
use super::writer::{PLAIN, SHARED, Scene, VERSIONED, Writer, Written};

/// How often the server is killed, unless `PILVI_CRASH_KILLS` says otherwise.
const KILLS: usize = 50;
const WRITERS: u64 = 4;
const PATIENCE: Duration = Duration::from_secs(60);

fn kills() -> usize {
    std::env::var("PILVI_CRASH_KILLS").ok().map_or(KILLS, |text| text.parse().expect("PILVI_CRASH_KILLS is a number"))
}

#[test]
fn no_kill_loses_an_object_or_an_event_shows_half_of_one_or_leaves_a_file_behind() {
    let mut server = Server::start(Options { keeps_address: true, ..Options::default() });
    let hand = ByHand::new(&server, &server.account().root);
    hand.make_bucket(PLAIN, false);
    hand.make_bucket(VERSIONED, true);
    let scene = Scene::default();
    let mut writers: Vec<Writer> = (1..=WRITERS).map(|number| Writer::new(&scene, hand.clone(), number)).collect();
    std::thread::scope(|scope| {
        let threads: Vec<_> = writers.iter_mut().map(|writer| scope.spawn(move || writer.run())).collect();
        for kill in 0..kills() {
            let before = scene.steps.load(Ordering::Relaxed);
            // Not always after the same work.
            let wanted = before + 3 + kill % 13;
            let goes_on = program::until(PATIENCE, || (scene.steps.load(Ordering::Relaxed) >= wanted).then_some(()));
            if goes_on.is_none() || threads.iter().any(std::thread::ScopedJoinHandle::is_finished) {
                scene.over.store(true, Ordering::Relaxed);
                panic!("the clients go no further");
            }
            // With the last kill ends what is under way, and nothing new begins.
            scene.over.store(kill + 1 == kills(), Ordering::Relaxed);
            match kill % 8 {
                7 => server.kill_after(|_| ()),
                _ => server.kill_server(),
            }
        }
    });
    let unanswered: usize = writers.iter().map(|writer| writer.unanswered).sum();
    assert!(unanswered >= kills() / 2, "only {unanswered} requests met a kill");

    writers.iter_mut().for_each(Writer::look_at_all);
    let shared = whole_shared(&scene, &hand);
    listings_are_right(&writers, &hand, shared);
    events_are_told(&server, &writers);
    nothing_is_left(&server, &writers, &hand, shared);
}

/// The key that everybody has written has one of the contents, all of it; its size, if it is there.
fn whole_shared(scene: &Scene, hand: &ByHand) -> Option<usize> {
    let answer = hand.get(&format!("/{PLAIN}/{SHARED}"));
    if answer.status == 404 {
        return None;
    }
    let write = answer.header("x-amz-meta-write").unwrap().parse().unwrap();
    let size = scene.shared.lock().unwrap()[&write];
    assert!(answer.body == content(write, size), "what {write} has written is not whole");
    Some(size)
}

fn listings_are_right(writers: &[Writer], hand: &ByHand, shared: Option<usize>) {
    let present = |(key, written): (&String, &Option<Written>)| Some((key.clone(), written.as_ref()?.size));
    let mut expected: BTreeMap<String, usize> =
        writers.iter().flat_map(|writer| writer.plain.iter().filter_map(present)).collect();
    expected.extend(shared.map(|size| (SHARED.to_owned(), size)));
    let listed: Vec<_> = hand.keys(PLAIN, 7).into_iter().map(|object| (object.key, object.size)).collect();
    assert_eq!(listed, expected.into_iter().collect::<Vec<_>>());

    let listed = hand.versions(VERSIONED, "").into_iter().map(|version| (version.key, version.id));
    let known = writers.iter().flat_map(|writer| &writer.versioned);
    let known = known.flat_map(|(key, versions)| versions.iter().map(|(id, _)| (key.clone(), id.clone())));
    assert_eq!(listed.collect::<BTreeSet<_>>(), known.collect());
}

/// Each change that was acknowledged has an event in the log.
fn events_are_told(server: &Server, writers: &[Writer]) {
    let wanted: BTreeSet<(String, String)> = writers.iter().flat_map(|writer| writer.events.iter().cloned()).collect();
    assert!(wanted.len() > kills(), "only {} changes were acknowledged", wanted.len());
    let missing = || {
        let told = told_events(&server.log());
        wanted.iter().filter(|event| !told.contains(*event)).cloned().collect::<Vec<_>>()
    };
    let all = program::until(PATIENCE, || missing().is_empty().then_some(()));
    assert!(all.is_some(), "of {} events these are missing: {:?}", wanted.len(), missing());
}

/// Request and key of the events in a log.
fn told_events(log: &str) -> BTreeSet<(String, String)> {
    let events = log.lines().filter_map(|line| line.split_once("an event of S3 event=")?.1.parse::<Value>().ok());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    events.map(|event| (text(&event["detail"]["request-id"]), text(&event["detail"]["object"]["key"]))).collect()
}

/// Each file is an object's or a part's, and goes with it.
fn nothing_is_left(server: &Server, writers: &[Writer], hand: &ByHand, shared: Option<usize>) {
    let uploads = uploads(hand);
    let parts: usize = uploads.iter().map(|(key, id)| parts(hand, key, id)).sum();
    let of_shared = usize::from(shared.is_some_and(|size| size > super::by_hand::INLINE_BYTES_MAX));
    let objects = writers.iter().flat_map(|writer| {
        let versions = writer.versioned.values().flatten().filter_map(|(_, written)| written.as_ref());
        writer.plain.values().flatten().chain(versions).map(|written| written.files)
    });
    let expected = objects.sum::<usize>() + parts + of_shared;
    has_files(server, expected, "files that no record names");

    for (key, id) in uploads {
        let abort = hand.request("DELETE", &format!("/{PLAIN}/{key}?uploadId={id}"));
        assert_eq!(hand.send_patiently(&abort).status, 204);
    }
    let keys = hand.keys(PLAIN, 1000);
    let all: Vec<_> = keys.iter().map(|object| (object.key.as_str(), None)).collect();
    delete_all(hand, PLAIN, &all);
    let versions = hand.versions(VERSIONED, "");
    let all: Vec<_> = versions.iter().map(|version| (version.key.as_str(), Some(version.id.as_str()))).collect();
    delete_all(hand, VERSIONED, &all);
    has_files(server, 0, "files of what was deleted");
    for bucket in [PLAIN, VERSIONED] {
        assert_eq!(hand.send_patiently(&hand.request("DELETE", &format!("/{bucket}"))).status, 204);
    }
}

/// Waits until there are so many files; a sweep after the start removes what nobody has recorded.
#[track_caller]
fn has_files(server: &Server, expected: usize, what: &str) {
    let done = program::until(PATIENCE, || (object_files(server).len() == expected).then_some(()));
    let found = object_files(server);
    assert!(done.is_some(), "{what}: there are {}, and {expected} are wanted\n{found:?}", found.len());
    assert!(found.iter().all(|path| !path.parent().unwrap().ends_with("tmp")), "{found:?}");
}

fn delete_all(hand: &ByHand, bucket: &str, objects: &[(&str, Option<&str>)]) {
    for some in objects.chunks(1000) {
        let answer: Answer = hand.send_patiently(&hand.deletion(bucket, some)).success();
        assert_eq!(answer.elements("Deleted").len(), some.len(), "{}", answer.text());
    }
}

/// Key and id of the uploads that nobody has ended.
fn uploads(hand: &ByHand) -> Vec<(String, String)> {
    let answer = hand.get(&format!("/{PLAIN}?uploads&max-uploads=1000")).success();
    assert_eq!(answer.element("IsTruncated").as_deref(), Some("false"));
    answer.elements("Key").into_iter().zip(answer.elements("UploadId")).collect()
}

fn parts(hand: &ByHand, key: &str, id: &str) -> usize {
    hand.get(&format!("/{PLAIN}/{key}?uploadId={id}")).success().elements("Part").len()
}
