use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::content::Content;
use crate::digest::Algorithm;

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
    let published = session.publish(digest(b"hello world")).await.unwrap();
    let stored = published.content;
    assert_eq!(content.read(stored, 11).await.unwrap(), "hello world");
    drop(published);
    // Until it is discarded it can be published again.
    let again = content.session(ID).await.unwrap().publish(digest(b"hello world")).await.unwrap();
    assert_eq!(again.content, stored);
}

#[tokio::test]
async fn what_is_taken_back_of_a_request_makes_nobody_read_the_rest_again() {
    let room = Room::new();
    let content = room.content();
    let session = content.session(ID).await.unwrap().append("acknowledged").await.unwrap();
    drop(session);
    let session = content.session(ID).await.unwrap().append(" and broken off").await.unwrap();
    // Whoever read it now would see something else.
    std::fs::write(room.uploads().join(ID), "ACKNOWLEDGED and broken off").unwrap();
    let session = session.shorten(12).await.unwrap();
    assert_eq!(session.length(), 12);
    std::fs::write(room.uploads().join(ID), "acknowledged").unwrap();
    let session = session.append(" twice").await.unwrap();
    let published = session.publish(digest(b"acknowledged twice")).await.unwrap();
    assert_eq!(content.read(published.content, 18).await.unwrap(), "acknowledged twice");
}

#[tokio::test]
async fn both_algorithms_name_the_same_file() {
    let room = Room::new();
    let content = room.content();
    for algorithm in [Algorithm::Sha512, Algorithm::Sha256] {
        let session = content.session(ID).await.unwrap();
        let session = if session.length() == 0 { session.append("x").await.unwrap() } else { session };
        let published = session.publish(ContentDigest::of(algorithm, b"x")).await.unwrap();
        assert_eq!(published.content, Digest::of(b"x"));
    }
}

#[tokio::test]
async fn a_finished_upload_is_not_copied_and_whoever_goes_on_changes_no_blob() {
    let room = Room::new();
    let (content, path) = (room.content(), room.uploads().join(ID));
    let session = content.session(ID).await.unwrap().append("first").await.unwrap();
    let inode = std::fs::metadata(&path).unwrap().ino();
    drop(session.publish(digest(b"first")).await.unwrap());
    let blob = content.blobs().open(&Digest::of(b"first")).unwrap().unwrap().into_file();
    assert_eq!(blob.metadata().unwrap().ino(), inode);
    // The same process goes on, then one that has just started, twice.
    drop(content.session(ID).await.unwrap().append(" second").await.unwrap());
    assert_eq!(content.blobs().verify(&Digest::of(b"first")).unwrap(), Some(5));
    let content = room.content();
    drop(content.session(ID).await.unwrap().publish(digest(b"first second")).await.unwrap());
    for kept in [4, 2] {
        let content = room.content();
        let session = content.session(ID).await.unwrap().shorten(kept).await.unwrap();
        drop(session.publish(digest(&b"first"[..kept as usize])).await.unwrap());
    }
    for blob in content.blobs().list().unwrap() {
        content.blobs().verify(&blob).unwrap();
    }
    assert_eq!(content.blobs().list().unwrap().len(), 4);
    assert_eq!(content.uploads().await.unwrap(), [ID]);
}

#[tokio::test]
async fn an_upload_that_was_about_to_become_a_blob_goes_on_after_a_kill() {
    use std::os::unix::fs::PermissionsExt;
    let room = Room::new();
    drop(room.content().session(ID).await.unwrap().append("first").await.unwrap());
    let path = room.uploads().join(ID);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    // Nor is anything left of a copy that was not finished.
    std::fs::write(room.uploads().join(format!("{ID}.copy")), "fir").unwrap();
    let content = room.content();
    assert_eq!(std::fs::read_dir(room.uploads()).unwrap().count(), 1);
    let session = content.session(ID).await.unwrap().append(" second").await.unwrap();
    assert!(session.publish(digest(b"first second")).await.is_ok());
}

