//! The server role's process: what it inherits from the supervisor, what it gives up, and how it ends.
//!
//! `pilvi up` starts it by re-executing its own binary with a hidden subcommand, already under the data directory's
//! owner. Its standard input is the listening socket, its standard output the control channel.

use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit};
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};

use crate::control::{self, Receiver, Report, Start};
use crate::data_dir::{DataDir, Lock, make_private_dir};
use crate::logging;
use crate::server::{self, Assignment};
use crate::stop::{Stop, Stopper, stop};

/// How long a server that was killed may take to leave the directory to its successor.
const PREDECESSOR_PATIENCE: Duration = Duration::from_secs(5);

/// How long tasks that are still running at the end are waited for.
const RUNTIME_PATIENCE: Duration = Duration::from_millis(200);

/// The hidden subcommand.
pub(crate) fn run() -> ExitCode {
    match inherit().and_then(serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is no log and no supervisor to tell.
            let _ = io::Write::write_fmt(&mut io::stderr(), format_args!("pilvi: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

struct Inherited {
    listener: TcpListener,
    channel: UnixStream,
    start: Start,
}

/// Takes over listener and channel, and leaves harmless things in their places.
fn inherit() -> Result<Inherited> {
    let listener = TcpListener::from(io::stdin().as_fd().try_clone_to_owned()?);
    let channel = UnixStream::from(io::stdout().as_fd().try_clone_to_owned()?);
    if listener.local_addr().is_err() || channel.peer_addr().is_err() {
        bail!("this subcommand is `pilvi up`'s own");
    }
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    let start: Option<Start> = Receiver::new(channel.try_clone()?).receive()?;
    let start = start.context("the supervisor is gone")?;
    follow(start.supervisor)?;
    Ok(Inherited { listener, channel, start })
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

fn serve(inherited: Inherited) -> Result<()> {
    let Inherited { listener, channel, start } = inherited;
    logging::init(&start.settings.log)?;
    let outcome = confine().and_then(|()| run_until_stopped(listener, &channel, start));
    if let Err(error) = &outcome {
        error!("the server ends: {error:#}");
        // A supervisor that is gone needs no report.
        let _ = control::send(&channel, &Report::Failed(format!("{error:#}")));
        std::process::exit(1);
    }
    info!("the server has stopped");
    Ok(())
}

/// Gives up what a server never needs.
fn confine() -> Result<()> {
    let _ = rustix::thread::set_name(c"pilvi-server");
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    rustix::thread::set_no_new_privs(true).context("cannot give up new privileges")?;
    // The memory of a server that crashes holds keys.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Connections and files are what a server has many of. Where the limit stays, it holds.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    Ok(())
}

fn run_until_stopped(listener: TcpListener, channel: &UnixStream, start: Start) -> Result<()> {
    rustls::crypto::ring::default_provider().install_default().ok().context("a TLS provider is installed already")?;
    let dir = DataDir::at(start.data_dir);
    make_private_dir(&dir.run())?;
    let _lock = Lock::take_within(&dir.server_lock(), PREDECESSOR_PATIENCE)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("pilvi").build()?;
    let outcome = runtime.block_on(async {
        let (stopper, stop) = stop();
        tokio::spawn(listen_for_the_end(stopper, watch_of(channel)?, stop.clone()));
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let ready = || control::send(channel, &Report::Ready).context("the supervisor is gone");
        server::run(Assignment { settings: start.settings, dir, listener, stop }, ready).await
    });
    runtime.shutdown_timeout(RUNTIME_PATIENCE);
    outcome
}

fn watch_of(channel: &UnixStream) -> io::Result<tokio::net::UnixStream> {
    let watched = channel.try_clone()?;
    watched.set_nonblocking(true)?;
    tokio::net::UnixStream::from_std(watched)
}

/// Wishes for the end on SIGTERM or when the channel closes. An interrupt from the terminal reaches the whole process
/// group; what it means for the server is the supervisor's to say.
async fn listen_for_the_end(stopper: Stopper, mut channel: tokio::net::UnixStream, stop: Stop) -> io::Result<()> {
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
