//! What becomes of workloads, written down: what nodes tell, and ends of which no node tells.

use std::collections::{BTreeMap, BTreeSet};

use base::Timestamp;
use scheduler::Reserved;
use store::{Scope, StoreError, Tx, Versioned};
use workload::{ContainerState, NodeId, Observed, Reason, StepOutcome, WorkloadId, limits};

use super::{Node, Placement, Workload, Workloads, collect, end};

/// How many workloads are written in one transaction: each takes three operations at most, and their node one.
pub(super) const UPDATES_A_COMMIT: usize = 32;
/// How often a transaction is built anew because somebody else changed what it depends on.
const ATTEMPTS_MAX: u32 = 32;

/// Something that became of a workload.
#[derive(Debug, Clone)]
pub(super) enum Update {
    /// Its node tells.
    Observed {
        /// The generation that the node works on.
        generation: u64,
        /// What came of it.
        observed: Box<Observed>,
        /// The manifests of its images, if they are known here.
        images: BTreeMap<String, String>,
    },
    /// It has ended, and no node will tell how.
    Ended(Reason),
}

/// What a workload is after an update; nothing if that changes nothing. What has stopped stays as it is, and what is older
/// than what is known is passed over.
pub(super) fn updated(workload: &Workload, update: &Update, now: Timestamp) -> Option<Workload> {
    if workload.is_stopped() {
        return None;
    }
    let mut new = workload.clone();
    match update {
        Update::Observed { generation, observed, images } => {
            let known = workload.observed.as_ref();
            if known.is_some_and(|known| known.sequence >= observed.sequence || known.phase > observed.phase) {
                return None;
            }
            new.observed = Some(bounded(workload, observed));
            new.accepted = workload.accepted.max(*generation);
            new.accepted_at = workload.accepted_at.or(Some(now));
            new.waiting = None;
            if !images.is_empty() {
                new.images.clone_from(images);
            }
        }
        Update::Ended(reason) => end::end(&mut new, reason.clone(), now),
    }
    (new != *workload).then_some(new)
}

/// What a node tells, made to fit: whatever it says, a record stays within its limit.
fn bounded(workload: &Workload, observed: &Observed) -> Observed {
    let mut observed = observed.clone();
    let mut left: BTreeSet<&str> = workload.containers.iter().map(|one| one.name.as_str()).collect();
    observed.containers.retain(|container| left.remove(container.name.as_str()));
    let excess = observed.steps.len().saturating_sub(Observed::STEPS_MAX);
    observed.steps.drain(..excess);
    observed.ports.truncate(limits::PORTS_MAX);
    for container in &mut observed.containers {
        if container.image_digest.as_ref().is_some_and(|digest| digest.len() > limits::NAME_BYTES_MAX) {
            container.image_digest = None;
        }
        let exits = container.last_exit.iter_mut();
        match &mut container.state {
            ContainerState::Waiting { reason } => shorten(reason),
            ContainerState::Exited(exit) => exit.reason.iter_mut().for_each(shorten),
            ContainerState::Running { .. } | ContainerState::Paused { .. } => {}
        }
        exits.filter_map(|exit| exit.reason.as_mut()).for_each(shorten);
    }
    for step in &mut observed.steps {
        if step.container.as_ref().is_some_and(|name| name.len() > limits::NAME_BYTES_MAX) {
            step.container = None;
        }
        if let StepOutcome::Failed(reason) = &mut step.outcome {
            shorten(reason);
        }
    }
    observed.reason.iter_mut().for_each(shorten);
    observed
}

fn shorten(reason: &mut Reason) {
    reason.message.truncate(reason.message.floor_char_boundary(Reason::MESSAGE_BYTES_MAX));
}

