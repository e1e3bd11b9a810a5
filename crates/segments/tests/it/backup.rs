//! Snapshots, and stores made of their copies.

use std::fs;
use std::io::{Read, copy};
use std::path::Path;

use segments::{Direction, Scan, Segments, Snapshot};
use tempfile::TempDir;

use crate::bed::{Bed, NOW, at, event, group, messages, options, read_all, scan_all};

fn restore(snapshot: &Snapshot, directory: &Path) {
    for file in snapshot.files() {
        let to = directory.join(&file.path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let Some(from) = snapshot.open(file).unwrap() else { continue };
        let copied = copy(&mut from.take(file.length), &mut fs::File::create(to).unwrap()).unwrap();
        assert_eq!(copied, file.length, "{}", file.path);
    }
}

#[test]
fn a_copy_is_the_store_at_the_moment_of_the_snapshot_whatever_happens_meanwhile() {
    let mut bed = Bed::new(options(1_000));
    let (busy, idle, gone) = (group("busy"), group("idle"), group("gone"));
    for number in 0..60 {
        bed.append(&busy, "s", vec![event(NOW + number, format!("{number:03} {}", "x".repeat(60)))]);
    }
    bed.append(&busy, "deleted", vec![event(NOW, "x")]);
    bed.store.delete_stream(&busy, "deleted").unwrap();
    bed.append(&idle, "s", vec![event(NOW, "idle")]);
    bed.append(&gone, "s", vec![event(NOW, "gone")]);
    bed.reopen(options(1_000));
    bed.append(&busy, "s", vec![event(NOW + 60, "last")]);
    let before = scan_all(&bed.store, &busy, &Scan::default());

    let snapshot = bed.store.snapshot().unwrap();
    for number in 0..60 {
        bed.append(&busy, "s", vec![event(NOW + 100 + number, "y".repeat(60))]);
    }
    bed.store.seal(&busy).unwrap();
    bed.store.expire(&busy, at(NOW + 90)).unwrap();
    bed.store.delete_group(&gone).unwrap();
    bed.store.settle();
    let copied = TempDir::new().unwrap();
    restore(&snapshot, copied.path());
    let held: u64 = snapshot.files().iter().map(|file| file.length).sum();
    assert!(held > 0);
    drop(snapshot);
    bed.store.settle();

    let restored = Segments::open(copied.path(), options(1_000)).unwrap();
    assert_eq!(scan_all(&restored, &busy, &Scan::default()), before);
    assert_eq!(messages(&read_all(&restored, &idle, "s", Direction::Forward)), ["idle"]);
    assert_eq!(read_all(&restored, &gone, "s", Direction::Forward), []);
    assert_eq!(restored.corruptions(), []);
    assert_eq!(scan_all(&bed.store, &busy, &Scan::default()).len(), 60);
    let trash = bed.directory.path().join("trash");
    assert_eq!(fs::read_dir(trash).unwrap().count(), 0, "what waited for the snapshot is gone");
}
