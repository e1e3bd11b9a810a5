//! Runtimes for real: this machine's own interpreters, with the samples as functions, and runtimes that come and go.

use std::path::Path;

use serde_json::{Value, json};
use tests::{Aws, Server};

/// Makes a role that functions may take, and answers its ARN.
#[track_caller]
fn role(aws: &Aws) -> String {
    let trust = format!("file://{}", tests::source("samples/policies/trust-lambda.json").display());
    let made = aws.call(&["iam", "create-role", "--role-name", "functions", "--assume-role-policy-document", &trust]);
    made["Role"]["Arn"].as_str().unwrap().to_owned()
}

/// The runtimes that the command line tells of: their names and states.
fn listed(server: &Server) -> Vec<(String, String)> {
    let told: Value = serde_json::from_str(&server.command(&["runtime", "list", "--json"]).success()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    told["runtimes"].as_array().unwrap().iter().map(|one| (text(&one["name"]), text(&one["state"]))).collect()
}

/// The newest runtime of a language that this machine has.
fn newest(server: &Server, language: &str) -> Option<String> {
    let number = |name: &str| {
        name.trim_start_matches(language).split('.').filter_map(|part| part.parse().ok()).collect::<Vec<u32>>()
    };
    let found = listed(server).into_iter().filter(|(name, state)| name.starts_with(language) && state != "removed");
    found.map(|(name, _)| name).max_by_key(|name| number(name))
}

/// A zip with one file of the samples.
fn archive(server: &Server, sample: &str, file: &str) -> String {
    let made = std::thread::current().name().unwrap_or_default().replace(':', "-");
    let path = server.folder().path().join(format!("{made}-{sample}.zip"));
    let script = "import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'w').write(sys.argv[2], sys.argv[3])";
    let source = tests::source(&format!("samples/{sample}/{file}"));
    let mut python = std::process::Command::new(tests::clients("bin/python"));
    assert!(python.args(["-c", script]).arg(&path).arg(source).arg(file).status().unwrap().success());
    format!("fileb://{}", path.display())
}

/// Makes a function and waits until it can be called.
fn create(aws: &Aws, name: &str, role: &str, (runtime, handler): (&str, &str), code: &str) {
    let settings = ["--runtime", runtime, "--handler", handler, "--role", role, "--zip-file", code];
    aws.call(&[&["lambda", "create-function", "--function-name", name, "--timeout", "30"], &settings[..]].concat());
    aws.run(&["lambda", "wait", "function-active-v2", "--function-name", name]).success();
}

fn call(aws: &Aws, out: &Path, name: &str, event: &str) -> Value {
    let out = out.display().to_string();
    let payload = ["--cli-binary-format", "raw-in-base64-out", "--payload", event];
    let answer = aws.call(&[&["lambda", "invoke", "--function-name", name, &out], &payload[..]].concat());
    assert_eq!(
        answer,
        json!({ "StatusCode": 200, "ExecutedVersion": "$LATEST" }),
        "{:?}",
        std::fs::read_to_string(&out)
    );
    serde_json::from_slice(&std::fs::read(&out).unwrap()).unwrap()
}

#[test]
fn the_samples_run_on_this_machines_own_interpreters() {
    let server = Server::shared();
    if !tests::is_root() {
        return assert!(!server.has_node());
    }
    let account = server.account();
    let aws = Aws::new(&server, &account.root);
    let role = role(&aws);
    let out = server.folder().path().join("hello.json");
    for (language, sample, file, handler, memory) in [
        ("python", "hello-python", "app.py", "app.handler", "memory_mb"),
        ("nodejs", "hello-node", "index.mjs", "index.handler", "memoryMb"),
    ] {
        let Some(runtime) = newest(&server, language) else {
            eprintln!("this machine has no {language}");
            continue;
        };
        create(&aws, sample, &role, (&runtime, handler), &archive(&server, sample, file));
        for name in ["Ada", "Ünal"] {
            let answer = call(&aws, &out, sample, &json!({ "name": name }).to_string());
            assert_eq!(answer["greeting"], format!("Hello, {name}!"));
            assert_eq!((&answer["function"], &answer[memory]), (&json!(sample), &json!(128)));
        }
        assert!(listed(&server).contains(&(runtime, "ready".to_owned())));
    }
}

#[test]
fn a_runtime_that_was_removed_is_refused_with_how_to_supply_it_until_it_is_added_again() {
    let server = Server::shared();
    let account = server.account();
    let aws = Aws::new(&server, &account.root);
    let (role, code) = (role(&aws), archive(&server, "hello-python", "app.py"));
    let make = |runtime: &str| {
        let settings = ["--runtime", runtime, "--handler", "any", "--role", &role, "--zip-file", &code];
        aws.run(&[&["lambda", "create-function", "--function-name", "f"][..], &settings].concat())
    };
    // Nobody else has this one.
    assert_eq!(server.command(&["runtime", "remove", "provided.al2"]).success().trim(), "provided.al2");
    assert!(listed(&server).contains(&("provided.al2".to_owned(), "removed".to_owned())));
    let told = server.command(&["runtime", "remove", "provided.al2"]).failure();
    assert!(told.contains("there is no runtime provided.al2 here"), "{told}");
    let added = server.command(&["runtime", "add", "provided.al2"]).success();
    assert!(added.starts_with("provided.al2  this machine, "), "{added}");
    assert!(listed(&server).contains(&("provided.al2".to_owned(), "ready".to_owned())));
    let told = make("java21").failure();
    assert!(told.contains("`pilvi runtime add java21 --image REF`"), "{told}");
    let told = server.command(&["runtime", "add", "java21"]).failure();
    assert!(told.contains("--image REF"), "{told}");
    let told = server.command(&["runtime", "add", "python3.13", "--host", "/bin/sh"]).failure();
    assert!(told.contains("/bin/sh cannot be asked what it is"), "{told}");
    let told = server.command(&["runtime", "add", "cobol85"]).failure();
    assert!(told.contains("Lambda has no runtime `cobol85`"), "{told}");
}
