//! Sessions about workloads: following, and what goes into and comes out of containers.

use std::sync::Arc;

use sandbox::client::Shim;
use workload::{ContainerState, WorkloadId};

use super::worker::LiveParts;
use super::{Handle, Shared, no_such};
use crate::agent::session::{Gone, Telling};
use crate::protocol::{Event, Failure, FailureKind};

/// Tells of every workload, then of each change, until whoever asked is gone.
pub(super) async fn follow(shared: &Shared, telling: &Telling) -> Result<(), Gone> {
    let mut changes = shared.board.changes();
    let mut last = 0;
    let mut is_told = false;
    loop {
        changes.mark_unchanged();
        while let Some((id, told)) = shared.board.after(last) {
            last = told.change;
            let observed = Box::new((*told.observed).clone());
            telling.tell(Event::Observed { id, generation: told.generation, observed }).await?;
        }
        if !is_told {
            telling.tell(Event::Told).await?;
            is_told = true;
        }
        // The board outlives all sessions.
        if changes.changed().await.is_err() {
            return Err(Gone);
        }
    }
}

/// A container of a workload.
pub(super) struct Target {
    pub(super) id: WorkloadId,
    pub(super) handle: Arc<Handle>,
    pub(super) container: String,
}

impl Target {
    /// The container of this name, or the only one.
    pub(super) fn find(shared: &Shared, id: &WorkloadId, container: Option<&str>) -> Result<Self, Failure> {
        let handle = shared.handle(id).ok_or_else(|| no_such(id))?;
        let containers = &handle.assigned.assignment.spec.containers;
        let found = match (container, containers.as_slice()) {
            (Some(name), all) => all.iter().find(|one| one.name == name),
            (None, [only]) => Some(only),
            (None, _) => {
                let message = format!("workload {id} has several containers: name one");
                return Err(Failure::new(FailureKind::Refused, message));
            }
        };
        let container = found.map(|one| one.name.clone());
        let container = container
            .ok_or_else(|| Failure::new(FailureKind::NotFound, format!("workload {id} has no such container")))?;
        Ok(Self { id: id.clone(), handle, container })
    }

    pub(super) fn live(&self) -> LiveParts {
        self.handle.live.now()
    }

    /// Its shim, if the container runs.
    pub(super) fn running(&self, shared: &Shared) -> Result<Shim, Failure> {
        let state = self.state(shared);
        let runs = matches!(state, Some(ContainerState::Running { .. } | ContainerState::Paused { .. }));
        self.live().shim.filter(|_| runs).ok_or_else(|| self.not_running())
    }

    /// Its shim, unless the container is over: that it runs the shim knows a moment before others are told, who may have seen
    /// what it printed.
    pub(super) fn shim(&self, shared: &Shared) -> Result<Shim, Failure> {
        self.live().shim.filter(|_| !self.is_over(shared)).ok_or_else(|| self.not_running())
    }

    fn not_running(&self) -> Failure {
        Failure::new(FailureKind::NotFound, format!("the container {} does not run", self.container))
    }

    /// Whether it will never print anything more.
    pub(super) fn is_over(&self, shared: &Shared) -> bool {
        match shared.board.get(&self.id) {
            None => true,
            Some(told) => {
                told.observed.phase.is_final() || matches!(self.state(shared), Some(ContainerState::Exited(_)))
            }
        }
    }

    fn state(&self, shared: &Shared) -> Option<ContainerState> {
        let told = shared.board.get(&self.id)?;
        told.observed.containers.iter().find(|one| one.name == self.container).map(|one| one.state.clone())
    }
}
