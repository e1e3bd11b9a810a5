//! `cargo xtask demo`: Pilvi at work, called by the real AWS CLI v2.
//!
//! Every command is shown as a person would type it, with its real output; each answer is checked, and the demo ends
//! with an error at the first that is not as wanted. Whatever was started is ended, also then.

mod server;
mod stage;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::screen::{heading, say};
use crate::workspace::Workspace;
use crate::{clients, screen, test};
use stage::Stage;

/// Builds what is needed, then takes the tour.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    heading("building Pilvi and preparing the AWS CLI v2 (the first time takes minutes)");
    test::build_release(workspace)?;
    let clients = clients::prepare(workspace)?;
    let mut stage = Stage::set(&workspace.root, &workspace.pilvi()?, &clients.aws())?;
    let result = tour(&mut stage);
    if result.is_err() {
        say(&screen::bad("the server's last words:"));
        print!("{}", stage.server_log(40));
    }
    result?;
    println!("\n{}", screen::good("The demo went as it should. Everything it started has ended."));
    Ok(())
}

fn tour(stage: &mut Stage) -> Result<()> {
    heading("1. Start");
    stage.start()?;
    stage.read_environment()?;

    heading("2. Who am I?");
    let me = stage.aws(&["sts", "get-caller-identity"])?;
    ensure!(text(&me, "/Arn")?.ends_with(":root"), "the first key is not the account's root");

    heading("3. ECS: a cluster and a task definition");
    let cluster = stage.aws(&["ecs", "create-cluster", "--cluster-name", "shop"])?;
    ensure!(text(&cluster, "/cluster/status")? == "ACTIVE", "the cluster is not ACTIVE");
    register(stage)?;
    let clusters = stage.aws(&["ecs", "list-clusters"])?;
    ensure!(length(&clusters, "/clusterArns")? == 1, "one cluster was created");
    let definitions = stage.aws(&["ecs", "list-task-definitions", "--family-prefix", "web", "--sort", "DESC"])?;
    ensure!(length(&definitions, "/taskDefinitionArns")? == 1, "one task definition was registered");

    heading("4. IAM and STS: a role, and a call in its name");
    assume(stage)?;

    heading("5. A wrong secret key is refused, and should be");
    stage.aws_refused(
        &[("AWS_SECRET_ACCESS_KEY", "wrong/on/purpose")],
        &["sts", "get-caller-identity"],
        "SignatureDoesNotMatch",
    )?;

    heading("6. kill -9 loses nothing");
    survive(stage)?;

    heading("7. Status, and a clean stop");
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
    Ok(())
}

fn survive(stage: &mut Stage) -> Result<()> {
    const QUESTIONS: [&[&str]; 3] = [
        &["ecs", "describe-task-definition", "--task-definition", "web:1", "--include", "TAGS"],
        &["ecs", "describe-clusters", "--clusters", "shop"],
        &["iam", "list-roles", "--query", "Roles[].Arn"],
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
    say("The task definition in full, the cluster and the role are to the letter what they were before.");
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
