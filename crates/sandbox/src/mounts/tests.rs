//! What needs no root. The rest is tested with real containers.

use std::os::fd::AsFd;
use std::os::unix::fs::symlink;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::*;

fn root() -> (tempfile::TempDir, OwnedFd) {
    let directory = tempfile::tempdir().unwrap();
    let fd = std::fs::File::open(directory.path()).unwrap().into();
    (directory, fd)
}

#[test]
fn links_are_followed_within_the_root() {
    let (directory, root) = root();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "").unwrap();
    symlink(outside.path(), directory.path().join("out")).unwrap();
    symlink("../../../../../../..", directory.path().join("up")).unwrap();
    std::fs::write(directory.path().join("own"), "").unwrap();
    assert_eq!(open_beneath(root.as_fd(), "/out/secret", OFlags::PATH).unwrap_err(), Errno::NOENT);
    assert!(open_beneath(root.as_fd(), "up/own", OFlags::PATH).is_ok());
    assert!(open_beneath(root.as_fd(), "/../../own", OFlags::PATH).is_ok());
}

#[test]
fn what_is_missing_is_made_within_the_root() {
    let (directory, root) = root();
    symlink("/real", directory.path().join("link")).unwrap();
    std::fs::create_dir(directory.path().join("real")).unwrap();
    make_beneath(root.as_fd(), "/link/a/b", Kind::Directory).unwrap();
    make_beneath(root.as_fd(), "link/a/file", Kind::File).unwrap();
    assert!(directory.path().join("real/a/b").is_dir() && directory.path().join("real/a/file").is_file());
    // A second time it is there.
    make_beneath(root.as_fd(), "/link/a/b", Kind::Directory).unwrap();
}

#[test]
fn nothing_is_made_by_a_dangling_link_or_above_what_is_missing() {
    let (directory, root) = root();
    symlink("/nowhere", directory.path().join("dangling")).unwrap();
    for path in ["dangling", "dangling/x", "missing/../x"] {
        assert!(make_beneath(root.as_fd(), path, Kind::Directory).is_err(), "{path}");
    }
    assert!(!directory.path().join("nowhere").exists());
    assert!(!directory.path().join("x").exists());
}

#[test]
fn files_and_directories_are_told_apart() {
    let (directory, root) = root();
    std::fs::write(directory.path().join("file"), "").unwrap();
    assert_eq!(make_beneath(root.as_fd(), "file", Kind::Directory).unwrap_err(), Errno::NOTDIR);
    assert_eq!(make_beneath(root.as_fd(), "", Kind::File).unwrap_err(), Errno::ISDIR);
    assert!(make_beneath(root.as_fd(), "file/below", Kind::Directory).is_err());
}

#[test]
fn links_of_proc_are_not_followed() {
    let root = std::fs::File::open("/").unwrap();
    let path = format!("proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&root));
    assert_eq!(open_beneath(root.as_fd(), &path, OFlags::PATH).unwrap_err(), Errno::LOOP);
    assert_eq!(open_beneath(root.as_fd(), "proc/self/cwd", OFlags::PATH).unwrap_err(), Errno::LOOP);
}

#[test]
fn paths_have_a_limit() {
    let (_directory, root) = root();
    let long = "x/".repeat(2100);
    assert_eq!(open_beneath(root.as_fd(), &long, OFlags::PATH).unwrap_err(), Errno::NAMETOOLONG);
    assert_eq!(make_beneath(root.as_fd(), &"x/".repeat(300), Kind::Directory).unwrap_err(), Errno::NAMETOOLONG);
}
