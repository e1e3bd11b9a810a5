//! Those who wait for the events that are still to come.

use rustix::process::Signal;
use tests::{Aws, Followed, Server};

use super::{batch, call, make};
use crate::security::now;

#[test]
fn aws_logs_tail_shows_what_comes_later_and_ends_with_ctrl_c() {
    let server = Server::shared();
    let account = server.account();
    make(&server, &account, "shop", &["web", "db"]);
    let put = |stream: &str, message: &str| {
        call(&server, &account, "PutLogEvents", &batch("shop", stream, now().as_millis(), &[message.to_owned()]));
    };
    put("web", "was there before");
    let aws = Aws::new(&server, &account.root);
    let follow = ["logs", "tail", "shop", "--follow", "--since", "1h", "--format", "short"];
    let tail = Followed::start(&mut aws.command(&follow));
    tail.line_with("was there before");
    put("web", "came later");
    put("db", "Å → 雲");
    tail.line_with("came later");
    tail.line_with("Å → 雲");
    assert_eq!(tail.lines().len(), 3, "{:?}", tail.lines());
    let ended = tail.end_by(Signal::INT);
    assert!(ended.success(), "Ctrl-C is how it is meant to end: {ended}");
}

#[test]
fn a_live_tail_by_the_command_line_shows_what_matches() {
    let server = Server::shared();
    let account = server.account();
    make(&server, &account, "shop", &["web"]);
    let aws = Aws::new(&server, &account.root);
    let arn = format!("arn:aws:logs:us-east-1:{}:log-group:shop", account.id);
    let start = ["logs", "start-live-tail", "--log-group-identifiers", &arn, "--log-event-filter-pattern", "wanted"];
    let tail = Followed::start(&mut aws.command(&start));
    // Its session begins when it likes: what came before is not shown.
    let shown = tests::program::until(tests::program::LIMIT, || {
        let messages = ["nobody asked", "a wanted guest"].map(str::to_owned);
        call(&server, &account, "PutLogEvents", &batch("shop", "web", now().as_millis(), &messages));
        std::thread::park_timeout(std::time::Duration::from_millis(100));
        (!tail.lines().is_empty()).then(|| tail.lines())
    });
    let shown = shown.expect("events are shown");
    assert!(shown.iter().all(|line| line.contains("a wanted guest")), "{shown:?}");
    tail.end_by(Signal::INT);
}

#[test]
fn pilvi_logs_shows_a_group_and_follows_it() {
    let server = Server::shared();
    // The command line's own key is the first account's root.
    let mut account = server.account();
    account.root = server.root();
    make(&server, &account, "pilvi-logs", &["web/1", "db"]);
    let put = |stream: &str, message: &str| {
        let put = batch("pilvi-logs", stream, now().as_millis(), &[message.to_owned()]);
        call(&server, &account, "PutLogEvents", &put);
    };
    put("web/1", "GET / 200");
    put("db", "escape \u{1b}[2J");
    let all = server.command(&["logs", "pilvi-logs"]).success();
    let lines: Vec<&str> = all.lines().collect();
    assert!(lines.len() == 2 && lines[0].ends_with("Z web/1 GET / 200"), "{all}");
    assert!(!all.contains('\u{1b}'), "a terminal is not a log's to command");
    let some = server.command(&["logs", "pilvi-logs", "--filter", "GET", "--stream-prefix", "web"]).success();
    assert_eq!(some.lines().count(), 1, "{some}");
    let none = server.command(&["logs", "nowhere"]).failure();
    assert!(none.contains("The specified log group does not exist."), "{none}");

    let follow = Followed::start(&mut server.command_to_follow(&["logs", "-f", "pilvi-logs"]));
    follow.line_with("GET / 200");
    put("web/1", "GET /later 200");
    follow.line_with("GET /later 200");
    assert_eq!(follow.lines().len(), 3, "each event once: {:?}", follow.lines());
    follow.end_by(Signal::INT);
}
