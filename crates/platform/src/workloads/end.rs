//! Stopping workloads and removing them.

use base::Timestamp;
use store::{Scope, StoreError, Tx, Versioned};
use workload::{
    ContainerObserved, ContainerState, Desired, ExitStatus, Health, Observed, Phase, Reason, ReasonCode, WorkloadId,
};

use super::record::Removal;
use super::{Placement, Queued, Specification, Workload, WorkloadError, Workloads, collect};
use crate::contention::Attempts;

/// How a workload is to be stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Instead of the containers' own stop timeouts, in seconds; 0 kills at once.
    pub timeout_s: Option<u32>,
    /// Why, for a person.
    pub reason: String,
}

/// What became of a workload that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It is gone.
    Gone,
    /// It goes as soon as it has stopped and all its output has been sent on; see [`Workloads::wait`].
    Going,
}

impl Workloads {
    /// Has a workload stopped. One that has no node yet has stopped when this returns, another when its node says so. Of
    /// several stops the shortest timeout holds.
    ///
    /// # Errors
    /// [`WorkloadError::NotFound`], and the store's.
    pub async fn stop(&self, scope: &Scope, id: &WorkloadId, stop: &Stop) -> Result<(), WorkloadError> {
        self.change(scope, id, |workload| {
            if !is_shorter(stop.timeout_s, &workload.desired) {
                return false;
            }
            workload.desired = Desired::Stopped { timeout_s: stop.timeout_s, reason: brief(&stop.reason) };
            true
        })
        .await
    }

    /// Removes a workload that has stopped; with `force` one that runs, too, which is killed before.
    ///
    /// # Errors
    /// [`WorkloadError::NotFound`], [`WorkloadError::NotStopped`], and the store's.
    pub async fn remove(&self, scope: &Scope, id: &WorkloadId, force: bool) -> Result<Removed, WorkloadError> {
        let found = self.get(scope, id).await?.ok_or_else(|| not_found(id))?;
        if !found.is_stopped() && !force {
            return Err(WorkloadError::NotStopped { id: id.clone() });
        }
        if found.is_stopped() && self.collect(scope, id).await? {
            return Ok(Removed::Gone);
        }
        self.change(scope, id, |workload| {
            let changes = workload.removal != Removal::Asked;
            workload.removal = Removal::Asked;
            let stops = !workload.is_stopped() && is_shorter(Some(0), &workload.desired);
            if stops {
                workload.desired = Desired::Stopped { timeout_s: Some(0), reason: "it was removed".to_owned() };
            }
            changes || stops
        })
        .await?;
        Ok(if self.collect(scope, id).await? { Removed::Gone } else { Removed::Going })
    }

    /// Changes what is wanted of a workload, and lets its node or whoever collects it know. `change` answers whether it did.
    async fn change(
        &self,
        scope: &Scope,
        id: &WorkloadId,
        change: impl Fn(&mut Workload) -> bool,
    ) -> Result<(), WorkloadError> {
        let mut attempts = Attempts::new();
        loop {
            let found = self.get(scope, id).await?.ok_or_else(|| not_found(id))?;
            let mut workload = found.value.clone();
            if !change(&mut workload) {
                return Ok(());
            }
            let placement = self.placement(&found).await?;
            let tx = self.changed(&found, placement.as_ref(), workload);
            let committed = self.store().commit(tx).await.map(drop).map_err(WorkloadError::from);
            if !attempts.again(&committed) {
                return committed;
            }
        }
    }

    fn changed(&self, old: &Versioned<Workload>, placement: Option<&Versioned<Placement>>, mut new: Workload) -> Tx {
        let mut tx = Tx::new();
        let is_new_wish = new.desired != old.desired && !old.is_stopped();
        if is_new_wish {
            new.generation = next_generation(&new);
            match placement {
                Some(placement) => {
                    let changed = Placement { generation: new.generation, ..placement.value.clone() };
                    tx.replace(placement, &changed);
                }
                None => {
                    let reason = Reason::new(ReasonCode::Asked, stop_reason(&new.desired));
                    end(&mut new, reason, self.now());
                    tx.op(self.unqueue(old));
                }
            }
        }
        collect::enqueue(&mut tx, &old.scope, &new, self.now());
        tx.replace(old, &new);
        tx
    }

