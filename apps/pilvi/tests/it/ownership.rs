//! Whose the files and processes are, for each way of starting.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::process::Signal;

use crate::harness::{NOBODY, Up, as_person, ask, at, pilvi, root, send, stdout, sudo, text, wait_for, writable};

/// The user ids that a process runs with: real, effective, saved, file system.
fn ids(pid: u32, line: &str) -> Vec<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let ids = status.lines().find_map(|l| l.strip_prefix(line)).unwrap();
    ids.split_ascii_whitespace().map(|id| id.parse().unwrap()).collect()
}

fn every_file(dir: &Path, check: &mut impl FnMut(&Path, &std::fs::Metadata)) {
    check(dir, &std::fs::symlink_metadata(dir).unwrap());
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { every_file(&path, check) } else { check(&path, &std::fs::symlink_metadata(&path).unwrap()) }
    }
}

fn belongs_to(dir: &Path, uid: u32) {
    every_file(dir, &mut |path, metadata| {
        assert_eq!(metadata.uid(), uid, "{}", path.display());
        assert_eq!(metadata.mode() & 0o077, 0, "{}", path.display());
    });
}

#[test]
fn everything_in_the_data_directory_is_its_owners_alone() {
    let temp = writable();
    let up = Up::start(as_person(), &temp.path().join("data"), &[]);
    belongs_to(&up.dir, std::fs::metadata(temp.path()).unwrap().uid());
}

#[test]
fn under_sudo_the_server_and_its_files_are_the_persons() {
    if !root() {
        return;
    }
    let temp = writable();
    let up = Up::start(sudo(), &temp.path().join("data"), &[]);
    // Once the node is written down, which the supervisor does as the person, it does nothing more by itself.
    wait_for("node", || up.record("up.json")["node"]["pid"].as_u64());
    wait_for("supervisor that is root again", || (ids(up.pid(), "Uid:") == [0; 4]).then_some(()));
    assert_eq!(ids(up.server_pid(), "Uid:"), [NOBODY; 4]);
    assert_eq!(ids(up.server_pid(), "Gid:"), [NOBODY; 4]);
    assert!(ids(up.server_pid(), "Groups:").is_empty());
    belongs_to(&up.dir, NOBODY);
    for caller in [as_person(), sudo(), pilvi()] {
        assert!(stdout(&up.ask(caller, &["env"])).contains("AWS_SECRET_ACCESS_KEY="));
    }
    up.signal(Signal::TERM);
    assert!(up.wait().success());
    belongs_to(&temp.path().join("data"), NOBODY);
}

