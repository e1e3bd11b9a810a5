//! Workloads: what is assigned to this node becomes true here.
//!
//! - [`home`] is what is kept on disk; [`state`] how far a workload is; [`plan`] what is done next, which is pure.
//! - [`worker`] does it: one task for each workload. What it makes is found again by a node that comes after this one, whose
//!   containers have not been touched.
//! - [`sessions`], [`printed`], [`exec`] are what others do with containers; [`losses`] what they did not get.
//! - [`area`] is where containers write, each within its limit.
//! - [`local`] is the port by which something is served near workloads that the node has no word for.

mod area;
mod assign;
mod board;
mod channel;
mod container;
mod copy;
mod describe;
mod ephemeral;
mod exec;
mod haste;
mod home;
pub(super) mod local;
mod losses;
mod open;
mod plan;
mod printed;
mod probe;
mod process;
mod purge;
mod root;
mod serve;
mod sessions;
mod settings;
mod state;
mod stats;
mod streams;
mod users;
mod volumes;
mod worker;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use images::Store;
use network::Network;
use sandbox::cgroup::Cgroups;
use sandbox::client::{Launcher, Shim, ShimError};
use sandbox::disk::Disks;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};
use workload::{Demand, WorkloadId};

use super::Agent;
use super::session::{Hearing, Telling};
use crate::protocol::{Answer, Failure, FailureKind, Request, Session};
use board::Board;
use home::{Assigned, Homes};
use local::LocalEndpoint;
use settings::Settings;
use worker::{Command, Live, Wanted};

/// The most workloads that a node has, those included that have stopped and are not retired.
const WORKLOADS_MAX: usize = 8192;

/// What a node needs to run workloads.
#[derive(Debug, Clone)]
pub struct WorkloadOptions {
    /// What is served near workloads.
    pub local: Arc<dyn LocalEndpoint>,
    /// Processor time that workloads may use, in thousandths of a processor; what the node's configuration says, or the machine
    /// has, if none is given.
    pub cpu_millis: Option<u32>,
    /// Memory that workloads may use, in bytes; the same.
    pub memory_bytes: Option<u64>,
}

impl WorkloadOptions {
    /// With what the machine has.
    pub fn new(local: Arc<dyn LocalEndpoint>) -> Self {
        Self { local, cpu_millis: None, memory_bytes: None }
    }
}

/// What all workloads of a node share.
pub(super) struct Shared {
    options: WorkloadOptions,
    settings: Settings,
    directory: PathBuf,
    boot_id: String,
    store: Store,
    homes: Homes,
    launcher: Launcher,
    cgroups: Cgroups,
    haste: haste::Haste,
    disks: Disks,
    network: Network,
    board: Board,
    all: Mutex<BTreeMap<WorkloadId, Arc<Handle>>>,
    /// By when shims end everything, unless they are told another time.
    fence_at_ns: Mutex<Option<u64>>,
    /// The launcher's process, once it is where it is not ended with this one.
    launcher_moved: Mutex<Option<u32>>,
    users_taken: Mutex<users::Taken>,
    /// Everything has been removed, and nothing is to come.
    is_purged: AtomicBool,
    /// There is something in the trash.
    untidy: Notify,
    /// What paths begin with that only a workload of the host's network knows.
    secret: [u8; 32],
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workloads").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// A workload's worker, as others see it.
#[derive(Debug)]
struct Handle {
    assigned: Arc<Assigned>,
    wanted: watch::Sender<Wanted>,
    commands: mpsc::Sender<Command>,
    live: Arc<Live>,
    /// One at a time changes what is wanted.
    changing: tokio::sync::Mutex<()>,
    written: assign::WhetherWritten,
    /// It ends with the session that runs it, and nobody else has a say.
    is_ephemeral: bool,
    /// The right to be the one channel to what is served near it.
    channel: Arc<Semaphore>,
    task: AbortHandle,
}

impl Drop for Handle {
    fn drop(&mut self) {
        // What it made stays, and is found again.
        self.task.abort();
    }
}

impl Agent {
    /// Answers what is asked about workloads.
    pub(super) async fn about_workloads(&self, request: Request) -> Result<Answer, Failure> {
        let shared = self.workloads().await?;
        match request {
            Request::Describe => Ok(Answer::Description(shared.describe())),
            Request::Assign(assignment) => shared.assign(*assignment).await.map(|()| Answer::Assigned),
            Request::Retire { id } => shared.retire(&id).await.map(Answer::Retired),
            Request::Signal { id, container, signal } => {
                shared.signal(&id, container.as_deref(), signal).await.map(|()| Answer::Signalled)
            }
            Request::Freeze { id, frozen } => shared.freeze(&id, frozen).await.map(|()| Answer::Signalled),
            Request::Stats { ids, after } => Ok(Answer::Stats(shared.stats(&ids, after.as_ref()).await)),
            Request::Purge => shared.purge().await.map(Answer::Purged),
            _ => Err(Failure::new(FailureKind::Unknown, "this is not about workloads")),
        }
    }

