//! The short-lived subcommands.

use serde_json::Value;

use crate::harness::{Up, as_person, ask, pilvi, stdout, text, wait_for, writable};

fn up() -> (tempfile::TempDir, Up) {
    let temp = writable();
    let up = Up::start(as_person(), &temp.path().join("it's data"), &["--region", "eu-north-1"]);
    (temp, up)
}

#[test]
fn env_prints_lines_that_a_shell_takes_over() {
    let (_temp, up) = up();
    let lines = stdout(&up.ask(as_person(), &["env"]));
    let script =
        format!("set -eu\n{lines}\nprintf '%s\\n' \"$AWS_ENDPOINT_URL\" \"$AWS_REGION\" \"$AWS_DEFAULT_REGION\"");
    let read = std::process::Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
    assert_eq!(stdout(&read), format!("{}\neu-north-1\neu-north-1\n", up.endpoint));
    assert!(lines.lines().all(|line| line.starts_with("export AWS_")), "{lines}");
    assert_eq!(lines.lines().count(), 6);
}

#[test]
fn env_prints_the_root_key_as_json_and_for_fish() {
    let (_temp, up) = up();
    let object: Value = serde_json::from_str(&stdout(&up.ask(as_person(), &["env", "--format", "json"]))).unwrap();
    let key: Value = serde_json::from_slice(&std::fs::read(up.dir.join("keys/root.json")).unwrap()).unwrap();
    assert_eq!(object["AWS_ACCESS_KEY_ID"], key["accessKeyId"]);
    assert_eq!(object["AWS_SECRET_ACCESS_KEY"], key["secretAccessKey"]);
    let fish = stdout(&up.ask(as_person(), &["env", "--shell", "fish"]));
    assert!(fish.contains(&format!("set -gx AWS_ENDPOINT_URL {}", up.endpoint)), "{fish}");
}

#[test]
fn env_takes_away_a_session_token_that_would_spoil_the_key() {
    let (_temp, up) = up();
    let mut command = as_person();
    command.env("AWS_SESSION_TOKEN", "left over");
    assert!(stdout(&up.ask(command, &["env"])).ends_with("\nunset AWS_SESSION_TOKEN\n"));
}

#[test]
fn env_says_how_to_start_when_nothing_runs() {
    let temp = writable();
    let output = ask(as_person(), &temp.path().join("data"), &["env"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty() && text(&output).contains("start it with `pilvi up`"), "{}", text(&output));
}

#[test]
fn status_tells_running_from_stopped_by_words_and_exit_code() {
    let (_temp, up) = up();
    let running = up.ask(as_person(), &["status"]);
    assert!(stdout(&running).contains(&up.endpoint), "{}", text(&running));
    let object: Value = serde_json::from_str(&stdout(&up.ask(as_person(), &["status", "--format", "json"]))).unwrap();
    assert_eq!((&object["state"], &object["server"]["pid"]), (&"running".into(), &up.server_pid().into()));
    let dir = up.dir.clone();
    stdout(&up.ask(as_person(), &["down"]));
    let stopped = ask(as_person(), &dir, &["status"]);
    assert_eq!(stopped.status.code(), Some(3), "{}", text(&stopped));
    drop(up);
}

#[test]
fn status_tells_a_server_that_does_not_answer() {
    use rustix::process::Signal;
    let (_temp, up) = up();
    crate::harness::send(up.server_pid(), Signal::STOP);
    let output = up.ask(as_person(), &["status"]);
    crate::harness::send(up.server_pid(), Signal::CONT);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("does not answer"), "{}", text(&output));
}

#[test]
fn down_stops_a_running_one_and_is_content_when_nothing_runs() {
    let (_temp, up) = up();
    let dir = up.dir.clone();
    assert!(stdout(&up.ask(as_person(), &["down"])).contains("stopped"));
    assert!(up.wait().success());
    assert!(stdout(&ask(as_person(), &dir, &["down"])).contains("not running"));
}

