//! `pilvi up`: the supervisor.
//!
//! It prepares the data directory, holds its lock and the listening socket, and keeps one server process alive behind
//! them. The server runs as the directory's owner; the supervisor keeps its caller's rights and does as little as
//! possible with them. Since the socket stays open, clients of a server that is being restarted wait and are not
//! refused. Where the caller is root it keeps a node beside the server, in the same manner and independent of it.

mod announce;
mod backoff;
mod child;
mod keep;
pub(crate) mod node_place;
pub(crate) mod signals;

use std::cell::RefCell;
use std::io;
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use base::{Clock, SystemClock};
use clap::Args;

use crate::data_dir::{DataDir, Lock, Prepared, prepare};
use crate::logging;
use crate::owner::{Caller, Owner, Passwd};
use crate::records::{self, NodeRecord, UpRecord};
use crate::settings::{Flags, Place, Settings};

use announce::Announcer;
use child::Process;
use node_place::NodePlace;
pub(crate) use node_place::{DATA_DIR_NOTE, LOCK as NODE_LOCK, SYSTEM_NODE_DIRS, default_for as default_node_dir};
use signals::Signals;

/// Connections that the kernel keeps waiting, while the server is busy or restarts. The kernel clamps it (somaxconn).
const BACKLOG: i32 = 4096;

/// How long a server may drain before it is killed; the promise for the whole is five seconds.
const STOP_PATIENCE: Duration = Duration::from_millis(4_600);

/// How long a node may take to end after the server has. It is in the middle of nothing that a kill would harm.
const NODE_STOP_PATIENCE: Duration = Duration::from_millis(300);

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
    let node = NodePlace::prepare(&caller, settings.node_dir.as_deref(), &dir, &owner)?;
    let announcer = Announcer::new(&settings, &dir, named.is_some());
    announcer.data_dir(&dir, &owner, made);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut supervisor = Supervisor {
        record: RefCell::new(record(&listener, node.as_ref())?),
        settings,
        dir,
        owner,
        listener: Some(listener),
        node,
        announcer,
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

fn record(listener: &TcpListener, node: Option<&NodePlace>) -> Result<UpRecord> {
    let node = node.map(|place| NodeRecord {
        pid: None,
        directory: place.directory().to_owned(),
        socket: place.socket(),
        restarts: 0,
    });
    Ok(UpRecord {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: SystemClock.now().iso8601(),
        listen: listener.local_addr()?.to_string(),
        restarts: 0,
        node,
    })
}

struct Supervisor {
    settings: Settings,
    dir: DataDir,
    owner: Owner,
    /// Closed as soon as Pilvi is told to stop, so that nobody waits for an answer that will not come.
    listener: Option<TcpListener>,
    /// None unless the caller is root.
    node: Option<NodePlace>,
    record: RefCell<UpRecord>,
    announcer: Announcer,
    began: Instant,
}

impl Supervisor {
    /// Keeps server and node alive until told to stop.
    async fn run(&mut self) -> Result<()> {
        let mut signals = Signals::listen()?;
        self.write_record()?;
        let (mut server, mut node) = (None, None);
        let first_ready = tokio::sync::Notify::new();
        let signal = tokio::select! {
            failure = self.keep_server(&mut server, &first_ready) => return Err(failure),
            failure = self.keep_node(&mut node, &first_ready) => return Err(failure),
            signal = signals.stop() => signal,
        };
        self.stop(server, node, signal, &mut signals).await
    }

    /// Ends the server, then the node, which it may need to the last.
    async fn stop(
        &mut self,
        server: Option<Process>,
        node: Option<Process>,
        signal: &'static str,
        signals: &mut Signals,
    ) -> Result<()> {
        let mut has_drained = None;
        if let Some(mut server) = server {
            self.announcer.stopping(signal);
            self.listener = None;
            let hurry = async {
                signals.stop().await;
            };
            has_drained = Some(server.stop(STOP_PATIENCE, hurry).await?);
        }
        if let Some(mut node) = node {
            node.stop(NODE_STOP_PATIENCE, std::future::pending()).await?;
        }
        if let Some(has_drained) = has_drained {
            self.announcer.stopped(has_drained);
        }
        Ok(())
    }

    fn listener(&self) -> Result<&TcpListener> {
        self.listener.as_ref().context("the listening socket is closed")
    }

    fn write_record(&self) -> Result<()> {
        self.owner.act(|| records::write(&self.dir.up_record(), &*self.record.borrow()))
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
