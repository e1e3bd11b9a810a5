//! Starting, stopping, dying and coming back.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::{Up, as_person, ask, exists, get, root, send, sudo, text, wait_for, writable};

/// The promise for the whole of stopping.
const STOPPED_WITHIN: Duration = Duration::from_secs(5);

fn up() -> (tempfile::TempDir, Up) {
    let temp = writable();
    let up = Up::start(as_person(), &temp.path().join("data"), &[]);
    (temp, up)
}

#[test]
fn once_it_says_so_it_is_ready_healthy_and_measured() {
    let (_temp, up) = up();
    assert_eq!(up.get("/_pilvi/ready").unwrap(), (200, "ready\n".to_owned()));
    let (status, health) = up.get("/_pilvi/health").unwrap();
    assert!(status == 200 && health.contains("\"status\":\"ok\""), "{health}");
    let (status, metrics) = up.get("/_pilvi/metrics").unwrap();
    assert!(status == 200 && metrics.contains("pilvi_build_info{"), "{metrics}");
    assert!(up.banner.contains("eval \"$(pilvi env --data-dir "), "{}", up.banner);
}

#[test]
fn a_second_one_on_the_same_directory_is_refused_and_names_the_first() {
    let (_temp, up) = up();
    let refused = Up::try_start(as_person(), &up.dir, &[]).err().expect("the second must be refused");
    let said = text(&refused);
    assert!(said.contains("already running") && said.contains(&format!("process {}", up.pid())), "{said}");
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(up.get("/_pilvi/ready").unwrap().0, 200);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let (temp, up) = up();
    let address = up.endpoint.strip_prefix("http://").unwrap();
    let refused = Up::try_start(as_person(), &temp.path().join("other"), &["--listen", address]);
    // The harness names a free port first; clap takes one value only.
    assert!(text(&refused.err().unwrap()).contains("cannot be used multiple times"));
    let mut command = as_person();
    command.args(["up", "--listen", address]);
    let said = text(&ask(command, &temp.path().join("other"), &[]));
    assert!(said.contains(&format!("{address} is taken by another program")), "{said}");
}

