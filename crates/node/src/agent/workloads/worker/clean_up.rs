//! The end of a workload: everything that it had is removed, and only then it has stopped.

use std::sync::Arc;
use std::time::Duration;

use workload::{Event, Reason, ReasonCode, StepName};

use super::{CLEAN_UP_PAUSES, Made, Worker, aside, now};
use crate::agent::workloads::home::Assigned;
use crate::agent::workloads::{Shared, area};
use workload::WorkloadId;

/// How long a shim may take to end once it was told to.
const SHIM_PATIENCE: Duration = Duration::from_secs(10);

impl Worker {
    /// Removes everything. What cannot be removed is tried again later.
    pub(super) async fn clean_up(&mut self) {
        let began = self.begin_step(StepName::CleanUp, None);
        self.has.probes.drain().for_each(|(_, probe)| probe.abort());
        let (later, shared, id) = (self.told_later.take(), Arc::clone(&self.shared), self.id.clone());
        let telling = async {
            if let Some(later) = later {
                later.tell(&shared, &id).await;
            }
        };
        let ((), removed) = tokio::join!(telling, self.remove());
        self.end_step(began, removed.as_ref().copied());
        match removed {
            Ok(()) => {
                let reason = self.state.reason.clone();
                let reason = reason.unwrap_or_else(|| Reason::new(ReasonCode::Asked, "the workload ended"));
                self.state.lost(&reason, now().at);
                self.state.undo_steps();
                (self.state.has, self.state.kept) = (Default::default(), Vec::new());
                if let Some(slot) = self.state.users.take() {
                    self.shared.give_users_back(slot);
                }
                self.state.is_frozen = false;
                self.state.advance(Event::Removed);
                self.state.stopped_at = Some(now().at);
                self.note_the_end().await;
            }
            Err(reason) => {
                tracing::warn!(workload = %self.id, reason = reason.message, "what a workload had cannot be removed");
                self.note();
                tokio::time::sleep(self.clean_up_pause).await;
                self.clean_up_pause = (self.clean_up_pause * 2).min(CLEAN_UP_PAUSES[1]);
            }
        }
    }

    async fn remove(&mut self) -> Result<(), Reason> {
        if let Some(begun) = self.has.begun.take()
            && let Ok((_, Ok(shim))) = begun.await
        {
            self.has.shim = Some(shim);
        }
        if let Some(shim) = self.has.shim.clone() {
            // If it does not hear, it has ended, or is made to.
            let _ = tokio::time::timeout(SHIM_PATIENCE, shim.destroy()).await;
            if tokio::time::timeout(SHIM_PATIENCE, shim.ended()).await.is_err() {
                tracing::warn!(workload = %self.id, "a shim does not end by itself");
                let _ = rustix::process::pidfd_send_signal(shim.process(), rustix::process::Signal::KILL);
            }
            self.heard_last_words();
        }
        self.live.change(|live| *live = Default::default());
        // Their ends of the network and mounts go before what they are part of.
        self.has = Made::default();
        remove(&self.shared, &self.id, &self.assigned).await?;
        if self.kept.is_nowhere() {
            return Ok(());
        }
        // Not before: whoever cannot be killed still runs on their layers.
        let (shared, id) = (Arc::clone(&self.shared), self.id.clone());
        aside(move || shared.release(&id).map_err(|error| failed(&error))).await
    }
}

/// Removes what a workload has beside its processes' shim and its images, whoever made it.
pub(super) async fn remove(shared: &Arc<Shared>, id: &WorkloadId, assigned: &Arc<Assigned>) -> Result<(), Reason> {
    let (own, of, assigned) = (Arc::clone(shared), id.clone(), Arc::clone(assigned));
    let disks = aside(move || {
        use sandbox::cgroup::Error;
        match own.cgroups.open_workload(of.as_str()) {
            Ok(group) => group.kill().and_then(|()| group.remove()).map_err(|error| failed(&error))?,
            Err(Error::Absent { .. }) => {}
            Err(error) => return Err(failed(&error)),
        }
        area::remove(&own.disks, &of, &assigned.assignment.spec).map_err(|error| failed(&error))
    });
    let (disks, network) = tokio::join!(disks, shared.network.detach(id));
    disks?;
    network.map_err(|error| failed(&error))?;
    shared.untidy.notify_one();
    Ok(())
}

fn failed(error: &dyn std::fmt::Display) -> Reason {
    Reason::new(ReasonCode::Internal, error.to_string())
}
