//! What somebody does first: start it, take its variables, ask who they are, look at its state, stop it.

use tests::raw::{Connection, Request};
use tests::{Aws, Options, Script, Server, program};

#[test]
fn from_up_to_the_first_answer_and_back() {
    let mut server = Server::start(Options::default());
    let status = server.command(&["status", "--format", "json"]).json();
    assert_eq!(status["state"], "running");
    assert!(server.command(&["status"]).success().starts_with("Pilvi is running"));

    let lines = server.command(&["env"]).success();
    for name in ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION", "AWS_REGION"] {
        assert!(lines.lines().any(|line| line.starts_with(&format!("export {name}="))), "{lines}");
    }
    // The lines as a person uses them: taken over by a shell, in which nothing else is set.
    let script = "eval \"$2\"; exec \"$1\" sts get-caller-identity --output json";
    let caller = Aws::new(&server, &server.root());
    let shell = caller.command(&[]);
    let aws = shell.get_program().to_owned();
    let mut by_hand = std::process::Command::new("sh");
    for (name, value) in shell.get_envs() {
        match value {
            Some(value) if !lines.contains(&format!("{}=", name.to_string_lossy())) => by_hand.env(name, value),
            _ => by_hand.env_remove(name),
        };
    }
    let me = program::run(by_hand.args(["-c", script, "sh"]).arg(aws).arg(&lines)).json();
    assert_eq!(me["Account"], "000000000000");
    assert_eq!(me["UserId"], "000000000000");
    assert_eq!(me["Arn"], "arn:aws:iam::000000000000:root");

    assert!(server.stop().success());
    let stopped = server.command(&["status", "--format", "json"]);
    assert_eq!(stopped.status.code(), Some(3), "{stopped:?}");
    assert!(server.command(&["env"]).failure().contains("pilvi up"), "it says what to do");

    let key = server.root().access_key_id;
    server.up();
    assert_eq!(server.root().access_key_id, key, "the key stays");
}

#[test]
fn a_second_up_on_the_same_data_is_refused_and_the_first_goes_on() {
    let server = Server::start(Options::default());
    let refused = server.command(&["up", "--listen", "127.0.0.1:0"]).failure();
    assert!(refused.contains("already running"), "{refused}");
    let host = server.address().to_string();
    Connection::to(server.address()).send(&Request::get(&host, "/_pilvi/ready")).success();
}

#[test]
fn the_request_id_that_a_client_prints_is_in_the_log() {
    for format in ["text", "json"] {
        let arguments = ["--log-format", format].map(str::to_owned).to_vec();
        let server = Server::start(Options { arguments, ..Options::default() });
        let account = server.account();

        let printed = Aws::new(&server, &account.root).run(&["sts", "get-caller-identity", "--debug"]);
        let by_cli = request_id(&printed.stderr);
        let refused = Aws::new(&server, &account.user).run(&["ecs", "list-clusters", "--debug"]);
        let by_refused = request_id(&refused.stderr);
        let by_boto3 = Script::python("request_ids.py", &server, &account.root).run();
        let mut ids = vec![(by_cli, "GetCallerIdentity"), (by_refused, "ListClusters")];
        for (operation, id) in by_boto3.as_object().unwrap() {
            ids.push((id.as_str().unwrap().to_owned(), operation.as_str()));
        }
        let log = server.log();
        for (id, operation) in ids {
            let line = log.lines().find(|line| line.contains(&id));
            let line = line.unwrap_or_else(|| panic!("{operation}'s request {id} is not in the log:\n{log}"));
            assert!(line.contains(operation), "{line}");
            if format == "json" {
                let record: serde_json::Value = serde_json::from_str(line).unwrap();
                assert_eq!(record["request_id"], id);
                assert_eq!(record["operation"], operation);
            }
        }
    }
}

/// The id in what `--debug` shows of the answer's headers.
pub(crate) fn request_id(debug: &str) -> String {
    let found = debug.split("x-amzn-requestid': '").nth(1).or_else(|| debug.split("x-amzn-RequestId': '").nth(1));
    let found = found.and_then(|rest| rest.split('\'').next());
    found.unwrap_or_else(|| panic!("no request id is shown:\n{debug}")).to_owned()
}