    /// Serves a session; none if whoever asked is gone.
    pub(super) async fn session(
        &self,
        wanted: Session,
        telling: Telling,
        hearing: Hearing,
    ) -> Option<Result<Answer, Failure>> {
        let shared = match self.workloads().await {
            Ok(shared) => shared,
            Err(failure) => return Some(Err(failure)),
        };
        match wanted {
            Session::Follow => {
                // It ends with whoever asked alone.
                let _gone = sessions::follow(&shared, &telling).await;
                None
            }
            Session::Run(assignment) => ephemeral::run(&shared, *assignment, false, &telling, hearing).await,
            Session::Hold(assignment) => ephemeral::run(&shared, *assignment, true, &telling, hearing).await,
            Session::Channel { id } => Some(channel::over_session(&shared, &id, telling, hearing).await),
            Session::Exec(wanted) => exec::exec(&shared, wanted, &telling, hearing).await,
            Session::Attach(wanted) => exec::attach(&shared, wanted, &telling, hearing).await,
            Session::Output(wanted) => exec::output(&shared, wanted, &telling).await,
        }
    }
}

impl Shared {
    fn handle(&self, id: &WorkloadId) -> Option<Arc<Handle>> {
        self.all().get(id).cloned()
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<WorkloadId, Arc<Handle>>> {
        // Nothing in there is half-changed by a panic that could poison it.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a shim for the workload whose directory this is.
    async fn shim(&self, directory: std::os::fd::OwnedFd) -> Result<Shim, ShimError> {
        let moved = *self.launcher_moved.lock().unwrap_or_else(PoisonError::into_inner);
        let shim = self.launcher.shim(directory).await?;
        self.move_launcher();
        // One that was forked by a new launcher, before that was moved, is where the launcher was.
        if (moved.is_none() || moved != self.launcher.pid())
            && let Err(error) = self.move_to_shims(shim.pid())
        {
            tracing::warn!(%error, "a shim is in the node's own group, and ends with it");
        }
        Ok(shim)
    }

    /// Has the launcher, and so its shims, in a group of theirs: what ends this node's group does not end them.
    fn move_launcher(&self) {
        let Some(pid) = self.launcher.pid() else { return };
        let mut moved = self.launcher_moved.lock().unwrap_or_else(PoisonError::into_inner);
        if *moved == Some(pid) {
            return;
        }
        match self.move_to_shims(pid) {
            Ok(()) => *moved = Some(pid),
            Err(error) => tracing::warn!(%error, "shims are in the node's own group, and end with it"),
        }
    }

    fn move_to_shims(&self, pid: u32) -> Result<(), sandbox::cgroup::Error> {
        let process = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
        process.map_or(Ok(()), |process| self.cgroups.shims()?.add(process))
    }

    async fn signal(&self, id: &WorkloadId, container: Option<&str>, signal: i32) -> Result<(), Failure> {
        let target = sessions::Target::find(self, id, container)?;
        let shim = target.running(self)?;
        let to = sandbox::protocol::Target::Container(target.container.clone());
        shim.signal(to, signal).await.map_err(|error| Failure::new(FailureKind::NotFound, error.to_string()))
    }

    async fn freeze(&self, id: &WorkloadId, frozen: bool) -> Result<(), Failure> {
        let handle = self.handle(id).ok_or_else(|| no_such(id))?;
        let (answer, answered) = oneshot::channel();
        let ended = |_| Failure::new(FailureKind::Stopped, "the workload is being removed");
        handle.commands.send(Command::Freeze { frozen, answer }).await.map_err(|_| ended(()))?;
        answered.await.map_err(|_| ended(()))?
    }

    /// By when shims end everything.
    fn fence(&self) -> Option<u64> {
        *self.fence_at_ns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has every shim end everything at this time of `CLOCK_BOOTTIME`, unless it is told another before.
    pub(super) async fn set_fence(&self, at_ns: Option<u64>) {
        *self.fence_at_ns.lock().unwrap_or_else(PoisonError::into_inner) = at_ns;
        let handles: Vec<_> = self.all().values().cloned().collect();
        let mut telling = JoinSet::new();
        for shim in handles.iter().filter_map(|handle| handle.live.now().shim) {
            // One that does not hear it keeps the time before, which comes sooner; none waits for another.
            telling.spawn(async move { drop(shim.fence(at_ns).await) });
        }
        while telling.join_next().await.is_some() {}
    }

    /// What paths begin with that only this workload knows.
    fn secret_of(&self, id: &WorkloadId) -> String {
        use images::{Algorithm, Digest};
        let text = [&self.secret[..], id.as_str().as_bytes()].concat();
        format!("/{}", Digest::of(Algorithm::Sha256, &text).hex())
    }

    /// Whether the node's own configuration allows what a specification asks for.
    fn check_permissions(&self, spec: &workload::Spec) -> Result<(), Failure> {
        match Demand::of(spec).attributes.keys().find(|name| !self.settings.allow.contains(*name)) {
            None => Ok(()),
            Some(name) => {
                Err(Failure::new(FailureKind::Refused, format!("this node's configuration does not allow {name}")))
            }
        }
    }
}

fn no_such(id: &WorkloadId) -> Failure {
    Failure::new(FailureKind::NotFound, format!("there is no workload {id} on this node"))
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    use base::Clock;
    u64::try_from(base::SystemClock.now().as_millis()).unwrap_or(0)
}
