//! Nodes' directories whose data directories are gone. Nothing removes them by itself: a disk that is not mounted today may
//! be tomorrow.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Check;
use crate::data_dir::Lock;
use crate::terminal::{bytes, printable};
use crate::up::{DATA_DIR_NOTE, NODE_LOCK};

/// The most directories that are told of.
const TOLD_MAX: usize = 16;
/// The most files that are counted of one: a few seconds' worth.
const FILES_COUNTED_MAX: u64 = 2_000_000;
/// The longest path of Linux.
const PATH_BYTES_MAX: u64 = 4096;
/// In what the kernel counts room on a disk, whatever its blocks are (stat(2)).
const BLOCK_BYTES: u64 = 512;

/// Looks through the directories below `parent`; root alone can.
pub(super) fn checks(parent: &Path) -> Vec<Check> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let mut left: Vec<(PathBuf, PathBuf)> =
        entries.flatten().filter_map(|entry| Some((entry.path(), gone(&entry.path())?))).collect();
    left.sort();
    left.iter().take(TOLD_MAX).map(|(directory, data_dir)| told(directory, data_dir)).collect()
}

fn told(directory: &Path, data_dir: &Path) -> Check {
    let (size, is_all) = size(directory);
    let more = if is_all { "" } else { "more than " };
    let (shown, data_dir) = (directory.display(), printable(&data_dir.to_string_lossy()));
    Check::warning(
        "node leftover",
        format!("{more}{} in {shown}, unpacked for {data_dir}, which is not there", bytes(size)),
        format!("unless that is on a disk that is not mounted now: sudo rm -r {shown}"),
    )
}

/// The data directory of a node's directory, if it is gone and nobody works for it.
fn gone(directory: &Path) -> Option<PathBuf> {
    let is_name = |name: &OsStr| name.len() == 16 && name.as_bytes().iter().all(u8::is_ascii_hexdigit);
    if !directory.file_name().is_some_and(is_name) || !directory.symlink_metadata().ok()?.is_dir() {
        return None;
    }
    let mut path = Vec::new();
    File::open(directory.join(DATA_DIR_NOTE)).ok()?.take(PATH_BYTES_MAX).read_to_end(&mut path).ok()?;
    let data_dir = PathBuf::from(OsStr::from_bytes(&path));
    let is_gone = data_dir.is_absolute()
        && data_dir.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    // Who cannot be asked is taken to be there.
    let is_free = Lock::holder(&directory.join(NODE_LOCK)).is_ok_and(|holder| holder.is_none());
    (is_gone && is_free).then_some(data_dir)
}

/// How much room a directory takes on its disk, and whether that is all. Links are not followed.
fn size(directory: &Path) -> (u64, bool) {
    let (mut open, mut files, mut total, mut is_all) = (vec![directory.to_owned()], 0_u64, 0_u64, true);
    while let Some(path) = open.pop() {
        let Ok(entries) = fs::read_dir(&path) else {
            is_all = false;
            continue;
        };
        for entry in entries.flatten() {
            files += 1;
            if files > FILES_COUNTED_MAX {
                return (total, false);
            }
            let Ok(metadata) = entry.metadata() else { continue };
            // A file of several names takes its room once.
            let names = if metadata.is_dir() { 1 } else { metadata.nlink().max(1) };
            total = total.saturating_add(metadata.blocks() * BLOCK_BYTES / names);
            if metadata.is_dir() {
                open.push(entry.path());
            }
        }
    }
    (total, is_all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node_dir(parent: &Path, name: &str, data_dir: &Path) -> PathBuf {
        let directory = parent.join(name);
        fs::create_dir_all(directory.join("images/layers")).unwrap();
        fs::write(directory.join("images/layers/file"), vec![7; 100_000]).unwrap();
        fs::hard_link(directory.join("images/layers/file"), directory.join("images/same")).unwrap();
        std::os::unix::fs::symlink("/", directory.join("images/link")).unwrap();
        fs::write(directory.join(DATA_DIR_NOTE), data_dir.as_os_str().as_bytes()).unwrap();
        directory
    }

    #[test]
    fn what_is_left_of_a_data_directory_is_told_with_its_size_and_what_removes_it() {
        let parent = tempfile::tempdir().unwrap();
        let data = parent.path().join("data");
        fs::create_dir(&data).unwrap();
        let directory = node_dir(parent.path(), "0123456789abcdef", &data);
        assert_eq!(checks(parent.path()), []);
        fs::remove_dir(&data).unwrap();
        let [check] = <[Check; 1]>::try_from(checks(parent.path())).unwrap();
        assert!(check.found.contains(&format!("in {}, unpacked for {}", directory.display(), data.display())));
        assert!(check.advice.unwrap().ends_with(&format!("sudo rm -r {}", directory.display())));
        let (size, is_all) = size(&directory);
        assert!(is_all && (100_000..200_000).contains(&size), "{size}");
    }

    #[test]
    fn what_is_no_nodes_or_says_nothing_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let nowhere = parent.path().join("nowhere");
        node_dir(parent.path(), "another-name", &nowhere);
        node_dir(parent.path(), "fedcba9876543210", Path::new("relative"));
        let silent = node_dir(parent.path(), "0000000000000000", &nowhere);
        fs::remove_file(silent.join(DATA_DIR_NOTE)).unwrap();
        let real = node_dir(parent.path(), "elsewhere", &nowhere);
        std::os::unix::fs::symlink(real, parent.path().join("1111111111111111")).unwrap();
        assert_eq!(checks(parent.path()), []);
        assert_eq!(checks(&nowhere), []);
    }

    #[test]
    fn of_many_only_some_are_told() {
        let parent = tempfile::tempdir().unwrap();
        for number in 0..TOLD_MAX + 3 {
            node_dir(parent.path(), &format!("{number:016x}"), &parent.path().join("nowhere"));
        }
        assert_eq!(checks(parent.path()).len(), TOLD_MAX);
    }
}
