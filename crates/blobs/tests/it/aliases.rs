//! Blobs by their SHA-512.

use std::fs;
use std::io::Read;
use std::time::Duration;

use blobs::{Digest, LongDigest, Reader};
use sha2::{Digest as _, Sha512};

use crate::{blobs, path_of, temporary_files};

fn long(bytes: &[u8]) -> LongDigest {
    LongDigest::from_bytes(Sha512::digest(bytes).into())
}

fn content(blob: Option<blobs::Blob>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    blob?.read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

#[test]
fn a_blob_is_found_by_both_digests_and_goes_with_both() {
    let (directory, blobs) = blobs();
    let (kept, gone) = (blobs.put(b"kept").unwrap(), blobs.put(b"gone").unwrap());
    let reader = Reader::open_root(directory.path()).unwrap();
    assert!(!blobs.alias(&Digest::of(b"never"), &long(b"never")).unwrap());
    for (digest, bytes) in [(&kept, &b"kept"[..]), (&gone, b"gone"), (&kept, b"kept")] {
        assert!(blobs.alias(digest, &long(bytes)).unwrap());
        assert_eq!(content(blobs.open_long(&long(bytes)).unwrap()).unwrap(), bytes);
        assert_eq!(content(reader.open_long(&long(bytes)).unwrap()).unwrap(), bytes);
    }
    assert_eq!(blobs.collect(|digest| *digest == kept, Duration::ZERO).unwrap().removed, 1);
    assert!(blobs.open_long(&long(b"gone")).unwrap().is_none());
    assert!(reader.open_long(&long(b"kept")).unwrap().is_some());
    assert_eq!(blobs.list().unwrap(), [kept]);
    let names = walk(&directory.path().join("sha512"));
    assert_eq!(names, [long(b"kept").hex()]);
}

fn walk(root: &std::path::Path) -> Vec<String> {
    let directories = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let files = directories.flat_map(|directory| fs::read_dir(directory).unwrap());
    files.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn an_alias_follows_its_blob_when_that_is_written_anew() {
    let (directory, blobs) = blobs();
    let digest = blobs.put(b"whole").unwrap();
    assert!(blobs.alias(&digest, &long(b"whole")).unwrap());
    let path = path_of(directory.path(), &digest);
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"who").unwrap();
    blobs.put(b"whole").unwrap();
    assert!(blobs.alias(&digest, &long(b"whole")).unwrap());
    assert_eq!(content(blobs.open_long(&long(b"whole")).unwrap()).unwrap(), b"whole");
    assert!(fs::metadata(&path).unwrap().permissions().readonly());
    assert_eq!(temporary_files(directory.path()), 0);
}
