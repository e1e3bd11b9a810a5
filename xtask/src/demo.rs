//! `cargo xtask demo`: Pilvi at work, called by the real AWS CLI v2.
//!
//! Every command is shown as a person would type it, with its real output; each answer is checked, and the demo ends
//! with an error at the first that is not as wanted. Whatever was started is ended, also then.

mod photo;
mod server;
mod stage;

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::screen::{heading, say};
use crate::workspace::Workspace;
use crate::{clients, screen, test};
use photo::Props;
use stage::Stage;

/// The longest wait for something that takes its time: an alarm's period, a query.
const PATIENCE: Duration = Duration::from_secs(45);

/// Builds what is needed, then takes the tour.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    heading("building Pilvi and preparing the AWS CLI v2 and skopeo (the first time takes minutes)");
    test::build_release(workspace)?;
    let clients = clients::prepare(workspace)?;
    clients::engines::prepare_skopeo()?;
    clients::engines::prepare_nodes()?;
    let images = clients::images::prepare(workspace)?;
    heading("building the function of samples/image-handler");
    let props = photo::prepare(workspace)?;
    let mut stage = Stage::set(&workspace.root, &workspace.pilvi()?, &clients.aws())?;
    let result = tour(&mut stage, &images, &props);
    if result.is_err() {
        say(&screen::bad("the server's last words:"));
        print!("{}", stage.server_log(40));
    }
    result?;
    println!("\n{}", screen::good("The demo went as it should. Everything it started has ended."));
    Ok(())
}

fn tour(stage: &mut Stage, images: &Path, props: &Props) -> Result<()> {
    heading("1. Start");
    stage.start()?;
    stage.read_environment()?;

    heading("2. A photo in, a thumbnail out: a function that S3 calls");
    photo::act(stage, props)?;

    heading("3. Who am I?");
    let me = stage.aws(&["sts", "get-caller-identity"])?;
    ensure!(text(&me, "/Arn")?.ends_with(":root"), "the first key is not the account's root");

    heading("4. ECS: a cluster and a task definition");
    let cluster = stage.aws(&["ecs", "create-cluster", "--cluster-name", "shop"])?;
    ensure!(text(&cluster, "/cluster/status")? == "ACTIVE", "the cluster is not ACTIVE");
    register(stage)?;
    let clusters = stage.aws(&["ecs", "list-clusters"])?;
    ensure!(length(&clusters, "/clusterArns")? == 1, "one cluster was created");
    let definitions = stage.aws(&["ecs", "list-task-definitions", "--family-prefix", "web", "--sort", "DESC"])?;
    ensure!(length(&definitions, "/taskDefinitionArns")? == 1, "one task definition was registered");

    heading("5. An image: pushed, listed, pulled, ready to run");
    image(stage, images)?;

    heading("6. Containers: run, served, looked into, killed; no Docker anywhere");
    containers(stage)?;

    heading("7. IAM and STS: a role, and a call in its name");
    assume(stage)?;

    heading("8. Logs: put, searched, asked");
    logs(stage)?;

    heading("9. A metric, and an alarm that it sets off");
    alarm(stage)?;

    heading("10. S3: a file in, the same file out, and back after it was deleted");
    objects(stage)?;

    heading("11. A wrong secret key is refused, and should be");
    stage.aws_refused(
        &[("AWS_SECRET_ACCESS_KEY", "wrong/on/purpose")],
        &["sts", "get-caller-identity"],
        "SignatureDoesNotMatch",
    )?;

    heading("12. kill -9 loses nothing");
    survive(stage)?;

    heading("13. Status, and a clean stop");
    stage.pilvi(&["status"])?;
    stage.stop()
}

fn register(stage: &Stage) -> Result<()> {
    let registered = stage.aws(&[
        "ecs",
        "register-task-definition",
        "--cli-input-json",
        "file://samples/task-definitions/web.json",
    ])?;
    ensure!(text(&registered, "/taskDefinition/taskDefinitionArn")?.ends_with("task-definition/web:1"), "not web:1");
    let described = stage.aws(&[
        "ecs",
        "describe-task-definition",
        "--task-definition",
        "web",
        "--query",
        "taskDefinition.{arn: taskDefinitionArn, status: status, containers: containerDefinitions[].image}",
    ])?;
    ensure!(text(&described, "/status")? == "ACTIVE" && length(&described, "/containers")? == 1, "not as registered");
    Ok(())
}

