//! Keeps a node doing what is wanted of it.
//!
//! A round connects with the node if need be, writes down what the node told since the last one, and sets going what differs
//! between what is wanted and what the node is known to have. Of what is told while a commit is under way the latest is written
//! down, and the steps of a start are gathered; what the node may forget has been written down before. Each workload is brought further by a task of its own
//! ([`settle`]), never two for one: an image that is long on its way holds up nobody else.

mod link;
mod prepare;
mod settle;
mod state;
mod step;

use std::sync::{Arc, Mutex, PoisonError};

use base::Timestamp;
use store::{ChangeCount, Record, Scope, Versioned};
use workload::{NodeId, WorkloadId};

use super::change::Update;
use super::record::workload_of;
use super::{NodeDriver, Placement, Workloads};
use crate::BoxFuture;
use crate::reconciler::{Cause, Crew, Reconciler, Round, Wake};
use state::{State, Told};
use step::{Step, next};

/// How many workloads are brought further at one time.
const AT_ONCE: usize = 64;

struct Drive {
    name: String,
    shared: Arc<Shared>,
    crew: Crew,
    wanted: Mutex<Option<Wanted>>,
    changes: ChangeCount,
}

/// What the tasks of one node share.
struct Shared {
    workloads: Workloads,
    node: NodeId,
    driver: Arc<dyn NodeDriver>,
    state: State,
}

/// The placements, as they were when so many changes had been counted.
struct Wanted {
    count: u64,
    placements: Arc<Vec<Versioned<Placement>>>,
}

impl Reconciler for Drive {
    fn name(&self) -> &str {
        &self.name
    }

    fn wakes(&self) -> Vec<Wake> {
        let placements = Wake::Prefix(placements_key(&self.shared.node));
        vec![placements, Wake::Signal(self.shared.state.signal()), self.crew.wake()]
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async {
            self.crew.check()?;
            let retry = self.shared.link().await?;
            let (written, more_at) = self.shared.write().await?;
            let (started, due) = if self.shared.state.is_ready() { self.set_going().await? } else { (0, None) };
            let did = format!("wrote down {written} changes, set {started} going");
            Ok(Round::did(written + started, did).due(retry.into_iter().chain(due).chain(more_at).min()))
        })
    }
}

impl Drive {
    /// Sets everything going that differs from what is wanted. Answers how much that was, and when to look again.
    async fn set_going(&self) -> Result<(u64, Option<Timestamp>), Cause> {
        let placements = self.placements().await?;
        let now = self.shared.workloads.now();
        let (mut started, mut due) = (0, None::<Timestamp>);
        for id in self.shared.state.unsettled(&placements) {
            if let Some(later) = self.shared.state.retry_at(&id).filter(|at| *at > now) {
                due = Some(due.map_or(later, |due| due.min(later)));
                continue;
            }
            // One that ends wakes the next round.
            if self.crew.places_left() == 0 {
                break;
            }
            let shared = Arc::clone(&self.shared);
            let subject = id.to_string();
            started += u64::from(self.crew.start(&subject, move || settle::settle(Arc::clone(&shared), id.clone())));
        }
        Ok((started, due))
    }

    /// The placements on the node, read anew only if one has changed.
    async fn placements(&self) -> Result<Arc<Vec<Versioned<Placement>>>, Cause> {
        // Before they are read: a change that comes between is seen twice, not never.
        let count = self.changes.get();
        let known = {
            let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            wanted.as_ref().filter(|wanted| wanted.count == count).map(|wanted| Arc::clone(&wanted.placements))
        };
        if let Some(placements) = known {
            return Ok(placements);
        }
        let placements = Arc::new(self.shared.workloads.placements(&self.shared.node).await?);
        let read = Wanted { count, placements: Arc::clone(&placements) };
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = Some(read);
        Ok(placements)
    }
}

impl Shared {
    /// Writes down what the node has told and cannot wait. Answers how much of it was new, and when to write down the rest.
    async fn write(&self) -> Result<(u64, Option<Timestamp>), Cause> {
        let (told, more_at) = self.state.take_told(self.workloads.now());
        if told.is_empty() {
            return Ok((0, more_at));
        }
        let updates: Vec<(WorkloadId, Update)> = told.iter().map(|(id, told)| (id.clone(), told.update())).collect();
        match self.workloads.update_placed(&self.node, &updates).await {
            Ok(changed) => Ok((changed, more_at)),
            Err(error) => {
                self.state.put_back(told);
                Err(error.into())
            }
        }
    }
}

impl State {
    /// The workloads that are not as they should be.
    fn unsettled(&self, placements: &[Versioned<Placement>]) -> Vec<WorkloadId> {
        let known = self.known();
        let mut unsettled: Vec<WorkloadId> = Vec::new();
        let mut placed = std::collections::BTreeSet::new();
        for placement in placements {
            let Some(id) = workload_of(placement) else { continue };
            if next(Some(placement), known.get(&id)) != Step::Nothing {
                unsettled.push(id.clone());
            }
            placed.insert(id);
        }
        let strangers = known.iter().filter(|(id, _)| !placed.contains(*id));
        unsettled
            .extend(strangers.filter(|(_, known)| next(None, Some(known)) != Step::Nothing).map(|(id, _)| id.clone()));
        unsettled
    }
}

impl Told {
    fn update(&self) -> Update {
        Update::Observed { generation: self.generation, observed: self.observed.clone(), images: self.images.clone() }
    }
}

/// Below which a node's placements lie.
fn placements_key(node: &NodeId) -> store::Key {
    Scope::system().key().join([Placement::SERVICE, Placement::KIND, node.as_str()])
}

/// The reconciler of one node.
pub(super) fn reconciler(workloads: &Workloads, node: NodeId, driver: Arc<dyn NodeDriver>) -> Arc<dyn Reconciler> {
    let changes = workloads.store().count_changes(&placements_key(&node));
    let name = format!("workload/drive/{node}");
    let shared = Arc::new(Shared { workloads: workloads.clone(), node, driver, state: State::default() });
    Arc::new(Drive { name, shared, crew: Crew::new(AT_ONCE), wanted: Mutex::default(), changes })
}
