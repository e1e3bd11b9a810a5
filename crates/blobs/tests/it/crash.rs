//! What a crash leaves.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use blobs::{Blobs, Digest};
use tempfile::TempDir;

use crate::temporary_files;

/// Tells the child what it is: the directory of its blobs.
const CHILD: &str = "PILVI_BLOBS_CHILD";
const KILLS: u64 = 15;

#[test]
fn what_a_crashed_writer_left_is_cleared_away_and_nothing_else() {
    let directory = TempDir::new().unwrap();
    let blobs = Blobs::open_root(directory.path()).unwrap();
    fs::write(directory.path().join("tmp/4711-0"), "left over").unwrap();
    let mut writing = blobs.writer(10).unwrap();
    let digest = blobs.put(b"kept").unwrap();
    Blobs::open_root(directory.path()).unwrap();
    assert_eq!(temporary_files(directory.path()), 1);
    writing.append(b"alive").unwrap();
    assert_eq!(writing.finish().unwrap(), Digest::of(b"alive"));
    assert_eq!(blobs.verify(&digest).unwrap(), Some(4));
}

#[test]
fn no_kill_leaves_half_a_blob_or_loses_one() {
    let directory = TempDir::new().unwrap();
    let mut acknowledged = 0;
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child_that_writes_until_it_is_killed", "--nocapture", "--test-threads=1"])
            .env(CHILD, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(20 + kill * 7));
        child.kill().unwrap();
        let mut report = String::new();
        child.stdout.take().unwrap().read_to_string(&mut report).unwrap();
        child.wait().unwrap();
        let blobs = Blobs::open_root(directory.path()).unwrap();
        assert_eq!(temporary_files(directory.path()), 0);
        for digest in report.lines().filter_map(|line| line.strip_suffix(';')) {
            let digest: Digest = digest.parse().unwrap();
            assert!(blobs.size(&digest).unwrap().is_some(), "kill {kill}: {digest} was acknowledged");
            acknowledged += 1;
        }
        for digest in blobs.list().unwrap() {
            blobs.verify(&digest).unwrap();
        }
    }
    assert!(acknowledged > KILLS, "only {acknowledged} blobs were acknowledged");
}

/// The child. Run by itself it does nothing.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    let blobs = Blobs::open_root(directory.as_ref()).unwrap();
    let uploads = std::path::Path::new(&directory).join("uploads");
    fs::create_dir_all(&uploads).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..3_u64 {
            let (blobs, uploads) = (&blobs, &uploads);
            scope.spawn(move || {
                for n in 0.. {
                    let seed = format!("{}-{thread}-{n}", std::process::id());
                    let bytes = seed.repeat(1 + (n % 40) * 100);
                    // Every other one is written elsewhere first, as an upload is.
                    let digest = if n % 2 == 0 {
                        blobs.put(bytes.as_bytes()).unwrap()
                    } else {
                        adopted(blobs, &uploads.join(format!("{thread}")), bytes.as_bytes())
                    };
                    println!("\n{digest};");
                }
            });
        }
    });
}

/// Writes a file and makes it a blob, and forgets its own name then.
fn adopted(blobs: &Blobs, path: &std::path::Path, bytes: &[u8]) -> Digest {
    let _ = fs::remove_file(path);
    let mut file = File::create_new(path).unwrap();
    file.write_all(bytes).unwrap();
    let digest = Digest::of(bytes);
    blobs.adopt(&File::open(path).unwrap(), &digest).unwrap();
    fs::remove_file(path).unwrap();
    digest
}
