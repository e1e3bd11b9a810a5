//! Reading what another user writes, and may write with bad intent.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use blobs::{BlobError, Blobs, Digest, Reader};
use rustix::fs::{CWD, FileType, Mode};
use tempfile::TempDir;

use crate::{blobs, path_of};

fn read(reader: &Reader, digest: &Digest) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.open(digest).unwrap()?.read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

/// Every name beneath a directory.
fn names(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let entry = entry.unwrap();
        found.push(entry.path().display().to_string());
        if entry.file_type().unwrap().is_dir() {
            found.extend(names(&entry.path()));
        }
    }
    found.sort();
    found
}

#[test]
fn a_reader_finds_what_the_owner_writes_and_leaves_no_trace() {
    let directory = TempDir::new().unwrap();
    let reader = Reader::open_root(directory.path()).unwrap();
    let digest = Digest::of(b"content");
    assert_eq!(read(&reader, &digest), None);
    assert_eq!(names(directory.path()), Vec::<String>::new());
    let blobs = Blobs::open_root(directory.path()).unwrap();
    blobs.put(b"content").unwrap();
    let before = names(directory.path());
    assert_eq!(read(&reader, &digest).unwrap(), b"content");
    assert_eq!(reader.size(&digest).unwrap(), Some(7));
    assert_eq!(reader.size(&Digest::of(b"other")).unwrap(), None);
    assert_eq!(names(directory.path()), before);
}

#[test]
fn a_reader_does_not_wait_for_collection_nor_collection_for_it() {
    let (directory, blobs) = blobs();
    let reader = Reader::open_root(directory.path()).unwrap();
    let digest = blobs.put(b"content").unwrap();
    let mut open = reader.open(&digest).unwrap().unwrap();
    assert_eq!(blobs.collect(|_| false, std::time::Duration::ZERO).unwrap().removed, 1);
    assert!(reader.open(&digest).unwrap().is_none());
    let mut bytes = Vec::new();
    open.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"content");
}

#[test]
fn no_link_leads_a_reader_elsewhere() {
    let (directory, blobs) = blobs();
    let reader = Reader::open_root(directory.path()).unwrap();
    let (outside, digest) = (TempDir::new().unwrap(), blobs.put(b"x").unwrap());
    let secret = outside.path().join("secret");
    fs::write(&secret, b"x").unwrap();
    let path = path_of(directory.path(), &digest);
    fs::remove_file(&path).unwrap();
    symlink(&secret, &path).unwrap();
    assert!(matches!(reader.open(&digest), Err(BlobError::Io { .. })));
    // A directory on the way, and one of its own that goes round.
    fs::remove_file(&path).unwrap();
    fs::write(outside.path().join(digest.hex()), b"x").unwrap();
    fs::remove_dir(path.parent().unwrap()).unwrap();
    symlink(outside.path(), path.parent().unwrap()).unwrap();
    assert!(matches!(reader.open(&digest), Err(BlobError::Io { .. })));
    let elsewhere = directory.path().join("elsewhere");
    fs::rename(directory.path().join("sha256"), &elsewhere).unwrap();
    symlink(&elsewhere, directory.path().join("sha256")).unwrap();
    assert!(matches!(reader.open(&digest), Err(BlobError::Io { .. })));
    let link = outside.path().join("link");
    symlink(directory.path(), &link).unwrap();
    assert!(matches!(Reader::open_root(&link), Err(BlobError::Io { .. })));
    assert!(matches!(Reader::open_root(&secret), Err(BlobError::Io { .. })));
}

#[test]
fn what_is_no_file_is_neither_read_nor_waited_for() {
    let (directory, blobs) = blobs();
    let reader = Reader::open_root(directory.path()).unwrap();
    let digest = blobs.put(b"x").unwrap();
    let path = path_of(directory.path(), &digest);
    let place = |make: &dyn Fn()| {
        let _ = fs::remove_file(&path);
        make();
        assert!(matches!(reader.open(&digest), Err(BlobError::NoFile)));
    };
    place(&|| rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap());
    place(&|| drop(UnixListener::bind(&path).unwrap()));
    place(&|| fs::create_dir(&path).unwrap());
}

#[test]
fn blobs_of_another_user_than_is_meant_are_not_read() {
    let (directory, blobs) = blobs();
    let digest = blobs.put(b"x").unwrap();
    let me = rustix::process::geteuid().as_raw();
    assert!(matches!(Reader::open_root_of(directory.path(), me + 1), Err(BlobError::NotTheirs)));
    let reader = Reader::open_root_of(directory.path(), me).unwrap();
    assert_eq!(read(&reader, &digest).unwrap(), b"x");
    if me != 0 {
        return;
    }
    // A link to another's file in a directory of their own.
    const THEM: u32 = 65_533;
    chown(directory.path(), Some(THEM), None).unwrap();
    let path = path_of(directory.path(), &digest);
    let reader = Reader::open_root_of(directory.path(), THEM).unwrap();
    for (owner, is_read) in [(THEM, true), (0, true), (THEM + 1, false)] {
        chown(&path, Some(owner), None).unwrap();
        assert_eq!(reader.open(&digest).is_ok(), is_read, "{owner}");
    }
}
