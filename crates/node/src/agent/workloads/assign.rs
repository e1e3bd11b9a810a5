//! Workloads are assigned and retired.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use images::{DiffId, Digest, Prepared};
use tokio::sync::{Semaphore, mpsc, watch};
use workload::{Desired, Phase, Spec, VolumeSource, WorkloadId};

use super::home::{Assigned, ImageUse, Lines};
use super::state::State;
use super::worker::{Beginning, COMMANDS_WAITING_MAX, Live, Wanted, Worker};
use super::{Handle, Shared, WORKLOADS_MAX, volumes};
use crate::protocol::{Assignment, Failure, FailureKind};

/// Why a workload is not begun.
enum NotBegun {
    /// It is there.
    Known(Arc<Handle>),
    /// It cannot be there.
    Refused(Failure),
}

impl Shared {
    /// Makes a workload true, or changes what is desired of one that is there. It is on the disk when this returns.
    pub(super) async fn assign(self: &Arc<Self>, assignment: Assignment) -> Result<(), Failure> {
        if self.is_ephemeral(&assignment.id) {
            return Err(Failure::new(
                FailureKind::Refused,
                "the workload ends with its session, and is nobody else's to change",
            ));
        }
        if let Some(handle) = self.handle(&assignment.id) {
            return self.change(&handle, assignment).await;
        }
        self.has_room(0)?;
        let refused = |message: String| Failure::new(FailureKind::Refused, message);
        assignment.spec.validate().map_err(|error| refused(error.to_string()))?;
        self.check_permissions(&assignment.spec)?;
        // What is not to run needs no image.
        let images = match &assignment.desired {
            Desired::Running => self.images(&assignment.spec, &assignment.images)?,
            Desired::Stopped { .. } => BTreeMap::new(),
        };
        self.has_room(self.all().len())?;
        self.hasten();
        let id = assignment.id.clone();
        let assigned = Arc::new(Assigned::new(assignment, images, &self.boot_id));
        let internal = |message: String| Failure::new(FailureKind::Internal, message);
        let (shared, own, to_lease) = (Arc::clone(self), id.clone(), Arc::clone(&assigned));
        // First the images: what is assigned finds them.
        let leased = tokio::task::spawn_blocking(move || shared.lease(&own, &to_lease));
        leased.await.map_err(|error| internal(error.to_string()))?.map_err(internal)?;
        match self.begin(&id, &assigned) {
            Ok(writing) => writing.await.map_err(|error| internal(error.to_string()))?.map_err(internal),
            // Somebody else assigns it, too.
            Err(NotBegun::Known(handle)) => self.change(&handle, assigned.assignment.clone()).await,
            Err(NotBegun::Refused(failure)) => {
                let shared = Arc::clone(self);
                let released = tokio::task::spawn_blocking(move || shared.release(&id));
                released
                    .await
                    .map_err(|error| internal(error.to_string()))?
                    .map_err(|error| internal(error.to_string()))?;
                Err(failure)
            }
        }
    }

    /// Whether this node takes one more workload beside so many.
    pub(super) fn has_room(&self, workloads: usize) -> Result<(), Failure> {
        if self.is_purged.load(Ordering::Relaxed) {
            return Err(Failure::new(FailureKind::Stopped, "everything of this node has been removed"));
        }
        if workloads >= WORKLOADS_MAX {
            return Err(Failure::new(FailureKind::Busy, "this node has as many workloads as there can be"));
        }
        Ok(())
    }

    /// Has a workload that is new be worked on while it is written down: nothing of it is executed before.
    fn begin(self: &Arc<Self>, id: &WorkloadId, assigned: &Arc<Assigned>) -> Result<Writing, NotBegun> {
        let digest_of = |name: &str| assigned.images.get(name).map(|image| image.manifest.to_string());
        let state = State::new(&assigned.assignment.spec, &self.boot_id, digest_of);
        let mut all = self.all();
        if let Some(handle) = all.get(id) {
            return Err(NotBegun::Known(Arc::clone(handle)));
        }
        // Others may have been assigned meanwhile, or all removed.
        self.has_room(all.len()).map_err(NotBegun::Refused)?;
        let (tell, written) = watch::channel(None);
        let (worker, parts) = self.worker(id, assigned, state, Kept::new(written));
        all.insert(id.clone(), parts.run(worker));
        let (home, assigned) = (self.homes.of(id), Arc::clone(assigned));
        Ok(tokio::task::spawn_blocking(move || {
            let written = home.write_assigned(&assigned).map_err(|error| error.to_string());
            // Whoever wants to know may be gone.
            let _ = tell.send(Some(written.clone()));
            written
        }))
    }

