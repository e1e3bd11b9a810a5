//! What blobs promise: whole or absent, whatever happens.

// All of this is test code; clippy takes only the functions marked so for it.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)]

mod adopting;
mod aliases;
mod collection;
mod crash;
mod foreign;
mod reading;
mod writing;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use blobs::{Blobs, Digest};
use tempfile::TempDir;

fn blobs() -> (TempDir, Blobs) {
    let directory = TempDir::new().unwrap();
    let blobs = Blobs::open_root(directory.path()).unwrap();
    (directory, blobs)
}

/// Where a blob's file is.
fn path_of(root: &Path, digest: &Digest) -> PathBuf {
    root.join("sha256").join(&digest.hex()[..2]).join(digest.hex())
}

fn temporary_files(root: &Path) -> usize {
    fs::read_dir(root.join("tmp")).unwrap().count()
}

fn read(blobs: &Blobs, digest: &Digest) -> Option<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    blobs.open(digest).unwrap()?.read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

/// Runs a test in a file system of its own, of options that say how little fits; says so where none can be mounted.
fn mounted(options: &str, test: impl FnOnce(&Path) + std::panic::UnwindSafe) {
    let mount_point = TempDir::new().unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(mount_point.path()).output();
    match mounted {
        Ok(output) if output.status.success() => {}
        other => return eprintln!("skipped: no small file system can be mounted here: {other:?}"),
    }
    let outcome = std::panic::catch_unwind(|| test(mount_point.path()));
    Command::new("umount").arg("--lazy").arg(mount_point.path()).status().unwrap();
    outcome.unwrap();
}
