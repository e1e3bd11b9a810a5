//! The node itself: what answers at its socket, and what it does by itself.

mod admission;
mod background;
mod connection;
mod failure;
mod images;
mod prepare;
mod progress;
mod rights;
mod session;
mod space;
mod workloads;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::images::{BlobSource, Error, Options as ImageOptions, Store};
use base::{Clock, SystemClock, Timestamp};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::protocol::{Failure, FailureKind, Status, Usage};
use admission::{Admission, Admitted};
use images::Recorded;
use workloads::Shared as Workloads;
pub use workloads::WorkloadOptions;
pub use workloads::local::{LocalAddresses, LocalCall, LocalChannel, LocalEndpoint, LocalListener, NothingLocal};

/// Images that are prepared at one time. Each uses as many threads as the store has workers, at most.
const PREPARES_AT_ONCE: usize = 2;
/// Images that are being prepared or wait for it; who asks for more is told to come back.
const PREPARES_MAX: usize = 256;
/// Where the layers and images are, within the node's directory.
const IMAGES: &str = "images";
/// So long after workloads could not be run it is tried again.
const OPENED_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How long accepting pauses when this process may open no more files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a node is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// The node's own directory, which nobody else can write to.
    pub directory: PathBuf,
    /// The directory of the blobs, which the server's user can write to. It may come into being later.
    pub blobs: PathBuf,
    /// The server's user: who is admitted beside root.
    pub owner: u32,
    /// Where blobs come from instead, on a host that joined a server elsewhere.
    pub elsewhere: Option<Elsewhere>,
    /// How layers are unpacked and kept.
    pub images: ImageOptions,
    /// How many bytes of the directory's file system are left to others, whatever the server asks for.
    pub spare_bytes: u64,
    /// The first collection after the start, and the pause between two.
    pub collect_every: [Duration; 2],
    /// What workloads are run with; none are, if none is given.
    pub workloads: Option<WorkloadOptions>,
}

/// Blobs that are not on this machine.
#[derive(Clone)]
pub struct Elsewhere(pub Arc<dyn BlobSource + Send + Sync>);

impl std::fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Elsewhere")
    }
}

/// A node whose directory is open; cheap to clone.
#[derive(Debug, Clone)]
pub struct Agent(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Options,
    store: Store,
    recorded: Recorded,
    started_at: Timestamp,
    admission: Admission,
    /// The right to prepare an image now, and to wait for that right.
    turns: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// The right to sweep, settle or collect now.
    chores: Arc<Semaphore>,
    /// There are layers that are not on the disk yet.
    unsettled: Notify,
    stopping: AtomicBool,
    workloads: Mutex<Opening>,
}

/// What runs workloads, opened when it is first needed.
#[derive(Debug, Default)]
struct Opening {
    workloads: Option<Arc<Workloads>>,
    /// When that failed the last time, and why.
    failed: Option<(Instant, String)>,
    /// What is done beside them.
    beside: JoinSet<()>,
}

impl Options {
    /// What everybody has.
    pub fn new(directory: impl Into<PathBuf>, blobs: impl Into<PathBuf>, owner: u32) -> Self {
        Self {
            directory: directory.into(),
            blobs: blobs.into(),
            owner,
            elsewhere: None,
            images: ImageOptions::default(),
            spare_bytes: 256 * 1024 * 1024,
            collect_every: [Duration::from_secs(600), Duration::from_secs(3600)],
            workloads: None,
        }
    }
}

impl Agent {
    /// Opens the node's directory. Blocks.
    ///
    /// # Errors
    /// [`Error::InUse`] while another process has it open, [`Error::Insecure`] if another user could write to it.
    pub fn open(options: Options) -> Result<Self, Error> {
        let store = Store::open(&options.directory.join(IMAGES), options.images.clone())?;
        let recorded = Recorded::of(&store);
        Ok(Self(Arc::new(Inner {
            recorded,
            store,
            started_at: SystemClock.now(),
            admission: Admission::of(options.owner),
            turns: Arc::new(Semaphore::new(PREPARES_AT_ONCE)),
            queue: Arc::new(Semaphore::new(PREPARES_MAX)),
            chores: Arc::new(Semaphore::new(1)),
            unsettled: Notify::new(),
            stopping: AtomicBool::new(false),
            workloads: Mutex::default(),
            options,
        })))
    }