/// Any client of registries would do, such as `docker push`; this one needs no daemon.
fn image(stage: &Stage, images: &Path) -> Result<()> {
    const NAME: &str = "shop/python";
    let uri = ["--query", "repository.repositoryUri"];
    let uri = stage.aws(&[&["ecr", "create-repository", "--repository-name", NAME], uri.as_slice()].concat())?;
    let registry = stage.registry();
    ensure!(text(&uri, "")? == format!("{registry}/{NAME}"), "the repository is somewhere else");
    stage.shell(&format!(
        "aws ecr get-login-password | skopeo login --tls-verify=false --username AWS --password-stdin {registry}"
    ))?;
    let layout = stage.typed_path(&images.join("python"));
    stage.shell(&format!(
        "skopeo copy --quiet --dest-tls-verify=false oci:{layout}:latest docker://{registry}/{NAME}:1"
    ))?;
    let shown = "imageDetails[].{tags: imageTags, digest: imageDigest, bytes: imageSizeInBytes}";
    let described = stage.aws(&["ecr", "describe-images", "--repository-name", NAME, "--query", shown])?;
    ensure!(length(&described, "")? == 1 && text(&described, "/0/tags/0")? == "1", "the image is not as pushed");
    say("It is in the registry on this machine, so a pull moves no byte; the node has begun to unpack it meanwhile.");
    stage.pilvi(&["pull", &format!("{registry}/{NAME}:1")])?;
    stage.pilvi(&["images"])
}

/// Runs what was pushed. Without root there is no node to run it, and that is what is shown.
fn containers(stage: &Stage) -> Result<()> {
    let image = format!("{}/shop/python:1", stage.registry());
    if !clients::is_root()? {
        say("Pilvi was not started by root, so there is no node that could run containers.");
        return Ok(());
    }
    stage.export_data_dir();
    let said = stage.container(&["run", "--rm", &image, "python3", "-c", "print(6 * 7)"])?;
    ensure!(said.trim() == "42", "the container did not say 42");
    let flags = ["run", "-d", "--name", "web", "--memory", "128m", "--cpus", "0.5", "-p", "8000"];
    let serve = ["python3", "-m", "http.server", "8000", "--directory", "/etc"];
    stage.container(&[&flags, [image.as_str()].as_slice(), &serve].concat())?;
    stage.container(&["ps"])?;
    let port = of_web(stage, "/observed/ports/0/hostPort")?;
    let look = format!("import urllib.request as u; print(u.urlopen('http://127.0.0.1:{port}/debian_version').status)");
    let look = format!("python -c \"{look}\"");
    until(|| Ok(std::net::TcpStream::connect(("127.0.0.1", u16::try_from(port)?)).ok().map(|_| Value::Null)))?;
    stage.shell(&look)?;
    stage.container(&["exec", "web", "grep", "-E", "Cap(Eff|Amb)|Seccomp:", "/proc/self/status"])?;
    stage.container(&["stats", "--no-stream", "web"])?;
    say("The node is killed. What it runs does not notice, and the next one finds it:");
    const PROCESS: &str = "/observed/containers/0/state/running/pid";
    let before = of_web(stage, PROCESS)?;
    stage.kill_node()?;
    until(|| Ok(stage.silent(&["exec", "web", "true"]).ok().map(Value::from)))?;
    ensure!(of_web(stage, PROCESS)? == before, "the container was restarted");
    stage.shell(&look)?;
    stage.container(&["why", "web"])?;
    stage.container(&["rm", "-f", "web"]).map(drop)
}

/// A number that is told of the container.
fn of_web(stage: &Stage, pointer: &str) -> Result<u64> {
    let told: Value = serde_json::from_str(&stage.silent(&["ps", "--json"])?)?;
    let number = told.pointer(&format!("/workloads/0{pointer}")).and_then(Value::as_u64);
    number.with_context(|| format!("nothing is told at {pointer}: {told}"))
}

