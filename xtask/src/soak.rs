//! `cargo xtask soak`: what takes too long for every change: crashes by the thousand, random cases by the hundred
//! thousand, fuzzing.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::steps::Steps;
use crate::tidy::Package;
use crate::workspace::Workspace;
use crate::{process, screen};

/// How long one soak job may take, with its build.
const JOB_LIMIT: Duration = Duration::from_secs(4 * 3600);
/// What fuzzing may take beyond its own time: building with sanitizers, minimising a finding.
const FUZZ_OVERHEAD: Duration = Duration::from_secs(1800);

/// How far to go.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How often the store is killed under load.
    #[arg(long, default_value_t = 1000)]
    kills: u32,
    /// How often the store loses its power, each time from another seed.
    #[arg(long, default_value_t = 1000)]
    power_losses: u32,
    /// Random cases of each property.
    #[arg(long, default_value_t = 20_000)]
    cases: u32,
    /// Seconds for each fuzz target.
    #[arg(long, default_value_t = 300)]
    fuzz_seconds: u64,
}

/// A job of test programs built for release.
struct Job {
    name: &'static str,
    /// What follows `cargo test --release`.
    arguments: Vec<String>,
    environment: (&'static str, String),
}

/// Runs every job, also after one has failed, and ends with their summary.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut steps = Steps::default();
    let mut failed = Vec::new();
    for job in jobs(&workspace.root, options)? {
        failed.extend(steps.take(job.name, || run_job(workspace, &job)).err());
    }
    if let Err(error) = steps.take("fuzzing", || fuzz(workspace, options.fuzz_seconds)) {
        failed.push(error);
    }
    steps.summarise();
    ensure!(failed.is_empty(), "{} of the jobs failed: {}", failed.len(), list(&failed));
    Ok(())
}

fn jobs(root: &Path, options: &Options) -> Result<Vec<Job>> {
    let crashes = ["--package", "store", "crash", "--", "--nocapture"].map(str::to_owned).to_vec();
    let power = ["--package", "store", "power_loss", "--", "--nocapture"].map(str::to_owned).to_vec();
    let properties = packages_with_properties(&Package::read_all(root)?)
        .into_iter()
        .flat_map(|name| ["--package".to_owned(), name])
        .collect();
    Ok(vec![
        Job {
            name: "kill -9 under load",
            arguments: crashes,
            environment: ("PILVI_CRASH_KILLS", options.kills.to_string()),
        },
        Job {
            name: "power losses",
            arguments: power,
            environment: ("PILVI_POWER_LOSSES", options.power_losses.to_string()),
        },
        Job {
            name: "properties over many more random cases",
            arguments: properties,
            environment: ("PROPTEST_CASES", options.cases.to_string()),
        },
    ])
}

fn packages_with_properties(packages: &[Package]) -> Vec<String> {
    packages
        .iter()
        .filter(|package| package.dev_dependencies.iter().any(|name| name == "proptest"))
        .map(|package| package.name.clone())
        .collect()
}

fn run_job(workspace: &Workspace, job: &Job) -> Result<()> {
    let (name, value) = &job.environment;
    screen::say(&format!("{name}={value}"));
    let mut tests = workspace.cargo();
    tests.args(["test", "--release"]).args(&job.arguments).env(name, value);
    process::run(&mut tests, JOB_LIMIT)
}

fn fuzz(workspace: &Workspace, seconds: u64) -> Result<()> {
    let manifest = workspace.root.join("fuzz/Cargo.toml");
    if !manifest.is_file() {
        screen::say("left out: there is no folder `fuzz`");
        return Ok(());
    }
    if process::capture(nightly(workspace).args(["fuzz", "--version"]), JOB_LIMIT)
        .map_or(true, |answer| !answer.status.success())
    {
        screen::say("left out: it needs `rustup toolchain install nightly` and `cargo install cargo-fuzz`");
        return Ok(());
    }
    let targets = fuzz_targets(&std::fs::read_to_string(&manifest)?).context("reading fuzz/Cargo.toml")?;
    ensure!(!targets.is_empty(), "fuzz/Cargo.toml names no target");
    for target in targets {
        screen::say(&format!("{target}, {seconds} s"));
        let mut fuzz = nightly(workspace);
        fuzz.args(["fuzz", "run", &target, "--", &format!("-max_total_time={seconds}")]);
        process::run(&mut fuzz, Duration::from_secs(seconds) + FUZZ_OVERHEAD)?;
    }
    Ok(())
}

/// The nightly cargo: by rustup's proxy, since the variables that name this run's own toolchain would win over `+`.
fn nightly(workspace: &Workspace) -> Command {
    let mut command = Command::new("cargo");
    command.arg("+nightly").current_dir(&workspace.root).env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
    command
}

/// The names of the `[[bin]]` targets.
fn fuzz_targets(manifest: &str) -> Result<Vec<String>> {
    let manifest: toml::Table = toml::from_str(manifest)?;
    let binaries = manifest.get("bin").and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Ok(binaries.iter().filter_map(|target| target.get("name")?.as_str().map(str::to_owned)).collect())
}

fn list(errors: &[anyhow::Error]) -> String {
    errors.iter().map(|error| format!("{error:#}")).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_that_tests_properties_is_soaked() {
        let package = |name: &str, dev: &[&str]| Package {
            name: name.to_owned(),
            dev_dependencies: dev.iter().map(|&name| name.to_owned()).collect(),
            ..Package::default()
        };
        let packages = [package("wire", &["proptest", "tempfile"]), package("ecs", &["tempfile"])];
        assert_eq!(packages_with_properties(&packages), ["wire"]);
    }

    #[test]
    fn the_targets_are_those_that_the_fuzz_manifest_names() {
        let manifest = "[package]\nname = \"fuzz\"\n[[bin]]\nname = \"sigv4\"\n[[bin]]\nname = \"policy\"\n";
        assert_eq!(fuzz_targets(manifest).unwrap(), ["sigv4", "policy"]);
        assert!(fuzz_targets("[package]\nname = \"fuzz\"\n").unwrap().is_empty());
    }
}
