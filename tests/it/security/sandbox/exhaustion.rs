//! Attacks on what everybody on a machine shares: processes, space, files.

use std::fs;
use std::path::Path;

use tests::program::{LIMIT, until};

use super::python;
use crate::containers::{Stage, is_running};

const BOMB: &str = include_str!("attackers/bomb.py");
const FILL: &str = include_str!("attackers/fill.py");

#[test]
fn a_fork_bomb_neither_stops_others_nor_outlives_its_container() {
    let Some(stage) = Stage::shared() else { return };
    let other = stage.start("beside-the-bomb", &[], &["sleep", "1000"]);
    let flags = ["--pids-limit", "100", "--cpus", "0.5"];
    let bomb = stage.start_image(stage.python(), "bomb", &flags, &["python3", "-c", BOMB]);
    stage.server.until_container("bomb", is_running);
    let count = || {
        let stats = stage.server.command(&["stats", "--json"]).json();
        let of = |one: &&serde_json::Value| one["name"] == "bomb" || one["workload"] == bomb.id || one["id"] == bomb.id;
        stats["stats"].as_array()?.iter().find(of)?["containers"]["main"]["pids"].as_u64()
    };
    assert!(until(LIMIT, || count().filter(|&count| count > 50)).is_some(), "it has gone off");
    for _ in 0..5 {
        assert_eq!(other.exec(&["echo", "well"]), "well\n");
        assert!(count().is_none_or(|count| count <= 100));
    }
    let process = stage.server.process_of("bomb").unwrap();
    drop(bomb);
    assert!(!Path::new(&format!("/proc/{process}")).exists());
    assert_eq!(stage.sh(&[], "echo well"), "well\n");
}

#[test]
fn whatever_can_be_written_to_is_full_before_the_machine_is() {
    let Some(stage) = Stage::shared() else { return };
    let flags = ["--storage-opt", "size=48m", "--tmpfs", "/t:size=1m", "--shm-size", "2m", "--memory", "256m"];
    let said = python(&stage, &flags, FILL, &["160"]);
    assert!(!said.contains("ENDLESS"), "{said}");
    for place in ["/ ", "/t ", "/dev/shm "] {
        assert!(said.lines().any(|line| line.starts_with(place)), "{place}: {said}");
    }
}

#[test]
fn what_is_printed_without_end_takes_a_bounded_part_of_the_disk() {
    const KEPT_BYTES_MAX: u64 = 64 << 20;
    let Some(stage) = Stage::shared() else { return };
    let one = stage.start("printing", &[], &["sh", "-c", "head -c 300000000 /dev/zero; exec sleep 1000"]);
    let home = stage.server.node_dir().join("workloads").join(&one.id);
    let has_printed = until(LIMIT, || one.exec(&["ps"]).contains("sleep 1000").then_some(()));
    assert!(has_printed.is_some());
    let kept = bytes_below(&home);
    assert!((1..KEPT_BYTES_MAX).contains(&kept), "{kept} bytes in {}", home.display());
}

/// What the files below a directory take of the disk, in bytes.
fn bytes_below(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    };
    entries.map(size).sum()
}