impl Workloads {
    /// Writes down what became of workloads that are placed on a node, in as few transactions as it takes. Answers how many
    /// it changed. What is said of others is passed over.
    pub(super) async fn update_placed(
        &self,
        node: &NodeId,
        updates: &[(WorkloadId, Update)],
    ) -> Result<u64, StoreError> {
        let mut changed = 0;
        let mut parts: Vec<&[(WorkloadId, Update)]> = updates.chunks(UPDATES_A_COMMIT).rev().collect();
        while let Some(part) = parts.pop() {
            match self.update_part(node, part).await {
                Ok(count) => changed += count,
                // Large ones do not fit together.
                Err(StoreError::TooLarge { .. }) if part.len() > 1 => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(changed)
    }

    async fn update_part(&self, node: &NodeId, part: &[(WorkloadId, Update)]) -> Result<u64, StoreError> {
        for attempt in 1.. {
            let (tx, changed) = self.build(node, part).await?;
            if tx.is_empty() {
                return Ok(0);
            }
            match self.store().commit(tx).await {
                Ok(_) => return Ok(changed),
                Err(error) if error.is_conflict() && attempt < ATTEMPTS_MAX => {}
                Err(error) => return Err(error),
            }
        }
        unreachable!("the last attempt returns")
    }

    async fn build(&self, node: &NodeId, part: &[(WorkloadId, Update)]) -> Result<(Tx, u64), StoreError> {
        let (mut tx, mut changed, now) = (Tx::new(), 0, self.now());
        let placed = self.placed(node, part.iter().map(|(id, _)| id)).await?;
        let mut freed: Vec<&Versioned<Placement>> = Vec::new();
        for (id, update) in part {
            let Some((placement, workload)) = placed.get(id) else { continue };
            let Some(new) = updated(workload, update, now) else { continue };
            changed += 1;
            let is_heard_of = matches!(update, Update::Observed { .. });
            let after = Placement {
                generation: new.generation,
                is_accepted: placement.is_accepted || is_heard_of,
                is_stopped: new.is_stopped(),
                ..placement.value.clone()
            };
            if after.is_stopped && !placement.is_stopped {
                freed.push(placement);
            }
            if after != placement.value {
                tx.replace(placement, &after);
            } else {
                tx.require(placement);
            }
            collect::enqueue(&mut tx, &workload.scope, &new, now);
            tx.replace(workload, &new);
        }
        if !freed.is_empty()
            && let Some(record) = self.store().read::<Node>(&Scope::system(), &[node.as_str()]).await?
        {
            let mut reserved = record.reserved.clone();
            freed.iter().for_each(|placement| reserved.subtract(&placement.demand));
            tx.replace(&record, &Node { reserved, ..record.value.clone() });
        }
        Ok((tx, changed))
    }

    /// The placements of workloads on a node, and the workloads; without those that have none there.
    pub(super) async fn placed<'a>(
        &self,
        node: &NodeId,
        ids: impl Iterator<Item = &'a WorkloadId>,
    ) -> Result<BTreeMap<WorkloadId, (Versioned<Placement>, Versioned<Workload>)>, StoreError> {
        let ids: Vec<[&str; 2]> = ids.map(|id| [node.as_str(), id.as_str()]).collect();
        let ids: Vec<&[&str]> = ids.iter().map(<[&str; 2]>::as_slice).collect();
        let placements = self.store().read_many::<Placement>(&Scope::system(), &ids).await?;
        let mut by_scope: BTreeMap<Scope, Vec<Versioned<Placement>>> = BTreeMap::new();
        for placement in placements.into_iter().flatten() {
            by_scope.entry(placement.scope()).or_default().push(placement);
        }
        let mut found = BTreeMap::new();
        for (scope, placements) in by_scope {
            let ids: Vec<[&str; 1]> = placements.iter().map(|placement| [placement.name()]).collect();
            let ids: Vec<&[&str]> = ids.iter().map(<[&str; 1]>::as_slice).collect();
            let workloads = self.store().read_many::<Workload>(&scope, &ids).await?;
            let both = placements.iter().zip(workloads);
            found.extend(both.filter_map(|(placement, workload)| {
                let workload = workload?;
                Some((workload.workload_id.clone(), (placement.clone(), workload)))
            }));
        }
        Ok(found)
    }

    /// All placements on a node.
    pub(super) async fn placements(&self, node: &NodeId) -> Result<Vec<Versioned<Placement>>, StoreError> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let id_prefix = [node.as_str()];
            let options =
                store::ListOptions { id_prefix: &id_prefix, after: after.as_deref(), ..store::ListOptions::default() };
            let page = self.store().list::<Placement>(&Scope::system(), options).await?;
            all.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(all);
            }
        }
    }
}

/// What is set aside for placements.
pub(super) fn reserved_for(placements: &[Versioned<Placement>]) -> Reserved {
    let mut reserved = Reserved::default();
    placements.iter().filter(|one| !one.is_stopped).for_each(|one| reserved.add(&one.demand));
    reserved
}
