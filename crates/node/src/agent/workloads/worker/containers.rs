//! Containers: made, started, made again, stopped.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use sandbox::cgroup::{Disk, Group};
use sandbox::client::ShimError;
use sandbox::plan::ContainerPlan;
use sandbox::protocol::{ShimFailureKind, Target};
use workload::limits::STOP_TIMEOUT_S_DEFAULT;
use workload::{Container, ExitStatus, Reason, ReasonCode, StepName};

use super::late::Late;
use super::needs::no_group;
use super::{Worker, aside, now};
use crate::agent::workloads::area::Area;
use crate::agent::workloads::home::{Assigned, ImageUse};
use crate::agent::workloads::root::EtcFiles;
use crate::agent::workloads::state::{Stage, Stop};
use crate::agent::workloads::volumes::Volume;
use crate::agent::workloads::{Shared, container, probe, process, root};
use crate::protocol::{Failure, FailureKind};

/// How a shell says that a program is not there, or cannot be executed.
const NOT_FOUND: i32 = 127;
const NOT_EXECUTABLE: i32 = 126;

/// The name of a container's group: names of containers may be what no group's can be.
pub(in crate::agent::workloads) fn group_name(index: usize) -> String {
    format!("c{index}")
}

impl Worker {
    pub(super) async fn create(&mut self, index: usize) {
        let Some(container) = self.spec().containers.get(index).cloned() else { return };
        let began = self.begin_step(StepName::Create, Some(&container.name));
        let made = self.make(index, &container).await;
        self.end_step(began, made.as_ref().map(|_| ()));
        match made {
            Ok(()) => {
                self.state.containers[index].stage = Stage::Created;
                self.note();
            }
            Err(reason) => self.give_up(index, reason, None),
        }
    }

    async fn make(&mut self, index: usize, wanted: &Container) -> Result<(), Reason> {
        let shim = self.has.shim.clone().ok_or_else(incomplete)?;
        let prepared = match self.has.prepared.remove(&index) {
            Some(prepared) => prepared,
            None => self.prepare(index, wanted).await,
        };
        let Prepared { plan, root, mounts } = prepared?;
        let pid = shim.create(plan, root, mounts).await.map_err(|error| {
            let code = match error.kind() {
                Some(ShimFailureKind::Refused) => ReasonCode::Refused,
                _ => ReasonCode::CannotCreate,
            };
            Reason::new(code, error.to_string())
        })?;
        self.has.processes.insert(index, pid);
        Ok(())
    }

    async fn prepare(&mut self, index: usize, wanted: &Container) -> Result<Prepared, Reason> {
        let preparing = self.preparation(index, wanted)?;
        let (area, volumes) = (self.has.area.take().ok_or_else(incomplete)?, std::mem::take(&mut self.has.volumes));
        // Lent for so long: nobody else needs them meanwhile.
        let (area, volumes, prepared) = aside(move || {
            let prepared = preparing.prepare(&area, &volumes);
            Ok((area, volumes, prepared))
        })
        .await?;
        (self.has.area, self.has.volumes) = (Some(area), volumes);
        prepared
    }

    /// Prepares the containers that wait for nothing but the sandbox, while that is made. Area and volumes are lent meanwhile.
    pub(super) fn prepare_first(&mut self) -> impl Future<Output = Result<First, Reason>> + Send + use<> {
        let is_first = |(_, container): &(usize, &Container)| container.depends_on.is_empty();
        let first: Vec<_> = self.spec().containers.iter().enumerate().filter(is_first).collect();
        let preparing: Vec<_> =
            first.into_iter().map(|(index, container)| (index, self.preparation(index, container))).collect();
        let (area, volumes) = (self.has.area.take(), std::mem::take(&mut self.has.volumes));
        async move {
            let area = area.ok_or_else(incomplete)?;
            aside(move || {
                let each = preparing.into_iter().map(|(index, preparing)| {
                    (index, preparing.and_then(|preparing| preparing.prepare(&area, &volumes)))
                });
                Ok((each.collect(), Some(area), volumes))
            })
            .await
        }
    }

    /// All that a container is prepared from.
    fn preparation(&self, index: usize, wanted: &Container) -> Result<Preparation, Reason> {
        let image = self.assigned.images.get(&wanted.name).cloned();
        Ok(Preparation {
            shared: Arc::clone(&self.shared),
            assigned: Arc::clone(&self.assigned),
            index,
            wanted: wanted.clone(),
            image: image.ok_or_else(|| Reason::new(ReasonCode::CannotPull, "the container has no image"))?,
            group: self.has.group.clone().ok_or_else(incomplete)?,
            etc: self.has.network.as_ref().map(|network| network.etc.clone()).ok_or_else(incomplete)?,
        })
    }

