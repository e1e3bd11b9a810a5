//! A disk without room: nothing goes in and nothing is lost; what can be read is read, and what is deleted makes room.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;

use tests::program::{LIMIT, until};
use tests::raw::Answer;
use tests::small_disk::{SmallDisk, fill};
use tests::{Folder, Options, Server};
use wire::model::Protocol;

use super::by_hand::{ByHand, INLINE_BYTES_MAX, content, object_files};

const BUCKET: &str = "full-disk";
const MIB: usize = 1 << 20;
/// The disk's size, in MiB.
const DISK: u32 = 64;

/// What was acknowledged, by key: number and size.
type Acknowledged = BTreeMap<String, (u64, usize)>;

/// Puts a content; whether it was taken.
#[track_caller]
fn put(hand: &ByHand, acknowledged: &mut Acknowledged, key: &str, number: u64, size: usize) -> bool {
    let answer = hand.send(&hand.with_body("PUT", &format!("/{BUCKET}/{key}"), content(number, size)));
    if answer.status == 200 {
        acknowledged.insert(key.to_owned(), (number, size));
        return true;
    }
    refused(&answer);
    false
}

/// The answer says what is the matter.
#[track_caller]
fn refused(answer: &Answer) {
    let failure = answer.failure(Protocol::RestXml);
    assert_eq!((failure.status, failure.code.as_str()), (503, "ServiceUnavailable"), "{failure:?}");
    assert!(failure.message.contains("is full. Nothing was lost; free some space"), "{failure:?}");
}

#[track_caller]
fn all_are_whole(hand: &ByHand, acknowledged: &Acknowledged) {
    for (key, (number, size)) in acknowledged {
        let answer = hand.get(&format!("/{BUCKET}/{key}")).success();
        assert!(answer.body == content(*number, *size), "{key} is not what was acknowledged");
    }
    let listed: Vec<_> = hand.keys(BUCKET, 1000).into_iter().map(|object| (object.key, object.size)).collect();
    let known: Vec<_> = acknowledged.iter().map(|(key, (_, size))| (key.clone(), *size)).collect();
    assert_eq!(listed, known);
}

#[track_caller]
fn delete(hand: &ByHand, acknowledged: &mut Acknowledged, key: &str) {
    assert_eq!(hand.send(&hand.request("DELETE", &format!("/{BUCKET}/{key}"))).status, 204);
    acknowledged.remove(key);
}

