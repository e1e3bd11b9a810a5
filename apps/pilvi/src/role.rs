//! The server role's process. It runs as the data directory's owner, never as root.

use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::control::{self, Report, ServerAssignment};
use crate::data_dir::{DataDir, Lock, make_private_dir};
use crate::server::{self, Assignment};
use crate::stop::stop;
use crate::supervised::{self, Executes, Inherited, listen_for_the_end, watch_of};

/// How long a server that was killed may take to leave the directory to its successor.
const PREDECESSOR_PATIENCE: Duration = Duration::from_secs(5);

/// How long tasks that are still running at the end are waited for.
const RUNTIME_PATIENCE: Duration = Duration::from_millis(200);

/// The hidden subcommand.
pub(crate) fn run() -> ExitCode {
    supervised::run("server", Executes::Nothing, |inherited: Inherited<ServerAssignment>| {
        let _ = rustix::thread::set_name(c"pilvi-server");
        let Inherited { listener, channel, assignment } = inherited;
        run_until_stopped(TcpListener::from(listener), &channel, assignment)
    })
}

fn run_until_stopped(listener: TcpListener, channel: &UnixStream, assignment: ServerAssignment) -> Result<()> {
    let ServerAssignment { data_dir, node, settings } = assignment;
    rustls::crypto::ring::default_provider().install_default().ok().context("a TLS provider is installed already")?;
    let dir = DataDir::at(data_dir);
    make_private_dir(&dir.run())?;
    let _lock = Lock::take_within(&dir.server_lock(), PREDECESSOR_PATIENCE)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("pilvi").build()?;
    let outcome = runtime.block_on(async {
        let (stopper, stop) = stop();
        tokio::spawn(listen_for_the_end(stopper, watch_of(channel)?, stop.clone()));
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let ready = || control::send(channel, &Report::Ready).context("the supervisor is gone");
        server::run(Assignment { settings, dir, node, listener, stop }, ready).await
    });
    runtime.shutdown_timeout(RUNTIME_PATIENCE);
    outcome
}