    /// Takes a workload off the list of those that have no node.
    pub(super) fn unqueue(&self, workload: &Workload) -> store::Op {
        let at = Queued::at(workload.created_at);
        let key = Scope::system().key().join(["workload", "queued", &at, workload.workload_id.as_str()]);
        store::Op::Delete { key }
    }

    /// The placement of a workload, if it has one.
    pub(super) async fn placement(&self, workload: &Workload) -> Result<Option<Versioned<Placement>>, StoreError> {
        let Some(node) = &workload.node else { return Ok(None) };
        self.store().read(&Scope::system(), &[node.as_str(), workload.workload_id.as_str()]).await
    }

    /// Removes the record of a workload that has stopped. What its node has of it goes when the node has heard of it.
    pub(super) async fn erase(&self, found: &Versioned<Workload>) -> Result<(), WorkloadError> {
        let mut tx = Tx::new();
        tx.remove(found);
        match self.placement(found).await? {
            Some(placement) => {
                tx.replace(&placement, &Placement { is_removed: true, ..placement.value.clone() });
            }
            None => {
                let spec = self.store().read::<Specification>(&found.scope, &[found.workload_id.as_str()]).await?;
                if let Some(spec) = spec {
                    tx.remove(&spec);
                }
            }
        }
        self.store().commit(tx).await?;
        Ok(())
    }
}

/// What comes after all that its node may have heard.
fn next_generation(workload: &Workload) -> u64 {
    workload.generation.max(workload.accepted).saturating_add(1)
}

/// Whether a stop with this timeout asks for more than what is wanted already.
fn is_shorter(timeout_s: Option<u32>, desired: &Desired) -> bool {
    match desired {
        Desired::Running => true,
        Desired::Stopped { timeout_s: present, .. } => match (timeout_s, present) {
            (Some(wanted), Some(present)) => wanted < *present,
            (Some(_), None) => true,
            (None, _) => false,
        },
    }
}

/// Why it is to be stopped.
pub(super) fn stop_reason(desired: &Desired) -> String {
    match desired {
        Desired::Running => String::new(),
        Desired::Stopped { reason, .. } => reason.clone(),
    }
}

/// The beginning of a reason that somebody gave.
fn brief(reason: &str) -> String {
    reason[..reason.floor_char_boundary(Reason::MESSAGE_BYTES_MAX)].to_owned()
}

fn not_found(id: &WorkloadId) -> WorkloadError {
    WorkloadError::NotFound { given: id.to_string() }
}

/// Ends a workload of which no node will tell how it ended. Should its node have it after all, the new generation has it
/// killed there.
pub(super) fn end(workload: &mut Workload, reason: Reason, now: Timestamp) {
    let last = workload.observed.take();
    let before = last.unwrap_or_else(|| never_begun(workload));
    let exited = |container: ContainerObserved| {
        let started_at = match &container.state {
            ContainerState::Exited(_) => return container,
            ContainerState::Running { since, .. } | ContainerState::Paused { since } => Some(*since),
            ContainerState::Waiting { .. } => None,
        };
        let exit = ExitStatus {
            code: None,
            signal: None,
            out_of_memory: false,
            reason: Some(reason.clone()),
            started_at,
            at: now,
        };
        ContainerObserved { state: ContainerState::Exited(exit), health: Health::Unknown, ..container }
    };
    workload.observed = Some(Observed {
        sequence: before.sequence,
        phase: Phase::Stopped,
        containers: before.containers.into_iter().map(exited).collect(),
        reason: Some(reason),
        address: None,
        ports: Vec::new(),
        stopped_at: Some(now),
        ..before
    });
    workload.waiting = None;
    if workload.desired == Desired::Running {
        workload.desired = Desired::Stopped { timeout_s: Some(0), reason: "it has ended".to_owned() };
    }
    workload.generation = next_generation(workload);
}

fn never_begun(workload: &Workload) -> Observed {
    let waiting = |summary: &super::ContainerSummary| ContainerObserved {
        name: summary.name.clone(),
        image_digest: None,
        state: ContainerState::Waiting { reason: Reason::new(ReasonCode::Waiting, "") },
        health: Health::Unknown,
        restarts: 0,
        last_exit: None,
        output_bytes_lost: 0,
    };
    Observed {
        sequence: 0,
        phase: Phase::Pending,
        reason: None,
        containers: workload.containers.iter().map(waiting).collect(),
        address: None,
        ports: Vec::new(),
        steps: Vec::new(),
        started_at: None,
        stopped_at: None,
    }
}