    /// A workload's worker, before it works.
    pub(super) fn worker(
        self: &Arc<Self>,
        id: &WorkloadId,
        assigned: &Arc<Assigned>,
        state: State,
        kept: Kept,
    ) -> (Worker, Parts) {
        let Assignment { generation, desired, .. } = &assigned.assignment;
        let (wanted, hears) = watch::channel(Wanted::new(*generation, desired.clone()));
        let (commands, obeys) = mpsc::channel(COMMANDS_WAITING_MAX);
        let live = Arc::new(Live::default());
        let (written, is_ephemeral) = (kept.written.clone(), kept.is_nowhere());
        let worker = Worker::new(Beginning {
            shared: Arc::clone(self),
            id: id.clone(),
            home: self.homes.of(id),
            assigned: Arc::clone(assigned),
            state,
            kept,
            wanted: hears,
            commands: obeys,
            live: Arc::clone(&live),
        });
        (worker, Parts { assigned: Arc::clone(assigned), wanted, commands, live, written, is_ephemeral })
    }

    async fn change(&self, handle: &Handle, assignment: Assignment) -> Result<(), Failure> {
        let _one_at_a_time = handle.changing.lock().await;
        let internal = |message: String| Failure::new(FailureKind::Internal, message);
        written(&mut handle.written.clone()).await.map_err(internal)?;
        if assignment.generation <= handle.wanted.borrow().generation {
            return Ok(());
        }
        let Assignment { id, generation, desired, .. } = assignment;
        let mut assigned = (*handle.assigned).clone();
        (assigned.assignment.generation, assigned.assignment.desired) = (generation, desired.clone());
        let home = self.homes.of(&id);
        let written = tokio::task::spawn_blocking(move || home.write_assigned(&assigned));
        written.await.map_err(|error| internal(error.to_string()))?.map_err(|error| internal(error.to_string()))?;
        handle.wanted.send_replace(Wanted::new(generation, desired));
        Ok(())
    }

    /// Forgets a workload that has stopped. Answers whether there was one.
    pub(super) async fn retire(&self, id: &WorkloadId) -> Result<bool, Failure> {
        let Some(handle) = self.handle(id).filter(|handle| !handle.is_ephemeral) else { return Ok(false) };
        let _one_at_a_time = handle.changing.lock().await;
        if self.board.get(id).is_none_or(|told| told.observed.phase != Phase::Stopped) {
            return Err(Failure::new(FailureKind::Busy, format!("workload {id} has not stopped")));
        }
        handle.task.abort();
        let removed = self.homes.of(id).remove();
        removed.map_err(|error| Failure::new(FailureKind::Internal, error.to_string()))?;
        let it_was = self.all().remove(id).is_some();
        self.board.remove(id);
        self.untidy.notify_one();
        Ok(it_was)
    }

    /// What a specification's containers need of their images.
    pub(super) fn images(
        &self,
        spec: &Spec,
        named: &BTreeMap<String, Digest>,
    ) -> Result<BTreeMap<String, ImageUse>, Failure> {
        let records = self.store.images();
        let find = |name: &str| {
            let missing = |what: &str| Failure::new(FailureKind::NotFound, format!("the container {name} {what}"));
            let manifest = *named.get(name).ok_or_else(|| missing("has no image"))?;
            let record = records.iter().find(|record| record.manifest == manifest);
            let record = record.ok_or_else(|| missing("has an image that is not prepared"))?;
            Ok(ImageUse { manifest, run: record.run.clone(), layers: record.layers.clone() })
        };
        spec.containers.iter().map(|container| Ok((container.name.clone(), find(&container.name)?))).collect()
    }

