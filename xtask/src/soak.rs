//! `cargo xtask soak`: what takes too long for every change: crashes by the thousand, random cases by the hundred
//! thousand, fuzzing.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::guest::suites;
use crate::steps::Steps;
use crate::tidy::Package;
use crate::workspace::Workspace;
use crate::{clients, process, screen, test};

/// How long one soak job may take, with its build.
const JOB_LIMIT: Duration = Duration::from_secs(4 * 3600);
/// What fuzzing may take beyond its own time: building with sanitizers, minimising a finding.
const FUZZ_OVERHEAD: Duration = Duration::from_secs(1800);

/// How far to go.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How often the store of the state, that of log events, the registry, S3, the image store, the node and what is around
    /// containers are killed under load.
    #[arg(long, default_value_t = 1000)]
    kills: u32,
    /// How often the store loses its power, each time from another seed.
    #[arg(long, default_value_t = 1000)]
    power_losses: u32,
    /// Random cases of each property; of those that are slow, a fixed share of it.
    #[arg(long, default_value_t = 20_000)]
    cases: u32,
    /// Cases in which the policy evaluator must decide as its reference does.
    #[arg(long, default_value_t = 10_000_000)]
    policy_cases: u64,
    /// How many keys a bucket is given, which are then listed, expired and deleted.
    #[arg(long, default_value_t = 1_000_000)]
    keys: u32,
    /// Seconds for each fuzz target.
    #[arg(long, default_value_t = 300)]
    fuzz_seconds: u64,
    /// Run only the jobs whose name holds this text.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

impl Options {
    fn wants(&self, job: &str) -> bool {
        self.only.as_ref().is_none_or(|text| job.contains(text.as_str()))
    }
}

/// What runs the fuzz targets.
const FUZZING: &str = "fuzzing";
/// What runs in a guest what makes containers.
const GUEST: &str = "sandbox, network and node in an emulated guest with cgroup version 2 alone";

/// A job of test programs built for release.
struct Job {
    name: &'static str,
    /// What follows `cargo test --release`.
    arguments: Vec<String>,
    environment: (&'static str, String),
}

impl Job {
    /// Whether it needs the binary, which cargo does not build for another package's tests.
    fn runs_the_product(&self) -> bool {
        self.arguments.iter().any(|argument| argument == "tests")
    }
}

/// Runs every job, also after one has failed, and ends with their summary.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut steps = Steps::default();
    let mut failed = Vec::new();
    let jobs = jobs(&Package::read_all(&workspace.root)?, options);
    ensure!(
        options.wants(FUZZING) || options.wants(GUEST) || jobs.iter().any(|job| options.wants(job.name)),
        "there is no such job; there are: {}, {GUEST}, {FUZZING}",
        jobs.iter().map(|job| job.name).collect::<Vec<_>>().join(", ")
    );
    if jobs.iter().any(|job| options.wants(job.name) && job.runs_the_product()) {
        test::build_release(workspace)?;
        clients::engines::prepare_nodes()?;
        clients::images::prepare(workspace)?;
    }
    for job in jobs.iter().filter(|job| options.wants(job.name)) {
        failed.extend(steps.take(job.name, || run_job(workspace, job)).err());
    }
    if options.wants(GUEST) {
        failed.extend(steps.take(GUEST, || suites::whole(workspace)).err());
    }
    if options.wants(FUZZING) {
        failed.extend(steps.take(FUZZING, || fuzz(workspace, options.fuzz_seconds)).err());
    }
    steps.summarise();
    ensure!(failed.is_empty(), "{} of the jobs failed: {}", failed.len(), list(&failed));
    Ok(())
}