    pub(super) async fn start(&mut self, index: usize) {
        let Some(container) = self.executed().containers.get(index).cloned() else { return };
        let began = self.begin_step(StepName::Start, Some(&container.name));
        let started = match self.remember().await {
            Ok(()) => match self.late(index, &container).await {
                Ok(late) => self.execute(index, &container, late).await,
                Err(reason) => Err((reason, None)),
            },
            Err(reason) => Err((reason, None)),
        };
        self.end_step(began, started.as_ref().map(|_| ()).map_err(|(reason, _)| reason));
        match started {
            Ok(pid) => {
                self.state.started(index, pid, now());
                self.watch_health(index, &container);
                self.note();
            }
            Err((reason, code)) => self.give_up(index, reason, code),
        }
    }

    async fn execute(
        &mut self,
        index: usize,
        container: &Container,
        (late, mounts): Late,
    ) -> Result<u32, (Reason, Option<i32>)> {
        let internal = || (Reason::new(ReasonCode::Internal, "the workload has no sandbox"), None);
        let shim = self.has.shim.clone().ok_or_else(internal)?;
        let network = self.has.network.as_ref().ok_or_else(internal)?;
        let local = self.shared.options.local.env(&self.id, self.executed(), &network.local);
        let image = self.assigned.images.get(&container.name).ok_or_else(internal)?;
        let process = process::container(&self.id, self.executed(), container, &image.run, &local);
        let process = process.map_err(|reason| (reason, Some(NOT_FOUND)))?;
        let started = shim.start(&container.name, process, late, mounts).await;
        if let Err(error) = started {
            // A node before this one may have started it.
            if error.kind() == Some(ShimFailureKind::NotThere)
                && let Some(pid) = self.was_started(&shim, &container.name).await
            {
                return Ok(pid);
            }
            let code = match error.kind() {
                Some(ShimFailureKind::ProgramNotFound) => Some(NOT_FOUND),
                Some(ShimFailureKind::ProgramNotExecutable) => Some(NOT_EXECUTABLE),
                _ => None,
            };
            return Err((Reason::new(ReasonCode::CannotStart, error.to_string()), code));
        }
        let isolation = &self.spec().isolation;
        let is_another = isolation.share_processes || isolation.host_processes;
        if let (false, Some(pid)) = (is_another, self.has.processes.remove(&index)) {
            return Ok(pid);
        }
        // Where processes are shared it is another than the one that waited.
        let state = shim.state().await.ok();
        let known = state.and_then(|state| state.containers.into_iter().find(|one| one.name == container.name));
        Ok(known.and_then(|one| one.pid).unwrap_or_default())
    }

    /// Looks from time to time whether a container that runs is well.
    pub(super) fn watch_health(&mut self, index: usize, container: &Container) {
        let (Some(check), Some(shim)) = (container.health.clone(), self.has.shim.clone()) else { return };
        let probe = probe::Probe {
            check,
            container: index,
            name: container.name.clone(),
            restarts: self.state.containers[index].restarts,
            workload: self.id.clone(),
            is_host: self.spec().network.mode == workload::NetworkMode::Host,
            shim,
            process: self.live.now().processes.remove(&container.name),
            network: self.shared.network.clone(),
        };
        let probing = tokio::spawn(probe.run(self.tell_outcome.clone()));
        if let Some(before) = self.has.probes.insert(index, probing.abort_handle()) {
            before.abort();
        }
    }

    /// A container that ended is to be made again.
    pub(super) async fn again(&mut self, index: usize) {
        let name = self.state.containers[index].name.clone();
        if let Some(shim) = self.has.shim.clone()
            && let Err(error) = shim.remove(&name).await
            && error.kind() != Some(ShimFailureKind::NotThere)
        {
            let reason = Reason::new(ReasonCode::CannotCreate, format!("it cannot be made again: {error}"));
            return self.give_up(index, reason, None);
        }
        let one = &mut self.state.containers[index];
        (one.stage, one.stop) = (Stage::Waiting, None);
        one.restarts += 1;
        self.note();
    }

    /// A container is not started any more.
    pub(super) fn give_up(&mut self, index: usize, reason: Reason, code: Option<i32>) {
        if let Some(one) = self.state.containers.get_mut(index) {
            let (signal, out_of_memory, at) = (None, false, now().at);
            let exit = ExitStatus { code, signal, out_of_memory, reason: Some(reason), started_at: None, at };
            one.last_exit = Some(exit.clone());
            one.stage = Stage::Done(exit);
        }
        self.note();
    }

