//! The classic function: a photo is put into a bucket, a thumbnail is there a moment later.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::stage::Stage;
use super::{length, text, until};
use crate::clients;
use crate::process;
use crate::screen::say;
use crate::workspace::Workspace;

/// Building the function and its dependencies from cold.
const BUILD_LIMIT: Duration = Duration::from_secs(900);
/// Painting the photo, packing the function.
const MAKE_LIMIT: Duration = Duration::from_secs(60);
const BUCKET: &str = "holiday";
const FUNCTION: &str = "thumbnails";

/// What the act needs: the function, packed, and a photo.
pub(super) struct Props {
    archive: PathBuf,
    photo: PathBuf,
}

/// Builds the function from `samples/image-handler`, packs it, and has a photo painted.
pub(super) fn prepare(workspace: &Workspace) -> Result<Props> {
    let target = workspace.target.join("samples");
    let manifest = workspace.root.join("samples/image-handler/Cargo.toml");
    let build = |arguments: &[&str]| {
        let mut cargo = workspace.cargo();
        cargo.args(arguments).args(["--release", "--quiet", "--locked"]);
        cargo.arg("--manifest-path").arg(&manifest).arg("--target-dir").arg(&target);
        cargo
    };
    process::run(&mut build(&["build"]), BUILD_LIMIT).context("building the function")?;
    let photo = target.join("mountains.jpg");
    process::run(build(&["run", "--example", "photo"]).arg("--").arg(&photo), BUILD_LIMIT)
        .context("painting the photo")?;
    let folder = target.join(workspace.release_dir()?.strip_prefix(&workspace.target)?);
    let archive = target.join("thumbnails.zip");
    pack(&folder.join("bootstrap"), &archive)?;
    Ok(Props { archive, photo })
}

/// Python's standard library packs archives and keeps what may be executed; a fresh machine may have no `zip`.
fn pack(bootstrap: &Path, archive: &Path) -> Result<()> {
    let mut python = Command::new("python3");
    python.args(["-m", "zipfile", "-c"]).arg(archive).arg(bootstrap);
    process::capture(&mut python, MAKE_LIMIT)?.success().context("packing the function").map(drop)
}

/// Makes function and bucket, puts the photo, and waits for the thumbnail and for what the function's log says of it.
pub(super) fn act(stage: &Stage, props: &Props) -> Result<()> {
    if !clients::is_root()? {
        say("Pilvi was not started by root, so there is no node that could run functions.");
        return Ok(());
    }
    let arn = create(stage, props)?;
    trigger(stage, &arn)?;
    let begun = Instant::now();
    stage.shell(&format!("aws s3 cp --no-progress {} s3://{BUCKET}/", stage.typed_path(&props.photo)))?;
    let put = begun.elapsed();
    let listed = ["--bucket", BUCKET, "--query", "Contents[].{key: Key, bytes: Size}"];
    let listed = [&["s3api", "list-objects-v2"], listed.as_slice()].concat();
    until(|| {
        let found = stage.ask(&[&listed])?.remove(0);
        Ok((length(&found, "")? == 2).then_some(found))
    })?;
    let seen = begun.elapsed();
    stage.aws(&listed)?;
    say(&format!(
        "The upload took {} ms, and {} ms later a look found the thumbnail.",
        put.as_millis(),
        (seen - put).as_millis()
    ));
    report(stage)
}

fn create(stage: &Stage, props: &Props) -> Result<String> {
    let named = ["--role-name", FUNCTION];
    let trust = ["--assume-role-policy-document", "file://samples/policies/trust-lambda.json", "--query", "Role.Arn"];
    let role = stage.aws(&[&["iam", "create-role"], named.as_slice(), &trust].concat())?;
    let policy = ["--policy-name", "photos", "--policy-document", "file://samples/policies/thumbnails.json"];
    stage.aws_silent(&[&["iam", "put-role-policy"], named.as_slice(), &policy].concat())?;
    let named = ["--function-name", FUNCTION];
    let code = format!("fileb://{}", stage.typed_path(&props.archive));
    let made = stage.aws(
        &[
            &["lambda", "create-function"],
            named.as_slice(),
            &["--runtime", "provided.al2023", "--handler", "bootstrap", "--memory-size", "1769", "--timeout", "30"],
            &["--role", text(&role, "")?, "--zip-file", &code],
            &["--query", "{arn: FunctionArn, state: State, bytes: CodeSize}"],
        ]
        .concat(),
    )?;
    stage.aws_silent(&[&["lambda", "wait", "function-active-v2"], named.as_slice()].concat())?;
    Ok(text(&made, "/arn")?.to_owned())
}

/// Lets the bucket call the function, and has it do so.
fn trigger(stage: &Stage, function: &str) -> Result<()> {
    let account = function.split(':').nth(4).context("the function's ARN has no account")?;
    let bucket = format!("arn:aws:s3:::{BUCKET}");
    stage.shell(&format!("aws s3 mb s3://{BUCKET}"))?;
    let who = ["--principal", "s3.amazonaws.com", "--source-arn", &bucket, "--source-account", account];
    let what = ["--function-name", FUNCTION, "--statement-id", BUCKET, "--action", "lambda:InvokeFunction"];
    let shown = ["--query", "Statement"];
    stage.aws(&[&["lambda", "add-permission"], what.as_slice(), &who, &shown].concat()).map(drop)?;
    let rules = json!({ "LambdaFunctionConfigurations": [{
        "LambdaFunctionArn": function,
        "Events": ["s3:ObjectCreated:*"],
        "Filter": { "Key": { "FilterRules": [{ "Name": "suffix", "Value": ".jpg" }] } },
    }] });
    let rules = ["--bucket", BUCKET, "--notification-configuration", &rules.to_string()];
    stage.aws_silent(&[&["s3api", "put-bucket-notification-configuration"], rules.as_slice()].concat())
}

/// What the function said, and what Lambda says of it.
fn report(stage: &Stage) -> Result<()> {
    let group = format!("/aws/lambda/{FUNCTION}");
    let events = ["--log-group-name", &group, "--query", "events[].message"];
    let events = [&["logs", "filter-log-events"], events.as_slice()].concat();
    // The thumbnail is a photo too, and is left alone.
    let reported = |said: &Value| said.to_string().matches("REPORT RequestId").count() == 2;
    until(|| Ok(stage.ask(&[&events])?.pop().filter(reported)))?;
    let said = stage.aws(&events)?.to_string();
    ensure!(said.contains("(4000×3000"), "the function does not tell of the photo");
    ensure!(said.contains("Billed Duration"), "the log says nothing of what was billed");
    Ok(())
}