fn jobs(packages: &[Package], options: &Options) -> Vec<Job> {
    let of = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let properties = packages_with_properties(packages).into_iter().flat_map(|name| ["--package".to_owned(), name]);
    vec![
        Job {
            name: "kill -9 of the state's store under load",
            arguments: of("--package store crash -- --nocapture"),
            environment: ("PILVI_CRASH_KILLS", options.kills.to_string()),
        },
        Job {
            name: "kill -9 of the log events' store under load",
            arguments: of("--package segments --test it crash -- --nocapture"),
            environment: ("PILVI_CRASH_KILLS", options.kills.to_string()),
        },
        Job {
            name: "kill -9 of the registry under load",
            arguments: of("--package tests --test it registry::crash -- --nocapture"),
            environment: ("PILVI_CRASH_KILLS", options.kills.to_string()),
        },
        Job {
            name: "kill -9 of S3 under load",
            arguments: of("--package tests --test it s3_flow::crash -- --nocapture"),
            environment: ("PILVI_CRASH_KILLS", options.kills.to_string()),
        },
        Job {
            name: "a bucket of very many keys",
            arguments: of("--package tests --test it s3_flow::scale -- --nocapture"),
            environment: ("PILVI_S3_KEYS", options.keys.to_string()),
        },
        Job {
            name: "kill -9 of the image store while it unpacks and collects",
            arguments: of("--package images --test it crash -- --nocapture"),
            environment: ("PILVI_CRASH_KILLS", options.kills.to_string()),
        },
        Job {
            name: "kill -9 of the node while it unpacks and collects",
            arguments: of("--package node --test it crash -- --nocapture"),
            environment: ("PILVI_CRASH_KILLS", options.kills.to_string()),
        },
        Job {
            name: "kill -9 of server, node, shim and container while containers come and go",
            arguments: of("--package tests --test it containers::rounds -- --nocapture"),
            environment: ("PILVI_CRASH_KILLS", options.kills.to_string()),
        },
        Job {
            name: "power losses",
            arguments: of("--package store power_loss -- --nocapture"),
            environment: ("PILVI_POWER_LOSSES", options.power_losses.to_string()),
        },
        Job {
            name: "the policy evaluator beside its reference",
            arguments: of("--package policy --test differential the_evaluator -- --nocapture"),
            environment: ("PILVI_POLICY_CASES", options.policy_cases.to_string()),
        },
        Job {
            name: "properties over many more random cases",
            arguments: properties.collect(),
            environment: ("PROPTEST_CASES", options.cases.to_string()),
        },
    ]
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
    use std::path::Path;

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
        let jobs = jobs(&packages, &options(None));
        let of_properties: Vec<_> = jobs.iter().filter(|job| job.environment.0 == "PROPTEST_CASES").collect();
        assert_eq!(of_properties.len(), 1);
        assert_eq!(of_properties[0].arguments, ["--package", "wire"]);
    }

    #[test]
    fn a_job_is_chosen_by_a_part_of_its_name() {
        let wanted = |only| {
            let options = options(only);
            jobs(&[], &options).into_iter().map(|job| job.name).filter(|name| options.wants(name)).count()
        };
        assert_eq!((wanted(None), wanted(Some("kill -9")), wanted(Some("policy")), wanted(Some("x"))), (11, 7, 1, 0));
    }

    #[test]
    fn every_test_that_a_job_names_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for (file, setting) in [
            ("crates/store/tests/it/crash.rs", "PILVI_CRASH_KILLS"),
            ("crates/segments/tests/it/crash.rs", "PILVI_CRASH_KILLS"),
            ("tests/it/registry/crash.rs", "PILVI_CRASH_KILLS"),
            ("tests/it/s3_flow/crash.rs", "PILVI_CRASH_KILLS"),
            ("tests/it/s3_flow/scale.rs", "PILVI_S3_KEYS"),
            ("crates/images/tests/it/crash.rs", "PILVI_CRASH_KILLS"),
            ("crates/node/tests/it/crash.rs", "PILVI_CRASH_KILLS"),
            ("tests/it/containers/rounds.rs", "PILVI_CRASH_KILLS"),
            ("crates/store/tests/it/power_loss.rs", "PILVI_POWER_LOSSES"),
            ("crates/policy/tests/differential/main.rs", "PILVI_POLICY_CASES"),
        ] {
            assert!(std::fs::read_to_string(root.join(file)).unwrap().contains(setting), "{file} knows no {setting}");
            assert!(jobs(&[], &options(None)).iter().any(|job| job.environment.0 == setting), "{setting}");
        }
    }

    fn options(only: Option<&str>) -> Options {
        let only = only.map(str::to_owned);
        Options { kills: 1, power_losses: 1, cases: 1, policy_cases: 1, keys: 1, fuzz_seconds: 1, only }
    }

    #[test]
    fn the_targets_are_those_that_the_fuzz_manifest_names() {
        let manifest = "[package]\nname = \"fuzz\"\n[[bin]]\nname = \"sigv4\"\n[[bin]]\nname = \"policy\"\n";
        assert_eq!(fuzz_targets(manifest).unwrap(), ["sigv4", "policy"]);
        assert!(fuzz_targets("[package]\nname = \"fuzz\"\n").unwrap().is_empty());
    }
}
