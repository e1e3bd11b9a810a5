//! What needs no containers.

use std::os::fd::AsFd;
use std::os::unix::fs::symlink;

use rustix::fs::{Mode, OFlags};
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

/// Aloud: what the harness captures of a test that passes, nobody sees.
fn is_root(test: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("skipped: {test} needs root\n"));
    }
    is_root
}

#[test]
fn of_a_mount_in_a_namespace_of_its_own_there_are_copies() {
    if !is_root("a namespace of its own") {
        return;
    }
    let seen = || std::fs::read_to_string("/proc/self/mountinfo").unwrap().matches("pilvi-original").count();
    let mount = new("tmpfs", &["size=64k"], MountFlags::default()).unwrap();
    let namespace = original::apart(mount.as_fd()).unwrap();
    drop(mount);
    assert!(original::is_namespace(namespace.as_fd()).unwrap());
    let first = clone_within(namespace.as_fd(), "").unwrap();
    let file = rustix::fs::openat(&first, "pilvi-original", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU).unwrap();
    assert_eq!(rustix::io::write(&file, b"content").unwrap(), 7);
    drop(file);
    let second = clone_of(namespace.as_fd(), Depth::Alone).unwrap();
    assert!(open_beneath(second.as_fd(), "pilvi-original", OFlags::PATH).is_ok());
    // Nothing of the host's is in the namespace, and links lead nowhere but within.
    rustix::fs::symlinkat("/proc", &second, "out").unwrap();
    assert!(clone_within(namespace.as_fd(), "out/1").is_err());
    let below = clone_within(namespace.as_fd(), "some/where").unwrap();
    let file = rustix::fs::openat(&below, "deep", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU).unwrap();
    drop(file);
    assert!(open_beneath(first.as_fd(), "some/where/deep", OFlags::PATH).is_ok());
    assert_eq!(seen(), 0);
}

#[test]
fn an_original_is_of_use_again_and_again() {
    if !is_root("an original") {
        return;
    }
    let original = original(tmpfs(1 << 16, 0o755, 0, 0, MountFlags::default()).unwrap()).unwrap();
    for turn in ["a", "b", "c"] {
        clone_within(original.as_fd(), turn).unwrap();
        let all = clone_of(original.as_fd(), Depth::Alone).unwrap();
        assert!(open_beneath(all.as_fd(), turn, OFlags::PATH).is_ok());
        restrict(all.as_fd(), MountFlags { read_only: true, ..MountFlags::default() }, Depth::Alone).unwrap();
    }
}
