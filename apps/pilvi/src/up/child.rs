//! One server process, seen from the supervisor.

use std::fmt;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines, Take};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::SERVER_ROLE;
use crate::control::{self, Report, Start};
use crate::data_dir::DataDir;
use crate::owner::Owner;
use crate::settings::Settings;
use crate::terminal::printable;

/// All that a server may ever report: the supervisor may be root, and keeps what it reads small.
const REPORT_BYTES_MAX: u64 = 64 * 1024;

/// The longest that a server may take to hear what it is to do.
const HEARING_PATIENCE: Duration = Duration::from_secs(10);

/// A running server process. It is killed when this is dropped.
pub(super) struct Server {
    /// Its process id.
    pub(super) pid: u32,
    /// When it was started.
    pub(super) started: Instant,
    /// Whether it has answered requests.
    pub(super) was_ready: bool,
    child: Child,
    /// Tells that a child has ended; listened to from before the start, so that no end is missed.
    children: Signal,
    reports: Lines<BufReader<Take<tokio::net::UnixStream>>>,
    failure: Option<String>,
    /// Whether there will be no more reports.
    silent: bool,
}

/// How a server process ended.
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

impl Server {
    /// Starts a server as the data directory's owner: the socket is its standard input, the control channel its standard
    /// output.
    pub(super) fn start(listener: &TcpListener, settings: &Settings, dir: &DataDir, owner: &Owner) -> Result<Self> {
        let (near, far) = UnixStream::pair()?;
        let mut command = owner.command(SERVER_ROLE, dir.path());
        command.stdin(OwnedFd::from(listener.try_clone()?)).stdout(OwnedFd::from(far));
        near.set_nonblocking(true)?;
        let channel = tokio::net::UnixStream::from_std(near.try_clone()?)?;
        let children = signal(SignalKind::child())?;
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot start the server as {}", owner.name))?;
        // The command still holds the far end: the channel would never close.
        drop(command);
        let reports = BufReader::new(channel.take(REPORT_BYTES_MAX)).lines();
        let mut server =
            Self { pid: child.id(), started, was_ready: false, child, children, reports, failure: None, silent: false };
        let start =
            Start { supervisor: std::process::id(), data_dir: dir.path().to_owned(), settings: settings.clone() };
        near.set_nonblocking(false)?;
        near.set_write_timeout(Some(HEARING_PATIENCE))?;
        if let Err(error) = control::send(&near, &start) {
            // It ended or hangs. Its end, which comes now at the latest, tells more than this error.
            tracing::debug!("the server does not listen: {error}");
            server.kill();
        }
        near.set_nonblocking(true)?;
        Ok(server)
    }

    /// Waits until the server answers requests; `false` when it ends before.
    pub(super) async fn ready(&mut self) -> bool {
        while !self.was_ready && self.next_report().await {}
        self.was_ready
    }

    /// Waits for the server's end.
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

    /// Whether the server will report nothing more: it has ended, or is about to.
    pub(super) fn is_silent(&self) -> bool {
        self.silent
    }

    /// Asks the server to drain and end.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub(super) fn terminate(&self) -> Result<()> {
        // Its id is its own until its end has been waited for.
        kill_process(Pid::from_child(&self.child), rustix::process::Signal::TERM).context("cannot stop the server")
    }

    /// Ends the server now.
    pub(super) fn kill(&mut self) {
        // It fails only where there is nothing left to kill.
        let _ = self.child.kill();
    }
}

impl Drop for Server {
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
