//! `pilvi up`: the supervisor.
//!
//! It prepares the data directory, holds its lock and the listening socket, and keeps one server process alive behind
//! them. The server runs as the directory's owner; the supervisor keeps its caller's rights and does as little as
//! possible with them. Since the socket stays open, clients of a server that is being restarted wait and are not
//! refused.

mod announce;
mod backoff;
mod child;
mod signals;

use std::io;
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use base::{Clock, SystemClock};
use clap::Args;

use crate::data_dir::{DataDir, Lock, Prepared, prepare};
use crate::logging;
use crate::owner::{Caller, Owner, Passwd};
use crate::records::{self, UpRecord};
use crate::settings::{Flags, Place, Settings};

use announce::Announcer;
use backoff::Backoff;
use child::{End, Server};
use signals::Signals;

/// Connections that the kernel keeps waiting, while the server is busy or restarts. The kernel clamps it (somaxconn).
const BACKLOG: i32 = 4096;

/// How long a server may drain before it is killed; the promise for the whole is five seconds.
const STOP_PATIENCE: Duration = Duration::from_millis(4_600);

/// A start that takes longer is spoken of: a large store that was not closed takes its time.
const STARTING_NOTICE: Duration = Duration::from_secs(5);

/// Arguments of `pilvi up`.
#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    flags: Flags,
}

/// Runs Pilvi until it is told to stop.
///
/// # Errors
/// When it cannot start: wrong configuration, a data directory that cannot be used or is in use, a port that is taken.
pub(crate) fn run(args: &UpArgs) -> Result<ExitCode> {
    let began = Instant::now();
    let (settings, named) = Settings::resolve(&args.place, &args.flags)?;
    logging::init(&settings.log)?;
    let caller = Caller::detect()?;
    let Prepared { dir, owner, made } = prepare(&caller, named.clone(), &Passwd::read())?;
    let _lock = take_lock(&dir, &owner)?;
    let listener = bind(&settings)?;
    let announcer = Announcer::new(&settings, &dir, named.is_some());
    announcer.data_dir(&dir, &owner, made);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut supervisor = Supervisor {
        record: record(&listener)?,
        settings,
        dir,
        owner,
        listener: Some(listener),
        announcer,
        backoff: Backoff::default(),
        began,
    };
    let outcome = runtime.block_on(supervisor.run());
    supervisor.clean_up();
    outcome.map(|()| ExitCode::SUCCESS)
}

fn take_lock(dir: &DataDir, owner: &Owner) -> Result<Lock> {
    let taken = owner.act(|| Lock::take(&dir.lock()))?;
    taken.map_err(|holder| {
        anyhow::anyhow!(
            "Pilvi is already running on {}: {holder} holds it. Stop that one (`pilvi down`), or name another --data-dir \
             and --listen",
            dir.path().display()
        )
    })
}

fn bind(settings: &Settings) -> Result<TcpListener> {
    let listen = settings.listen;
    let listener = TcpListener::bind(listen).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "{listen} is taken by another program: stop that one, or choose another address (--listen {}:0 takes a \
             free port)",
            listen.ip()
        ),
        io::ErrorKind::PermissionDenied => {
            anyhow::anyhow!("{listen}: only root may listen on a port below 1024; choose another (--listen)")
        }
        _ => anyhow::anyhow!("cannot listen on {listen}: {error}"),
    })?;
    // The standard library's queue is short for a server that may be restarting.
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

fn record(listener: &TcpListener) -> Result<UpRecord> {
    Ok(UpRecord {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: SystemClock.now().iso8601(),
        listen: listener.local_addr()?.to_string(),
        restarts: 0,
    })
}

struct Supervisor {
    settings: Settings,
    dir: DataDir,
    owner: Owner,
    /// Closed as soon as Pilvi is told to stop, so that nobody waits for an answer that will not come.
    listener: Option<TcpListener>,
    record: UpRecord,
    announcer: Announcer,
    backoff: Backoff,
    began: Instant,
}

impl Supervisor {
    /// Starts servers, one after the other, until told to stop.
    async fn run(&mut self) -> Result<()> {
        let mut signals = Signals::listen()?;
        self.write_record()?;
        loop {
            let started = Instant::now();
            let mut server = Server::start(self.listener()?, &self.settings, &self.dir, &self.owner)?;
            let end = tokio::select! {
                end = self.watch(&mut server) => end?,
                name = signals.stop() => return self.stop(server, name, &mut signals).await,
            };
            if !server.was_ready && self.record.restarts == 0 {
                bail!("the server {end}");
            }
            let pause = self.backoff.after(started.elapsed());
            self.announcer.restarting(&end, pause);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = signals.stop() => return Ok(()),
            }
            self.record.restarts += 1;
            self.write_record()?;
        }
    }

    /// Waits for the server to become ready, then for its end.
    async fn watch(&self, server: &mut Server) -> Result<End> {
        let mut ready = false;
        while !ready && !server.is_silent() {
            match tokio::time::timeout(STARTING_NOTICE, server.ready()).await {
                Ok(outcome) => ready = outcome,
                Err(_) => self.announcer.still_starting(server.started.elapsed()),
            }
        }
        if ready {
            let endpoint = crate::server::endpoint(&self.settings.tls, self.listener()?.local_addr()?);
            let since = if self.record.restarts == 0 { self.began } else { server.started };
            self.announcer.ready(&endpoint, server.pid, since.elapsed(), self.record.restarts);
        }
        server.ended().await
    }

    async fn stop(&mut self, mut server: Server, signal: &'static str, signals: &mut Signals) -> Result<()> {
        self.announcer.stopping(signal);
        self.listener = None;
        server.terminate()?;
        let end = tokio::select! {
            end = tokio::time::timeout(STOP_PATIENCE, server.ended()) => end.ok().transpose()?,
            _ = signals.stop() => None,
        };
        if end.is_none() {
            server.kill();
            server.ended().await?;
        }
        self.announcer.stopped(end.is_some());
        Ok(())
    }

    fn listener(&self) -> Result<&TcpListener> {
        self.listener.as_ref().context("the listening socket is closed")
    }

    fn write_record(&self) -> Result<()> {
        self.owner.act(|| records::write(&self.dir.up_record(), &self.record))
    }

    /// Removes what tells that something runs. A server that was killed could not do its own part.
    fn clean_up(&self) {
        let removed = self.owner.act(|| {
            records::remove(&self.dir.server_record());
            records::remove(&self.dir.up_record());
            Ok(())
        });
        if let Err(error) = removed {
            tracing::warn!("cannot tidy {}: {error:#}", self.dir.run().display());
        }
    }
}
