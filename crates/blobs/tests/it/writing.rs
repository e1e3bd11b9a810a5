//! Writing.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};

use blobs::{BlobError, Blobs, Digest};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::{blobs, mounted, path_of, read, temporary_files};

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_in_any_pieces_is_read_back_whole(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5000), 0..8)) {
        let (_directory, blobs) = blobs();
        let mut writer = blobs.writer(u64::MAX).unwrap();
        for piece in &pieces {
            writer.write_all(piece).unwrap();
        }
        let whole = pieces.concat();
        prop_assert_eq!(writer.size(), whole.len() as u64);
        let digest = writer.finish().unwrap();
        prop_assert_eq!(digest, Digest::of(&whole));
        prop_assert_eq!(blobs.size(&digest).unwrap(), Some(whole.len() as u64));
        prop_assert_eq!(read(&blobs, &digest), Some(whole));
    }
}

#[test]
fn nobody_sees_a_blob_before_it_is_finished() {
    let (directory, blobs) = blobs();
    let mut writer = blobs.writer(10).unwrap();
    writer.append(b"half").unwrap();
    assert_eq!(blobs.list().unwrap(), []);
    assert_eq!(read(&blobs, &Digest::of(b"half")), None);
    assert_eq!(temporary_files(directory.path()), 1);
    drop(writer);
    assert_eq!(temporary_files(directory.path()), 0);
    assert_eq!(blobs.list().unwrap(), []);
}

#[test]
fn only_the_announced_content_becomes_a_blob() {
    let (directory, blobs) = blobs();
    let expected = Digest::of(b"announced");
    let mut writer = blobs.writer(10).unwrap();
    writer.append(b"something").unwrap();
    match writer.finish_as(&expected) {
        Err(BlobError::Mismatch { expected: told, found }) => {
            assert_eq!((told, found), (expected, Digest::of(b"something")));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(blobs.list().unwrap(), []);
    assert_eq!(temporary_files(directory.path()), 0);
    let mut writer = blobs.writer(10).unwrap();
    writer.append(b"announced").unwrap();
    assert_eq!(writer.finish_as(&expected).unwrap(), expected);
}

#[test]
fn more_than_is_allowed_is_refused() {
    let (_directory, blobs) = blobs();
    let mut writer = blobs.writer(4).unwrap();
    writer.append(b"four").unwrap();
    assert!(matches!(writer.append(b"!"), Err(BlobError::TooLarge { max: 4 })));
    assert_eq!(writer.finish().unwrap(), Digest::of(b"four"));
}

#[test]
fn many_writers_of_one_blob_leave_one() {
    let (directory, blobs) = blobs();
    let content = vec![7; 300_000];
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    assert_eq!(blobs.put(&content).unwrap(), Digest::of(&content));
                    assert_eq!(blobs.size(&Digest::of(&content)).unwrap(), Some(300_000));
                }
            });
        }
    });
    assert_eq!(blobs.list().unwrap(), [Digest::of(&content)]);
    assert_eq!(read(&blobs, &Digest::of(&content)), Some(content));
    assert_eq!(temporary_files(directory.path()), 0);
}

#[test]
fn two_processes_worth_of_handles_do_not_meet() {
    let (directory, blobs) = blobs();
    let mut first = blobs.writer(10).unwrap();
    first.append(b"first").unwrap();
    // Opening clears away what crashed writers left, and only that.
    let other = Blobs::open_root(directory.path()).unwrap();
    let mut second = other.writer(10).unwrap();
    second.append(b"second").unwrap();
    let (first, second) = (first.finish().unwrap(), second.finish().unwrap());
    assert_eq!(read(&other, &first).unwrap(), b"first");
    assert_eq!(read(&blobs, &second).unwrap(), b"second");
}

#[test]
fn a_blob_whose_file_was_cut_short_is_replaced() {
    let (directory, blobs) = blobs();
    let digest = blobs.put(b"whole").unwrap();
    let path = path_of(directory.path(), &digest);
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"who").unwrap();
    assert!(matches!(blobs.verify(&digest), Err(BlobError::Damaged { .. })));
    blobs.put(b"whole").unwrap();
    assert_eq!(blobs.verify(&digest).unwrap(), Some(5));
}

#[test]
fn files_are_for_their_owner_and_blobs_are_not_to_be_written() {
    let (directory, blobs) = blobs();
    let digest = blobs.put(b"x").unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path_of(directory.path(), &digest)), 0o400);
    assert_eq!(mode(directory.path().join("sha256")), 0o700);
    assert_eq!(mode(directory.path().join("tmp")), 0o700);
}

#[test]
fn a_symbolic_link_in_the_tree_is_not_followed() {
    let (directory, blobs) = blobs();
    let outside = TempDir::new().unwrap();
    let digest = Digest::of(b"x");
    symlink(outside.path(), directory.path().join("sha256").join(&digest.hex()[..2])).unwrap();
    assert!(matches!(blobs.put(b"x"), Err(BlobError::Io { .. })));
    assert!(matches!(blobs.open(&digest), Err(BlobError::Io { .. })));
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    assert_eq!(temporary_files(directory.path()), 0);
}

#[test]
fn a_full_disk_is_told_and_leaves_nothing_half() {
    mounted("size=1m", |small| {
        let blobs = Blobs::open_root(&small.join("blobs")).unwrap();
        let small = blobs.put(b"small").unwrap();
        let refused = blobs.put(&vec![1; 2 * 1024 * 1024]);
        assert!(matches!(refused, Err(BlobError::Full)), "{refused:?}");
        assert_eq!(blobs.list().unwrap(), [small]);
        assert_eq!(read(&blobs, &small).unwrap(), b"small");
        blobs.put(&vec![1; 512 * 1024]).unwrap();
    });
}