    /// Keeps the layers of a workload's images, which must be there.
    pub(super) fn lease(&self, id: &WorkloadId, assigned: &Assigned) -> Result<(), String> {
        for (name, layers) in self.layers_of(assigned) {
            let leased = self.store.hold(&layers).and_then(|held| self.store.lease(&format!("{id}/{name}"), &held));
            leased.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// All that a workload needs of images and archives, each under a name that is its own within the workload.
    pub(super) fn layers_of(&self, assigned: &Assigned) -> Vec<(String, Vec<DiffId>)> {
        let spec = &assigned.assignment.spec;
        let images = spec.containers.iter().enumerate().filter_map(|(index, container)| {
            Some((index.to_string(), assigned.images.get(&container.name)?.layers.clone()))
        });
        let archives = spec.volumes.iter().enumerate().filter_map(|(index, volume)| match &volume.source {
            VolumeSource::Archive { archives } => Some((format!("v{index}"), volumes::layers_of(archives))),
            _ => None,
        });
        images.chain(archives).collect()
    }

    /// Gives the layers of a workload's images up.
    pub(super) fn release(&self, id: &WorkloadId) -> Result<(), images::Error> {
        let prefix = format!("{id}/");
        let leases = self.store.leases();
        let own = leases.iter().filter(|lease| lease.name.starts_with(&prefix));
        own.into_iter().try_for_each(|lease| self.store.release(&lease.name).map(drop))
    }
}

/// The writing of an assignment, and why it failed.
type Writing = tokio::task::JoinHandle<Result<(), String>>;

/// Whether an assignment is on the disk, or why it cannot be; none while it is not known.
pub(super) type WhetherWritten = watch::Receiver<Option<Result<(), String>>>;

/// Waits until an assignment is on the disk.
pub(super) async fn written(whether: &mut WhetherWritten) -> Result<(), String> {
    match whether.wait_for(Option::is_some).await {
        Ok(written) => written.clone().unwrap_or(Ok(())),
        Err(_) => Err("it was not written down".to_owned()),
    }
}

/// What is on disk of a workload that is begun.
pub(super) struct Kept {
    pub(super) written: WhetherWritten,
    pub(super) lines: Lines,
    /// Nothing of it has been executed: what was made is made anew by a node that comes after this one.
    pub(super) is_new: bool,
    /// How it ended is on the disk: whoever is told that it has stopped need not wait for that.
    pub(super) is_end_on_disk: bool,
    /// What it needs of images and archives, held in memory alone: nothing of it is on disk, ever.
    held: Option<Vec<Prepared>>,
}

impl Kept {
    /// Of a workload that comes.
    fn new(written: WhetherWritten) -> Self {
        Self { written, lines: Lines::NONE_YET, is_new: true, is_end_on_disk: false, held: None }
    }

    /// Of a workload of a node before this one.
    pub(super) fn before() -> Self {
        let written = watch::channel(Some(Ok(()))).1;
        Self { written, lines: Lines::default(), is_new: false, is_end_on_disk: false, held: None }
    }

    /// Of a workload that ends with its session.
    pub(super) fn nowhere(held: Vec<Prepared>) -> Self {
        let written = watch::channel(Some(Ok(()))).1;
        Self { written, lines: Lines::NONE_YET, is_new: true, is_end_on_disk: false, held: Some(held) }
    }

    /// Further things of images and archives that it needs.
    pub(super) fn hold(&mut self, further: Vec<Prepared>) {
        self.held.get_or_insert_default().extend(further);
    }

    /// Whether nothing of it is to be on disk.
    pub(super) fn is_nowhere(&self) -> bool {
        self.held.is_some()
    }
}

/// What others have of a worker.
pub(super) struct Parts {
    assigned: Arc<Assigned>,
    wanted: watch::Sender<Wanted>,
    commands: mpsc::Sender<super::Command>,
    live: Arc<Live>,
    written: WhetherWritten,
    is_ephemeral: bool,
}

impl Parts {
    /// Has it work.
    pub(super) fn run(self, worker: Worker) -> Arc<Handle> {
        let task = tokio::spawn(worker.run()).abort_handle();
        let Self { assigned, wanted, commands, live, written, is_ephemeral } = self;
        let changing = tokio::sync::Mutex::new(());
        let channel = Arc::new(Semaphore::new(1));
        Arc::new(Handle { assigned, wanted, commands, live, written, is_ephemeral, changing, channel, task })
    }
}
