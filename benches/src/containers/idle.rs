//! The memory of containers that do nothing, without that of the programs in them: proportional shares (PSS) of all processes
//! that are there because of a container.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use super::engine::{Engine, Who};
use super::own::{IDLE_PROGRAM, Processes, Sandboxes};
use crate::processes;
use crate::stats::{figure, median};

/// From the last container's start until memory is looked at.
const SETTLE: Duration = Duration::from_secs(1);
/// What a shim of Pilvi's calls itself.
const SHIM: &str = "pilvi-shim";

/// Of the crate `sandbox`: medians over the sandboxes, in MiB.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct OfSandbox {
    pub(super) sandboxes: usize,
    /// The shim alone, its container running.
    pub(super) shim_mib: f64,
    /// Shim and sandbox's process, its container running.
    pub(super) running_mib: f64,
    /// These, and the process that waits for what it executes.
    pub(super) prepared_mib: f64,
}

/// Of an engine, in MiB.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct OfEngine {
    pub(super) who: Who,
    pub(super) containers: usize,
    /// What all its processes have together without a container: of Pilvi supervisor, server, node, and what shims are forked from.
    /// It has run many by then.
    pub(super) alone_mib: f64,
    /// What all processes together have more with a further container.
    pub(super) each_mib: f64,
    /// The median of Pilvi's shims.
    pub(super) shim_mib: Option<f64>,
}

/// Measures sandboxes alone.
pub(super) fn of_sandboxes(sandboxes: &Sandboxes, count: usize) -> Result<OfSandbox> {
    let idle = sandboxes.prepared(count)?;
    let middle = |of: &dyn Fn(&Processes) -> Option<f64>| -> Result<f64> {
        let each: Vec<f64> = idle.processes()?.iter().map(of).collect::<Option<_>>().context("memory is not told")?;
        median(&each).context("there are no sandboxes")
    };
    let shim = |of: &Processes| processes::pss_mib(of.shim);
    let running = |of: &Processes| Some(processes::pss_mib(of.shim)? + processes::pss_mib(of.sandbox)?);
    std::thread::sleep(SETTLE);
    let prepared_mib = middle(&|of| Some(running(of)? + processes::pss_mib(of.container)?))?;
    idle.start()?;
    std::thread::sleep(SETTLE);
    let measured =
        OfSandbox { sandboxes: count, shim_mib: middle(&shim)?, running_mib: middle(&running)?, prepared_mib };
    idle.end()?;
    Ok(measured)
}

/// Leaves containers running, and measures what they cost.
pub(super) fn of_engine(engine: &Engine, containers: usize) -> Result<OfEngine> {
    std::thread::sleep(SETTLE);
    let alone_mib = held(engine)?;
    for _ in 0..containers {
        engine.leave_running(&IDLE_PROGRAM)?;
    }
    std::thread::sleep(SETTLE);
    let each_mib = (held(engine)? - alone_mib) / figure(containers as u64);
    let shims = of(engine)?.into_iter().filter(|pid| name(*pid).as_deref() == Some(SHIM));
    let shims: Vec<f64> = shims.filter_map(processes::pss_mib).collect();
    Ok(OfEngine { who: engine.who, containers, alone_mib, each_mib, shim_mib: median(&shims) })
}

/// What an engine's processes have, in MiB, without those in its containers.
fn held(engine: &Engine) -> Result<f64> {
    Ok(of(engine)?.into_iter().filter(|pid| !is_program(*pid)).filter_map(processes::pss_mib).sum())
}

/// An engine's processes: below its server, or with its folder among their arguments.
fn of(engine: &Engine) -> Result<BTreeSet<u32>> {
    let mut all: BTreeSet<u32> = engine.server().map(processes::tree).unwrap_or_default().into_iter().collect();
    let folder = engine.folder();
    for entry in fs::read_dir("/proc")? {
        let pid = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        all.extend(pid.filter(|pid| names(&arguments(*pid), folder)));
    }
    Ok(all)
}

fn names(arguments: &[u8], folder: &Path) -> bool {
    let folder = folder.as_os_str().as_encoded_bytes();
    arguments.windows(folder.len()).any(|part| part == folder)
}

/// Whether it is what an idle container executes.
fn is_program(pid: u32) -> bool {
    arguments(pid) == IDLE_PROGRAM.map(|word| format!("{word}\0")).concat().into_bytes()
}

/// Empty for a process that is not there any more.
fn arguments(pid: u32) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}

fn name(pid: u32) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim().to_owned())
}
