//! Hosts that join from elsewhere: each becomes a node of the fleet, and what it ran has stopped when its lease has run out.

use std::collections::BTreeMap;
use std::time::Duration;

use node::gate::lease::LOST_AFTER;
use node::gate::{Gate, HostState};
use node::supply::chain;
use platform::workloads::WorkloadError;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{error, warn};
use workload::NodeId;

use super::{Fleet, local};
use crate::stop::Stop;

/// A pause after the store has failed.
const AGAIN: Duration = Duration::from_millis(500);

/// What is known of the hosts.
#[derive(Debug, Default)]
struct Known {
    /// How those are that may be hosts.
    states: BTreeMap<NodeId, HostState>,
    /// Those that were let go, and when nothing of what they ran can be alive any more. Whoever joins under such a name
    /// becomes a node after that.
    leaving: BTreeMap<NodeId, Instant>,
}

impl Fleet {
    /// Takes in the hosts that join by a gate, until told to stop.
    pub(crate) async fn take_in(self, gate: Gate, stop: Stop) {
        let mut states = gate.states();
        // Whatever they were before this server started: each is told of once.
        let mut known = Known::default();
        let mut is_begun = false;
        loop {
            let now = states.borrow_and_update().clone();
            let failure = match is_begun {
                true => None,
                false => self.let_go_before(&mut known, &now).await.err(),
            };
            is_begun = failure.is_none();
            let failure = match failure {
                None => self.bring_about(&gate, &mut known, &now).await.err(),
                failed => failed,
            };
            if let Some(failure) = failure {
                error!(error = chain(&failure), "it could not be written down how hosts are; it is tried again");
                tokio::select! {
                    () = sleep(AGAIN) => continue,
                    () = stop.requested() => return,
                }
            }
            let next = known.leaving.values().min().copied();
            tokio::select! {
                changed = states.changed() => if changed.is_err() { return },
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
                () = stop.requested() => return,
            }
        }
    }

    /// Those that were let go while no server was there to see it out.
    async fn let_go_before(&self, known: &mut Known, now: &BTreeMap<NodeId, HostState>) -> Result<(), WorkloadError> {
        let recorded = self.0.workloads.nodes().await?;
        let names = recorded.iter().filter_map(|node| node.name().parse::<NodeId>().ok());
        let gone = names.filter(|id| *id != local() && !now.contains_key(id));
        known.leaving.extend(gone.map(|id| (id, Instant::now() + LOST_AFTER)));
        Ok(())
    }

    async fn bring_about(
        &self,
        gate: &Gate,
        known: &mut Known,
        now: &BTreeMap<NodeId, HostState>,
    ) -> Result<(), WorkloadError> {
        let gone: Vec<_> = known.states.keys().filter(|id| !now.contains_key(*id)).cloned().collect();
        for id in gone {
            self.let_go(&id).await?;
            // Not before: what failed is tried again.
            known.states.remove(&id);
            known.leaving.insert(id, Instant::now() + LOST_AFTER);
        }
        let over: Vec<_> =
            known.leaving.iter().filter(|(_, end)| **end <= Instant::now()).map(|(id, _)| id.clone()).collect();
        for id in over {
            self.forget(&id).await?;
            known.leaving.remove(&id);
        }
        for (id, state) in now {
            if known.states.get(id) == Some(state) || known.leaving.contains_key(id) {
                continue;
            }
            if let Some(node) = gate.node(id) {
                self.join(id, node).await?;
            }
            if *state == HostState::Lost {
                warn!(host = %id, "a host is lost: its lease has run out");
                self.0.workloads.host_lost(id, "its lease has run out").await?;
            }
            known.states.insert(id.clone(), *state);
        }
        Ok(())
    }

    /// A host was let go: nothing more is placed there. What it ran ends by itself, at the latest when its lease has run out.
    async fn let_go(&self, id: &NodeId) -> Result<(), WorkloadError> {
        if let Some(driver) = self.0.lock().get(id) {
            driver.set_node(None);
        }
        self.0.workloads.away(id, "it was removed; what it ran ends").await
    }

    /// Nothing of what it ran is alive, and it does not come back.
    async fn forget(&self, id: &NodeId) -> Result<(), WorkloadError> {
        match self.0.workloads.forget_node(id).await {
            Err(WorkloadError::NoSuchNode { .. }) => Ok(()),
            left => left,
        }
    }
}