    /// Answers at a socket until told to stop. What is being prepared then stops, and has stopped when this returns: so
    /// long that takes, which is never much.
    pub async fn serve(&self, listener: &UnixListener, stop: impl Future<Output = ()>) {
        let mut tasks = JoinSet::new();
        tasks.spawn(background::sweep_and_collect(self.clone()));
        tasks.spawn(background::settle(self.clone()));
        tasks.spawn(background::open_workloads(self.clone()));
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => self.take(stream, &mut tasks),
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = tasks.join_next() => {}
            }
        }
        self.0.stopping.store(true, Ordering::Relaxed);
        tasks.shutdown().await;
        self.close_workloads().await;
        // Each right is held by a thread that has not ended.
        let _ = self.0.turns.acquire_many(u32::try_from(PREPARES_AT_ONCE).unwrap_or(u32::MAX)).await;
        let _ = self.0.chores.acquire().await;
    }

    /// Answers on a connection that is there already, until it ends: one to a server elsewhere, which whoever calls this has made
    /// sure of.
    pub async fn serve_on(&self, stream: impl AsyncRead + AsyncWrite + Send + 'static) {
        let (from, to) = tokio::io::split(stream);
        connection::serve(self.clone(), from, to, None).await;
    }

    fn take(&self, stream: UnixStream, tasks: &mut JoinSet<()>) {
        let uid = match stream.peer_cred() {
            Ok(peer) => peer.uid(),
            Err(error) => return tracing::warn!(%error, "who connects is not known"),
        };
        match self.0.admission.admit(uid) {
            Admitted::Yes(place) => {
                let agent = self.clone();
                tasks.spawn(async move {
                    let (from, to) = stream.into_split();
                    connection::serve(agent, from, to, Some(place)).await;
                });
            }
            Admitted::Full => tracing::warn!(uid, "a user has too many connections: one more is turned away"),
            Admitted::No => tracing::warn!(uid, "a user who has no business here is turned away"),
        }
    }

    /// Has every shim, now and later, end everything at this time of `CLOCK_BOOTTIME`, in nanoseconds, unless this is called
    /// again before; none takes the threat away. For a node that may run something only as long as it is told that it may.
    pub async fn fence(&self, at_ns: Option<u64>) {
        if let Ok(workloads) = self.workloads().await {
            workloads.set_fence(at_ns).await;
        }
    }

    /// What runs workloads here. Opened at the first call; what an earlier node had started is found again before it answers.
    async fn workloads(&self) -> Result<Arc<Workloads>, Failure> {
        let Some(options) = self.0.options.workloads.clone() else {
            return Err(Failure::new(FailureKind::Unknown, "this node runs no workloads"));
        };
        let mut opening = self.0.workloads.lock().await;
        if let Some(workloads) = &opening.workloads {
            return Ok(Arc::clone(workloads));
        }
        let failure =
            |reason: &str| Failure::new(FailureKind::Internal, format!("workloads cannot be run here: {reason}"));
        if let Some((_, reason)) = opening.failed.as_ref().filter(|(at, _)| at.elapsed() < OPENED_AGAIN_AFTER) {
            return Err(failure(reason));
        }
        match Workloads::open(self.directory(), self.0.store.clone(), options).await {
            Ok(workloads) => {
                opening.beside.spawn(Arc::clone(&workloads).tidy());
                opening.beside.spawn(Arc::clone(&workloads).rest());
                opening.workloads = Some(Arc::clone(&workloads));
                Ok(workloads)
            }
            Err(reason) => {
                tracing::error!(reason, "workloads cannot be run here");
                let failed = failure(&reason);
                opening.failed = Some((Instant::now(), reason));
                Err(failed)
            }
        }
    }

    async fn close_workloads(&self) {
        let Opening { workloads, beside, .. } = std::mem::take(&mut *self.0.workloads.lock().await);
        drop(beside);
        if let Some(workloads) = workloads {
            workloads.close().await;
        }
    }

    fn status(&self) -> Status {
        let inner = &self.0;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let preparing = PREPARES_AT_ONCE.saturating_sub(inner.turns.available_permits());
        let queued = PREPARES_MAX.saturating_sub(inner.queue.available_permits());
        Status {
            pid: std::process::id(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: inner.started_at,
            preparing: count(preparing),
            waiting: count(queued.saturating_sub(preparing)),
            usage: self.usage(),
        }
    }

    fn usage(&self) -> Usage {
        let ::images::Usage { images, leases: _, layers, entries, bytes, unneeded_bytes } = self.0.store.usage();
        Usage { images, layers, entries, bytes, unneeded_bytes }
    }

    fn directory(&self) -> &Path {
        &self.0.options.directory
    }

    fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Relaxed)
    }
}