#[test]
fn a_full_disk_takes_nothing_loses_nothing_and_goes_on_where_there_is_room() {
    let folder = Folder::new();
    let data = folder.data_dir("data");
    let _disk = match SmallDisk::mount(&data, DISK) {
        Ok(disk) => disk,
        Err(reason) => return eprintln!("skipped: no small file system can be mounted here: {reason}"),
    };
    let mut server = Server::start_in(folder, data.clone(), Options { keeps_address: true, ..Options::default() });
    let hand = ByHand::new(&server, &server.account().root);
    hand.make_bucket(BUCKET, false);
    let mut known = Acknowledged::new();
    let begin = hand.send(&hand.request("POST", &format!("/{BUCKET}/parts?uploads"))).success();
    let upload = begin.element("UploadId").unwrap();
    let part = |number: u64| {
        let target = format!("/{BUCKET}/parts?partNumber={number}&uploadId={upload}");
        hand.send(&hand.with_body("PUT", &target, content(number, 5 * MIB)))
    };
    let tag = part(1).success().header("etag").unwrap().to_owned();

    // Full of objects: what would leave no room for the state is refused before its bytes are taken.
    let mut number = 0;
    while put(&hand, &mut known, &format!("k{number:02}"), number, MIB) {
        number += 1;
        assert!(number < u64::from(DISK), "a disk of {DISK} MiB takes {number} MiB");
    }
    assert!(number > 10, "only {number} MiB found room");
    assert!(!put(&hand, &mut known.clone(), "k00", 1000, 2 * MIB), "nothing is written over without room");
    refused(&part(2));
    all_are_whole(&hand, &known);
    server.kill_server();
    all_are_whole(&hand, &known);
    assert_eq!(object_files(&server).len(), known.len() + 1, "what was refused leaves nothing");

    // Full to the last byte: not even the state has room.
    let ballast = data.join("ballast");
    fill(&ballast);
    let refused_at_last = until(LIMIT, || {
        number += 1;
        (!put(&hand, &mut known, &format!("small{number:05}"), number, INLINE_BYTES_MAX / 2)).then_some(())
    });
    assert!(refused_at_last.is_some(), "a full disk takes nothing more");
    assert!(!put(&hand, &mut known, "k99", 99, MIB));
    all_are_whole(&hand, &known);

    // A server that dies now starts when there is room.
    let log = server.folder().file("up.log");
    let restarts = || fs::read_to_string(&log).unwrap().matches("starting it again").count();
    let before = restarts();
    std::thread::scope(|scope| {
        let kill = scope.spawn(|| server.kill_server());
        let tried = until(LIMIT, || (restarts() >= before + 2 || kill.is_finished()).then_some(()));
        fs::remove_file(&ballast).unwrap();
        assert!(tried.is_some(), "nobody starts the server again");
    });
    all_are_whole(&hand, &known);
    let goes_on = until(LIMIT, || put(&hand, &mut known, "again", 7, 100).then_some(()));
    assert!(goes_on.is_some(), "there is room again");
    for number in 0..8 {
        delete(&hand, &mut known, &format!("k{number:02}"));
    }
    // Files go soon after their objects.
    let made = until(LIMIT, || put(&hand, &mut known, "k00", 2000, 4 * MIB).then_some(()));
    assert!(made.is_some(), "what was deleted makes room");
    let list = format!("<Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part>");
    let body = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>").into_bytes();
    hand.send(&hand.with_body("POST", &format!("/{BUCKET}/parts?uploadId={upload}"), body)).success();
    known.insert("parts".to_owned(), (1, 5 * MIB));
    all_are_whole(&hand, &known);
}

/// How many bytes are free where a folder is.
fn free(folder: &Path) -> u64 {
    let disk = rustix::fs::statvfs(folder).unwrap();
    disk.f_bavail * disk.f_frsize
}

#[test]
fn uploads_that_have_room_one_by_one_and_not_together_leave_the_state_its_part_of_the_disk() {
    const UPLOADS: usize = 12;
    const SIZE: usize = 10 * MIB;
    const PIECE: usize = 256 * 1024;
    // A sixteenth of so small a disk is the state's, which may have taken some of it meanwhile.
    let least = u64::from(DISK) * (MIB as u64) / 32;
    let folder = Folder::new();
    let data = folder.data_dir("data");
    let _disk = match SmallDisk::mount(&data, DISK) {
        Ok(disk) => disk,
        Err(reason) => return eprintln!("skipped: no small file system can be mounted here: {reason}"),
    };
    let server = Server::start_in(folder, data.clone(), Options::default());
    let hand = ByHand::new(&server, &server.account().root);
    hand.make_bucket(BUCKET, false);
    let mut known = Acknowledged::new();
    // Nothing of any has come when they all begin.
    let begin = |number| hand.send_head(&hand.request("PUT", &format!("/{BUCKET}/large{number}")), SIZE).unwrap();
    let mut uploads: Vec<TcpStream> = (0..UPLOADS).map(begin).collect();
    let piece = content(1, PIECE);
    // None comes to its end; those that are refused take no more.
    for round in 0..SIZE / PIECE - 1 {
        uploads.retain_mut(|upload| upload.write_all(&piece).is_ok());
        assert!(free(&data) >= least, "{} bytes are left in round {round}", free(&data));
    }
    // What is no object asks for no room, and finds some.
    for number in 0..20 {
        hand.make_bucket(&format!("state{number}"), false);
    }
    assert!(free(&data) >= least);
    drop(uploads);
    let made = until(LIMIT, || put(&hand, &mut known, "large", 3, SIZE).then_some(()));
    assert!(made.is_some(), "what was broken off takes no room");
    all_are_whole(&hand, &known);
    assert_eq!(object_files(&server).len(), 1, "what was broken off leaves nothing");
}