#[tokio::test]
async fn pieces_are_added_in_their_order() {
    let room = Room::new();
    let content = room.content();
    let pieces: Vec<Vec<u8>> = (0..90_u8).map(|n| vec![n; 1000 * usize::from(n)]).collect();
    let whole = pieces.concat();
    let session = content.session(ID).await.unwrap().append_all(pieces).await.unwrap();
    assert_eq!(session.length(), whole.len() as u64);
    let published = session.publish(digest(&whole)).await.unwrap();
    assert_eq!(content.read(published.content, whole.len() as u64).await.unwrap(), whole);
}

#[tokio::test]
async fn a_full_disk_ends_an_upload_and_loses_nothing_of_what_was_there() {
    let room = Room::new();
    let options = ["-t", "tmpfs", "-o", "size=2m", "tmpfs"];
    match Command::new("mount").args(options).arg(room.directory.path()).status() {
        Ok(status) if status.success() => {}
        other => return println!("skipped: no small file system can be mounted here: {other:?}"),
    }
    let outcome = tokio::spawn(fill(room.content())).await;
    Command::new("umount").arg("--lazy").arg(room.directory.path()).status().unwrap();
    outcome.unwrap();
}

/// Fills a disk of two MiB.
async fn fill(content: Content) {
    const OTHER: &str = "1123abcd-0123-4123-8123-0123456789ab";
    let kept = content.put(b"kept".to_vec()).await.unwrap();
    let session = content.session(ID).await.unwrap().append("begun").await.unwrap();
    assert!(matches!(session.append(vec![7; 3 << 20]).await, Err(ContentError::Full)));
    // What was acknowledged is there still, and the place that was taken has been given back.
    let session = content.session(ID).await.unwrap();
    assert_eq!(session.length(), 5);
    let session = session.append(vec![7; 1 << 20]).await.unwrap();
    assert!(matches!(session.append_all(vec![vec![7; 1 << 19]; 4]).await, Err(ContentError::Full)));
    assert_eq!(
        content.session(ID).await.unwrap().length(),
        5 + (1 << 20),
        "what fitted is kept, and no piece of the rest"
    );
    // Others are told, too, until there is room again; nobody sees half of anything.
    assert!(matches!(content.put(vec![1; 1 << 20]).await, Err(ContentError::Full)));
    let refused = content.session(OTHER).await.unwrap().append(vec![1; 1 << 20]).await;
    assert!(matches!(refused, Err(ContentError::Full)));
    assert_eq!(content.blobs().list().unwrap(), [kept]);
    let session = content.session(ID).await.unwrap().shorten(5).await.unwrap();
    let published = session.append(" and done").await.unwrap().publish(digest(b"begun and done")).await.unwrap();
    for blob in [kept, published.content] {
        assert!(content.blobs().verify(&blob).unwrap().is_some());
    }
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
    let attempt = async { content.session(ID).await.ok()?.publish(expected.clone()).await.ok().map(|it| it.content) };
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
    /// The upload becomes a blob, and the process is killed before anything refers to it.
    Publish,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    let event = prop_oneof![
        4 => bytes().prop_map(Event::Append),
        1 => Just(Event::Restart),
        1 => bytes().prop_map(Event::Torn),
        1 => Just(Event::Shorten),
        1 => Just(Event::Publish),
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
                        // Whoever writes to one that has become a blob has a file of its own first.
                        drop(content.session(ID).await.unwrap().append("").await.unwrap());
                        let path = room.uploads().join(ID);
                        let mut file = OpenOptions::new().append(true).open(path).unwrap();
                        file.write_all(&bytes).unwrap();
                        content = room.content();
                    }
                    Event::Publish => {
                        let session = content.session(ID).await.unwrap();
                        let session = session.shorten(sent.len() as u64).await.unwrap();
                        drop(session.publish(digest(&sent)).await.unwrap());
                    }
                    Event::Shorten => {
                        let session = content.session(ID).await.unwrap();
                        sent.truncate(sent.len() / 2);
                        drop(session.shorten(sent.len() as u64).await.unwrap());
                    }
                }
            }
            let session = content.session(ID).await.unwrap().shorten(sent.len() as u64).await.unwrap();
            let published = session.publish(digest(&sent)).await.unwrap();
            assert_eq!(content.read(published.content, sent.len() as u64).await.unwrap(), sent);
            for blob in content.blobs().list().unwrap() {
                content.blobs().verify(&blob).unwrap();
            }
        });
    }
}
