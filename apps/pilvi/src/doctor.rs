//! `pilvi doctor`: what this machine offers, what it lacks, and what to do about it.
//!
//! Each check reads what the kernel says about itself and changes nothing. The server needs little; most checks are for
//! the sandboxes that tasks, pods and functions run in.

mod cgroups;
mod isolation;
mod kernel;
mod leftovers;
mod nftables;
mod resources;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::config::Config;
use crate::owner::{Caller, Passwd};
use crate::settings::Place;
use crate::terminal::say;
use crate::up::{SYSTEM_NODE_DIRS, default_node_dir};

/// Arguments of `pilvi doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    place: Place,
    /// Where the node's own state is kept [default: below /var/lib/pilvi-node]
    #[arg(long, value_name = "DIR", env = "PILVI_NODE_DIR", value_hint = clap::ValueHint::DirPath)]
    node_dir: Option<PathBuf>,
    /// A table for a person, or one JSON array
    #[arg(long, value_enum, default_value_t)]
    format: DoctorFormat,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum DoctorFormat {
    #[default]
    Text,
    Json,
}

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// As it should be.
    Ok,
    /// It works, with a limitation.
    Warning,
    /// Something does not work without it.
    Missing,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    /// What was found.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, found: found.into(), advice: None }
    }

    fn warning(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warning, found: found.into(), advice: Some(advice.into()) }
    }

    fn missing(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Missing, found: found.into(), advice: Some(advice.into()) }
    }
}

/// Looks and tells. The exit code is 1 when something is missing.
///
/// # Errors
/// When the configuration that names the data directory is wrong.
pub(crate) fn run(args: &DoctorArgs) -> Result<ExitCode> {
    let data_dir = data_dir(&args.place)?;
    let checks = checks(&data_dir, node_dir(args, &data_dir)?.as_deref());
    match args.format {
        DoctorFormat::Text => table(&checks).iter().for_each(say),
        DoctorFormat::Json => say(serde_json::to_string_pretty(&checks)?),
    }
    let missing = checks.iter().any(|check| check.verdict == Verdict::Missing);
    Ok(if missing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn data_dir(place: &Place) -> Result<PathBuf> {
    match place.named_data_dir()? {
        Some(named) => Ok(named),
        None => Caller::detect()?.default_data_dir(&Passwd::read()),
    }
}

/// None without root's rights: there is no node then.
fn node_dir(args: &DoctorArgs, data_dir: &Path) -> Result<Option<PathBuf>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let named = match (&args.node_dir, &args.place.config) {
        (Some(named), _) => Some(named.clone()),
        (None, Some(file)) => Config::read(file)?.node_dir(),
        (None, None) => None,
    };
    Ok(Some(named.unwrap_or_else(|| default_node_dir(data_dir))))
}

fn checks(data_dir: &Path, node_dir: Option<&Path>) -> Vec<Check> {
    let mut checks = vec![kernel::version(), kernel::privileges(), cgroups::check()];
    checks.extend(isolation::checks());
    checks.push(nftables::check());
    checks.extend(resources::checks(data_dir, node_dir));
    checks.extend(node_dir.map(|_| leftovers::checks(Path::new(SYSTEM_NODE_DIRS))).into_iter().flatten());
    checks
}

fn table(checks: &[Check]) -> Vec<String> {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for check in checks {
        let verdict = match check.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Missing => "missing",
        };
        lines.push(format!("{:<width$}  {verdict:<7}  {}", check.name, check.found));
        if let Some(advice) = &check.advice {
            lines.push(format!("{:<width$}           → {advice}", ""));
        }
    }
    let count = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    lines.push(match (count(Verdict::Missing), count(Verdict::Warning)) {
        (0, 0) => "\nThis machine has everything that Pilvi uses.".to_owned(),
        (0, warnings) => format!("\nNothing is missing; warnings: {warnings}."),
        (missing, warnings) => format!("\nMissing: {missing}; warnings: {warnings}."),
    });
    lines
}

/// A file of the kernel's, without its last line break; empty where there is none.
fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_advice_below_what_needs_it() {
        let checks = [Check::ok("kernel", "Linux 6.1"), Check::missing("overlay", "unknown", "load it")];
        assert_eq!(
            table(&checks),
            [
                "kernel   ok       Linux 6.1",
                "overlay  missing  unknown",
                "                  → load it",
                "\nMissing: 1; warnings: 0."
            ]
        );
    }

    #[test]
    fn every_check_comes_to_a_verdict_on_this_machine() {
        let checks = checks(&std::env::temp_dir(), Some(&std::env::temp_dir()));
        assert!(checks.len() >= 10);
        for check in checks {
            assert!(!check.found.is_empty(), "{check:?}");
            assert_eq!(check.advice.is_some(), check.verdict != Verdict::Ok, "{check:?}");
        }
    }
}
