//! What containers print: all of it, as it comes, and never in the way of the container.

use tests::program::{LIMIT, until};

use super::{Stage, has_stopped};

#[test]
fn what_was_printed_is_told_afterwards_and_while_it_goes_on() {
    let Some(stage) = Stage::shared() else { return };
    let script =
        "for i in 1 2 3; do echo out $i; done; echo err >&2; until [ -e /go ]; do sleep 0.05; done; echo after";
    let one = stage.start("talks", &[], &["sh", "-c", script]);
    let logs = || stage.pilvi(&["logs", "talks"]);
    assert!(until(LIMIT, || logs().stderr.contains("err").then_some(())).is_some());
    assert_eq!(logs().stdout, "out 1\nout 2\nout 3\n");
    assert_eq!(
        stage.pilvi(&["logs", "--tail", "1", "talks"]).stdout.lines().count()
            + stage.pilvi(&["logs", "--tail", "1", "talks"]).stderr.lines().count(),
        1
    );
    let follows = stage.server.follow_pilvi(&["logs", "-f", "talks"]);
    follows.line_with("out 3");
    one.exec(&["touch", "/go"]);
    follows.line_with("after");
    // It ends with the container.
    assert!(follows.wait().0.success());
    stage.server.until_container("talks", has_stopped);
    assert!(logs().stdout.ends_with("after\n"));
}

#[test]
fn a_gigabyte_of_output_holds_up_nobody_and_what_was_overwritten_is_counted() {
    let Some(stage) = Stage::shared() else { return };
    let script = "head -c 1000000000 /dev/zero; echo done >&2";
    let one = stage.start("loud", &[], &["sh", "-c", script]);
    let told = stage.server.until_container("loud", has_stopped);
    assert_eq!(told["observed"]["containers"][0]["state"]["exited"]["code"], 0, "{told}");
    let logs = stage.pilvi(&["logs", "--tail", "1", "loud"]);
    assert!(logs.stderr.contains("done"), "the last of it is there");
    drop(one);
    let loud = stage.server.follow_pilvi(&stage.arguments(&[], &["sh", "-c", "yes | head -c 100000000 | wc -c"]));
    let (status, lines) = loud.wait();
    assert!(status.success() && lines.contains(&"100000000".to_owned()), "{lines:?}");
}

#[test]
fn a_reader_that_goes_away_ends_the_command_and_not_the_container() {
    let Some(stage) = Stage::shared() else { return };
    let mut run = stage.server.pilvi(&[
        "run",
        "--name",
        "unread",
        &stage.image,
        "sh",
        "-c",
        "while :; do echo y; sleep 0.01; done",
    ]);
    let mut head = std::process::Command::new("head");
    head.args(["-n", "3"]);
    let mut run = run.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let told = head.stdin(run.stdout.take().unwrap()).output().unwrap();
    assert_eq!(told.stdout, b"y\ny\ny\n");
    // It held the pipe, too.
    drop(head);
    let ended = tests::program::wait(&mut run, LIMIT).unwrap();
    assert_eq!(ended.code(), Some(141), "as if SIGPIPE had ended it");
    assert!(stage.server.process_of("unread").is_some(), "it goes on");
    stage.pilvi(&["rm", "-f", "unread"]).success();
}
