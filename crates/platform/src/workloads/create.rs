//! Wanting a workload.

use std::collections::BTreeMap;

use base::ids;
use store::{Scope, Tx, Versioned};
use workload::{Demand, Desired, NodeId, Spec, WorkloadId};

use super::record::{BY_NAME, ContainerSummary, Owner, Removal};
use super::{LogDestination, PullPolicy, Queued, Specification, Workload, WorkloadError, Workloads, names};

/// A workload that is wanted.
#[derive(Debug, Clone, Default)]
pub struct NewWorkload {
    /// What it is.
    pub spec: Spec,
    /// What it is called besides its id.
    pub name: Option<String>,
    /// Who wants it: `run`, `ecs`.
    pub owner: String,
    /// The node that it must be on, if not any.
    pub node: Option<NodeId>,
    /// When its images are asked for anew.
    pub pull: PullPolicy,
    /// Where containers' output goes, by container.
    pub sinks: BTreeMap<String, LogDestination>,
    /// Whether it is removed soon after it has stopped, when all its output has been sent on.
    pub remove_when_stopped: bool,
}

/// A workload that was put into a transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Created {
    /// Its id.
    pub id: WorkloadId,
    /// Its record.
    pub workload: Workload,
}

impl Workloads {
    /// Wants a workload. When this returns it is written down, and will run as soon as there is a node for it; often it has
    /// one already.
    ///
    /// # Errors
    /// [`WorkloadError::Invalid`], [`WorkloadError::Name`], [`WorkloadError::NameTaken`], and the store's.
    pub async fn create(&self, scope: &Scope, new: NewWorkload) -> Result<WorkloadId, WorkloadError> {
        let (workload, spec) = self.checked(new)?;
        let id = workload.workload_id.clone();
        if let Some(placed) = self.placed_at_once(scope, &workload, &spec).await? {
            match self.store().commit(placed).await {
                Ok(_) => return Ok(id),
                // Others were placed meanwhile, or wait: it waits for its turn. Or its name is taken, which is found again.
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut tx = Tx::new();
        queue(&mut tx, scope, &workload, &spec);
        match (self.store().commit(tx).await, &workload.name) {
            (Ok(_), _) => Ok(id),
            (Err(error), Some(name)) if error.is_conflict() => match self.named(scope, name).await? {
                Some(taken) => Err(WorkloadError::NameTaken { name: name.clone(), by: taken.value.workload_id }),
                None => Err(error.into()),
            },
            (Err(error), _) => Err(error.into()),
        }
    }

    /// The same, as a part of the caller's transaction, of which it takes three operations, and a fourth for a name. A name
    /// that is taken is a conflict there.
    ///
    /// # Errors
    /// [`WorkloadError::Invalid`] and [`WorkloadError::Name`].
    pub fn create_in(&self, tx: &mut Tx, scope: &Scope, new: NewWorkload) -> Result<Created, WorkloadError> {
        let (workload, spec) = self.checked(new)?;
        queue(tx, scope, &workload, &spec);
        Ok(Created { id: workload.workload_id.clone(), workload })
    }

    /// The records of a workload that is wanted and has no node.
    fn checked(&self, new: NewWorkload) -> Result<(Workload, Specification), WorkloadError> {
        let NewWorkload { mut spec, name, owner, node, pull, sinks, remove_when_stopped } = new;
        spec.validate()?;
        if let Some(name) = &name {
            names::check(name)?;
        }
        if let Some(unknown) = sinks.keys().find(|name| spec.containers.iter().all(|one| one.name != **name)) {
            let (member, problem) = ("sinks".to_owned(), format!("there is no container {unknown}"));
            return Err(workload::InvalidSpec::Member { member, problem }.into());
        }
        for container in &mut spec.containers {
            container.output.ship |= sinks.contains_key(&container.name);
        }
        let workload = Workload {
            workload_id: ids::hex32(&*self.platform.rng).parse()?,
            name,
            owner,
            labels: spec.labels.clone(),
            containers: ContainerSummary::of(&spec),
            demand: Demand::of(&spec),
            wanted_node: node,
            pull,
            desired: Desired::Running,
            generation: 1,
            node: None,
            accepted: 0,
            images: BTreeMap::new(),
            sinks,
            removal: if remove_when_stopped { Removal::WhenStopped } else { Removal::Kept },
            waiting: None,
            observed: None,
            created_at: self.now(),
            placed_at: None,
            accepted_at: None,
        };
        Ok((workload, Specification(spec)))
    }

    /// The workload that is called so.
    pub(super) async fn named(&self, scope: &Scope, name: &str) -> Result<Option<Versioned<Workload>>, WorkloadError> {
        Ok(self.store().list_by(scope, BY_NAME, name, None, 1).await?.items.pop())
    }
}

/// Has a workload wait for its turn to be placed.
fn queue(tx: &mut Tx, scope: &Scope, workload: &Workload, spec: &Specification) {
    let id = workload.workload_id.as_str();
    let queued = Queued {
        owner: Owner::of(scope),
        workload_id: workload.workload_id.clone(),
        demand: workload.demand.clone(),
        wanted_node: workload.wanted_node.clone(),
    };
    tx.insert(scope, &[id], workload).insert(scope, &[id], spec);
    tx.insert(&Scope::system(), &[&Queued::at(workload.created_at), id], &queued);
}