fn assume(stage: &Stage) -> Result<()> {
    let role = stage.aws(&[
        "iam",
        "create-role",
        "--role-name",
        "auditor",
        "--assume-role-policy-document",
        "file://samples/policies/trust-account.json",
    ])?;
    stage.aws_silent(&[
        "iam",
        "put-role-policy",
        "--role-name",
        "auditor",
        "--policy-name",
        "ecs-read-only",
        "--policy-document",
        "file://samples/policies/ecs-read-only.json",
    ])?;
    let arn = text(&role, "/Role/Arn")?;
    let session = stage.aws(&["sts", "assume-role", "--role-arn", arn, "--role-session-name", "demo"])?;
    let auditor = [
        ("AWS_ACCESS_KEY_ID", text(&session, "/Credentials/AccessKeyId")?),
        ("AWS_SECRET_ACCESS_KEY", text(&session, "/Credentials/SecretAccessKey")?),
        ("AWS_SESSION_TOKEN", text(&session, "/Credentials/SessionToken")?),
    ];
    let me = stage.aws_as(&auditor, &["sts", "get-caller-identity"])?;
    ensure!(text(&me, "/Arn")?.ends_with(":assumed-role/auditor/demo"), "the call was not made in the role's name");
    let clusters = stage.aws_as(&auditor, &["ecs", "describe-clusters", "--clusters", "shop"])?;
    ensure!(text(&clusters, "/clusters/0/clusterName")? == "shop", "the role does not see the cluster");
    say("Its policy lets it look, and nothing else. Which statement decided can be asked afterwards:");
    stage.aws_refused(&auditor, &["ecs", "delete-cluster", "--cluster", "shop"], "AccessDeniedException")?;
    stage.pilvi(&["why-denied"])
}

