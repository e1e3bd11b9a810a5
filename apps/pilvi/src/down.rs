//! `pilvi down`: stops a Pilvi that runs in another terminal.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::data_dir::{Holder, Lock};
use crate::locate::{Found, Running, locate, nothing_runs};
use crate::settings::Place;
use crate::terminal::say;

/// Stopping takes at most five seconds; a machine under load gets as much again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Arguments of `pilvi down`.
#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    #[command(flatten)]
    place: Place,
}

/// Stops it and waits for its end. That nothing runs is success too.
///
/// # Errors
/// When it may not be stopped by the caller, or does not end.
pub(crate) fn run(args: &DownArgs) -> Result<ExitCode> {
    match locate(&args.place)? {
        Found::Running(running) => stop(&running)?,
        Found::Nothing(places) => say(nothing_runs(&places)),
    }
    Ok(ExitCode::SUCCESS)
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
