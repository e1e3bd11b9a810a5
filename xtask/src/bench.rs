//! `cargo xtask bench [name] [arguments]`: the benchmarks of `benches/`, each beside a peer measured in the same run.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::clients::engines;
use crate::workspace::Workspace;
use crate::{clients, process, screen, test};

/// The longest benchmark, with its build.
const LIMIT: Duration = Duration::from_secs(3600);
/// A question that a program answers about itself.
const QUESTION_LIMIT: Duration = Duration::from_secs(60);

/// The peers of `registry`: programs, each in Debian's package of its name.
const REGISTRY_PEERS: [&str; 1] = ["docker-registry"];
/// The peers of `pull`.
const PULL_PEERS: [&str; 5] = ["docker-registry", "skopeo", "umoci", "podman", "containerd"];
/// What podman wants to find, although it runs no container here, and Debian merely recommends beside it.
const WITH_PODMAN: &str = "crun";

/// Builds the release binary and the benchmarks, prepares the peers and hands `arguments` on.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    ensure!(workspace.root.join("benches/Cargo.toml").is_file(), "there is no package `benches` in this workspace");
    screen::heading("building");
    test::build_release(workspace)?;
    screen::heading("peers");
    let mut bench = workspace.cargo();
    bench.args(["run", "--quiet", "--release", "--package", "benches", "--"]).args(arguments);
    bench.env("PILVI_BIN", workspace.pilvi()?);
    match arguments.first().map(String::as_str) {
        Some("registry") => install(&REGISTRY_PEERS)?,
        Some("pull") => install(&PULL_PEERS)?,
        _ => {
            bench.env("MOTO_SERVER", clients::prepare_moto(workspace)?);
            bench.env("PILVI_CLIENTS", clients::prepare(workspace)?.dir());
        }
    }
    process::run(&mut bench, LIMIT).context("the benchmark")
}

/// Installs those that are missing. They are started by the benchmark, with their files in its own folder; that a package
/// also brings a service, which Debian may start, is told.
fn install(programs: &[&'static str]) -> Result<()> {
    let missing: Vec<&str> = programs.iter().copied().filter(|program| version(program).is_err()).collect();
    if !missing.is_empty() {
        let list = missing.join(", ");
        let packages = missing.join(" ");
        ensure!(engines::can_install()?, "{list}: missing; install them (Debian: `sudo apt-get install {packages}`)");
        screen::say(&format!("installing by apt: {list}; services that come with them are Debian's, and not used"));
        let more: &[&str] = if missing.contains(&"podman") { &[WITH_PODMAN] } else { &[] };
        engines::install(&[&missing, more].concat())?;
    }
    programs.iter().try_for_each(|program| {
        screen::say(&format!("{program}: {}", version(program)?));
        Ok(())
    })
}

/// What a program says of itself.
fn version(program: &str) -> Result<String> {
    let said = process::capture(Command::new(program).arg("--version"), QUESTION_LIMIT)?.success()?;
    Ok(said.lines().next().unwrap_or_default().trim().to_owned())
}
