//! `pilvi stats`: what containers use.

use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use node::protocol::{ContainerStats, WorkloadStats};
use serde::Serialize;

use crate::control_socket::workloads::{Told, WorkloadAnswer, WorkloadRequest};
use crate::images::aligned;
use crate::locate::{Running, running};
use crate::settings::Place;
use crate::terminal::{bytes, printable, printable_json, say};
use crate::workload_cli::words::short;
use crate::workload_cli::{SOMETHING_ELSE, ask_for_all, list};

/// From one look to the next. Processor time is the difference of two.
const PERIOD: Duration = Duration::from_secs(1);

/// Arguments of `pilvi stats`.
#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// The containers; all that run, if none is named
    #[arg(value_name = "CONTAINER")]
    workloads: Vec<String>,
    /// Print once, and no more
    #[arg(long)]
    no_stream: bool,
    /// Print one JSON object, once
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Serialize)]
struct Printed {
    stats: Vec<WorkloadStats>,
}

/// Prints what containers use, again and again.
///
/// # Errors
/// When Pilvi does not run, or there is no such container.
pub(crate) fn run(args: &StatsArgs) -> Result<ExitCode> {
    let running = running(&args.place)?;
    let mut before = look(&running, &args.workloads)?;
    if args.json {
        say(printable_json(&serde_json::to_string_pretty(&Printed { stats: before })?));
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        sleep(PERIOD);
        let now = look(&running, &args.workloads)?;
        let names = list(&running, true)?;
        if !args.no_stream && io::stdout().is_terminal() {
            // Home, and nothing below: the table takes the place of the last one.
            say("\u{1b}[H\u{1b}[2J");
        }
        table(&before, &now, &names).iter().for_each(|line| say(printable(line)));
        if args.no_stream {
            return Ok(ExitCode::SUCCESS);
        }
        before = now;
    }
}

fn look(running: &Running, workloads: &[String]) -> Result<Vec<WorkloadStats>> {
    let mut all = Vec::new();
    for answer in ask_for_all(&running.dir, WorkloadRequest::Stats { workloads: workloads.to_vec() })? {
        let WorkloadAnswer::Stats(some) = answer else { bail!(SOMETHING_ELSE) };
        all.extend(some);
    }
    Ok(all)
}

pub(super) fn table(before: &[WorkloadStats], now: &[WorkloadStats], names: &[Told]) -> Vec<String> {
    let before: HashMap<_, _> = before.iter().map(|stats| (&stats.id, stats)).collect();
    let names: HashMap<_, _> = names.iter().map(|told| (&told.id, told)).collect();
    let head = ["CONTAINER", "NAME", "CPU", "MEMORY", "LIMIT", "PIDS", "NETWORK", "DISK"].map(str::to_owned);
    let mut rows = vec![head];
    for stats in now {
        let name = names.get(&stats.id).and_then(|told| told.name.clone()).unwrap_or_default();
        for (container, used) in &stats.containers {
            let earlier =
                before.get(&stats.id).and_then(|before| Some((before.at_ms, before.containers.get(container)?)));
            let name = match (name.as_str(), stats.containers.len()) {
                (name, 0 | 1) => name.to_owned(),
                ("", _) => container.clone(),
                (name, _) => format!("{name}/{container}"),
            };
            rows.push(row(short(&stats.id), name, stats.at_ms, used, earlier));
        }
    }
    aligned(&rows)
}

fn row(
    id: String,
    name: String,
    at_ms: u64,
    used: &ContainerStats,
    earlier: Option<(u64, &ContainerStats)>,
) -> [String; 8] {
    let cpu = earlier.and_then(|(earlier_ms, earlier)| {
        let span_us = at_ms.checked_sub(earlier_ms).filter(|span| *span > 0)?.saturating_mul(1000);
        Some(used.cpu_us.saturating_sub(earlier.cpu_us) as f64 * 100.0 / span_us as f64)
    });
    [
        id,
        name,
        cpu.map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.1} %")),
        bytes(used.memory_bytes),
        if used.memory_bytes_max == 0 { "none".to_owned() } else { bytes(used.memory_bytes_max) },
        used.pids.to_string(),
        format!("{} / {}", bytes(used.received_bytes), bytes(used.sent_bytes)),
        format!("{} / {}", bytes(used.read_bytes), bytes(used.written_bytes)),
    ]
}
