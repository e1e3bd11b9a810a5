//! Finds nodes for workloads that have none.
//!
//! What [`scheduler::place`] decides is committed with the nodes that it decides about: what is set aside of a node is
//! written in its record, so a plan for which a node has changed meanwhile is not carried out but made anew. Whoever creates a
//! workload while nothing waits places it by the same decision in the same transaction that writes it down.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Timestamp;
use scheduler::{Pending, Refusals, Reserved, Snapshot};
use store::{ListOptions, Scope, StoreError, Tx, Versioned};
use workload::{NodeId, Reason, ReasonCode, WorkloadId};

use super::record::Owner;
use super::{Node, Placement, Queued, Specification, Workload, Workloads, collect, end};
use crate::BoxFuture;
use crate::reconciler::{Cause, Reconciler, Round, Wake};

/// How many workloads one round looks at, the oldest first.
const QUEUED_A_ROUND_MAX: usize = 20_000;
/// How many placements are written in one transaction: each takes three operations, and each node one.
const PLACED_A_COMMIT: usize = 32;
/// How many reasons to wait are written in one transaction.
const WAITING_A_COMMIT: usize = 64;
/// Up to so many nodes a workload is placed by whoever creates it; of more, many are better placed together.
const NODES_AT_ONCE_MAX: usize = 64;

struct Place(Workloads);

/// What a round has read.
struct Seen {
    queued: BTreeMap<WorkloadId, Versioned<Queued>>,
    nodes: BTreeMap<NodeId, Versioned<Node>>,
    plan: scheduler::Plan,
}

/// A workload and where it goes.
struct Move<'a> {
    queued: &'a Versioned<Queued>,
    workload: Versioned<Workload>,
    node: &'a NodeId,
}

impl Reconciler for Place {
    fn name(&self) -> &str {
        "workload/place"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::records::<Queued>(), Wake::records::<Node>()]
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async {
            let Some(mut seen) = self.look().await? else { return Ok(Round::idle()) };
            let (mut placed, mut outrun) = (0, false);
            let plan = std::mem::take(&mut seen.plan);
            for part in plan.placed.chunks(PLACED_A_COMMIT) {
                match self.commit(&mut seen, part).await {
                    Ok(count) => placed += count,
                    Err(error) if error.is_conflict() => {
                        // The rest of the plan is built on what is not so any more.
                        outrun = true;
                        break;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            let told = if outrun { 0 } else { self.tell(&seen, &plan.refused).await? };
            let again = outrun.then(|| self.0.now());
            let did = format!("placed {placed} workloads, {} wait", plan.refused.len());
            Ok(Round::did(placed + told + u64::from(outrun), did).due(again))
        })
    }
}

impl Place {
    /// Reads what waits and what there is, and decides; nothing if nothing waits.
    async fn look(&self) -> Result<Option<Seen>, Cause> {
        let (mut queued, mut after) = (Vec::new(), None::<String>);
        while queued.len() < QUEUED_A_ROUND_MAX {
            let options = ListOptions { after: after.as_deref(), ..ListOptions::default() };
            let page = self.0.store().list::<Queued>(&Scope::system(), options).await?;
            queued.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if queued.is_empty() {
            return Ok(None);
        }
        let nodes: BTreeMap<NodeId, Versioned<Node>> =
            self.0.nodes().await?.into_iter().filter_map(|node| Some((node.name().parse().ok()?, node))).collect();
        let snapshot = Snapshot { nodes: nodes.iter().map(|(id, node)| node.seen(id.clone())).collect() };
        let pending: Vec<Pending> = queued.iter().map(|one| pending(one)).collect();
        let plan = scheduler::place(&snapshot, &pending);
        let queued = queued.into_iter().map(|one| (one.workload_id.clone(), one)).collect();
        Ok(Some(Seen { queued, nodes, plan }))
    }

    /// Carries out a part of the plan, if nothing of what it depends on has changed.
    async fn commit(&self, seen: &mut Seen, part: &[scheduler::Placed]) -> Result<u64, StoreError> {
        let now = self.0.now();
        let moves = self.moves(seen, part).await?;
        let (mut tx, mut reserved) = (Tx::new(), BTreeMap::<&NodeId, Reserved>::new());
        for Move { queued, workload, node } in &moves {
            let placed = on(node, &workload.value, now);
            tx.replace(workload, &placed).remove(queued);
            insert_placement(&mut tx, &workload.scope, node, &placed);
            if let Some(record) = seen.nodes.get(*node) {
                reserved.entry(*node).or_insert_with(|| record.reserved.clone()).add(&placed.demand);
            }
        }
        let mut after = Vec::new();
        for (id, reserved) in reserved {
            if let Some(record) = seen.nodes.get(id) {
                let node = Node { reserved, ..record.value.clone() };
                tx.replace(record, &node);
                after.push((id.clone(), node));
            }
        }
        let count = moves.len() as u64;
        drop(moves);
        let revision = self.0.store().commit(tx).await?;
        for (id, node) in after {
            if let Some(record) = seen.nodes.get_mut(&id) {
                (record.value, record.modified) = (node, revision);
            }
        }
        Ok(count)
    }

    /// The workloads that a part of the plan moves. One that is gone takes its place in the queue with it.
    async fn moves<'a>(&self, seen: &'a Seen, part: &'a [scheduler::Placed]) -> Result<Vec<Move<'a>>, StoreError> {
        let queued: Vec<&Versioned<Queued>> = part.iter().filter_map(|one| seen.queued.get(&one.id)).collect();
        let mut workloads = self.workloads(&queued).await?;
        let moved = |placed: &'a scheduler::Placed| {
            let (queued, workload) = (seen.queued.get(&placed.id)?, workloads.remove(&placed.id)?);
            Some(Move { queued, workload, node: &placed.node })
        };
        Ok(part.iter().filter_map(moved).collect())
    }

