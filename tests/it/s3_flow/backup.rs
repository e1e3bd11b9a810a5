//! A backup that is made while clients write, write over and delete: what was acknowledged before it is in it.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tests::{Folder, Options, Server, program};

use super::by_hand::{ByHand, Elements, INLINE_BYTES_MAX, content, object_files};

const BUCKET: &str = "backed-up";
const WRITERS: u64 = 3;
const KEYS: u64 = 8;
/// How much is there before the backup, and is written while it is made.
const STEPS: usize = 60;
const PATIENCE: Duration = Duration::from_secs(60);

/// What has become of each key, by number; none is that it was deleted.
type History = BTreeMap<String, Vec<Option<u64>>>;

fn size_of(number: u64) -> usize {
    [0, 500, 30_000, 200_000, 1 << 20][usize::try_from(number % 5).unwrap()]
}

/// Writes and deletes; a change is in the history only once it was acknowledged.
fn change(hand: &ByHand, writer: u64, count: u64, history: &Mutex<History>) {
    let key = format!("w{writer}/k{}", count % KEYS);
    let number = writer * 1_000_000 + count;
    let to = if count % 7 == 6 {
        assert_eq!(hand.send(&hand.request("DELETE", &format!("/{BUCKET}/{key}"))).status, 204);
        None
    } else {
        let mut request = hand.with_body("PUT", &format!("/{BUCKET}/{key}"), content(number, size_of(number)));
        request.set("x-amz-meta-number", &number.to_string());
        hand.send(&request).success();
        Some(number)
    };
    history.lock().unwrap().entry(key).or_default().push(to);
}

fn changes(history: &Mutex<History>) -> usize {
    history.lock().unwrap().values().map(Vec::len).sum()
}

/// What is at a key, all of it as it was sent.
#[track_caller]
fn found(hand: &ByHand, key: &str) -> Option<u64> {
    let answer = hand.get(&format!("/{BUCKET}/{key}"));
    if answer.status == 404 {
        return None;
    }
    let number = answer.header("x-amz-meta-number").unwrap().parse().unwrap();
    assert!(answer.body == content(number, size_of(number)), "{key} is not whole");
    Some(number)
}

fn files_of(numbers: impl Iterator<Item = u64>) -> usize {
    numbers.filter(|number| size_of(*number) > INLINE_BYTES_MAX).count()
}

#[track_caller]
fn has_files(server: &Server, expected: usize) {
    let done = program::until(PATIENCE, || (object_files(server).len() == expected).then_some(()));
    assert!(done.is_some(), "{} files, and {expected} are somebody's", object_files(server).len());
}

/// Makes an object of two parts, and answers its bytes.
fn upload_in_parts(hand: &ByHand) -> Vec<u8> {
    let begin = hand.send(&hand.request("POST", &format!("/{BUCKET}/whole?uploads"))).success();
    let upload = begin.element("UploadId").unwrap();
    let parts = [content(2, 5 << 20), content(3, 70_000)];
    let list: String = (1..)
        .zip(&parts)
        .map(|(number, bytes)| {
            let path = format!("/{BUCKET}/whole?partNumber={number}&uploadId={upload}");
            let tag = hand.put(&path, bytes.clone()).success().header("etag").unwrap().to_owned();
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>")
        })
        .collect();
    let body = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>").into_bytes();
    hand.send(&hand.with_body("POST", &format!("/{BUCKET}/whole?uploadId={upload}"), body)).success();
    parts.concat()
}

#[test]
fn a_backup_that_is_made_under_load_restores_every_object_that_was_acknowledged_before_it() {
    let server = Server::start(Options::default());
    let account = server.account();
    let hand = ByHand::new(&server, &account.root);
    hand.make_bucket(BUCKET, false);
    let begin = hand.send(&hand.request("POST", &format!("/{BUCKET}/parts?uploads"))).success();
    let upload = begin.element("UploadId").unwrap();
    let part = format!("/{BUCKET}/parts?partNumber=1&uploadId={upload}");
    let tag = hand.put(&part, content(1, 5 << 20)).success().header("etag").unwrap().to_owned();
    let whole = upload_in_parts(&hand);
    let (history, is_over) = (Mutex::new(History::new()), AtomicBool::new(false));
    let file = server.folder().file("pilvi.backup");
    let (before, after) = std::thread::scope(|scope| {
        let writers: Vec<_> = (1..=WRITERS)
            .map(|writer| {
                let (hand, history, is_over) = (&hand, &history, &is_over);
                scope.spawn(move || {
                    for count in 0.. {
                        if is_over.load(Ordering::Relaxed) {
                            return;
                        }
                        change(hand, writer, count, history);
                    }
                })
            })
            .collect();
        let reaches =
            |wanted: usize| program::until(PATIENCE, || (changes(&history) >= wanted).then_some(())).is_some();
        let went_on = reaches(STEPS);
        let before = history.lock().unwrap().clone();
        let made = server.command(&["backup", &file.display().to_string()]);
        let goes_on = reaches(changes(&history) + STEPS / 4);
        is_over.store(true, Ordering::Relaxed);
        let ended: Vec<_> = writers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        assert!(went_on && goes_on && ended.iter().all(Result::is_ok), "the clients go no further");
        made.success();
        (before, history.lock().unwrap().clone())
    });

    let folder = Folder::new();
    let data = folder.data_dir("data");
    let mut restore = std::process::Command::new(tests::pilvi());
    restore.arg("restore").arg(&file).arg("--data-dir").arg(&data);
    program::run(&mut restore).success();
    fs::remove_file(&file).unwrap();
    let restored = Server::start_in(folder, data, Options::default());
    let there = ByHand::new(&restored, &account.root);
    let mut numbers = Vec::new();
    for (key, happened) in &before {
        let number = found(&there, key);
        // What is there is what was last acknowledged before it, or came while it was made.
        let allowed = &after[key][happened.len() - 1..];
        assert!(allowed.contains(&number), "{key} is {number:?}, and none of {allowed:?}");
        numbers.extend(number);
    }
    // What had only begun goes on.
    let parts = there.get(&format!("/{BUCKET}/parts?uploadId={upload}")).success();
    assert_eq!(parts.elements("ETag").len(), 1);
    let list = format!("<Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part>");
    let body = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>").into_bytes();
    there.send(&there.with_body("POST", &format!("/{BUCKET}/parts?uploadId={upload}"), body)).success();
    assert!(there.get(&format!("/{BUCKET}/parts")).success().body == content(1, 5 << 20));
    assert!(there.get(&format!("/{BUCKET}/whole")).success().body == whole, "an object of several parts is not whole");
    let second = there.get(&format!("/{BUCKET}/whole?partNumber=2"));
    assert_eq!(
        (second.status, second.body.as_slice(), second.header("x-amz-mp-parts-count")),
        (206, &whole[5 << 20..], Some("2"))
    );
    // Files that came after the records go, and so do those that the first server kept for the backup.
    has_files(&restored, files_of(numbers.into_iter()) + 3);
    let latest = after.values().filter_map(|happened| *happened.last().unwrap());
    has_files(&server, files_of(latest) + 3);
}