    /// Tells a container to stop.
    pub(super) async fn stop(&mut self, index: usize) {
        let Some(container) = self.spec().containers.get(index).cloned() else { return };
        let own = container.stop_timeout_s.unwrap_or(STOP_TIMEOUT_S_DEFAULT);
        let timeout_s = self.state.ending.and_then(|ending| ending.timeout_s).unwrap_or(own);
        self.state.containers[index].stop =
            Some(Stop { kill_at_ms: now().ms + u64::from(timeout_s) * 1000, killed: false });
        if timeout_s == 0 {
            return;
        }
        let began = self.begin_step(StepName::Stop, Some(&container.name));
        let image = self.assigned.images.get(&container.name).map(|image| &image.run);
        let signal = process::stop_signal(&container, image);
        let told = match self.has.shim.clone() {
            Some(shim) => shim.signal(Target::Container(container.name.clone()), signal).await,
            None => Err(ShimError::Disconnected),
        };
        // What is not there any more has ended, and that is told.
        let failed = told.err().map(|error| Reason::new(ReasonCode::Internal, error.to_string()));
        self.end_step(began, failed.as_ref().map_or(Ok(()), Err));
        self.note();
    }

    /// Kills everything in a container.
    pub(super) async fn kill(&mut self, index: usize) {
        if let Some(stop) = &mut self.state.containers[index].stop {
            stop.killed = true;
        }
        let name = self.state.containers[index].name.clone();
        if let Some(shim) = self.has.shim.clone()
            && let Err(error) = shim.kill(&name).await
        {
            tracing::warn!(%error, workload = %self.id, "a container could not be killed");
        }
        self.note();
    }

    /// Freezes what runs, or lets it go on.
    pub(super) async fn freeze(&self, frozen: bool) -> Result<(), Failure> {
        let not_running = || Failure::new(FailureKind::NotFound, "nothing of the workload runs");
        if !self.state.containers.iter().any(|one| one.is_alive()) {
            return Err(not_running());
        }
        let group = self.has.group.clone().ok_or_else(not_running)?;
        // The sandbox's own process hears the end of others: what is frozen is the containers'.
        let groups =
            (0..self.state.containers.len()).filter_map(move |index| group.open_child(&group_name(index)).ok());
        let groups: Vec<_> = groups.collect();
        let done = aside(move || {
            let change = |group: &sandbox::cgroup::Group| if frozen { group.freeze() } else { group.thaw() };
            groups.iter().try_for_each(change).map_err(|error| Reason::new(ReasonCode::Internal, error.to_string()))
        });
        done.await.map_err(|reason| Failure::new(FailureKind::Internal, reason.message))
    }
}

/// A container that only waits for the sandbox.
pub(super) struct Prepared {
    plan: ContainerPlan,
    root: OwnedFd,
    mounts: Vec<OwnedFd>,
}

/// Those that wait for nothing else, and what was lent to prepare them.
pub(super) type First = (HashMap<usize, Result<Prepared, Reason>>, Option<Area>, HashMap<String, Volume>);

/// All that a container is prepared from.
struct Preparation {
    shared: Arc<Shared>,
    assigned: Arc<Assigned>,
    index: usize,
    wanted: Container,
    image: ImageUse,
    group: Group,
    etc: EtcFiles,
}

impl Preparation {
    /// Makes its group, its root and its mounts. Blocks.
    fn prepare(self, area: &Area, volumes: &HashMap<String, Volume>) -> Result<Prepared, Reason> {
        let Self { shared, assigned, index, wanted, image, group, etc } = self;
        let limits = container::limits(&wanted, disk_of(&shared.directory))?;
        let group = group.child(&group_name(index), &limits).map_err(|error| no_group(&error))?;
        let cgroup = group.plan().map_err(|error| no_group(&error))?;
        let root = root::make(&shared.store, &image, area, index)?;
        let taken: Vec<&str> = wanted.mounts.iter().map(|mount| mount.path.as_str()).collect();
        let etc = etc.mount(&assigned.assignment.spec, area, index, &taken);
        let etc = etc.map_err(|error| Reason::new(ReasonCode::CannotCreate, error.to_string()))?;
        let (plans, mounts) = container::mounts(&wanted, volumes, area, root.as_fd(), etc)?;
        let plan = container::plan(&assigned.assignment.spec, &wanted, cgroup, plans)?;
        Ok(Prepared { plan, root, mounts })
    }
}

fn incomplete() -> Reason {
    Reason::new(ReasonCode::Internal, "the workload lacks what its containers need")
}

/// The disk that the node's directory is on, if it is known.
fn disk_of(directory: &std::path::Path) -> Option<Disk> {
    let directory = std::fs::File::open(directory).ok()?;
    Disk::that_holds(directory).ok().flatten()
}