    async fn workloads(
        &self,
        queued: &[&Versioned<Queued>],
    ) -> Result<BTreeMap<WorkloadId, Versioned<Workload>>, StoreError> {
        let mut by_scope: BTreeMap<Scope, Vec<&str>> = BTreeMap::new();
        for one in queued {
            by_scope.entry(one.owner.scope()).or_default().push(one.workload_id.as_str());
        }
        let mut found = BTreeMap::new();
        for (scope, ids) in by_scope {
            let ids: Vec<[&str; 1]> = ids.into_iter().map(|id| [id]).collect();
            let ids: Vec<&[&str]> = ids.iter().map(<[&str; 1]>::as_slice).collect();
            let workloads = self.0.store().read_many::<Workload>(&scope, &ids).await?;
            found.extend(workloads.into_iter().flatten().map(|workload| (workload.workload_id.clone(), workload)));
        }
        Ok(found)
    }

    /// Has those that found no node say why. One that no node will ever take has stopped. Answers how many it changed.
    async fn tell(&self, seen: &Seen, refused: &[scheduler::Refused]) -> Result<u64, Cause> {
        let mut told = 0;
        for part in refused.chunks(WAITING_A_COMMIT) {
            let queued: Vec<&Versioned<Queued>> = part.iter().filter_map(|one| seen.queued.get(&one.id)).collect();
            let workloads = self.workloads(&queued).await?;
            let mut tx = Tx::new();
            for one in part {
                let (Some(workload), Some(queued)) = (workloads.get(&one.id), seen.queued.get(&one.id)) else {
                    continue;
                };
                let mut new = workload.value.clone();
                if one.refusals.are_lasting() {
                    end::end(&mut new, lasting(workload), self.0.now());
                    tx.remove(queued);
                    collect::enqueue(&mut tx, &workload.scope, &new, self.0.now());
                } else {
                    new.waiting = Some(no_room(&one.refusals));
                }
                if new != workload.value {
                    tx.replace(workload, &new);
                    told += 1;
                }
            }
            if !tx.is_empty() {
                match self.0.store().commit(tx).await {
                    Ok(_) => {}
                    // What has changed wakes the next round.
                    Err(error) if error.is_conflict() => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(told)
    }
}

impl Workloads {
    /// What writes down a new workload on a node that takes it, for as long as nobody waits for one; nothing if none does, or
    /// somebody waits already.
    pub(super) async fn placed_at_once(
        &self,
        scope: &Scope,
        workload: &Workload,
        spec: &Specification,
    ) -> Result<Option<Tx>, StoreError> {
        let options = ListOptions { limit: NODES_AT_ONCE_MAX, ..ListOptions::default() };
        let page = self.store().list::<Node>(&Scope::system(), options).await?;
        if page.next.is_some() {
            return Ok(None);
        }
        let seen = |node: &Versioned<Node>| Some(node.seen(node.name().parse().ok()?));
        let snapshot = Snapshot { nodes: page.items.iter().filter_map(seen).collect() };
        let id = workload.workload_id.clone();
        let pending = Pending { id, demand: workload.demand.clone(), node: workload.wanted_node.clone() };
        let Some(found) = scheduler::place(&snapshot, &[pending]).placed.pop() else { return Ok(None) };
        let Some(record) = page.items.iter().find(|node| node.name() == found.node.as_str()) else { return Ok(None) };
        let placed = on(&found.node, workload, self.now());
        let mut node = record.value.clone();
        node.reserved.add(&placed.demand);
        let mut tx = Tx::new();
        tx.require_none::<Queued>(&Scope::system(), &[]);
        let name = [placed.workload_id.as_str()];
        tx.insert(scope, &name, &placed).insert(scope, &name, spec).replace(record, &node);
        insert_placement(&mut tx, scope, &found.node, &placed);
        Ok(Some(tx))
    }
}

/// A workload that has found its node.
fn on(node: &NodeId, workload: &Workload, now: Timestamp) -> Workload {
    Workload { node: Some(node.clone()), placed_at: Some(now), waiting: None, ..workload.clone() }
}

fn insert_placement(tx: &mut Tx, scope: &Scope, node: &NodeId, placed: &Workload) {
    let placement = Placement {
        owner: Owner::of(scope),
        demand: placed.demand.clone(),
        generation: placed.generation,
        is_accepted: false,
        is_stopped: false,
        is_removed: false,
        ships: placed.sinks.keys().cloned().collect(),
    };
    tx.insert(&Scope::system(), &[node.as_str(), placed.workload_id.as_str()], &placement);
}

/// What waits, as placement sees it.
pub(super) fn pending(queued: &Queued) -> Pending {
    Pending { id: queued.workload_id.clone(), demand: queued.demand.clone(), node: queued.wanted_node.clone() }
}

fn no_room(refusals: &Refusals) -> Reason {
    Reason::new(ReasonCode::NoRoom, format!("no node takes it: {refusals}"))
}

fn lasting(workload: &Workload) -> Reason {
    let names: Vec<&str> = workload.demand.attributes.keys().map(String::as_str).collect();
    let message = format!("no node's own configuration allows all of what it asks for: {}", names.join(", "));
    Reason::new(ReasonCode::Refused, message)
}

/// The reconciler, to be started once.
pub(super) fn reconciler(workloads: &Workloads) -> Arc<dyn Reconciler> {
    Arc::new(Place(workloads.clone()))
}

#[cfg(test)]
mod tests;