fn logs(stage: &Stage) -> Result<()> {
    const GROUP: [&str; 2] = ["--log-group-name", "/shop/web"];
    const STREAM: [&str; 2] = ["--log-stream-name", "web/1"];
    let now = now_ms()?;
    stage.aws_silent(&[&["logs", "create-log-group"], GROUP.as_slice()].concat())?;
    stage.aws_silent(&[["logs", "create-log-stream"], GROUP, STREAM].concat())?;
    let events = json!([
        { "timestamp": now - 2, "message": r#"{"level":"INFO","path":"/","ms":7}"# },
        { "timestamp": now - 1, "message": r#"{"level":"ERROR","path":"/pay","ms":1204}"# },
        { "timestamp": now, "message": r#"{"level":"INFO","path":"/cart","ms":11}"# },
    ])
    .to_string();
    let put = [&["logs", "put-log-events"], GROUP.as_slice(), &STREAM, &["--log-events", &events]].concat();
    stage.aws(&put)?;
    let pattern = ["--filter-pattern", r#"{ $.level = "ERROR" && $.ms > 1000 }"#, "--query", "events[].message"];
    let found = stage.aws(&[&["logs", "filter-log-events"], GROUP.as_slice(), &pattern].concat())?;
    ensure!(length(&found, "")? == 1 && text(&found, "/0")?.contains("/pay"), "the error was not found");
    let (start, end) = ((now / 1000 - 60).to_string(), (now / 1000 + 60).to_string());
    let query = "stats count(*) as requests, max(ms) as slowest by level | sort level";
    let range = ["--start-time", &start, "--end-time", &end, "--query-string", query];
    let query = stage.aws(&[&["logs", "start-query"], GROUP.as_slice(), &range].concat())?;
    let id = text(&query, "/queryId")?;
    let rows = ["--query", "{status: status, rows: results[*][*].value}"];
    let answer = until(|| {
        let answer = stage.aws(&[&["logs", "get-query-results", "--query-id", id], rows.as_slice()].concat())?;
        Ok((text(&answer, "/status")? == "Complete").then_some(answer))
    })?;
    ensure!(answer["rows"] == json!([["ERROR", "1", "1204"], ["INFO", "2", "11"]]), "not what was logged: {answer}");
    Ok(())
}

fn alarm(stage: &Stage) -> Result<()> {
    const METRIC: [&str; 4] = ["--namespace", "Shop", "--metric-name", "Latency"];
    let rule = [
        &["cloudwatch", "put-metric-alarm", "--alarm-name", "slow"],
        METRIC.as_slice(),
        &["--statistic", "Maximum", "--period", "10", "--evaluation-periods", "1"],
        &["--threshold", "1000", "--comparison-operator", "GreaterThanThreshold"],
    ];
    stage.aws_silent(&rule.concat())?;
    let value = ["--value", "1204", "--unit", "Milliseconds", "--storage-resolution", "1"];
    stage.aws_silent(&[&["cloudwatch", "put-metric-data"], METRIC.as_slice(), &value].concat())?;
    say("Its period is ten seconds; it is evaluated when that is over.");
    let states = ["--alarm-names", "slow", "--query", "MetricAlarms[0].[StateValue, StateReason]"];
    let answer = until(|| {
        let answer = stage.ask(&[&[&["cloudwatch", "describe-alarms"], states.as_slice()].concat()])?.remove(0);
        Ok((text(&answer, "/0")? == "ALARM").then_some(answer))
    })?;
    say(&format!("ALARM: {}", text(&answer, "/1")?));
    Ok(())
}

fn objects(stage: &Stage) -> Result<()> {
    const OBJECT: [&str; 4] = ["--bucket", "photos", "--key", "notes/read me.md"];
    stage.shell("aws s3 mb s3://photos")?;
    let versions = ["--bucket", "photos", "--versioning-configuration", "Status=Enabled"];
    stage.aws_silent(&[&["s3api", "put-bucket-versioning"], versions.as_slice()].concat())?;
    stage.shell("aws s3 cp --no-progress README.md \"s3://photos/notes/read me.md\"")?;
    stage.shell("aws s3 cp \"s3://photos/notes/read me.md\" - | cmp - README.md && echo the same")?;
    let told = ["--checksum-mode", "ENABLED", "--query", "{bytes: ContentLength, crc64nvme: ChecksumCRC64NVME}"];
    let head = stage.aws(&[&["s3api", "head-object"], OBJECT.as_slice(), &told].concat())?;
    ensure!(text(&head, "/crc64nvme")?.len() == 12, "the object has no checksum");
    let marker = stage.aws(&[&["s3api", "delete-object"], OBJECT.as_slice()].concat())?;
    let marker = text(&marker, "/VersionId")?;
    say("With versions, to delete is to put a marker before them. Without the marker the object is there again:");
    stage.aws_refused(&[], &[&["s3api", "head-object"], OBJECT.as_slice()].concat(), "404")?;
    stage.aws(&[&["s3api", "delete-object"], OBJECT.as_slice(), &["--version-id", marker]].concat())?;
    let listed = ["--bucket", "photos", "--query", "Contents[].{key: Key, bytes: Size}"];
    let listed = stage.aws(&[&["s3api", "list-objects-v2"], listed.as_slice()].concat())?;
    ensure!(length(&listed, "")? == 1 && text(&listed, "/0/key")? == "notes/read me.md", "the object is not back");
    Ok(())
}

/// Asks until there is an answer: some things take their time.
fn until(mut ask: impl FnMut() -> Result<Option<Value>>) -> Result<Value> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        ensure!(begun.elapsed() < PATIENCE, "it did not happen within {} s", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Milliseconds since the epoch.
fn now_ms() -> Result<i64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(i64::try_from(since.as_millis())?)
}

fn survive(stage: &mut Stage) -> Result<()> {
    const QUESTIONS: [&[&str]; 5] = [
        &["ecs", "describe-task-definition", "--task-definition", "web:1", "--include", "TAGS"],
        &["ecs", "describe-clusters", "--clusters", "shop"],
        &["iam", "list-roles", "--query", "Roles[].Arn"],
        &["s3api", "list-object-versions", "--bucket", "photos"],
        &["lambda", "list-functions"],
    ];
    let before = stage.ask(&QUESTIONS)?;
    stage.kill_server()?;
    let registered = stage.aws(&[
        "ecs",
        "describe-task-definition",
        "--task-definition",
        "web:1",
        "--query",
        "taskDefinition.[taskDefinitionArn, status, registeredAt]",
    ])?;
    ensure!(length(&registered, "")? == 3, "the task definition is not whole");
    let after = stage.ask(&QUESTIONS)?;
    ensure!(before == after, "an answer after the kill differs from the one before:\n{before:#?}\n{after:#?}");
    say(
        "The task definition in full, the cluster, roles, the object and the function are to the letter what they were before.",
    );
    Ok(())
}

/// The text at a JSON pointer.
fn text<'a>(answer: &'a Value, pointer: &str) -> Result<&'a str> {
    answer.pointer(pointer).and_then(Value::as_str).with_context(|| format!("the answer has no text at {pointer}"))
}

/// The length of the list at a JSON pointer.
fn length(answer: &Value, pointer: &str) -> Result<usize> {
    answer
        .pointer(pointer)
        .and_then(Value::as_array)
        .map(Vec::len)
        .with_context(|| format!("the answer has no list at {pointer}"))
}