#[test]
fn terminated_it_finishes_what_is_under_way_and_leaves_nothing_behind() {
    let (_temp, up) = up();
    let mut idle = TcpStream::connect(up.endpoint.strip_prefix("http://").unwrap()).unwrap();
    idle.write_all(b"GET /_pilvi/ready HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let server = up.server_pid();
    wait_for("answer", || (idle.read(&mut [0; 256]).unwrap() > 0).then_some(()));
    let (dir, endpoint, begun) = (up.dir.clone(), up.endpoint.clone(), Instant::now());
    up.signal(Signal::TERM);
    assert!(up.wait().success());
    assert!(begun.elapsed() < STOPPED_WITHIN, "{:?}", begun.elapsed());
    assert!(!exists(server) && get(&endpoint, "/_pilvi/ready").is_err());
    assert!(!dir.join("run/server.json").exists() && !dir.join("run/up.json").exists());
}

#[test]
fn an_interrupt_stops_it_too() {
    let (_temp, up) = up();
    up.signal(Signal::INT);
    assert!(up.wait().success());
}

#[test]
fn a_request_that_never_ends_does_not_keep_it_from_stopping() {
    let (_temp, up) = up();
    let mut half = TcpStream::connect(up.endpoint.strip_prefix("http://").unwrap()).unwrap();
    half.write_all(b"GET /_pilvi/ready HTTP/1.1\r\nHost:").unwrap();
    assert_eq!(up.get("/_pilvi/ready").unwrap().0, 200);
    let begun = Instant::now();
    up.signal(Signal::TERM);
    assert!(up.wait().success());
    assert!(begun.elapsed() < STOPPED_WITHIN, "{:?}", begun.elapsed());
}

#[test]
fn a_server_that_is_killed_is_started_again_and_its_clients_wait() {
    let (_temp, up) = up();
    let key = std::fs::read(up.dir.join("keys/root.json")).unwrap();
    for round in 1..=3 {
        let before = up.server_pid();
        send(before, Signal::KILL);
        wait_for("end of the server", || (!exists(before)).then_some(()));
        // The supervisor holds the socket: this connection waits for the next server.
        assert_eq!(up.get("/_pilvi/ready").unwrap().0, 200);
        assert_ne!(up.server_pid(), before);
        assert_eq!(up.record("up.json")["restarts"], round);
    }
    assert_eq!(std::fs::read(up.dir.join("keys/root.json")).unwrap(), key);
    up.signal(Signal::TERM);
    assert!(up.wait().success());
}

#[test]
fn a_supervisor_that_is_killed_takes_its_server_along_and_another_can_follow() {
    let (_temp, up) = up();
    let (dir, server) = (up.dir.clone(), up.server_pid());
    up.signal(Signal::KILL);
    up.wait();
    wait_for("end of the server", || (!exists(server)).then_some(()));
    let next = Up::start(as_person(), &dir, &[]);
    assert_eq!(next.get("/_pilvi/ready").unwrap().0, 200);
}

#[test]
fn a_stopped_server_that_does_not_hear_is_killed_in_time() {
    let (_temp, up) = up();
    let server = up.server_pid();
    send(server, Signal::STOP);
    let begun = Instant::now();
    up.signal(Signal::TERM);
    assert!(up.wait().success());
    assert!(begun.elapsed() < STOPPED_WITHIN, "{:?}", begun.elapsed());
    assert!(!exists(server));
}

#[test]
fn a_server_that_cannot_start_ends_the_supervisor_with_its_reason() {
    let (_temp, up) = up();
    let dir = up.dir.clone();
    up.signal(Signal::TERM);
    up.wait();
    let refused = Up::try_start(as_person(), &dir, &["--account", "111122223333"]).err().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains("was made for account 000000000000"), "{}", text(&refused));
}

#[test]
fn logs_for_programs_are_json_lines_and_nothing_else_is_printed() {
    let temp = writable();
    let mut command = as_person();
    command.args(["up", "--listen", "127.0.0.1:0", "--log-format", "json", "--data-dir"]).arg(temp.path().join("data"));
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let record = temp.path().join("data/run/server.json");
    wait_for("server", || record.exists().then_some(()));
    send(child.id(), Signal::TERM);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{}", text(&output));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.lines().count() >= 3);
    for line in log.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(entry["message"].is_string() && entry["timestamp"].is_string(), "{line}");
    }
}

#[test]
fn the_servers_own_subcommand_is_of_no_use_to_anybody_else() {
    let output = as_person().arg("server-role").output().unwrap();
    assert!(!output.status.success() && text(&output).contains("`pilvi up`'s own"), "{}", text(&output));
}

#[test]
fn what_a_pilvi_has_left_is_cleared_away_though_none_runs() {
    let temp = writable();
    let dir = temp.path().join("data");
    let purge = |command| ask(command, &dir, &["down", "--purge"]);
    let nothing = purge(as_person());
    assert!(nothing.status.success() && text(&nothing).contains("not running"), "{}", text(&nothing));
    let up = Up::start(as_person(), &dir, &[]);
    up.signal(Signal::KILL);
    up.wait();
    let record = dir.join("run/up.json");
    assert!(record.exists(), "what was killed tidies nothing");
    let refused = purge(as_person());
    assert!(!refused.status.success() && text(&refused).contains("sudo pilvi down --purge"), "{}", text(&refused));
    if !root() {
        return;
    }
    let node_dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(node_dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
    for _ in 0..2 {
        let mut command = sudo();
        command.env("PILVI_NODE_DIR", node_dir.path().join("node"));
        let purged = purge(command);
        assert!(purged.status.success() && text(&purged).contains("no container was here"), "{}", text(&purged));
        assert!(!record.exists(), "what was started for it has ended");
    }
}
