use std::fs::OpenOptions;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::content::Content;

const ID: &str = "0123abcd-0123-4123-8123-0123456789ab";

struct Room {
    directory: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// The content as a process that has just started finds it.
    fn content(&self) -> Content {
        let blobs = Blobs::open_root(&self.directory.path().join("blobs")).unwrap();
        Content::open(blobs, &self.uploads()).unwrap()
    }

    fn uploads(&self) -> PathBuf {
        self.directory.path().join("uploads")
    }
}

fn digest(bytes: &[u8]) -> ContentDigest {
    ContentDigest::of(Algorithm::Sha256, bytes)
}

#[tokio::test]
async fn what_is_written_piece_by_piece_becomes_one_blob() {
    let content = Room::new();
    let content = content.content();
    let session = content.session(ID).await.unwrap();
    let session = session.append("hello ").await.unwrap();
    let session = session.append("world").await.unwrap();
    assert_eq!(session.length(), 11);
    let (session, stored) = session.publish(digest(b"hello world")).await.unwrap();
    assert_eq!(content.read(stored, 11).await.unwrap(), b"hello world");
    drop(session);
    // Until it is discarded it can be published again.
    let (_, again) = content.session(ID).await.unwrap().publish(digest(b"hello world")).await.unwrap();
    assert_eq!(again, stored);
}

#[tokio::test]
async fn both_algorithms_name_the_same_file() {
    let room = Room::new();
    let content = room.content();
    let session = content.session(ID).await.unwrap().append("x").await.unwrap();
    let (session, first) = session.publish(ContentDigest::of(Algorithm::Sha512, b"x")).await.unwrap();
    let session = session.append("y").await.unwrap();
    let (_, second) = session.publish(digest(b"xy")).await.unwrap();
    assert_eq!((first, second), (Digest::of(b"x"), Digest::of(b"xy")));
}

#[tokio::test]
async fn what_is_something_else_than_announced_is_not_stored() {
    let room = Room::new();
    let content = room.content();
    let session = content.session(ID).await.unwrap().append("evil").await.unwrap();
    for expected in [digest(b"good"), ContentDigest::of(Algorithm::Sha512, b"good")] {
        let outcome = content_outcome(&content, &expected).await;
        assert!(outcome.is_none(), "the session is held, so nobody else publishes");
    }
    assert!(matches!(session.publish(digest(b"good")).await, Err(ContentError::Mismatch { .. })));
    assert!(content.blobs().list().unwrap().is_empty());
}

/// Tries to publish without waiting for whoever holds the session.
async fn content_outcome(content: &Content, expected: &ContentDigest) -> Option<Digest> {
    let attempt = async { content.session(ID).await.ok()?.publish(expected.clone()).await.ok().map(|it| it.1) };
    tokio::select! {
        biased;
        outcome = attempt => outcome,
        () = tokio::task::yield_now() => None,
    }
}

#[tokio::test]
async fn a_discarded_upload_leaves_nothing() {
    let room = Room::new();
    let content = room.content();
    drop(content.session(ID).await.unwrap().append("x").await.unwrap());
    assert_eq!(content.uploads().await.unwrap(), [ID]);
    content.discard(ID);
    while !content.uploads().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(content.session(ID).await.unwrap().length(), 0);
}

#[tokio::test]
async fn uploads_that_nobody_uses_give_way_and_lose_nothing() {
    let room = Room::new();
    let content = room.content();
    let id = |n: usize| format!("{n:08x}-0123-4123-8123-0123456789ab");
    for n in 0..LIVE_MAX + 10 {
        drop(content.session(&id(n)).await.unwrap().append(vec![7; 3]).await.unwrap());
    }
    assert!(content.sessions.lock().slots.len() <= LIVE_MAX);
    let session = content.session(&id(0)).await.unwrap().append("x").await.unwrap();
    assert!(session.publish(digest(b"\x07\x07\x07x")).await.is_ok());
}

/// What happens to an upload.
#[derive(Debug, Clone)]
enum Event {
    Append(Vec<u8>),
    /// The process ends and another one starts.
    Restart,
    /// The process is killed in the middle of a write, of which some bytes got through.
    Torn(Vec<u8>),
    /// The client goes back to what it knows to have arrived.
    Shorten,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    let event = prop_oneof![
        4 => bytes().prop_map(Event::Append),
        1 => Just(Event::Restart),
        1 => bytes().prop_map(Event::Torn),
        1 => Just(Event::Shorten),
    ];
    prop::collection::vec(event, 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_upload_is_what_was_sent_whenever_the_process_dies(events in events()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let room = Room::new();
            let mut content = room.content();
            let mut sent: Vec<u8> = Vec::new();
            for event in events {
                match event {
                    Event::Append(bytes) => {
                        let session = content.session(ID).await.unwrap();
                        // What a torn write left is given up by whoever goes on.
                        let session = session.shorten(sent.len() as u64).await.unwrap();
                        sent.extend(&bytes);
                        drop(session.append(bytes).await.unwrap());
                    }
                    Event::Restart => content = room.content(),
                    Event::Torn(bytes) => {
                        drop(content.session(ID).await.unwrap());
                        let path = room.uploads().join(ID);
                        let mut file = OpenOptions::new().append(true).open(path).unwrap();
                        file.write_all(&bytes).unwrap();
                        content = room.content();
                    }
                    Event::Shorten => {
                        let session = content.session(ID).await.unwrap();
                        sent.truncate(sent.len() / 2);
                        drop(session.shorten(sent.len() as u64).await.unwrap());
                    }
                }
            }
            let session = content.session(ID).await.unwrap().shorten(sent.len() as u64).await.unwrap();
            let (_, stored) = session.publish(digest(&sent)).await.unwrap();
            assert_eq!(content.read(stored, sent.len() as u64).await.unwrap(), sent);
        });
    }
}
