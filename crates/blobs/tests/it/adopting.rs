//! Files that become blobs as they are.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use blobs::{BlobError, Blobs, Digest};
use tempfile::TempDir;

use crate::{blobs, mounted, path_of, read, temporary_files};

/// A file beside the blobs.
fn file(directory: &Path, bytes: &[u8]) -> (PathBuf, File) {
    let path = directory.join("upload");
    let mut file = OpenOptions::new().create(true).truncate(true).read(true).write(true).open(&path).unwrap();
    file.write_all(bytes).unwrap();
    (path, file)
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

#[test]
fn a_file_becomes_a_blob_without_being_copied() {
    let (directory, blobs) = blobs();
    let (path, file) = file(directory.path(), b"content");
    let (digest, before) = (Digest::of(b"content"), inode(&path));
    blobs.adopt(&file, &digest).unwrap();
    let blob = path_of(directory.path(), &digest);
    assert_eq!(inode(&blob), before);
    assert_eq!(fs::metadata(&blob).unwrap().mode() & 0o777, 0o400);
    fs::remove_file(&path).unwrap();
    assert_eq!(blobs.verify(&digest).unwrap(), Some(7));
    // A second time, from a file that has no name any more, it is there already.
    blobs.adopt(&file, &digest).unwrap();
    assert_eq!(read(&blobs, &digest).unwrap(), b"content");
    assert_eq!(temporary_files(directory.path()), 0);
}

#[test]
fn a_file_that_was_written_long_ago_counts_as_new() {
    let (directory, blobs) = blobs();
    let old = SystemTime::now() - Duration::from_secs(3600);
    let (_, first) = file(directory.path(), b"content");
    first.set_modified(old).unwrap();
    let digest = Digest::of(b"content");
    blobs.adopt(&first, &digest).unwrap();
    assert_eq!(blobs.collect(|_| false, Duration::from_secs(60)).unwrap().kept, 1);
    // So does the blob that was there before.
    File::open(path_of(directory.path(), &digest)).unwrap().set_modified(old).unwrap();
    let other = TempDir::new().unwrap();
    blobs.adopt(&file(other.path(), b"content").1, &digest).unwrap();
    assert_eq!(blobs.collect(|_| false, Duration::from_secs(60)).unwrap().kept, 1);
}

#[test]
fn a_damaged_blob_is_replaced_by_the_file() {
    let (directory, blobs) = blobs();
    let digest = blobs.put(b"whole").unwrap();
    let blob = path_of(directory.path(), &digest);
    fs::remove_file(&blob).unwrap();
    fs::write(&blob, b"who").unwrap();
    let (_, file) = file(directory.path(), b"whole");
    blobs.adopt(&file, &digest).unwrap();
    assert_eq!(blobs.verify(&digest).unwrap(), Some(5));
    assert_eq!(temporary_files(directory.path()), 0);
}

#[test]
fn a_file_without_a_name_is_copied_and_compared() {
    let (directory, blobs) = blobs();
    let (path, file) = file(directory.path(), b"content");
    fs::remove_file(&path).unwrap();
    let wrong = Digest::of(b"something else");
    assert!(matches!(blobs.adopt(&file, &wrong), Err(BlobError::Mismatch { .. })));
    assert_eq!(blobs.list().unwrap(), []);
    blobs.adopt(&file, &Digest::of(b"content")).unwrap();
    assert_eq!(read(&blobs, &Digest::of(b"content")).unwrap(), b"content");
    assert_eq!(temporary_files(directory.path()), 0);
}

#[test]
fn a_file_of_another_file_system_is_copied_unless_the_disk_is_full() {
    mounted("size=1m", |small| {
        let blobs = Blobs::open_root(&small.join("blobs")).unwrap();
        let other = TempDir::new().unwrap();
        blobs.adopt(&file(other.path(), b"content").1, &Digest::of(b"content")).unwrap();
        assert_eq!(read(&blobs, &Digest::of(b"content")).unwrap(), b"content");
        let large = vec![7; 2 << 20];
        let refused = blobs.adopt(&file(other.path(), &large).1, &Digest::of(&large));
        assert!(matches!(refused, Err(BlobError::Full)), "{refused:?}");
        assert_eq!(blobs.list().unwrap(), [Digest::of(b"content")]);
        assert_eq!(temporary_files(&small.join("blobs")), 0);
    });
}

#[test]
fn many_who_adopt_one_blob_all_succeed() {
    let (directory, blobs) = blobs();
    let content = vec![7; 100_000];
    let digest = Digest::of(&content);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (blobs, content, root) = (&blobs, &content, directory.path());
            scope.spawn(move || {
                for round in 0..10 {
                    let own = root.join(format!("{number}-{round}"));
                    fs::create_dir(&own).unwrap();
                    blobs.adopt(&file(&own, content).1, &digest).unwrap();
                    fs::remove_dir_all(&own).unwrap();
                    assert_eq!(blobs.size(&digest).unwrap(), Some(100_000));
                }
            });
        }
    });
    assert_eq!(blobs.verify(&digest).unwrap(), Some(100_000));
    assert_eq!(temporary_files(directory.path()), 0);
}
