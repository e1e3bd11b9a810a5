//! Many clients at one key, and clients that go away.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tests::raw::Answer;
use tests::{Options, Server, program};

use super::by_hand::{ByHand, content, object_files};

const WRITERS: u64 = 6;
const WRITES: u64 = 15;
const KEY: &str = "wanted";
const PATIENCE: Duration = Duration::from_secs(60);

fn size_of(number: u64) -> usize {
    // In the record, in one file, in many pieces.
    [100, 10_000, 300_000, 1 << 20][usize::try_from(number % 4).unwrap()]
}

/// The number of what is there, all of it as it was sent.
#[track_caller]
fn number_of(answer: &Answer) -> u64 {
    let number = answer.header("x-amz-meta-number").unwrap().parse().unwrap();
    assert!(answer.body == content(number, size_of(number)), "what {number} has written is mixed with others");
    number
}

fn put(hand: &ByHand, target: &str, number: u64) -> Answer {
    let mut request = hand.with_body("PUT", target, content(number, size_of(number)));
    request.set("x-amz-meta-number", &number.to_string());
    hand.send(&request).success()
}

#[test]
fn of_those_who_write_one_key_at_once_each_is_whole_and_the_last_one_wins() {
    let server = Server::start(Options::default());
    let hand = ByHand::new(&server, &server.account().root);
    for (bucket, is_versioned) in [("concurrent-plain", false), ("concurrent-versioned", true)] {
        hand.make_bucket(bucket, is_versioned);
        let target = format!("/{bucket}/{KEY}");
        let (last, is_over) = (Mutex::new(Vec::new()), AtomicBool::new(false));
        let acknowledged = Mutex::new(Vec::new());
        put(&hand, &target, 0);
        std::thread::scope(|scope| {
            let writers: Vec<_> = (1..=WRITERS)
                .map(|writer| {
                    let (hand, target, last, acknowledged) = (&hand, &target, &last, &acknowledged);
                    scope.spawn(move || {
                        for count in 0..WRITES {
                            let number = writer * 1000 + count;
                            let answer = put(hand, target, number);
                            let id = answer.header("x-amz-version-id").map(str::to_owned);
                            acknowledged.lock().unwrap().push((number, id));
                        }
                        last.lock().unwrap().push(writer * 1000 + WRITES - 1);
                    })
                })
                .collect();
            for _ in 0..2 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        number_of(&hand.get(&target).success());
                    }
                });
            }
            let results: Vec<_> = writers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
            is_over.store(true, Ordering::Relaxed);
            assert!(results.iter().all(Result::is_ok), "a writer has failed");
        });
        let winner = number_of(&hand.get(&target).success());
        assert!(last.into_inner().unwrap().contains(&winner), "{winner} was written over by its own writer");
        let acknowledged = acknowledged.into_inner().unwrap();
        if is_versioned {
            let listed = hand.versions(bucket, KEY);
            assert_eq!(listed.len(), acknowledged.len() + 1, "each write is a version");
            for (number, id) in acknowledged {
                let version = hand.get(&format!("{target}?versionId={}", id.unwrap())).success();
                assert_eq!(number_of(&version), number);
            }
        }
    }
}

#[test]
fn clients_that_go_away_in_the_middle_leave_no_object_and_no_file() {
    const CLIENTS: u64 = 40;
    let server = Server::start(Options::default());
    let hand = ByHand::new(&server, &server.account().root);
    hand.make_bucket("vanishing", false);
    hand.put("/vanishing/kept", content(1, 1 << 20)).success();
    let begin = hand.send(&hand.request("POST", "/vanishing/parts?uploads")).success();
    let upload = begin.element("UploadId").unwrap();
    let halves: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let target = match client % 4 {
                0 => format!("/vanishing/parts?partNumber={}&uploadId={upload}", client + 1),
                1 => "/vanishing/kept".to_owned(),
                _ => format!("/vanishing/new{client}"),
            };
            hand.send_half(&hand.with_body("PUT", &target, content(client, 2 << 20))).unwrap()
        })
        .collect();
    // Somebody else is served meanwhile.
    hand.put("/vanishing/other", content(2, 1 << 20)).success();
    drop(halves);
    let keys: Vec<_> = hand.keys("vanishing", 1000).into_iter().map(|object| object.key).collect();
    assert_eq!(keys, ["kept", "other"]);
    assert!(hand.get("/vanishing/kept").success().body == content(1, 1 << 20));
    let parts = hand.get(&format!("/vanishing/parts?uploadId={upload}")).success();
    assert_eq!(parts.element("Part"), None);
    // What they had sent is nowhere, neither under a name nor without one.
    let done = program::until(PATIENCE, || (server.open_files("objects") == 0).then_some(()));
    assert!(done.is_some(), "files of clients that have gone are still open");
    assert_eq!(object_files(&server).len(), 2);
}
