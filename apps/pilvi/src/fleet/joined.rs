//! Hosts that join from elsewhere: each becomes a node of the fleet, and what it ran has stopped when its lease has run out.

use std::collections::BTreeMap;
use std::time::Duration;

use node::gate::{Gate, HostState};
use node::supply::chain;
use platform::workloads::WorkloadError;
use tokio::time::sleep;
use tracing::{error, warn};
use workload::NodeId;

use super::Fleet;
use crate::stop::Stop;

/// A pause after the store has failed.
const AGAIN: Duration = Duration::from_millis(500);

impl Fleet {
    /// Takes in the hosts that join by a gate, until told to stop.
    pub(crate) async fn take_in(self, gate: Gate, stop: Stop) {
        let mut states = gate.states();
        // Whatever they were before this server started: each is told of once.
        let mut known: BTreeMap<NodeId, HostState> = BTreeMap::new();
        loop {
            let now = states.borrow_and_update().clone();
            while let Err(failure) = self.bring_about(&gate, &known, &now).await {
                error!(error = chain(&failure), "it could not be written down how hosts are; it is tried again");
                tokio::select! {
                    () = sleep(AGAIN) => {}
                    () = stop.requested() => return,
                }
            }
            known = now;
            tokio::select! {
                changed = states.changed() => if changed.is_err() { return },
                () = stop.requested() => return,
            }
        }
    }

    async fn bring_about(
        &self,
        gate: &Gate,
        known: &BTreeMap<NodeId, HostState>,
        now: &BTreeMap<NodeId, HostState>,
    ) -> Result<(), WorkloadError> {
        for (id, state) in now {
            if known.get(id) == Some(state) {
                continue;
            }
            if let Some(node) = gate.node(id) {
                self.join(id, node).await?;
            }
            if *state == HostState::Lost {
                warn!(host = %id, "a host is lost: its lease has run out");
                self.0.workloads.host_lost(id, "its lease has run out").await?;
            }
        }
        for id in known.keys().filter(|id| !now.contains_key(*id)) {
            self.leave(id).await?;
        }
        Ok(())
    }

    /// A host was let go, and does not come back.
    async fn leave(&self, id: &NodeId) -> Result<(), WorkloadError> {
        if let Some(driver) = self.0.lock().get(id) {
            driver.set_node(None);
        }
        match self.0.workloads.forget_node(id).await {
            Err(WorkloadError::NoSuchNode { .. }) => Ok(()),
            left => left,
        }
    }
}
