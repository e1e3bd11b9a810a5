//! Backing up and restoring.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};

use rustix::process::Signal;

use crate::harness::{NOBODY, Up, as_person, ask, pilvi, root, stdout, text, writable};

fn backup(command: Command, dir: &Path, file: &Path) -> Output {
    ask(command, dir, &["backup", file.to_str().unwrap()])
}

fn restore(command: Command, dir: &Path, file: &Path) -> Output {
    ask(command, dir, &["restore", file.to_str().unwrap()])
}

fn key(dir: &Path) -> Vec<u8> {
    std::fs::read(dir.join("keys/root.json")).unwrap()
}

#[test]
fn a_backup_of_a_running_one_becomes_another_with_the_same_keys() {
    let temp = writable();
    let file = temp.path().join("pilvi.backup");
    let up = Up::start(as_person(), &temp.path().join("data"), &[]);
    stdout(&backup(as_person(), &up.dir, &file));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(up.get("/_pilvi/ready").unwrap().0, 200);

    let other = temp.path().join("other");
    stdout(&restore(as_person(), &other, &file));
    assert_eq!(key(&other), key(&up.dir));
    let restored = Up::start(as_person(), &other, &[]);
    assert_eq!(restored.get("/_pilvi/ready").unwrap().0, 200);
}

#[test]
fn a_backup_of_a_stopped_one_works_too_and_overwrites_no_file() {
    let temp = writable();
    let file = temp.path().join("pilvi.backup");
    let up = Up::start(as_person(), &temp.path().join("data"), &[]);
    let dir = up.dir.clone();
    up.signal(Signal::TERM);
    up.wait();
    stdout(&backup(as_person(), &dir, &file));
    let before = std::fs::read(&file).unwrap();
    let refused = backup(as_person(), &dir, &file);
    assert!(!refused.status.success() && text(&refused).contains("cannot make"), "{}", text(&refused));
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn a_directory_in_use_or_with_data_is_not_restored_into() {
    let temp = writable();
    let file = temp.path().join("pilvi.backup");
    let up = Up::start(as_person(), &temp.path().join("data"), &[]);
    stdout(&backup(as_person(), &up.dir, &file));
    let (dir, before) = (up.dir.clone(), key(&up.dir));
    let in_use = restore(as_person(), &dir, &file);
    assert!(!in_use.status.success() && text(&in_use).contains("in use by process"), "{}", text(&in_use));
    up.signal(Signal::TERM);
    up.wait();
    let taken = restore(as_person(), &dir, &file);
    assert!(!taken.status.success() && text(&taken).contains("empty data directory"), "{}", text(&taken));
    assert_eq!(key(&dir), before);
}

#[test]
fn a_backup_that_is_cut_off_is_refused_and_the_whole_one_can_follow() {
    let temp = writable();
    let (file, part) = (temp.path().join("pilvi.backup"), temp.path().join("part.backup"));
    let up = Up::start(as_person(), &temp.path().join("data"), &[]);
    stdout(&backup(as_person(), &up.dir, &file));
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&part, &whole[..whole.len() / 2]).unwrap();
    let other = temp.path().join("other");
    let refused = restore(as_person(), &other, &part);
    assert!(!refused.status.success() && text(&refused).contains("nothing has been restored"), "{}", text(&refused));
    stdout(&restore(as_person(), &other, &file));
}

#[test]
fn a_backup_that_fails_leaves_no_file() {
    let temp = writable();
    let file = temp.path().join("pilvi.backup");
    let up = Up::start(as_person(), &temp.path().join("data"), &[]);
    let dir = up.dir.clone();
    up.signal(Signal::TERM);
    up.wait();
    std::fs::remove_file(dir.join("keys/sealing.json")).unwrap();
    let refused = backup(as_person(), &dir, &file);
    assert!(!refused.status.success() && text(&refused).contains("keys/sealing.json"), "{}", text(&refused));
    assert!(!file.exists());
}

#[test]
fn under_sudo_root_has_the_file_and_the_person_the_directory() {
    if !root() {
        return;
    }
    let temp = writable();
    let closed = tempfile::tempdir().unwrap();
    std::fs::set_permissions(closed.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let file = closed.path().join("pilvi.backup");
    let up = Up::start(as_person(), &temp.path().join("data"), &[]);
    let sudo = || {
        let mut command = pilvi();
        command.envs([("SUDO_UID", NOBODY.to_string()), ("SUDO_GID", NOBODY.to_string())]);
        command
    };
    stdout(&backup(sudo(), &up.dir, &file));
    assert_eq!(std::fs::metadata(&file).unwrap().uid(), 0);
    let other = temp.path().join("other");
    stdout(&restore(sudo(), &other, &file));
    assert_eq!(std::fs::metadata(other.join("keys/root.json")).unwrap().uid(), NOBODY);
    assert_eq!(key(&other), key(&up.dir));
}
