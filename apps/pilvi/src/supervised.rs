//! What the processes that `pilvi up` keeps have in common: what they inherit, what they give up, and how they end.
//!
//! `pilvi up` starts them by re-executing its own binary with a hidden subcommand, already under the right user. Standard
//! input is a listening socket, standard output the control channel.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rustix::process::{Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit};
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};

use crate::control::{self, Receiver, Report, Start};
use crate::logging;
use crate::stop::{Stop, Stopper};

/// What a process begins with.
pub(crate) struct Inherited<A> {
    /// The socket, which the supervisor holds open, too.
    pub(crate) listener: OwnedFd,
    /// The way to the supervisor.
    pub(crate) channel: UnixStream,
    /// What is to be done.
    pub(crate) assignment: A,
}

/// What a process executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Executes {
    /// Nothing that may gain rights.
    Nothing,
    /// Containers, in which set-user-ID programs work unless it is forbidden to them.
    Containers,
}

/// Runs a hidden subcommand: `serve` does what there is to do and returns when it was told to end.
pub(crate) fn run<A: DeserializeOwned>(
    name: &'static str,
    executes: Executes,
    serve: impl FnOnce(Inherited<A>) -> Result<()>,
) -> ExitCode {
    let outcome = inherit().and_then(|(inherited, log)| {
        logging::init(&log)?;
        let channel = inherited.channel.try_clone()?;
        if let Err(error) = confine(executes).and_then(|()| serve(inherited)) {
            error!("the {name} ends: {error:#}");
            // A supervisor that is gone needs no report.
            let _ = control::send(&channel, &Report::Failed(format!("{error:#}")));
            std::process::exit(1);
        }
        info!("the {name} has stopped");
        Ok(())
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is no log and no supervisor to tell.
            let _ = io::Write::write_fmt(&mut io::stderr(), format_args!("pilvi: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Takes over socket and channel, and leaves harmless things in their places.
fn inherit<A: DeserializeOwned>() -> Result<(Inherited<A>, crate::settings::Log)> {
    let listener = io::stdin().as_fd().try_clone_to_owned()?;
    let channel = UnixStream::from(io::stdout().as_fd().try_clone_to_owned()?);
    let listens = rustix::net::sockopt::socket_acceptconn(&listener).unwrap_or(false);
    if !listens || channel.peer_addr().is_err() {
        bail!("this subcommand is `pilvi up`'s own");
    }
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    let start: Option<Start<A>> = Receiver::new(channel.try_clone()?).receive()?;
    let Start { supervisor, log, assignment } = start.context("the supervisor is gone")?;
    follow(supervisor)?;
    Ok((Inherited { listener, channel, assignment }, log))
}

/// Ties this process's life to the supervisor's. The signal is asked for first: a supervisor that died before shows in
/// the parent's id.
fn follow(supervisor: u32) -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let parent = getppid().map(|pid| pid.as_raw_pid().cast_unsigned());
    if parent != Some(supervisor) {
        bail!("the supervisor is gone");
    }
    Ok(())
}

/// Gives up what it never needs.
pub(crate) fn confine(executes: Executes) -> Result<()> {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    if executes == Executes::Nothing {
        rustix::thread::set_no_new_privs(true).context("cannot give up new privileges")?;
    }
    // The memory of a process that crashes holds keys, and what others have in their images.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Connections and files are what there are many of. Where the limit stays, it holds.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    Ok(())
}

/// The channel as something that tells when the supervisor is gone.
///
/// # Errors
/// When there are no descriptors left.
pub(crate) fn watch_of(channel: &UnixStream) -> io::Result<tokio::net::UnixStream> {
    let watched = channel.try_clone()?;
    watched.set_nonblocking(true)?;
    tokio::net::UnixStream::from_std(watched)
}

/// Wishes for the end on SIGTERM or when the channel closes. An interrupt from the terminal reaches the whole process
/// group; what it means is the supervisor's to say.
///
/// # Errors
/// When signals cannot be listened to.
pub(crate) async fn listen_for_the_end(
    stopper: Stopper,
    mut channel: tokio::net::UnixStream,
    stop: Stop,
) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let _interrupt = signal(SignalKind::interrupt())?;
    let _hangup = signal(SignalKind::hangup())?;
    let mut nothing = [0; 1];
    tokio::select! {
        _ = terminate.recv() => {}
        _ = channel.read(&mut nothing) => {}
        () = stop.requested() => {}
    }
    stopper.stop();
    Ok(())
}
