//! Nodes: what they have, and whether they are there.

use std::collections::BTreeMap;

use scheduler::{Availability, Capacity, Reserved};
use store::{ListOptions, Op, Scope, StoreError, Tx, Versioned};
use workload::{NodeId, Reason, ReasonCode, WorkloadId};

use super::change::{UPDATES_A_COMMIT, Update, reserved_for};
use super::record::workload_of;
use super::{Description, Node, Placement, Specification, WorkloadError, Workloads};
use crate::contention::Attempts;

/// As many digits of an id tell one workload from another to a person; Docker's.
const SHORT_ID: usize = 12;

impl Workloads {
    /// All nodes, in the order of their names.
    ///
    /// # Errors
    /// The store's.
    pub async fn nodes(&self) -> Result<Vec<Versioned<Node>>, WorkloadError> {
        let (mut nodes, mut after) = (Vec::new(), None::<String>);
        loop {
            let options = ListOptions { after: after.as_deref(), ..ListOptions::default() };
            let page = self.store().list::<Node>(&Scope::system(), options).await?;
            nodes.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(nodes);
            }
        }
    }

    /// A node.
    ///
    /// # Errors
    /// [`WorkloadError::NoSuchNode`], and the store's.
    pub async fn node(&self, id: &NodeId) -> Result<Versioned<Node>, WorkloadError> {
        let found = self.store().read(&Scope::system(), &[id.as_str()]).await?;
        found.ok_or_else(|| WorkloadError::NoSuchNode { given: id.to_string() })
    }

    /// Whose the workloads on a node are, and what they are called: by their names, or by the beginnings of their ids.
    ///
    /// # Errors
    /// The store's.
    pub async fn owners_on(&self, id: &NodeId) -> Result<BTreeMap<WorkloadId, (Scope, String)>, WorkloadError> {
        let placements = self.placements(id).await?;
        let ids: Vec<WorkloadId> = placements.iter().filter(|one| !one.is_stopped).filter_map(workload_of).collect();
        let mut owners = BTreeMap::new();
        for part in ids.chunks(UPDATES_A_COMMIT) {
            let placed = self.placed(id, part.iter()).await?;
            owners.extend(placed.into_iter().map(|(id, (_, workload))| {
                let begin = &id.as_str()[..SHORT_ID];
                let name = workload.value.name.unwrap_or_else(|| begin.to_owned());
                (id, (workload.scope, name))
            }));
        }
        Ok(owners)
    }

    /// Takes a node for lost, with all that it ran: each of its workloads has stopped when this returns, and what was set
    /// aside for them is free. Should the node come back, it has them killed.
    ///
    /// # Errors
    /// [`WorkloadError::NoSuchNode`], and the store's.
    pub async fn host_lost(&self, id: &NodeId, why: &str) -> Result<(), WorkloadError> {
        // First the node, so that nothing more is placed there.
        self.set_availability(id, Availability::Lost, Some(why)).await?;
        let reason = Reason::new(ReasonCode::HostLost, format!("node {id} is lost: {why}"));
        Ok(self.end_all(id, &reason, |_| true).await?)
    }

    /// Forgets a node that will not come back, with all that is kept of what it ran but the workloads' own records.
    ///
    /// # Errors
    /// [`WorkloadError::NoSuchNode`], and the store's.
    pub async fn forget_node(&self, id: &NodeId) -> Result<(), WorkloadError> {
        self.host_lost(id, "it was removed").await?;
        for placement in self.placements(id).await? {
            self.forget_placement(id, &placement).await?;
        }
        let node = self.node(id).await?;
        let mut tx = Tx::new();
        tx.remove(&node);
        self.store().commit(tx).await?;
        Ok(())
    }

    /// Notes that there is a node, before it has said what it has: what is wanted waits for it.
    ///
    /// # Errors
    /// The store's.
    pub async fn expect_node(&self, id: &NodeId) -> Result<(), WorkloadError> {
        let now = self.now();
        let node = Node {
            availability: Availability::Away,
            since: now,
            capacity: Capacity::default(),
            reserved: Reserved::default(),
            attributes: BTreeMap::new(),
            boot_id: String::new(),
            registered_at: now,
            problem: Some("it has not said yet what it has".to_owned()),
        };
        let mut tx = Tx::new();
        tx.insert(&Scope::system(), &[id.as_str()], &node);
        match self.store().commit(tx).await {
            // It is known already.
            Err(error) if error.is_conflict() => Ok(()),
            noted => Ok(noted.map(drop)?),
        }
    }

    /// Writes down what a node has, and that it is there. One whose machine was started anew has lost what it ran.
    pub(super) async fn register(&self, id: &NodeId, description: &Description) -> Result<(), WorkloadError> {
        let mut attempts = Attempts::new();
        loop {
            let registered = self.try_register(id, description).await;
            if !attempts.again(&registered) {
                return registered;
            }
        }
    }

    async fn try_register(&self, id: &NodeId, description: &Description) -> Result<(), WorkloadError> {
        let known = self.store().read::<Node>(&Scope::system(), &[id.as_str()]).await?;
        if known.as_ref().is_some_and(|known| known.boot_id != description.boot_id) {
            // Before the new name is written down: who dies in between does it again.
            let reason = Reason::new(ReasonCode::HostLost, format!("the machine of node {id} was started anew"));
            self.end_all(id, &reason, |placement| placement.is_accepted).await?;
        }
        let known = self.store().read::<Node>(&Scope::system(), &[id.as_str()]).await?;
        let now = self.now();
        let node = Node {
            availability: Availability::Ready,
            since: known.as_ref().filter(|known| known.availability == Availability::Ready).map_or(now, |it| it.since),
            capacity: Capacity {
                cpu_millis: description.cpu_millis,
                memory_bytes: description.memory_bytes,
                disk_bytes: description.disk_bytes,
            },
            // Counted anew each time, so that no mistake stays.
            reserved: reserved_for(&self.placements(id).await?),
            attributes: description.attributes.clone(),
            boot_id: description.boot_id.clone(),
            registered_at: known.as_ref().map_or(now, |known| known.registered_at),
            problem: None,
        };
        let mut tx = Tx::new();
        match &known {
            Some(known) if known.value == node => return Ok(()),
            Some(known) => tx.replace(known, &node),
            None => tx.insert(&Scope::system(), &[id.as_str()], &node),
        };
        self.store().commit(tx).await?;
        Ok(())
    }

    /// Notes that a node does not answer: nothing is placed there until it does. One that is lost stays so, and of one that is
    /// not known nothing is noted.
    ///
    /// # Errors
    /// The store's.
    pub async fn away(&self, id: &NodeId, why: &str) -> Result<(), WorkloadError> {
        match self.node(id).await {
            Ok(node) if node.availability == Availability::Ready => {
                self.set_availability(id, Availability::Away, Some(why)).await
            }
            Ok(_) | Err(WorkloadError::NoSuchNode { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn set_availability(&self, id: &NodeId, to: Availability, why: Option<&str>) -> Result<(), WorkloadError> {
        let now = self.now();
        let problem = why.map(|why| Reason::new(ReasonCode::Internal, why).message);
        let (system, name) = (Scope::system(), [id.as_str()]);
        let changed = self.store().update::<Node, WorkloadError>(&system, &name, |node| {
            if node.availability != to {
                (node.availability, node.since) = (to, now);
                node.problem.clone_from(&problem);
            }
            Ok(())
        });
        match changed.await {
            Err(WorkloadError::Store(StoreError::NotFound { .. })) => {
                Err(WorkloadError::NoSuchNode { given: id.to_string() })
            }
            changed => changed.map(drop),
        }
    }

    /// Ends workloads of a node of which it will tell nothing more.
    async fn end_all(
        &self,
        node: &NodeId,
        reason: &Reason,
        which: impl Fn(&Placement) -> bool,
    ) -> Result<(), StoreError> {
        let placements = self.placements(node).await?;
        let ended: Vec<(WorkloadId, Update)> = placements
            .iter()
            .filter(|placement| !placement.is_stopped && which(placement))
            .filter_map(|placement| Some((workload_of(placement)?, Update::Ended(reason.clone()))))
            .collect();
        self.update_placed(node, &ended).await.map(drop)
    }

    /// Removes a placement of which the node knows nothing any more, and what was kept for its sake.
    pub(super) async fn forget_placement(
        &self,
        node: &NodeId,
        placement: &Versioned<Placement>,
    ) -> Result<(), StoreError> {
        let (system, id) = (Scope::system(), placement.name());
        let mut tx = Tx::new();
        tx.remove(placement);
        let shipped = system.key().join(["workload", "shipped", node.as_str(), id]);
        tx.op(Op::DeletePrefix { prefix: shipped, limit: store::limits::PREFIX_DELETIONS_MAX });
        if placement.is_removed
            && let Some(spec) = self.store().read::<Specification>(&placement.scope(), &[id]).await?
        {
            tx.remove(&spec);
        }
        self.store().commit(tx).await.map(drop)
    }
}
