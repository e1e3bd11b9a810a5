//! From the first second to the last: names, lists, stopping, killing, health, restarts, dependencies on nothing.

use tests::program::{LIMIT, until};

use super::{Stage, has_stopped, is_running};

#[test]
fn a_container_is_listed_asked_about_and_forgotten_by_name_id_or_how_that_begins() {
    let Some(stage) = Stage::shared() else { return };
    let one = stage.start("listed", &["-l", "team=a"], &["sleep", "1000"]);
    for name in ["listed", &one.id, &one.id[..12]] {
        assert!(stage.pilvi(&["why", name]).success().contains(&one.id), "{name}");
    }
    let table = stage.pilvi(&["ps"]).success();
    let row = table.lines().find(|line| line.contains("listed")).unwrap();
    assert!(row.contains(&one.id[..12]) && row.contains("sleep 1000") && row.contains("up "), "{row}");
    let taken = stage.pilvi(&["run", "-d", "--name", "listed", &stage.image, "true"]);
    assert_eq!(taken.status.code(), Some(125), "{taken:?}");
    assert!(taken.stderr.contains("in use"), "{taken:?}");
    let refused = stage.pilvi(&["rm", "listed"]);
    assert!(!refused.status.success() && refused.stderr.contains("rm -f"), "{refused:?}");
    stage.pilvi(&["rm", "-f", "listed"]).success();
    assert!(stage.server.container("listed").is_none());
    assert!(!stage.pilvi(&["stop", "listed"]).status.success());
}

#[test]
fn with_rm_its_name_is_free_as_soon_as_the_command_has_ended() {
    let Some(stage) = Stage::shared() else { return };
    for _ in 0..3 {
        assert_eq!(stage.run(&["--name", "again"], &["echo", "x"]).success(), "x\n");
    }
    assert!(stage.server.container("again").is_none());
}

#[test]
fn stopping_is_a_signal_first_and_a_kill_when_that_is_not_heard() {
    let Some(stage) = Stage::shared() else { return };
    let polite = "trap 'echo bye; exit 5' TERM; while :; do sleep 0.05; done";
    let one = stage.start("polite", &[], &["sh", "-c", polite]);
    stage.pilvi(&["stop", "polite"]).success();
    let told = stage.server.container("polite").unwrap();
    assert_eq!(told["observed"]["containers"][0]["state"]["exited"]["code"], 5, "{told}");
    assert!(stage.pilvi(&["logs", "polite"]).success().contains("bye"));
    drop(one);

    let deaf = "trap '' TERM; while :; do sleep 0.05; done";
    let one = stage.start("deaf", &[], &["sh", "-c", deaf]);
    stage.pilvi(&["stop", "-t", "1", "deaf"]).success();
    let told = stage.server.container("deaf").unwrap();
    assert_eq!(told["observed"]["containers"][0]["state"]["exited"]["code"], 137, "{told}");
    drop(one);

    let other = "trap 'exit 6' INT; while :; do sleep 0.05; done";
    let one = stage.start("other-signal", &["--stop-signal", "INT"], &["sh", "-c", other]);
    stage.pilvi(&["stop", "other-signal"]).success();
    let told = stage.server.container("other-signal").unwrap();
    assert_eq!(told["observed"]["containers"][0]["state"]["exited"]["code"], 6, "{told}");
    drop(one);
}

#[test]
fn killing_sends_what_is_wanted() {
    let Some(stage) = Stage::shared() else { return };
    let script = "trap 'echo usr1' USR1; echo ready; while :; do sleep 0.05; done";
    let _one = stage.start("signalled", &[], &["sh", "-c", script]);
    let has =
        |text: &str| until(LIMIT, || stage.pilvi(&["logs", "signalled"]).stdout.contains(text).then_some(())).is_some();
    assert!(has("ready"));
    stage.pilvi(&["kill", "-s", "USR1", "signalled"]).success();
    assert!(has("usr1"));
    stage.pilvi(&["kill", "signalled"]).success();
    let told = stage.server.until_container("signalled", has_stopped);
    assert_eq!(told["observed"]["containers"][0]["state"]["exited"]["code"], 137, "{told}");
}

#[test]
fn one_that_is_to_be_restarted_is_and_one_that_was_stopped_stays_so() {
    let Some(stage) = Stage::shared() else { return };
    let one = stage.start("again-and-again", &["--restart", "always"], &["sh", "-c", "sleep 0.1; exit 1"]);
    stage.server.until_container("again-and-again", |told| {
        told["observed"]["containers"][0]["restarts"].as_u64().is_some_and(|restarts| restarts >= 2)
    });
    stage.pilvi(&["stop", "-t", "0", "again-and-again"]).success();
    assert!(has_stopped(&stage.server.container("again-and-again").unwrap()));
    drop(one);
    let one = stage.start("twice", &["--restart", "on-failure:2"], &["sh", "-c", "exit 3"]);
    let told = stage.server.until_container("twice", has_stopped);
    assert_eq!(told["observed"]["containers"][0]["restarts"], 2, "{told}");
    assert_eq!(told["observed"]["containers"][0]["state"]["exited"]["code"], 3, "{told}");
    drop(one);
}

#[test]
fn health_is_what_its_command_says() {
    let Some(stage) = Stage::shared() else { return };
    let flags = ["--health-cmd", "test -e /well", "--health-interval", "1s", "--health-retries", "1"];
    let one = stage.start("patient", &flags, &["sh", "-c", "touch /well; exec sleep 1000"]);
    let is =
        |health: &'static str| move |told: &serde_json::Value| told["observed"]["containers"][0]["health"] == health;
    stage.server.until_container("patient", is("healthy"));
    one.exec(&["rm", "/well"]);
    stage.server.until_container("patient", is("unhealthy"));
    assert!(stage.pilvi(&["ps"]).success().contains("(unhealthy)"));
}

#[test]
fn what_it_uses_is_told() {
    let Some(stage) = Stage::shared() else { return };
    let _one = stage.start("busy", &["--memory", "64m"], &["sh", "-c", "while :; do :; done"]);
    stage.server.until_container("busy", is_running);
    let stats = stage.pilvi(&["stats", "--no-stream", "busy"]).success();
    let row = stats.lines().nth(1).unwrap();
    assert!(row.contains("busy") && row.contains("67.1 MB") && row.contains('%'), "{stats}");
    let told = stage.server.command(&["stats", "--json"]).json();
    assert!(
        told["stats"].as_array().unwrap().iter().any(|one| one["containers"]["main"]["cpuUs"].as_u64() > Some(0)),
        "{told}"
    );
    let nodes = stage.pilvi(&["nodes"]).success();
    assert!(nodes.contains("ready"), "{nodes}");
}

#[test]
fn fifty_at_once_all_run() {
    let Some(stage) = Stage::new() else { return };
    let runs: Vec<_> = (0..50)
        .map(|number| {
            let number = number.to_string();
            let arguments = stage.arguments(&["-e", "N"], &["sh", "-c", "echo $N"]);
            let mut command = stage.server.pilvi(&arguments);
            command.env("N", &number);
            (number, tests::Followed::start(&mut command))
        })
        .collect();
    for (number, run) in runs {
        let (status, lines) = run.wait();
        assert!(status.success() && lines == [number.clone()], "{number}: {lines:?}");
    }
}