#[test]
fn settings_come_from_flag_environment_and_file_in_this_order() {
    let temp = writable();
    let file = temp.path().join("pilvi.toml");
    std::fs::write(&file, "region = \"eu-west-1\"\naccount = \"111122223333\"\ndata_dir = \"data\"\n").unwrap();
    let region = |command: std::process::Command, further: &[&str]| {
        let up = Up::start(command, &temp.path().join("data"), further);
        let server = up.record("server.json");
        (server["region"].as_str().unwrap().to_owned(), server["account"].as_str().unwrap().to_owned())
    };
    let with_file = |region: Option<&str>| {
        let mut command = as_person();
        command.env("PILVI_CONFIG", &file).envs(region.map(|region| ("PILVI_REGION", region)));
        command
    };
    let account = "111122223333".to_owned();
    assert_eq!(region(with_file(None), &[]), ("eu-west-1".to_owned(), account.clone()));
    assert_eq!(region(with_file(Some("eu-west-2")), &[]), ("eu-west-2".to_owned(), account.clone()));
    let flag = ["--region", "eu-west-3"];
    assert_eq!(region(with_file(Some("eu-west-2")), &flag), ("eu-west-3".to_owned(), account));
}

#[test]
fn a_wrong_configuration_is_refused_with_file_and_line() {
    let temp = writable();
    let file = temp.path().join("pilvi.toml");
    std::fs::write(&file, "region = \"eu-west-1\"\nlisten_on = \"x\"\n").unwrap();
    for arguments in [["config", "--check"], ["up", "--config"]] {
        let output = as_person().args(arguments).arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output).contains("pilvi.toml:2:1: unknown key `listen_on`"), "{}", text(&output));
    }
}

#[test]
fn the_configuration_that_is_printed_can_be_used() {
    let temp = writable();
    let file = temp.path().join("pilvi.toml");
    std::fs::write(&file, stdout(&pilvi().arg("config").output().unwrap())).unwrap();
    assert!(stdout(&pilvi().args(["config", "--check"]).arg(&file).output().unwrap()).contains("fine"));
}

#[test]
fn an_open_port_without_protection_is_refused() {
    let temp = writable();
    let mut command = as_person();
    command.args(["up", "--listen", "0.0.0.0:0"]);
    let output = ask(command, &temp.path().join("data"), &[]);
    assert!(!output.status.success() && text(&output).contains("allow_plain_http"), "{}", text(&output));
    assert!(!temp.path().join("data").exists(), "nothing is made before the settings are right");
}

#[test]
fn version_doctor_and_completions_print_what_programs_can_read() {
    let version: Value =
        serde_json::from_str(&stdout(&pilvi().args(["version", "--format", "json"]).output().unwrap())).unwrap();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    let doctor = pilvi().args(["doctor", "--format", "json", "--data-dir", "/tmp"]).output().unwrap();
    let checks: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let missing = checks.as_array().unwrap().iter().any(|check| check["verdict"] == "missing");
    assert_eq!(doctor.status.code(), Some(i32::from(missing)));
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&pilvi().args(["completions", shell]).output().unwrap());
        assert!(script.contains("doctor") && !script.contains("server-role"), "{shell}");
    }
}

#[test]
fn help_groups_the_commands_and_shows_examples() {
    let help = stdout(&pilvi().arg("--help").output().unwrap());
    for expected in ["Run it:", "Use it:", "Examples:", "eval \"$(pilvi env)\""] {
        assert!(help.contains(expected), "{help}");
    }
    assert!(!help.contains("server-role"));
}

#[test]
fn a_reader_that_goes_away_does_not_stop_it() {
    let temp = writable();
    let dir = temp.path().join("data");
    let mut command = as_person();
    command.args(["up", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&dir);
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    wait_for("server", || dir.join("run/server.json").exists().then_some(()));
    stdout(&ask(as_person(), &dir, &["status"]));
    stdout(&ask(as_person(), &dir, &["down"]));
    assert!(child.wait().unwrap().success());
}
