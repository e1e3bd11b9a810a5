//! `pilvi why`: why a container is as it is, and what its node did for it.

use std::process::ExitCode;

use anyhow::{Result, bail};
use base::{Clock, SystemClock, Timestamp};
use clap::Args;
use serde::Serialize;
use workload::{Step, StepName, StepOutcome};

use crate::control_socket::workloads::{Refusal, Told, WorkloadAnswer, WorkloadRequest};
use crate::locate::running;
use crate::settings::Place;
use crate::terminal::{printable, printable_json, say};
use crate::workload_cli::words::status;
use crate::workload_cli::{SOMETHING_ELSE, ask};

/// Arguments of `pilvi why`.
#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// The container: its name, its id, or how that begins
    #[arg(value_name = "CONTAINER")]
    workload: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Serialize)]
struct Why<'a> {
    workload: &'a Told,
    refusals: &'a [Refusal],
}

/// Tells why.
///
/// # Errors
/// When there is no such container.
pub(crate) fn run(args: &WhyArgs) -> Result<ExitCode> {
    let running = running(&args.place)?;
    let answer = ask(&running.dir, WorkloadRequest::Why { workload: args.workload.clone() })?;
    let WorkloadAnswer::Why { told, refusals } = answer else { bail!(SOMETHING_ELSE) };
    if args.json {
        let why = Why { workload: &told, refusals: &refusals };
        say(printable_json(&serde_json::to_string_pretty(&why)?));
    } else {
        lines(&told, &refusals, SystemClock.now()).iter().for_each(|line| say(printable(line)));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn lines(told: &Told, refusals: &[Refusal], now: Timestamp) -> Vec<String> {
    let mut lines = vec![format!("{} {}", told.name.as_deref().unwrap_or_default(), told.id).trim().to_owned()];
    let mut row = |name: &str, value: &str| lines.push(format!("  {name:<10}{value}"));
    row("status", &status(told, now));
    row("node", told.node.as_ref().map_or("none yet", |node| node.as_str()));
    if let Some(reason) = &told.waiting {
        row("waits", &reason.message);
    }
    if let Some(observed) = &told.observed {
        if let Some(reason) = &observed.reason {
            row("because", &reason.message);
        }
        if let Some(address) = observed.address {
            row("address", &address.to_string());
        }
        for container in &observed.containers {
            if let Some(exit) = &container.last_exit {
                let why = exit.reason.as_ref().map(|reason| format!(": {}", reason.message)).unwrap_or_default();
                let code = exit.code.map_or_else(|| "never ran".to_owned(), |code| format!("ended with {code}"));
                row("last", &format!("{} {code}{why}", container.name));
            }
            if container.restarts > 0 {
                row("restarts", &format!("{} {}", container.name, container.restarts));
            }
        }
    }
    for refusal in refusals {
        row("not on", &format!("{}: {}", refusal.node, refusal.reason));
    }
    let steps = told.observed.as_ref().map(|observed| observed.steps.as_slice()).unwrap_or_default();
    if !steps.is_empty() {
        lines.push("  steps".to_owned());
        lines.extend(steps.iter().map(step));
    }
    lines
}

fn step(step: &Step) -> String {
    let name = match step.name {
        StepName::Pull => "image",
        StepName::Network => "network",
        StepName::Volumes => "volumes",
        StepName::Sandbox => "sandbox",
        StepName::Create => "create",
        StepName::Start => "start",
        StepName::Probe => "probe",
        StepName::Stop => "stop",
        StepName::CleanUp => "clean up",
    };
    let took = step.took_us.map_or_else(String::new, |us| format!("{:.1} ms", us as f64 / 1000.0));
    let outcome = match &step.outcome {
        StepOutcome::Running => "goes on".to_owned(),
        StepOutcome::Done => "done".to_owned(),
        StepOutcome::Failed(reason) => format!("failed: {}", reason.message),
        StepOutcome::Undone => "undone".to_owned(),
    };
    let container = step.container.as_deref().unwrap_or_default();
    format!("    {}  {name:<9}{container:<10}{took:>11}  {outcome}", step.began_at.iso8601()).trim_end().to_owned()
}
