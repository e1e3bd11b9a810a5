//! What is proved in a guest: that sandboxes, networks and nodes do on an older kernel, with cgroup version 2 alone, what they do
//! on the machine at hand.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{Guest, QUESTION_LIMIT, Run};
use crate::clients::engines;
use crate::test::Counts;
use crate::workspace::Workspace;
use crate::{process, screen};

/// Building the test programs from cold.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);
/// What the smoke test may take in all; it takes about a minute.
const SMOKE_LIMIT: Duration = Duration::from_secs(300);
/// What all suites may take in all.
const SUITES_LIMIT: Duration = Duration::from_secs(2 * 3600);
/// An emulated machine is so many times slower, and tests wait so many times longer for what must happen.
const PATIENCE: &str = "PILVI_TEST_PATIENCE=8";
/// The program that emulates a machine.
pub(super) const EMULATOR: &str = "qemu-system-x86_64";
/// What the machine must have, and Debian's package of it: the emulator, and what is brought into the guest.
const NEEDED: [(&str, &str); 5] = [
    (EMULATOR, "qemu-system-x86"),
    ("busybox", "busybox-static"),
    ("nft", "nftables"),
    ("ip", "iproute2"),
    ("mke2fs", "e2fsprogs"),
];
/// Those of them that nodes and the tests of networks ask for.
const BROUGHT: [&str; 3] = ["nft", "ip", "mke2fs"];

/// A test program, and which of its tests.
struct Suite {
    package: &'static str,
    /// The target's name: that of the crate for its unit tests.
    target: &'static str,
    /// Parts of the names of tests; none: all of them.
    tests: &'static [&'static str],
}

/// What is run on every change: the groups and their limits, and whole containers.
const SMOKE: [Suite; 3] = [
    Suite { package: "sandbox", target: "sandbox", tests: &["cgroup::"] },
    Suite {
        package: "sandbox",
        target: "it",
        tests: &[
            "setup_mounts::",
            "a_container_sees_its_own_cgroup_alone",
            "users_of_the_sandboxs_own_are_nobody_on_the_host",
            "who_prints_to_the_end_of_memory",
            "devices_that_an_image_replaced_are_not_used",
            "the_program_that_makes_containers_cannot_be_written_to",
            "a_shim_that_is_killed_takes_everything_with_it",
        ],
    },
    Suite {
        package: "node",
        target: "workloads",
        tests: &[
            "a_container_runs_and_ends_with_its_code",
            "what_uses_too_much_memory_is_killed",
            "what_runs_is_counted_and_can_be_frozen",
            "what_is_written_has_its_limit",
            "volumes_are_mounted_as_they_are_said",
            "workloads_of_a_group_find_each_other",
            "a_published_port_leads_to_its_workload",
            "a_node_that_is_killed_or_ends_restarts_no_container",
        ],
    },
];

/// What the long job runs: everything of what makes containers.
const WHOLE: [Suite; 5] = [
    Suite { package: "sandbox", target: "sandbox", tests: &[] },
    Suite { package: "sandbox", target: "it", tests: &[] },
    Suite { package: "network", target: "network", tests: &[] },
    Suite { package: "network", target: "it", tests: &[] },
    Suite { package: "node", target: "workloads", tests: &[] },
];

/// Runs the smoke test in a guest, after the tests of the whole workspace; what was counted is added. Says so where there can be
/// no guest.
pub(crate) fn smoke(workspace: &Workspace, counts: &Arc<Mutex<Counts>>) -> Result<()> {
    // The whole workspace, so that what the tests before this have built is not built otherwise.
    in_guest(workspace, &["--workspace"], &SMOKE, SMOKE_LIMIT, counts)
}

/// The same by itself.
pub(super) fn smoke_alone(workspace: &Workspace) -> Result<()> {
    in_guest(workspace, &["--package", "sandbox", "--package", "node"], &SMOKE, SMOKE_LIMIT, &Arc::default())
}

/// Runs all suites in a guest, built for release: an emulated machine is slow.
pub(crate) fn whole(workspace: &Workspace) -> Result<()> {
    let packages = ["--release", "--package", "sandbox", "--package", "network", "--package", "node"];
    in_guest(workspace, &packages, &WHOLE, SUITES_LIMIT, &Arc::default())
}

fn in_guest(
    workspace: &Workspace,
    packages: &[&str],
    suites: &[Suite],
    limit: Duration,
    counts: &Arc<Mutex<Counts>>,
) -> Result<()> {
    if let Some(why) = why_not() {
        screen::say(&format!("left out: {why}"));
        return Ok(());
    }
    engines::ensure_there(&NEEDED)?;
    let programs = build(workspace, packages)?;
    let stripped = workspace.target.join("guest").join(format!("programs-{}", std::process::id()));
    std::fs::create_dir_all(&stripped)?;
    let outcome = boot(workspace, &programs, &stripped, suites, limit, counts);
    let _ = std::fs::remove_dir_all(&stripped);
    outcome
}

