//! `cargo xtask bench [name] [arguments]`: the benchmarks of `benches/`, each beside a peer measured in the same run.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::workspace::Workspace;
use crate::{clients, process, screen, test};

/// The longest benchmark, with its build.
const LIMIT: Duration = Duration::from_secs(3600);

/// Builds the release binary and the benchmarks, prepares the peers and hands `arguments` on.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    ensure!(workspace.root.join("benches/Cargo.toml").is_file(), "there is no package `benches` in this workspace");
    screen::heading("building");
    test::build_release(workspace)?;
    screen::heading("peers");
    let moto_server = clients::prepare_moto(workspace)?;
    let clients = clients::prepare(workspace)?;
    let mut bench = workspace.cargo();
    bench.args(["run", "--quiet", "--release", "--package", "benches", "--"]).args(arguments);
    bench.env("PILVI_BIN", workspace.pilvi()?);
    bench.env("PILVI_CLIENTS", clients.dir());
    bench.env("MOTO_SERVER", moto_server);
    process::run(&mut bench, LIMIT).context("the benchmark")
}
