//! Reading.

use std::fs;
use std::io::{Read, Seek, SeekFrom};

use blobs::{BlobError, Digest};

use crate::{blobs, path_of, read};

#[test]
fn what_was_never_written_is_not_there() {
    let (_directory, blobs) = blobs();
    let digest = Digest::of(b"never");
    assert!(blobs.open(&digest).unwrap().is_none());
    assert_eq!(blobs.size(&digest).unwrap(), None);
    assert_eq!(blobs.verify(&digest).unwrap(), None);
    assert!(!blobs.refresh(&digest).unwrap());
}

#[test]
fn a_part_of_a_blob_can_be_read() {
    let (_directory, blobs) = blobs();
    let digest = blobs.put(b"0123456789").unwrap();
    let mut blob = blobs.open(&digest).unwrap().unwrap();
    blob.seek(SeekFrom::Start(3)).unwrap();
    let mut part = [0; 4];
    blob.read_exact(&mut part).unwrap();
    assert_eq!((&part, blob.size()), (b"3456", 10));
}

#[test]
fn a_blob_that_was_changed_behind_our_back_is_found_damaged() {
    let (directory, blobs) = blobs();
    let digest = blobs.put(b"original").unwrap();
    assert_eq!(blobs.verify(&digest).unwrap(), Some(8));
    let path = path_of(directory.path(), &digest);
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"modified").unwrap();
    assert!(matches!(blobs.verify(&digest), Err(BlobError::Damaged { digest: told }) if told == digest));
}

#[test]
fn a_directory_in_a_blobs_place_is_not_read() {
    let (directory, blobs) = blobs();
    let digest = blobs.put(b"x").unwrap();
    let path = path_of(directory.path(), &digest);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(matches!(blobs.open(&digest), Err(BlobError::NoFile)));
    assert_eq!(blobs.size(&digest).unwrap(), None);
}

#[test]
fn an_open_blob_survives_its_collection() {
    let (_directory, blobs) = blobs();
    let digest = blobs.put(b"still here").unwrap();
    let mut open = blobs.open(&digest).unwrap().unwrap();
    assert_eq!(blobs.collect(|_| false, std::time::Duration::ZERO).unwrap().removed, 1);
    assert_eq!(read(&blobs, &digest), None);
    let mut bytes = Vec::new();
    open.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"still here");
}
