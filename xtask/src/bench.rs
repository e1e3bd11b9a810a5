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
/// The peers of `containers`; docker's daemon comes with the engines. Then what they make bridges and rules with.
const CONTAINERS_PEERS: [&str; 5] = ["runc", "crun", "podman", "iptables", "nft"];
/// The peers of `s3`, beside moto.
const S3_PEERS: [&str; 1] = ["nginx"];
/// Packages whose name is not their program's.
const PACKAGES: [(&str, &str); 1] = [("nft", "nftables")];
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
        Some("s3") => {
            install(&S3_PEERS)?;
            bench.env("MOTO_SERVER", clients::prepare_moto(workspace)?);
        }
        Some("containers") => {
            install(&CONTAINERS_PEERS)?;
            let engines = clients::engines::prepare(workspace)?;
            bench.env("PILVI_IMAGES", clients::images::prepare(workspace)?);
            match engines.docker() {
                Some(docker) => bench.env("PILVI_DOCKER", docker),
                None => bench.env_remove("PILVI_DOCKER"),
            };
        }
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
        let package = |program: &&'static str| {
            PACKAGES.iter().find(|(named, _)| named == program).map_or(*program, |(_, package)| *package)
        };
        let packages: Vec<&str> = missing.iter().map(package).collect();
        ensure!(
            engines::can_install()?,
            "{list}: missing; install them (Debian: `sudo apt-get install {}`)",
            packages.join(" ")
        );
        screen::say(&format!("installing by apt: {list}; services that come with them are Debian's, and not used"));
        let more: &[&str] = if missing.contains(&"podman") { &[WITH_PODMAN] } else { &[] };
        engines::install(&[&packages, more].concat())?;
    }
    programs.iter().try_for_each(|program| {
        screen::say(&format!("{program}: {}", version(program)?));
        Ok(())
    })
}

/// What a program says of itself. nginx knows a shorter word for the question alone, and answers on its standard error.
fn version(program: &str) -> Result<String> {
    let said = match program {
        "nginx" => process::capture(Command::new(program).arg("-v"), QUESTION_LIMIT).and_then(|answer| {
            let said = answer.stderr.clone();
            answer.success().map(|_| said)
        })?,
        _ => process::capture(Command::new(program).arg("--version"), QUESTION_LIMIT)?.success()?,
    };
    Ok(said.lines().next().unwrap_or_default().trim().to_owned())
}
