//! Workloads that live exactly as long as the session that runs them: nothing of them is written down, none outlives this process,
//! and those who follow the others hear nothing of them.

use std::sync::Arc;

use images::Prepared;
use tokio::sync::watch;
use workload::{Desired, Phase, Spec, WorkloadId};

use super::assign::Kept;
use super::home::Assigned;
use super::state::State;
use super::worker::{Command, Wanted, Worker};
use super::{Handle, Shared};
use crate::agent::session::{Hearing, Telling};
use crate::protocol::{Answer, Assignment, Event, Failure, FailureKind, Input};

/// Runs a workload until whoever asked is gone; one that is held executes nothing before it is released. It only returns with why
/// there is none.
pub(super) async fn run(
    shared: &Arc<Shared>,
    assignment: Assignment,
    is_held: bool,
    telling: &Telling,
    mut hearing: Hearing,
) -> Option<Result<Answer, Failure>> {
    let id = assignment.id.clone();
    let session = match shared.run(assignment, is_held) {
        Ok(session) => session,
        Err(failure) => return Some(Err(failure)),
    };
    let mut changes = shared.board.changes_of(&id);
    let mut is_listening = true;
    loop {
        changes.mark_unchanged();
        if let Some(told) = shared.board.get(&id) {
            let observed = Box::new((*told.observed).clone());
            telling.tell(Event::Observed { id: id.clone(), generation: told.generation, observed }).await.ok()?;
        }
        loop {
            tokio::select! {
                changed = changes.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return Some(Err(Failure::new(FailureKind::Stopped, "the workload was removed"))),
                },
                input = hearing.next(), if is_listening => match input {
                    Some(Input::End) => session.stop(),
                    Some(Input::Release(spec)) => {
                        if let Err(failure) = shared.release_held(&session.0, *spec).await {
                            return Some(Err(failure));
                        }
                    }
                    Some(_) => {}
                    None => is_listening = false,
                },
            }
        }
    }
}

/// A workload's session. Dropping it ends the workload at once and removes every trace of it.
struct Running(Arc<Handle>);

impl Running {
    /// Has the workload stop as it is used to: by its containers' signals, within their timeouts.
    fn stop(&self) {
        let desired = Desired::Stopped { timeout_s: None, reason: "whoever ran it has it stop".to_owned() };
        self.0.wanted.send_modify(|wanted| {
            if wanted.desired == Desired::Running {
                (wanted.generation, wanted.desired) = (wanted.generation + 1, desired);
            }
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.let_go("whoever ran it is gone");
    }
}

impl Handle {
    /// Has a workload that ends with its session end at once and vanish.
    pub(super) fn let_go(&self, reason: &str) {
        let desired = Desired::Stopped { timeout_s: Some(0), reason: reason.to_owned() };
        self.wanted.send_modify(|wanted| {
            *wanted = Wanted { generation: wanted.generation + 1, desired, is_let_go: true };
        });
    }
}

impl Shared {
    /// Begins with a workload that ends with its session.
    fn run(self: &Arc<Self>, assignment: Assignment, is_held: bool) -> Result<Running, Failure> {
        let refused = |message: String| Failure::new(FailureKind::Refused, message);
        self.has_room(0)?;
        assignment.spec.validate().map_err(|error| refused(error.to_string()))?;
        self.check_permissions(&assignment.spec)?;
        if assignment.desired != Desired::Running {
            return Err(refused("what is to be run is to stop".to_owned()));
        }
        let images = self.images(&assignment.spec, &assignment.images)?;
        let id = assignment.id.clone();
        let assigned = Arc::new(Assigned::new(assignment, images, &self.boot_id));
        let held = self.hold(&assigned)?;
        let digest_of = |name: &str| assigned.images.get(name).map(|image| image.manifest.to_string());
        let mut state = State::new(&assigned.assignment.spec, &self.boot_id, digest_of);
        state.is_held = is_held;
        self.hasten();
        let mut all = self.all();
        // Others may have come meanwhile, or all been removed.
        self.has_room(all.len())?;
        if all.contains_key(&id) {
            return Err(refused(format!("there is a workload {id} on this node")));
        }
        self.board.keep_apart(&id);
        let (worker, parts) = self.worker(&id, &assigned, state, Kept::nowhere(held));
        let handle = parts.run(worker);
        all.insert(id, Arc::clone(&handle));
        Ok(Running(handle))
    }

    /// Has a workload that is held go on as one of this specification.
    async fn release_held(&self, handle: &Handle, spec: Spec) -> Result<(), Failure> {
        let refused = |error: workload::InvalidSpec| Failure::new(FailureKind::Refused, error.to_string());
        spec.validate().map_err(refused)?;
        self.check_permissions(&spec)?;
        let made = &handle.assigned;
        made.assignment.spec.check_release(&spec).map_err(refused)?;
        let mut released = (**made).clone();
        released.assignment.spec = spec;
        let held = self.hold(&released)?;
        let command = Command::Release { assigned: Arc::new(released), held };
        let gone = |_| Failure::new(FailureKind::Stopped, "the workload is being removed");
        handle.commands.send(command).await.map_err(gone)
    }

    /// Holds all that a workload needs of images and archives.
    fn hold(&self, assigned: &Assigned) -> Result<Vec<Prepared>, Failure> {
        let layers = self.layers_of(assigned);
        let held = layers.iter().map(|(_, layers)| self.store.hold(layers));
        held.collect::<Result<_, _>>().map_err(|error| Failure::new(FailureKind::NotFound, error.to_string()))
    }

    /// Ends all that end with their sessions, and waits until nothing of them is left.
    pub(super) async fn end_the_ephemeral(&self, reason: &str) {
        let mut changes = self.board.changes();
        loop {
            changes.mark_unchanged();
            let left: Vec<_> = self.all().values().filter(|handle| handle.is_ephemeral).cloned().collect();
            if left.is_empty() {
                return;
            }
            left.iter().filter(|handle| !handle.wanted.borrow().is_let_go).for_each(|handle| handle.let_go(reason));
            drop(left);
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Whether a workload ends with its session.
    pub(super) fn is_ephemeral(&self, id: &WorkloadId) -> bool {
        self.all().get(id).is_some_and(|handle| handle.is_ephemeral)
    }

    /// Waits until nothing of a workload runs any more, or it is not there.
    pub(super) async fn stopped(&self, id: &WorkloadId) {
        let mut changes: watch::Receiver<u64> = self.board.changes_of(id);
        while self.board.get(id).is_some_and(|told| told.observed.phase != Phase::Stopped) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

impl Worker {
    /// Nobody has the workload any more, and everything that it had is removed: it is forgotten. The worker is to end with this.
    pub(super) fn vanish(&self) {
        if let Err(error) = self.home.remove() {
            // The next node does it.
            tracing::warn!(%error, workload = %self.id, "what is left of a workload stays");
        }
        let handle = self.shared.all().remove(&self.id);
        self.shared.board.remove(&self.id);
        self.shared.untidy.notify_one();
        drop(handle);
    }
}
