//! Running a program to its end: how long it took, and what it cost.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::processes;

/// The longest pull, on a slow disk.
const LIMIT: Duration = Duration::from_secs(600);
/// How often a program is looked at: finer than what is told apart.
const LOOK_EVERY: Duration = Duration::from_micros(500);

/// What a program took.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Cost {
    /// From its start to its end.
    pub(super) seconds: f64,
    /// Processor time, of itself and everything it started and waited for.
    pub(super) cpu_s: f64,
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { seconds: self.seconds + other.seconds, cpu_s: self.cpu_s + other.cpu_s }
    }
}

/// Runs a program, its output in the file `output` of `folder`.
///
/// # Errors
/// When it fails or takes ten minutes; the error holds what it said.
pub(super) fn run(mut command: Command, folder: &Path) -> Result<Cost> {
    let name = command.get_program().display().to_string();
    let path = folder.join("output");
    let output = File::create(&path)?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let earlier_s = processes::cpu_s_of_ended_children();
    let begun = Instant::now();
    let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            bail!("{name} is not done after {} s", LIMIT.as_secs());
        }
        thread::sleep(LOOK_EVERY);
    };
    let seconds = begun.elapsed().as_secs_f64();
    if !status.success() {
        let said = std::fs::read(&path).unwrap_or_default();
        bail!("{name} failed ({status}): {}", String::from_utf8_lossy(&said).trim());
    }
    Ok(Cost { seconds, cpu_s: processes::cpu_s_of_ended_children() - earlier_s })
}

/// What a program prints.
///
/// # Errors
/// When it fails.
pub(super) fn printed(mut command: Command) -> Result<String> {
    let name = command.get_program().display().to_string();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("starting {name}"))?;
    if !output.status.success() {
        bail!("{name} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_price_of_a_program_is_its_own_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let count = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
        let cost = run(shell(&format!("({count}); ({count})")), folder.path()).unwrap();
        assert!(cost.cpu_s > 0.0 && cost.seconds > 0.0, "{cost:?}");
    }

    #[test]
    fn a_failure_says_what_the_program_said() {
        let folder = tempfile::tempdir().unwrap();
        let error = run(shell("echo no such thing >&2; exit 3"), folder.path()).unwrap_err().to_string();
        assert!(error.contains("no such thing"), "{error}");
        assert_eq!(printed(shell("echo ' a'")).unwrap(), "a");
    }
}
