//! A server under test: a process with a log of its own, which does not outlive this program's interest in it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::processes;

/// From start to the first answer. Far above what is promised: the report judges.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(60);
/// From SIGTERM to the end.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How often a server that does not listen yet is tried.
const LOOK_EVERY: Duration = Duration::from_micros(200);
/// How much of a log an error shows.
const LOG_LINES_SHOWN: usize = 20;

/// A running process. Dropping it kills it with everything below it.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: &'static str,
    process: Child,
    /// When it was started.
    begun: Instant,
    log: PathBuf,
}

impl Daemon {
    /// Starts a program in `folder`, where its output becomes the file `log`.
    pub(crate) fn start(name: &'static str, mut command: Command, folder: &Path) -> Result<Self> {
        let log = folder.join("log");
        let output = File::create(&log)?;
        command.current_dir(folder).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let begun = Instant::now();
        let process = command.spawn().with_context(|| format!("starting {}", command.get_program().display()))?;
        Ok(Self { name, process, begun, log })
    }

    /// The process that was started; others may be below it.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// How long ago it was started.
    pub(crate) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Tries until there is an answer.
    ///
    /// # Errors
    /// When the process ends before, or there is none for a minute.
    pub(crate) fn until<T>(&mut self, mut answer: impl FnMut() -> Option<T>) -> Result<T> {
        let begun = Instant::now();
        loop {
            if let Some(answer) = answer() {
                return Ok(answer);
            }
            if let Some(status) = self.process.try_wait()? {
                bail!("{} ended by itself with {status}", self.name);
            }
            ensure!(begun.elapsed() < START_LIMIT, "no answer within {} s", START_LIMIT.as_secs());
            thread::sleep(LOOK_EVERY);
        }
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.process), Signal::TERM)?;
        let begun = Instant::now();
        while self.process.try_wait()?.is_none() {
            ensure!(begun.elapsed() < STOP_LIMIT, "{} did not end after SIGTERM", self.name);
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// The end of its log, for an error's context.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.trim_end().lines().collect();
        let shown = lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n");
        format!("{}'s last words:\n{shown}\n", self.name)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(Some(_))) {
            return;
        }
        for pid in processes::tree(self.process.id()) {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        let _ = self.process.wait();
    }
}
