//! Sends the output of containers to where it is to go.
//!
//! One task for each container reads from the node where the last one left off, makes lines of what it reads, and notes how
//! far it is whenever these are stored. So nothing is sent on twice but what was on its way when the server died, and a sink
//! that takes nothing holds up no container: the node overwrites the oldest, and how much was lost is told in its place.

mod lines;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::Timestamp;
use store::{Record, Scope, Versioned};
use workload::{NodeId, WorkloadId};

use super::record::workload_of;
use super::{NodeDriver, Placement, Workloads};
use crate::BoxFuture;
use crate::backoff::Backoff;
use crate::ports::LogSink;
use crate::reconciler::{Cause, Crew, Reconciler, Round, Wake};

/// How many containers' output is sent on at one time. If there are more, they take turns.
const AT_ONCE: usize = 512;
/// How often they take turns.
const TURN: Duration = Duration::from_secs(2);
/// When something is tried again that failed.
const RETRY: Backoff = Backoff { first: Duration::from_millis(200), longest: Duration::from_secs(30) };

/// A container's output.
type Source = (WorkloadId, String);

struct Ship {
    name: String,
    shared: Arc<Shared>,
    crew: Crew,
}

/// What the tasks of one node share.
struct Shared {
    workloads: Workloads,
    node: NodeId,
    driver: Arc<dyn NodeDriver>,
    sink: Arc<dyn LogSink>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Those of which there is no more.
    done: BTreeSet<Source>,
    /// Those that failed: how often, and when they are tried again.
    retries: BTreeMap<Source, (u32, Timestamp)>,
}

/// A container whose output is to be sent on.
#[derive(Debug, Clone)]
struct Order {
    scope: Scope,
    source: Source,
    /// Whether nothing more will be printed.
    is_stopped: bool,
    /// Whether it is stayed with for as long as it prints.
    follow: bool,
}

impl Reconciler for Ship {
    fn name(&self) -> &str {
        &self.name
    }

    fn wakes(&self) -> Vec<Wake> {
        let placements = Scope::system().key().join([Placement::SERVICE, Placement::KIND, self.shared.node.as_str()]);
        vec![Wake::Prefix(placements), self.crew.wake()]
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async {
            self.crew.check()?;
            let placements = self.shared.workloads.placements(&self.shared.node).await?;
            let orders = self.shared.orders(&placements);
            let now = self.shared.workloads.now();
            let (mut started, mut due) = (0, None::<Timestamp>);
            let mut wait = |at: Timestamp| due = Some(due.map_or(at, |due| due.min(at)));
            if orders.len() > AT_ONCE {
                wait(now.plus(TURN));
            }
            for order in orders {
                let retry_at = self.shared.lock().retries.get(&order.source).map(|(_, at)| *at);
                if let Some(later) = retry_at.filter(|at| *at > now) {
                    wait(later);
                    continue;
                }
                if self.crew.places_left() == 0 {
                    break;
                }
                let (shared, subject) = (Arc::clone(&self.shared), format!("{}/{}", order.source.0, order.source.1));
                let start = move || work::ship(Arc::clone(&shared), order.clone());
                started += u64::from(self.crew.start(&subject, start));
            }
            Ok(Round::did(started, format!("set {started} containers' output going")).due(due))
        })
    }
}

impl Shared {
    /// What is to be sent on, as far as it is not known to be done.
    fn orders(&self, placements: &[Versioned<Placement>]) -> Vec<Order> {
        let mut state = self.lock();
        let wanted = placements.iter().filter(|one| one.is_accepted() && !one.is_removed());
        let sources = wanted.filter_map(|placement| Some((placement, workload_of(placement)?)));
        let sources: Vec<(&Versioned<Placement>, Source)> = sources
            .flat_map(|(placement, id)| {
                placement.ships().iter().map(move |name| (placement, (id.clone(), name.clone())))
            })
            .collect();
        let present: BTreeSet<&Source> = sources.iter().map(|(_, source)| source).collect();
        state.done.retain(|source| present.contains(source));
        state.retries.retain(|source, _| present.contains(source));
        let left = sources.into_iter().filter(|(_, source)| !state.done.contains(source));
        let order = |(placement, source): (&Versioned<Placement>, Source)| Order {
            scope: placement.scope(),
            source,
            is_stopped: placement.is_stopped(),
            follow: true,
        };
        let mut orders: Vec<Order> = left.map(order).collect();
        let follow = orders.len() <= AT_ONCE;
        // Those that failed least are first, so that all have their turn.
        orders.sort_by_key(|order| state.retries.get(&order.source).copied());
        orders.iter_mut().for_each(|order| order.follow = follow);
        orders
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole values go in and out.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn done(&self, source: &Source) {
        let mut state = self.lock();
        state.retries.remove(source);
        state.done.insert(source.clone());
    }

    /// Has a container looked at again later; sooner, if nothing failed.
    fn later(&self, source: &Source, failed: bool) {
        let now = self.workloads.now();
        let mut state = self.lock();
        let (failures, at) = state.retries.entry(source.clone()).or_default();
        *failures = if failed { failures.saturating_add(1) } else { 0 };
        *at = now.plus(if failed { RETRY.delay(*failures, &*self.workloads.platform.rng) } else { TURN });
    }
}

/// The reconciler of one node.
pub(super) fn reconciler(
    workloads: &Workloads,
    node: NodeId,
    driver: Arc<dyn NodeDriver>,
    sink: Arc<dyn LogSink>,
) -> Arc<dyn Reconciler> {
    let name = format!("workload/ship/{node}");
    let shared = Shared { workloads: workloads.clone(), node, driver, sink, state: Mutex::default() };
    Arc::new(Ship { name, shared: Arc::new(shared), crew: Crew::new(AT_ONCE) })
}
