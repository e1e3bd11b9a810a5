//! `pilvi why`: why a container is as it is, and what its node did for it.

use std::process::ExitCode;

use anyhow::{Result, bail};
use base::{Clock, SystemClock, Timestamp};
use clap::Args;
use platform::workloads::Passed;

use crate::control_socket::workloads::{Why, WorkloadAnswer, WorkloadRequest};
use crate::locate::running;
use crate::settings::Place;
use crate::terminal::{printable, printable_json, say};
use crate::workload_cli::words::{output_lost, status};
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

/// Tells why.
///
/// # Errors
/// When there is no such container.
pub(crate) fn run(args: &WhyArgs) -> Result<ExitCode> {
    let running = running(&args.place)?;
    let answer = ask(&running.dir, WorkloadRequest::Why { workload: args.workload.clone() })?;
    let WorkloadAnswer::Why(why) = answer else { bail!(SOMETHING_ELSE) };
    if args.json {
        say(printable_json(&serde_json::to_string_pretty(&why)?));
    } else {
        lines(&why, SystemClock.now()).iter().for_each(|line| say(printable(line)));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn lines(why: &Why, now: Timestamp) -> Vec<String> {
    let told = &why.workload;
    let mut lines = vec![format!("{} {}", told.name.as_deref().unwrap_or_default(), told.id).trim().to_owned()];
    let mut row = |name: &str, value: &str| lines.push(format!("  {name:<10}{value}"));
    row("status", &status(told, now));
    row("because", &why.because);
    if let Some(activity) = &why.activity {
        row("now", activity);
    }
    row("node", told.node.as_ref().map_or("none", |node| node.as_str()));
    if let Some(observed) = &told.observed {
        if let Some(address) = observed.address {
            row("address", &address.to_string());
        }
        for container in &observed.containers {
            if let Some(exit) = &container.last_exit {
                let why = exit.reason.as_ref().map(|reason| format!(": {}", reason.message)).unwrap_or_default();
                let ended = match (exit.code, exit.started_at) {
                    (Some(code), _) => format!("ended with {code}"),
                    (None, Some(_)) => "was lost".to_owned(),
                    (None, None) => "never ran".to_owned(),
                };
                row("last", &format!("{} {ended}{why}", container.name));
            }
            if let Some(lost) = output_lost(container) {
                row("output", &format!("{}: {lost}, overwritten before it was read", container.name));
            }
            if container.restarts > 0 {
                row("restarts", &format!("{} {}", container.name, container.restarts));
            }
        }
    }
    for refusal in &why.refusals {
        row("not on", &format!("{}: {}", refusal.node, refusal.reason));
    }
    if !why.passed.is_empty() {
        row("passed", "");
        lines.extend(why.passed.iter().map(passed));
    }
    lines
}

fn passed(passed: &Passed) -> String {
    let took = passed.took_us.map_or_else(String::new, |us| format!("{:.1} ms", us as f64 / 1000.0));
    format!("    {}  {took:>11}  {}", passed.at.iso8601(), passed.what)
}
