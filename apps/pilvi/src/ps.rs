//! `pilvi ps`, `nodes`, `why` and `stats`: what runs, where, how it is and what it uses.

mod stats;
mod why;

use std::process::ExitCode;

use anyhow::{Result, bail};
use base::{Clock, SystemClock, Timestamp};
use clap::Args;
use serde::Serialize;

use crate::control_socket::workloads::{NodeTold, Told, WorkloadAnswer, WorkloadRequest};
use crate::images::aligned;
use crate::locate::running;
use crate::settings::Place;
use crate::terminal::{bytes, printable, printable_json, say};
use crate::workload_cli::words::{ago, at_most, output_lost, ports, short, span, status};
use crate::workload_cli::{SOMETHING_ELSE, ask_for_all, list};

pub(crate) use stats::{StatsArgs, run as stats};
pub(crate) use why::{WhyArgs, run as why};

/// How much of a command a table shows.
const COMMAND_CHARACTERS: usize = 24;
/// How much of a status a table shows.
const STATUS_CHARACTERS: usize = 60;

/// Arguments of `pilvi ps`.
#[derive(Debug, Args)]
pub(crate) struct PsArgs {
    /// Those that have stopped, too
    #[arg(short, long)]
    all: bool,
    /// Ids alone
    #[arg(short, long, conflicts_with = "json")]
    quiet: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// Arguments of `pilvi nodes`.
#[derive(Debug, Args)]
pub(crate) struct NodesArgs {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Serialize)]
struct Workloads {
    workloads: Vec<Told>,
}

#[derive(Debug, Serialize)]
struct Nodes {
    nodes: Vec<NodeTold>,
}

/// Lists what runs.
///
/// # Errors
/// When Pilvi does not run or cannot tell.
pub(crate) fn run(args: &PsArgs) -> Result<ExitCode> {
    let workloads = list(&running(&args.place)?, args.all)?;
    if args.json {
        say(printable_json(&serde_json::to_string_pretty(&Workloads { workloads })?));
    } else if args.quiet {
        workloads.iter().for_each(|told| say(short(&told.id)));
    } else {
        table(&workloads, SystemClock.now()).iter().for_each(|line| say(printable(line)));
    }
    Ok(ExitCode::SUCCESS)
}

/// Lists the nodes.
///
/// # Errors
/// When Pilvi does not run or cannot tell.
pub(crate) fn nodes(args: &NodesArgs) -> Result<ExitCode> {
    let running = running(&args.place)?;
    let mut nodes = Vec::new();
    for answer in ask_for_all(&running.dir, WorkloadRequest::Nodes)? {
        let WorkloadAnswer::Node(node) = answer else { bail!(SOMETHING_ELSE) };
        nodes.push(*node);
    }
    if args.json {
        say(printable_json(&serde_json::to_string_pretty(&Nodes { nodes })?));
    } else if nodes.is_empty() {
        say("there is no node: start Pilvi as root (`sudo pilvi up`)");
    } else {
        node_table(&nodes, SystemClock.now()).iter().for_each(|line| say(printable(line)));
    }
    Ok(ExitCode::SUCCESS)
}

fn table(workloads: &[Told], now: Timestamp) -> Vec<String> {
    let head = ["CONTAINER", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAME"].map(str::to_owned);
    let row = |told: &Told| {
        let first = told.containers.first();
        let more = match told.containers.len() {
            0 | 1 => String::new(),
            count => format!(" (+{})", count - 1),
        };
        [
            short(&told.id),
            format!("{}{more}", first.map_or("", |first| first.image.as_str())),
            at_most(COMMAND_CHARACTERS, &first.map(|first| first.command.join(" ")).unwrap_or_default()),
            ago(told.created_at, now),
            at_most(STATUS_CHARACTERS, &shown_status(told, now)),
            ports(told.observed.as_ref()),
            told.name.clone().or_else(|| told.owner.as_ref().map(|owner| format!("({owner})"))).unwrap_or_default(),
        ]
    };
    aligned(&std::iter::once(head).chain(workloads.iter().map(row)).collect::<Vec<_>>())
}

/// How it is, and whether something of what it printed is lost.
fn shown_status(told: &Told, now: Timestamp) -> String {
    let containers = told.observed.as_ref().map(|observed| observed.containers.as_slice()).unwrap_or_default();
    match containers.first().and_then(output_lost) {
        Some(lost) => format!("{}, {lost}", status(told, now)),
        None => status(told, now),
    }
}

fn node_table(nodes: &[NodeTold], now: Timestamp) -> Vec<String> {
    let head = ["NODE", "STATE", "CONTAINERS", "CPUS", "MEMORY", "DISK"].map(str::to_owned);
    let cpus = |millis: u64| format!("{:.1}", millis as f64 / 1000.0);
    let row = |node: &NodeTold| {
        let (has, reserved) = (node.has, node.reserved);
        let problem = node.problem.as_ref().map(|problem| format!(": {problem}")).unwrap_or_default();
        [
            node.id.to_string(),
            format!("{} for {}{problem}", node.state, span(now.since(node.since).as_secs())),
            node.workloads.to_string(),
            format!("{} of {}", cpus(reserved.cpu_millis), cpus(has.cpu_millis)),
            format!("{} of {}", bytes(reserved.memory_bytes), bytes(has.memory_bytes)),
            format!("{} of {}", bytes(reserved.disk_bytes), bytes(has.disk_bytes)),
        ]
    };
    aligned(&std::iter::once(head).chain(nodes.iter().map(row)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests;
