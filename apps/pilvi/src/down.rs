//! `pilvi down`: stops a Pilvi that runs in another terminal, and what it runs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

use crate::control_socket::workloads::{WorkloadAnswer, WorkloadRequest};
use crate::data_dir::{DataDir, Holder, Lock};
use crate::locate::{Found, Running, locate, nothing_runs};
use crate::owner::Caller;
use crate::records::{ServerRecord, UpRecord};
use crate::settings::Place;
use crate::terminal::say;
use crate::up::default_node_dir;
use crate::workload_cli::{SOMETHING_ELSE, ask, warn};

/// Stopping takes at most five seconds; a machine under load gets as much again.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one may take that is started to clear away: it looks at everything that is left.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// A pause before it is looked again whether it has started.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Arguments of `pilvi down`.
#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    /// Leave containers running; the next `pilvi up` finds them
    #[arg(long, conflicts_with = "purge")]
    keep_running: bool,
    /// Kill containers at once, and remove every trace of them from this machine; data and images stay
    #[arg(long)]
    purge: bool,
    /// With --purge, of a Pilvi that does not run: where its node's own state is, if `up` was given another place
    #[arg(long, value_name = "DIR", env = "PILVI_NODE_DIR", value_hint = clap::ValueHint::DirPath)]
    node_dir: Option<PathBuf>,
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
        Found::Nothing(places) if args.purge => purge_what_was_left(args, &places)?,
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

/// Removes what a Pilvi has left that runs no more: one is started for as long as that takes, where no client finds it. What
/// was left, and of what, a node alone knows.
fn purge_what_was_left(args: &DownArgs, places: &[PathBuf]) -> Result<()> {
    let is_of_a_node = |path: &&PathBuf| default_node_dir(path).exists() || DataDir::at(path).lock().exists();
    let Some(path) = places.iter().find(is_of_a_node) else {
        say(nothing_runs(places));
        return Ok(());
    };
    if !Caller::detect()?.is_root() {
        bail!("Pilvi is not running, and what its node has left only root can remove: `sudo pilvi down --purge`");
    }
    let place = Place { data_dir: Some(path.clone()), config: args.place.config.clone() };
    let mut started = Started::up(&place, args.node_dir.as_deref())?;
    let running = started.ready(&place)?;
    purge(&running)?;
    stop(&running)?;
    started.0.wait().context("cannot wait for the Pilvi that was started")?;
    Ok(())
}

/// A Pilvi that was started to clear away. It ends with its holder.
struct Started(Child);

impl Started {
    fn up(place: &Place, node_dir: Option<&Path>) -> Result<Self> {
        let program = std::env::current_exe().context("this program's own file cannot be found")?;
        let mut command = Command::new(program);
        command.args(["up", "--listen", "127.0.0.1:0", "--log", "warn"]).stdin(Stdio::null()).stdout(Stdio::null());
        let places = [("--data-dir", place.data_dir.as_deref()), ("--config", place.config.as_deref())];
        for (flag, value) in places.into_iter().chain([("--node-dir", node_dir)]) {
            if let Some(value) = value {
                command.arg(flag).arg(value);
            }
        }
        Ok(Self(command.spawn().context("cannot start Pilvi to clear away")?))
    }

    /// Waits until it answers.
    fn ready(&mut self, place: &Place) -> Result<Running> {
        let deadline = Instant::now() + START_PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.0.try_wait()? {
                bail!("the Pilvi that was to clear away has ended ({status})");
            }
            if let Found::Running(running) = locate(place)?
                && running.up.as_ref().is_some_and(|up| up.pid == self.0.id() && answers(up, running.server.as_ref()))
            {
                return Ok(*running);
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        bail!("the Pilvi that was to clear away has not answered for {} s", START_PATIENCE.as_secs())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let process = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        // Where it has ended, as it usually has, nobody is waited for.
        if let (Ok(None), Some(process)) = (self.0.try_wait(), process) {
            let _ = kill_process(process, Signal::TERM);
            let _ = self.0.wait();
        }
    }
}

/// Whether a supervisor's server has said that it answers, and not one that was killed before.
fn answers(up: &UpRecord, server: Option<&ServerRecord>) -> bool {
    server.is_some_and(|server| up.started_at <= server.started_at)
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
