//! Functions for real: made by AWS's clients, called, and run in sandboxes of the node that comes with `pilvi up`.
//!
//! That needs root: without it each of these tests only sees that this is said.

use serde_json::{Value, json};
use tests::{Account, Aws, Script, Server};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// A role that functions may take.
#[track_caller]
pub(crate) fn role(aws: &Aws) -> String {
    let made = aws.call(&["iam", "create-role", "--role-name", "functions", "--assume-role-policy-document", TRUST]);
    made["Role"]["Arn"].as_str().unwrap().to_owned()
}

/// A zip with one file.
fn archive(server: &Server, name: &str, content: &str) -> String {
    let path = server.folder().path().join(format!("{name}.zip"));
    let script = "import sys, zipfile\n\
        with zipfile.ZipFile(sys.argv[1], 'w') as made:\n\
        \x20   entry = zipfile.ZipInfo(sys.argv[2]); entry.external_attr = 0o755 << 16; made.writestr(entry, sys.argv[3])";
    let python = tests::clients("bin/python");
    let made = std::process::Command::new(python).args(["-c", script]).arg(&path).args([name, content]).status();
    assert!(made.unwrap().success());
    format!("fileb://{}", path.display())
}

/// A server with a node, and an account on it; none without root, where a function is made and says why it does not run.
#[track_caller]
fn stage() -> Option<(tests::Shared, Account)> {
    let server = Server::shared();
    let account = server.account();
    if tests::is_root() {
        assert!(server.has_node());
        return Some((server, account));
    }
    let aws = Aws::new(&server, &account.root);
    let (role, code) = (role(&aws), archive(&server, "bootstrap", "#!/bin/sh\n"));
    let create =
        ["lambda", "create-function", "--function-name", "f", "--runtime", "provided.al2023", "--handler", "a"];
    aws.call(&[&create[..], &["--role", &role, "--zip-file", &code]].concat());
    let told = aws.run(&["lambda", "wait", "function-active-v2", "--function-name", "f"]).failure();
    assert!(told.contains("Failed"), "{told}");
    let found = aws.call(&["lambda", "get-function-configuration", "--function-name", "f"]);
    let reason = found["StateReason"].as_str().unwrap();
    assert!(reason.contains("`pilvi up` starts a node if it is root"), "{reason}");
    None
}

#[test]
fn a_function_is_made_called_and_read_of_by_the_command_line() {
    let Some((server, account)) = stage() else { return };
    let aws = Aws::new(&server, &account.root);
    let script = "#!/bin/sh\nwhile true; do\n\
        api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation\n\
        event=$(curl -sS -D /tmp/head $api/next)\n\
        id=$(sed -n 's/^lambda-runtime-aws-request-id: *\\([^\\r]*\\).*$/\\1/Ip' /tmp/head)\n\
        echo \"Échoing $event\"\n\
        curl -sS -o /dev/null -d \"{\\\"echo\\\":$event}\" $api/$id/response\ndone\n";
    let (role, code) = (role(&aws), archive(&server, "bootstrap", script));
    let create = ["lambda", "create-function", "--function-name", "echo", "--runtime", "provided.al2023"];
    aws.call(&[&create[..], &["--handler", "any", "--role", &role, "--zip-file", &code]].concat());
    aws.run(&["lambda", "wait", "function-active-v2", "--function-name", "echo"]).success();
    let out = server.folder().path().join("out.json");
    let path = out.display().to_string();
    let payload = ["--cli-binary-format", "raw-in-base64-out", "--payload", r#"{"n":1}"#];
    let invoke = ["lambda", "invoke", "--function-name", "echo", &path];
    let answer = aws.call(&[&invoke[..], &payload].concat());
    assert_eq!(answer, json!({ "StatusCode": 200, "ExecutedVersion": "$LATEST" }));
    let read: Value = serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap();
    assert_eq!(read, json!({ "echo": { "n": 1 } }));

    let tail = ["logs", "filter-log-events", "--log-group-name", "/aws/lambda/echo"];
    let lines = loop {
        let found = aws.run(&tail);
        let found: Value = serde_json::from_str(&found.stdout).unwrap_or_default();
        let lines: Vec<String> = found["events"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|event| event["message"].as_str().unwrap().to_owned())
            .collect();
        if lines.iter().any(|line| line.starts_with("REPORT RequestId: ")) {
            break lines;
        }
    };
    let begins: Vec<&str> = lines.iter().filter_map(|line| line.split([' ', '\t']).next()).collect();
    assert_eq!(begins, ["INIT_START", "START", "Échoing", "END", "REPORT"], "{lines:?}");
    assert_eq!(lines[2], r#"Échoing {"n":1}"#);
}

#[test]
fn functions_that_end_badly_are_told_of_and_the_next_call_finds_a_whole_one() {
    let Some((server, account)) = stage() else { return };
    Script::python("lambda_faults.py", &server, &account.root).argument(&account.id).run();
}