fn boot(
    workspace: &Workspace,
    programs: &[Program],
    stripped: &Path,
    suites: &[Suite],
    limit: Duration,
    counts: &Arc<Mutex<Counts>>,
) -> Result<()> {
    let run = |suite: &Suite| {
        let program = programs.iter().find(|one| one.package == suite.package && one.target == suite.target);
        let program = program.with_context(|| format!("{} has no tests called {}", suite.package, suite.target))?;
        let arguments = suite.tests.iter().map(|&part| part.to_owned()).collect();
        Ok(Run { program: strip(&program.path, stripped)?, arguments })
    };
    let guest = Guest {
        memory_mib: 2048,
        limit,
        with: BROUGHT.iter().map(|name| engines::find(name)).collect::<Result<_>>()?,
        environment: vec![PATIENCE.to_owned()],
        runs: suites.iter().map(run).collect::<Result<_>>()?,
    };
    let counts = Arc::clone(counts);
    guest.boot(workspace, move |line| {
        if let Ok(mut counts) = counts.lock() {
            counts.add(line);
        }
    })
}

/// Why there can be no guest on this machine; nothing where there can.
fn why_not() -> Option<&'static str> {
    if !cfg!(target_arch = "x86_64") {
        return Some("the guest's kernel is Debian's for amd64");
    }
    if !Path::new("/usr/bin/apt-cache").exists() {
        return Some("the guest's kernel comes from Debian by apt, which is not here");
    }
    None
}

/// A test program that cargo has built.
#[derive(Debug, PartialEq, Eq)]
struct Program {
    package: String,
    target: String,
    path: PathBuf,
}

fn build(workspace: &Workspace, packages: &[&str]) -> Result<Vec<Program>> {
    let mut build = workspace.cargo();
    build.args(["test", "--no-run", "--quiet", "--message-format", "json-render-diagnostics"]).args(packages);
    let told = process::capture(&mut build, BUILD_LIMIT)?.success()?;
    let programs: Vec<Program> = told.lines().filter_map(program).collect();
    if programs.is_empty() {
        bail!("cargo has built no test program");
    }
    Ok(programs)
}

/// The test program that a line of cargo's messages tells of.
fn program(line: &str) -> Option<Program> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["reason"] != "compiler-artifact" || message["profile"]["test"] != true {
        return None;
    }
    let manifest = Path::new(message["manifest_path"].as_str()?);
    Some(Program {
        package: manifest.parent()?.file_name()?.to_str()?.to_owned(),
        target: message["target"]["name"].as_str()?.to_owned(),
        path: message["executable"].as_str()?.into(),
    })
}

/// A copy without what only a debugger reads: the guest holds it in memory.
fn strip(program: &Path, into: &Path) -> Result<PathBuf> {
    let stripped = into.join(program.file_name().context("a program has a name")?);
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(&stripped).arg(program);
    let is_stripped = process::capture(&mut strip, QUESTION_LIMIT).is_ok_and(|answer| answer.status.success());
    if !is_stripped {
        std::fs::copy(program, &stripped)?;
    }
    Ok(stripped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_are_found_among_cargos_messages() {
        let message = r#"{"reason":"compiler-artifact","package_id":"path+file:///x#sandbox@0.1.0","manifest_path":"/x/crates/sandbox/Cargo.toml","target":{"kind":["test"],"name":"it"},"profile":{"test":true},"executable":"/t/deps/it-1"}"#;
        let expected = Program { package: "sandbox".into(), target: "it".into(), path: "/t/deps/it-1".into() };
        assert_eq!(program(message), Some(expected));
        assert_eq!(program(&message.replace("\"test\":true", "\"test\":false")), None);
        assert_eq!(program("warning: something"), None);
    }

    #[test]
    fn every_test_that_the_smoke_names_is_there() {
        let root = crate::workspace::root().unwrap();
        for suite in SMOKE.iter().chain(&WHOLE) {
            let folder = root.join("crates").join(suite.package);
            let folder = if suite.target == suite.package {
                folder.join("src")
            } else {
                folder.join("tests").join(suite.target)
            };
            let sources = sources(&folder);
            assert!(!sources.is_empty(), "{}", folder.display());
            for name in suite.tests.iter().filter(|name| !name.ends_with("::")) {
                assert!(sources.contains(&format!("fn {name}")), "{} has no test {name}", folder.display());
            }
        }
    }

    /// The text of all sources below a folder.
    fn sources(folder: &Path) -> String {
        let mut text = String::new();
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                text.push_str(&sources(&entry.path()));
            } else {
                text.push_str(&std::fs::read_to_string(entry.path()).unwrap());
            }
        }
        text
    }
}
