//! Collecting, and holding it off.

use std::collections::BTreeSet;
use std::fs::{File, FileTimes};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use blobs::{Blobs, Collected, Digest};

use crate::{blobs, path_of, read};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn what_is_not_referenced_goes_and_the_rest_stays() {
    let (_directory, blobs) = blobs();
    let digests: Vec<Digest> = (0..50).map(|n| blobs.put(format!("blob {n}").as_bytes()).unwrap()).collect();
    let kept: BTreeSet<Digest> = digests.iter().copied().step_by(3).collect();
    let collected = blobs.collect(|digest| kept.contains(digest), Duration::ZERO).unwrap();
    assert_eq!((collected.removed, collected.kept, collected.held_off), (33, 17, false));
    assert!(collected.removed_bytes > 33 * 5);
    assert_eq!(blobs.list().unwrap().into_iter().collect::<BTreeSet<_>>(), kept);
}

#[test]
fn what_is_new_is_left_alone() {
    let (directory, blobs) = blobs();
    let [new, old, refreshed, written_again] = ["new", "old", "refreshed", "written again"].map(|content| {
        let digest = blobs.put(content.as_bytes()).unwrap();
        let long_ago = FileTimes::new().set_modified(SystemTime::now() - 2 * HOUR);
        if content != "new" {
            File::open(path_of(directory.path(), &digest)).unwrap().set_times(long_ago).unwrap();
        }
        digest
    });
    assert!(blobs.refresh(&refreshed).unwrap());
    blobs.put(b"written again").unwrap();
    let collected = blobs.collect(|_| false, HOUR).unwrap();
    assert_eq!((collected.removed, collected.kept), (1, 3));
    let left: BTreeSet<_> = blobs.list().unwrap().into_iter().collect();
    assert_eq!(left, BTreeSet::from([new, refreshed, written_again]));
    assert_eq!(read(&blobs, &old), None);
}

#[test]
fn a_hold_keeps_everything_in_other_processes_too() {
    let (directory, blobs) = blobs();
    let digest = blobs.put(b"x").unwrap();
    // Each handle has descriptors of its own, so a lock of one is to the other as another process's.
    let other = Blobs::open_root(directory.path()).unwrap();
    let (first, second) = (other.hold().unwrap(), other.hold().unwrap());
    let held_off = Collected { held_off: true, ..Collected::default() };
    assert_eq!(blobs.collect(|_| false, Duration::ZERO).unwrap(), held_off);
    drop(first);
    assert_eq!(blobs.collect(|_| false, Duration::ZERO).unwrap(), held_off);
    assert_eq!(read(&blobs, &digest).unwrap(), b"x");
    // Writers are not held off.
    blobs.put(b"y").unwrap();
    drop(second);
    assert_eq!(blobs.collect(|_| false, Duration::ZERO).unwrap().removed, 2);
}

#[test]
fn a_blob_that_is_written_again_while_others_collect_is_there_afterwards() {
    let (directory, blobs) = blobs();
    let long_ago = FileTimes::new().set_modified(SystemTime::now() - 2 * HOUR);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                blobs.collect(|_| false, HOUR).unwrap();
            }
        });
        for _ in 0..200 {
            let digest = blobs.put(b"again").unwrap();
            assert_eq!(read(&blobs, &digest).unwrap(), b"again");
            File::open(path_of(directory.path(), &digest)).unwrap().set_times(long_ago).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
}
