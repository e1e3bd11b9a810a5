//! A program that is started and timed: until the first byte that it prints, and until its end.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// How much of its errors is read.
const ERRORS_BYTES_MAX: u64 = 64 * 1024;

/// From the start of a command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// Until the container's program had printed something, and it was here.
    pub(super) printed: Duration,
    /// Until the command had ended.
    pub(super) whole: Duration,
}

/// Runs a command whose container prints a line.
///
/// # Errors
/// When it fails, or prints nothing.
pub(super) fn run(mut command: Command) -> Result<Run> {
    let name = command.get_program().display().to_string();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let begun = Instant::now();
    let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
    let mut output = child.stdout.take().context("its output is a pipe")?;
    let count = output.read(&mut [0; 64])?;
    let printed = begun.elapsed();
    let status = child.wait()?;
    let whole = begun.elapsed();
    if !status.success() || count == 0 {
        let mut said = String::new();
        if let Some(errors) = child.stderr.take() {
            let _ = errors.take(ERRORS_BYTES_MAX).read_to_string(&mut said);
        }
        ensure!(status.success(), "{name} failed ({status}): {}", said.trim());
        ensure!(count > 0, "{name}: the container printed nothing: {}", said.trim());
    }
    Ok(Run { printed, whole })
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
    fn what_is_printed_comes_before_the_end() {
        let run = run(shell("echo x; read _; :")).unwrap();
        assert!(run.printed <= run.whole);
    }

    #[test]
    fn a_container_that_prints_nothing_or_fails_is_an_error() {
        assert!(run(shell(":")).unwrap_err().to_string().contains("printed nothing"));
        assert!(run(shell("echo x; echo why >&2; exit 3")).unwrap_err().to_string().contains("why"));
    }
}
