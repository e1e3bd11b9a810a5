//! One process that is kept, seen from the supervisor.

use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, kill_process};
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines, Take};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::control::{self, Report, Start};
use crate::settings::Log;
use crate::terminal::printable;

/// All that a process may ever report: the supervisor may be root, and keeps what it reads small.
const REPORT_BYTES_MAX: u64 = 64 * 1024;

/// The longest that a process may take to hear what it is to do.
const HEARING_PATIENCE: Duration = Duration::from_secs(10);

/// A running process. It is killed when this is dropped.
pub(super) struct Process {
    /// Its process id.
    pub(super) pid: u32,
    /// When it was started.
    pub(super) started: Instant,
    /// Whether it has answered requests.
    pub(super) was_ready: bool,
    /// What it is, for messages.
    name: &'static str,
    child: Child,
    /// Tells that a child has ended; listened to from before the start, so that no end is missed.
    children: Signal,
    reports: Lines<BufReader<Take<tokio::net::UnixStream>>>,
    failure: Option<String>,
    /// Whether there will be no more reports.
    silent: bool,
}

/// How a process ended.
#[derive(Debug)]
pub(super) struct End {
    status: ExitStatus,
    failure: Option<String>,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.failure, self.status.signal(), self.status.code()) {
            (Some(failure), ..) => write!(f, "cannot go on: {failure}"),
            (None, Some(signal), _) => write!(f, "was killed by signal {signal}"),
            (None, None, Some(code)) => write!(f, "ended with exit code {code}"),
            (None, None, None) => f.write_str("ended"),
        }
    }
}

impl Process {
    /// Starts a process: a listening socket is its standard input, the control channel its standard output.
    pub(super) fn start<A: Serialize>(
        name: &'static str,
        mut command: Command,
        socket: OwnedFd,
        log: &Log,
        assignment: A,
    ) -> Result<Self> {
        let (near, far) = UnixStream::pair()?;
        command.stdin(socket).stdout(OwnedFd::from(far));
        near.set_nonblocking(true)?;
        let channel = tokio::net::UnixStream::from_std(near.try_clone()?)?;
        let children = signal(SignalKind::child())?;
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot start the {name}"))?;
        // The command still holds the far end: the channel would never close.
        drop(command);
        let pid = child.id();
        let reports = BufReader::new(channel.take(REPORT_BYTES_MAX)).lines();
        let (was_ready, failure, silent) = (false, None, false);
        let mut process = Self { pid, started, was_ready, name, child, children, reports, failure, silent };
        let start = Start { supervisor: std::process::id(), log: log.clone(), assignment };
        near.set_nonblocking(false)?;
        near.set_write_timeout(Some(HEARING_PATIENCE))?;
        if let Err(error) = control::send(&near, &start) {
            // It ended or hangs. Its end, which comes now at the latest, tells more than this error.
            tracing::debug!("the {name} does not listen: {error}");
            process.kill();
        }
        near.set_nonblocking(true)?;
        Ok(process)
    }

    /// Waits until it answers requests; `false` when it ends before.
    pub(super) async fn ready(&mut self) -> bool {
        while !self.was_ready && self.next_report().await {}
        self.was_ready
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub(super) async fn ended(&mut self) -> Result<End> {
        let status = loop {
            match self.child.try_wait()? {
                Some(status) => break status,
                None => self.children.recv().await,
            };
        };
        while self.next_report().await {}
        Ok(End { status, failure: self.failure.take() })
    }

    /// Takes in one report; `false` when there will be no more.
    async fn next_report(&mut self) -> bool {
        let line = self.reports.next_line().await.ok().flatten();
        match line.and_then(|line| serde_json::from_str(&line).ok()) {
            Some(Report::Ready) => self.was_ready = true,
            Some(Report::Failed(reason)) => self.failure = Some(printable(&reason)),
            None => self.silent = true,
        }
        !self.silent
    }

    /// Whether it will report nothing more: it has ended, or is about to.
    pub(super) fn is_silent(&self) -> bool {
        self.silent
    }

    /// Asks it to end, and kills it when it has not within `patience`, or when `hurry` comes. Answers whether it ended by
    /// itself.
    ///
    /// # Errors
    /// When the signal cannot be sent, or the kernel does not tell of its end.
    pub(super) async fn stop(&mut self, patience: Duration, hurry: impl Future<Output = ()>) -> Result<bool> {
        self.terminate()?;
        let end = tokio::select! {
            end = tokio::time::timeout(patience, self.ended()) => end.ok().transpose()?,
            () = hurry => None,
        };
        if end.is_none() {
            self.kill();
            self.ended().await?;
        }
        Ok(end.is_some())
    }

    fn terminate(&self) -> Result<()> {
        // Its id is its own until its end has been waited for.
        kill_process(Pid::from_child(&self.child), rustix::process::Signal::TERM)
            .with_context(|| format!("cannot stop the {}", self.name))
    }

    /// Ends it now.
    fn kill(&mut self) {
        // It fails only where there is nothing left to kill.
        let _ = self.child.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(raw: i32, failure: Option<&str>) -> String {
        End { status: ExitStatus::from_raw(raw), failure: failure.map(str::to_owned) }.to_string()
    }

    #[test]
    fn an_end_is_told_by_its_reason_or_its_status() {
        assert_eq!(end(256, Some("the disk is full")), "cannot go on: the disk is full");
        assert_eq!(end(9, None), "was killed by signal 9");
        assert_eq!(end(256, None), "ended with exit code 1");
    }
}