#[test]
fn under_sudo_a_place_that_only_root_can_write_is_given_to_the_person() {
    if !root() {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    std::fs::set_permissions(temp.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let up = Up::start(sudo(), &temp.path().join("srv/data"), &[]);
    belongs_to(&up.dir, NOBODY);
    assert_eq!(std::fs::metadata(temp.path().join("srv")).unwrap().uid(), 0);
}

#[test]
fn under_sudo_the_person_stops_it_only_with_sudo() {
    if !root() {
        return;
    }
    let temp = writable();
    let up = Up::start(sudo(), &temp.path().join("data"), &[]);
    let refused = up.ask(as_person(), &["down"]);
    assert!(!refused.status.success() && text(&refused).contains("sudo"), "{}", text(&refused));
    stdout(&up.ask(sudo(), &["down"]));
    assert!(up.wait().success());
}

#[test]
fn plain_root_runs_the_server_as_the_owner_of_the_directory() {
    if !root() {
        return;
    }
    let temp = writable();
    let dir = temp.path().join("data");
    std::fs::create_dir(&dir).unwrap();
    std::os::unix::fs::chown(&dir, Some(12_345), Some(12_346)).unwrap();
    let up = Up::start(pilvi(), &dir, &[]);
    assert_eq!(ids(up.server_pid(), "Uid:"), [12_345; 4]);
    assert_eq!(ids(up.server_pid(), "Gid:"), [12_346; 4]);
    belongs_to(&dir, 12_345);
    let effective = std::fs::read_to_string(format!("/proc/{}/status", up.server_pid())).unwrap();
    assert!(effective.contains("CapEff:\t0000000000000000") && effective.contains("NoNewPrivs:\t1"), "{effective}");
}

#[test]
fn a_program_that_only_root_can_reach_serves_as_another_user_all_the_same() {
    if !root() {
        return;
    }
    let closed = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    std::fs::set_permissions(closed.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let program = closed.path().join("pilvi");
    // A link and no copy: a file that another test's fork still holds open for writing cannot be executed.
    std::fs::hard_link(env!("CARGO_BIN_EXE_pilvi"), &program).unwrap();
    let temp = writable();
    let dir = temp.path().join("data");
    std::fs::create_dir(&dir).unwrap();
    std::os::unix::fs::chown(&dir, Some(NOBODY), Some(NOBODY)).unwrap();
    let up = Up::start(at(&program), &dir, &[]);
    assert_eq!(ids(up.server_pid(), "Uid:"), [NOBODY; 4]);
    std::fs::remove_file(&program).unwrap();
    send(up.server_pid(), Signal::KILL);
    // The supervisor starts what it runs itself, not what its path names now.
    wait_for("restart", || (up.record("up.json")["restarts"] == 1).then_some(()));
    assert_eq!(up.get("/_pilvi/ready").unwrap().0, 200);
}

#[test]
fn somebody_elses_directory_is_refused() {
    if !root() {
        return;
    }
    let temp = writable();
    let dir = temp.path().join("data");
    std::fs::create_dir(&dir).unwrap();
    let refused = Up::try_start(as_person(), &dir, &[]).err().unwrap();
    assert!(text(&refused).contains("belongs to root"), "{}", text(&refused));
}

#[test]
fn a_stranger_is_told_who_may_read_the_key() {
    if !root() {
        return;
    }
    let temp = writable();
    let up = Up::start(as_person(), &temp.path().join("data"), &[]);
    let mut stranger = pilvi();
    std::os::unix::process::CommandExt::uid(&mut stranger, 12_345);
    let refused = ask(stranger, &up.dir, &["env"]);
    assert!(!refused.status.success() && text(&refused).contains("closed to you"), "{}", text(&refused));
}

#[test]
fn secrets_are_in_no_argument_and_no_environment() {
    let temp = writable();
    let file = temp.path().join("pilvi.toml");
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let text = format!("[[access_key]]\nid = \"AKIAIOSFODNN7EXAMPLE\"\nsecret = \"{secret}\"\n");
    std::fs::write(&file, text).unwrap();
    let mut command = as_person();
    command.env("PILVI_CONFIG", &file).env("UNRELATED", "variable");
    let up = Up::start(command, &temp.path().join("data"), &["--log", "trace"]);
    let pid = up.server_pid();
    for name in ["cmdline", "environ"] {
        let shown = std::fs::read(format!("/proc/{pid}/{name}")).unwrap();
        let shown = String::from_utf8_lossy(&shown);
        assert!(!shown.contains(secret) && !shown.contains("UNRELATED") && !shown.contains("PILVI_"), "{shown}");
    }
}

#[test]
fn a_link_that_a_captured_server_leaves_is_not_followed_by_root() {
    if !root() {
        return;
    }
    let temp = writable();
    let dir = temp.path().join("data");
    let up = Up::start(sudo(), &dir, &[]);
    up.signal(Signal::TERM);
    up.wait();
    let target = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(target.path(), "roots").unwrap();
    for name in ["run/up.json", "run/up.json.new", "run/server.json", "run/server.json.new"] {
        std::os::unix::fs::symlink(target.path(), dir.join(name)).unwrap();
    }
    let up = Up::start(sudo(), &dir, &[]);
    assert_eq!(up.get("/_pilvi/ready").unwrap().0, 200);
    assert_eq!(std::fs::read_to_string(target.path()).unwrap(), "roots");
}
