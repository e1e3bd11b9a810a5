//! `pilvi down`: stops a Pilvi that runs in another terminal, and what it runs.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::control_socket::workloads::{WorkloadAnswer, WorkloadRequest};
use crate::data_dir::{Holder, Lock};
use crate::locate::{Found, Running, locate, nothing_runs};
use crate::settings::Place;
use crate::terminal::say;
use crate::workload_cli::{SOMETHING_ELSE, ask, warn};

/// Stopping takes at most five seconds; a machine under load gets as much again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Arguments of `pilvi down`.
#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    /// Leave containers running; the next `pilvi up` finds them
    #[arg(long, conflicts_with = "purge")]
    keep_running: bool,
    /// Kill containers at once, and remove every trace of them from this machine; data and images stay
    #[arg(long)]
    purge: bool,
    #[command(flatten)]
    place: Place,
}

/// Stops it and waits for its end. That nothing runs is success too.
///
/// # Errors
/// When it may not be stopped by the caller, or does not end.
pub(crate) fn run(args: &DownArgs) -> Result<ExitCode> {
    match locate(&args.place)? {
        Found::Running(running) => {
            match (args.purge, args.keep_running) {
                (true, _) => purge(&running)?,
                (false, false) => stop_workloads(&running),
                (false, true) => {}
            }
            stop(&running)?;
        }
        Found::Nothing(places) if args.purge => bail!("{}, then `pilvi down --purge` again", nothing_runs(&places)),
        Found::Nothing(places) => say(nothing_runs(&places)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes every trace of what runs on this machine.
fn purge(running: &Running) -> Result<()> {
    match ask(&running.dir, WorkloadRequest::Purge)? {
        WorkloadAnswer::Purged(0) => say("no container was here"),
        WorkloadAnswer::Purged(1) => say("1 container removed"),
        WorkloadAnswer::Purged(count) => say(format!("{count} containers removed")),
        _ => bail!(SOMETHING_ELSE),
    }
    Ok(())
}

/// Stops what runs. A server that does not answer is stopped all the same.
fn stop_workloads(running: &Running) {
    if let Err(error) = ask(&running.dir, WorkloadRequest::StopAll) {
        warn(format!("containers may go on: {error:#}"));
    }
}

fn stop(running: &Running) -> Result<()> {
    let Holder::Process(pid) = running.holder else {
        bail!("Pilvi runs in another container; stop it from there");
    };
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return Ok(()),
        process => process.with_context(|| format!("cannot reach process {pid}"))?,
    };
    // Asked again with the process held: the id could have passed to another in between.
    if Lock::holder(&running.dir.lock())? != Some(running.holder) {
        return Ok(());
    }
    match pidfd_send_signal(&process, Signal::TERM) {
        Ok(()) => {}
        Err(Errno::SRCH) => return Ok(()),
        Err(Errno::PERM) => bail!("process {pid} was started by another user: stop it with sudo"),
        Err(error) => return Err(error).with_context(|| format!("cannot stop process {pid}")),
    }
    let patience = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
    if poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&patience))? == 0 {
        bail!("process {pid} has not ended within {} s", PATIENCE.as_secs());
    }
    say("stopped");
    Ok(())
}
