//! How far a workload is, written down and told: nothing of an end is told that a machine which fails would forget.

use std::time::Instant;

use tokio::task::JoinHandle;
use workload::{Observed, Reason, ReasonCode, StepName, StepOutcome, WorkloadId};

use super::{Worker, now};
use crate::agent::workloads::{Shared, assign};

/// What others are told once it is on the disk.
pub(super) struct Later {
    writing: JoinHandle<std::io::Result<()>>,
    generation: u64,
    observed: Observed,
}

impl Later {
    /// Tells it once it is on the disk.
    pub(super) async fn tell(self, shared: &Shared, id: &WorkloadId) {
        let written = self.writing.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        if let Err(error) = written {
            // Whoever is told does not forget it.
            tracing::error!(%error, workload = %id, "how far a workload is cannot be written to the disk");
        }
        shared.board.put(id, self.generation, self.observed);
    }
}

impl Worker {
    /// Writes down how far it is, and tells everybody. Of what is new, nothing is written: it is made anew by a node that comes
    /// after this one.
    pub(super) fn note(&mut self) {
        self.touch();
        if !self.kept.is_new {
            self.write();
        }
        let generation = self.wanted.borrow_and_update().generation;
        self.shared.board.put(&self.id, generation, self.state.observed(self.spec()));
    }

    /// The same, but others are told only what is on the disk.
    pub(super) fn note_on_disk(&mut self) {
        if self.kept.is_nowhere() {
            return self.note();
        }
        self.touch();
        self.write();
        let (home, is_named) = (self.home.clone(), std::mem::replace(&mut self.kept.lines.is_named, true));
        let writing = tokio::task::spawn_blocking(move || home.sync_state(is_named));
        let generation = self.wanted.borrow_and_update().generation;
        self.kept.is_end_on_disk = self.state.has_ended();
        // What waited is told by this, too.
        self.told_later = Some(Later { writing, generation, observed: self.state.observed(self.spec()) });
    }

    /// Tells what waits until it is on the disk.
    pub(super) async fn tell_what_is_on_disk(&mut self) {
        if let Some(later) = self.told_later.take() {
            later.tell(&self.shared, &self.id).await;
        }
    }

    /// Makes sure that a node which comes after this one, or another start of the machine, does not execute anything again. To be
    /// called before anything is executed.
    pub(super) async fn remember(&mut self) -> Result<(), Reason> {
        if self.kept.is_new && !self.kept.is_nowhere() {
            let unwritten =
                |error: String| Reason::new(ReasonCode::Internal, format!("it cannot be written down: {error}"));
            assign::written(&mut self.kept.written).await.map_err(unwritten)?;
            // Without a word of this the next node would take it for one of which nothing was executed.
            let written = self.home.write_state(&mut self.kept.lines, &self.state);
            written.map_err(|error| unwritten(error.to_string()))?;
            self.kept.is_new = false;
        }
        Ok(())
    }

    /// Writes down that it has stopped, and tells everybody.
    pub(super) async fn note_the_end(&mut self) {
        // What cannot be written down ends for that.
        let _ = self.remember().await;
        if self.kept.is_end_on_disk {
            self.note();
        } else {
            self.note_on_disk();
            self.tell_what_is_on_disk().await;
        }
    }

    fn touch(&mut self) {
        self.state.touch();
        self.state.lost_output(&self.live.losses);
    }

    fn write(&mut self) {
        if let Err(error) = self.home.write_state(&mut self.kept.lines, &self.state) {
            // A node that comes after this one finds most of it out by itself.
            tracing::error!(%error, workload = %self.id, "how far a workload is cannot be written down");
        }
    }

    /// Tells everybody that a step began. It is written down when it ends.
    pub(super) fn begin_step(&mut self, name: StepName, container: Option<&str>) -> Instant {
        self.state.begin_step(name, container, now().at);
        // What waits to be told is not overtaken.
        if self.told_later.is_none() {
            self.state.touch();
            let generation = self.wanted.borrow().generation;
            self.shared.board.put(&self.id, generation, self.state.observed(self.spec()));
        }
        Instant::now()
    }

    /// A step came to something. It is to be noted.
    pub(super) fn end_step(&mut self, began: Instant, outcome: Result<(), &Reason>) {
        let outcome = outcome.map_or_else(|reason| StepOutcome::Failed(reason.clone()), |()| StepOutcome::Done);
        self.state.end_step(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX), outcome);
    }
}
