//! Every trace of workloads is removed from the machine.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use workload::{Desired, WorkloadId};

use super::volumes::VOLUMES;
use super::worker::Wanted;
use super::{Handle, Shared};
use crate::protocol::{Failure, FailureKind};

impl Shared {
    /// Stops everything at once and removes what there is: volumes too, and what is the node's own on the machine. Answers how
    /// many workloads there were. Nothing can be assigned afterwards until the node is started again.
    pub(super) async fn purge(self: &Arc<Self>) -> Result<u64, Failure> {
        self.is_purged.store(true, Ordering::Relaxed);
        let count = self.all().len() as u64;
        self.end_the_ephemeral("everything is removed").await;
        let all: Vec<(WorkloadId, Arc<Handle>)> =
            self.all().iter().map(|(id, handle)| (id.clone(), Arc::clone(handle))).collect();
        for (_, handle) in &all {
            let _one_at_a_time = handle.changing.lock().await;
            let desired = Desired::Stopped { timeout_s: Some(0), reason: "everything is removed".to_owned() };
            handle.wanted.send_modify(|wanted| *wanted = Wanted::new(wanted.generation, desired));
        }
        for (id, _) in &all {
            self.stopped(id).await;
            self.retire(id).await?;
        }
        let failed = |error: &dyn std::fmt::Display| Failure::new(FailureKind::Internal, error.to_string());
        self.network.purge().await.map_err(|error| failed(&error))?;
        let shared = Arc::clone(self);
        let removed = tokio::task::spawn_blocking(move || {
            shared.homes.trash(&shared.directory.join(VOLUMES)).map_err(|error| error.to_string())?;
            shared.homes.empty_trash().map_err(|error| error.to_string())?;
            shared.disks.empty_trash().map_err(|error| error.to_string())?;
            // The launcher is in a group of them, and ends.
            shared.cgroups.remove_all().map_err(|error| error.to_string())
        });
        removed.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        Ok(count)
    }
}
