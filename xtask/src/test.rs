//! `cargo xtask test`: everything that this repository proves about itself, the quickest failures first.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::clients::Clients;
use crate::clients::engines::Engines;
use crate::guest::suites;
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{check, clients, process};

/// A build from cold on two cores.
const BUILD_LIMIT: Duration = Duration::from_secs(1500);
/// Building and running every test.
const TEST_LIMIT: Duration = Duration::from_secs(1800);

/// Runs the steps up to the first that fails, prints their summary, and closes with the number of tests.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let counts = Arc::new(Mutex::new(Counts::default()));
    let mut steps = Steps::default();
    let result = take(workspace, &mut steps, &counts);
    steps.summarise();
    let counts = *counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    println!("\n{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.ignored);
    result?;
    ensure!(counts.passed > 0, "no test was run");
    Ok(())
}

fn take(workspace: &Workspace, steps: &mut Steps, counts: &Arc<Mutex<Counts>>) -> Result<()> {
    check::take(workspace, steps)?;
    // Two builds fill two processors where one has a single crate to wait for, and while clients are fetched.
    std::thread::scope(|scope| {
        let programs = scope.spawn(|| build_tests(workspace));
        let supplies = supply(workspace, steps);
        steps.take("test programs", || programs.join().unwrap_or_else(|_| bail!("building the tests broke off")))?;
        supplies
    })
    .and_then(|supplies| run_tests(workspace, steps, counts, supplies))?;
    steps.take("containers in an emulated guest with cgroup version 2 alone", || suites::smoke(workspace, counts))
}

/// What tests run and run against.
struct Supplies {
    pilvi: PathBuf,
    clients: Clients,
    engines: Engines,
    images: PathBuf,
}

fn supply(workspace: &Workspace, steps: &mut Steps) -> Result<Supplies> {
    let pilvi = steps.take("release build", || {
        build_release(workspace)?;
        workspace.pilvi()
    })?;
    let clients = steps.take("real clients", || clients::prepare(workspace))?;
    let engines = steps.take("skopeo, podman, docker", || clients::engines::prepare(workspace))?;
    steps.take("what nodes use", clients::engines::prepare_nodes)?;
    let images = steps.take("images", || clients::images::prepare(workspace))?;
    Ok(Supplies { pilvi, clients, engines, images })
}

fn run_tests(workspace: &Workspace, steps: &mut Steps, counts: &Arc<Mutex<Counts>>, supplies: Supplies) -> Result<()> {
    let Supplies { pilvi, clients, engines, images } = supplies;
    steps.take("tests", || {
        let counts = Arc::clone(counts);
        let mut tests = workspace.cargo();
        tests.args(["test", "--workspace", "--no-fail-fast"]);
        tests.env("PILVI_BIN", pilvi).env("PILVI_CLIENTS", clients.dir()).env("PILVI_IMAGES", images);
        match engines.docker() {
            Some(docker) => tests.env("PILVI_DOCKER", docker),
            None => tests.env_remove("PILVI_DOCKER"),
        };
        process::run_watched(&mut tests, TEST_LIMIT, move |line| {
            if let Ok(mut counts) = counts.lock() {
                counts.add(line);
            }
        })
    })
}

/// Builds the programs of all tests. What it compiles is not shown, since another build shows its own meanwhile.
fn build_tests(workspace: &Workspace) -> Result<()> {
    let mut build = workspace.cargo();
    build.args(["test", "--workspace", "--no-run", "--quiet"]);
    process::run(&mut build, BUILD_LIMIT).context("building the tests")
}

/// Builds the static binary that users get.
pub(crate) fn build_release(workspace: &Workspace) -> Result<()> {
    let mut build = workspace.cargo();
    build.args(["build", "--release", "--package", "pilvi"]);
    process::run(&mut build, BUILD_LIMIT).context("building the release binary")
}

/// How many tests ended how, over all test programs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    /// Adds what the closing line of a test program says; other lines say nothing. Programs that must have a `main` of their
    /// own tell the numbers alone.
    pub(crate) fn add(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        let counts = rest.split_once(". ").map_or(rest, |(_, counts)| counts);
        for part in counts.split(';') {
            match part.trim().split_once(' ') {
                Some((count, "passed")) => self.passed += count.parse().unwrap_or(0),
                // Who failed may be named behind it.
                Some((count, word)) if word.starts_with("failed") => self.failed += count.parse().unwrap_or(0),
                Some((count, "ignored")) => self.ignored += count.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_of_all_test_programs_are_added_up() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test tests::nothing ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s",
            "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
            "test result: 2 passed; 1 failed it::a_name",
        ] {
            counts.add(line);
        }
        assert_eq!(counts, Counts { passed: 10, failed: 3, ignored: 1 });
    }
}
