//! Starting instances and moving them on.

use std::sync::Arc;

use base::{Clock, Rng};
use store::{Scope, Store, StoreError, Tx, Versioned};

use super::outcome::{Expiry, WorkflowOutcome};
use super::phase::{Event, Next};
use super::{IllegalTransition, Instance, Outcome, Phase, Progress, Step, StepCtx, StepError, Workflow};
use crate::Platform;
use crate::guarded::{brief, limited};
use crate::reconciler::Crew;

/// How many instances of a workflow are at work at once.
const INSTANCES_MAX: usize = 64;

/// The instances of a workflow. Started as a [`Reconciler`](crate::Reconciler), it drives them to their ends.
pub struct Workflows<W: Workflow> {
    pub(super) engine: Arc<Engine<W>>,
    pub(super) crew: Crew,
    pub(super) name: String,
}

pub(super) struct Engine<W> {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    workflow: W,
}

/// What [`Workflows::advance`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advance {
    /// A step was done, undone or tried in vain; there may be more to do at once.
    Moved,
    /// Its step failed; it is tried again at the instant.
    Waits(base::Timestamp),
    /// It waits for a person.
    Stuck,
    /// It has ended now.
    Ended(Outcome),
    /// There is no such instance: it has ended before, or never was.
    Missing,
}

impl<W: Workflow> Workflows<W> {
    /// The instances that are in the platform's store.
    pub fn new(platform: &Platform, workflow: W) -> Arc<Self> {
        const { assert!(!W::STEPS.is_empty(), "a workflow has a step") };
        let engine = Engine {
            store: platform.store.clone(),
            clock: platform.clock.clone(),
            rng: platform.rng.clone(),
            workflow,
        };
        Arc::new(Self {
            engine: Arc::new(engine),
            crew: Crew::new(INSTANCES_MAX),
            name: format!("workflow/{}/{}", W::SERVICE, W::KIND),
        })
    }

    /// Puts a new instance into a transaction: it is a conflict if one of this id goes on. It begins once that is
    /// committed.
    pub fn start(&self, tx: &mut Tx, scope: &Scope, id: &str, state: W::State) {
        let instance = Instance::<W>::new(state, Phase::first(&names::<W>()), self.engine.clock.now());
        tx.insert(scope, &[id], &instance);
    }

    /// What there is to know of an instance.
    pub async fn find(&self, scope: &Scope, id: &str) -> Result<Option<Progress<W>>, StoreError> {
        // First whether it goes on: an instance that ends in between is found among the outcomes.
        if let Some(active) = self.engine.store.read(scope, &[id]).await? {
            return Ok(Some(Progress::Active(active)));
        }
        let ended = self.engine.store.read(scope, &outcome_id::<W>(id)).await?;
        Ok(ended.map(Progress::Ended))
    }

    /// Has an instance undone. A step that is at work is finished first, and undone with the rest. Nothing happens to one
    /// that is being undone.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if no such instance goes on.
    pub async fn cancel(&self, scope: &Scope, id: &str, reason: &str) -> Result<(), StoreError> {
        let event = Event::Cancelled { reason: brief(&reason) };
        self.change(scope, id, event).await
    }

    /// Has a stuck instance try again, once a person has removed what it was stuck at. Nothing happens to one that is not
    /// stuck.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if no such instance goes on.
    pub async fn resume(&self, scope: &Scope, id: &str) -> Result<(), StoreError> {
        self.change(scope, id, Event::Resumed).await
    }

    async fn change(&self, scope: &Scope, id: &str, event: Event) -> Result<(), StoreError> {
        let id = [id];
        let changed = self.engine.store.update::<Instance<W>, StoreError>(scope, &id, |instance| {
            // What cannot happen to it in its phase changes nothing.
            if let Ok(Next::Phase(phase)) = instance.phase.clone().next(event.clone(), &names::<W>()) {
                instance.phase = phase;
            }
            Ok(())
        });
        changed.await.map(drop)
    }

    /// Moves an instance on by one step, as its reconciler does: for tests, and for whoever drives it by other means.
    ///
    /// # Errors
    /// What keeps the step from being recorded. It is as if the process had died there.
    pub async fn advance(&self, scope: &Scope, id: &str) -> Result<Advance, StoreError> {
        self.engine.advance(scope, id).await
    }
}

impl<W: Workflow> std::fmt::Debug for Workflows<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workflows").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<W: Workflow> Engine<W> {
    pub(super) async fn advance(&self, scope: &Scope, id: &str) -> Result<Advance, StoreError> {
        let Some(found) = self.store.read::<Instance<W>>(scope, &[id]).await? else { return Ok(Advance::Missing) };
        if let Phase::Stuck { .. } = found.phase {
            return Ok(Advance::Stuck);
        }
        if let Some(due) = found.phase.place().due.filter(|due| *due > self.clock.now()) {
            return Ok(Advance::Waits(due));
        }
        let mut cx = StepCtx {
            id: id.to_owned(),
            scope: scope.clone(),
            attempt: found.phase.place().failures.saturating_add(1),
            now: self.clock.now(),
            state: found.state.clone(),
            tx: Tx::new(),
        };
        match self.attempt(&found.phase, &mut cx).await {
            Ok(()) => self.done(&found, cx).await,
            Err(error) => self.failed(&found, &error).await,
        }
    }

    async fn attempt(&self, phase: &Phase, cx: &mut StepCtx<W::State>) -> Result<(), StepError> {
        let name = &phase.place().step;
        let Some(step) = W::STEPS.iter().copied().find(|step| step.name() == name) else {
            return Err(StepError::permanent(format!("this program knows no step {name} of the workflow")));
        };
        let limit = self.workflow.retry(step).limit;
        let tried = match phase {
            Phase::Running { .. } => limited(limit, self.workflow.run(step, cx)).await,
            Phase::Undoing { .. } | Phase::Stuck { .. } => limited(limit, self.workflow.undo(step, cx)).await,
        };
        tried.map_err(StepError::from).flatten()
    }

    async fn done(&self, found: &Versioned<Instance<W>>, cx: StepCtx<W::State>) -> Result<Advance, StoreError> {
        match self.commit(found, Event::StepDone, cx.state, cx.tx).await {
            // The step's own part of the transaction was refused: it has failed after all.
            Err(StoreError::Conflict { key }) if key != found.key => {
                let error = StepError::Transient(StoreError::Conflict { key }.into());
                self.failed(found, &error).await
            }
            Err(
                error @ (StoreError::TooLarge { .. }
                | StoreError::WrittenTwice { .. }
                | StoreError::EmptyKey
                | StoreError::Record { .. }),
            ) => self.failed(found, &StepError::permanent(error)).await,
            outcome => outcome,
        }
    }

    async fn failed(&self, found: &Versioned<Instance<W>>, error: &StepError) -> Result<Advance, StoreError> {
        let place = found.phase.place();
        let text = brief(error);
        tracing::warn!(
            workflow = W::KIND,
            id = found.name(),
            step = place.step,
            undo = !matches!(found.phase, Phase::Running { .. }),
            error = text,
            "a step of a workflow failed"
        );
        let event = match self.retry_at(&found.phase, error) {
            Some(due) => Event::StepFailed { error: text, due },
            None => Event::StepGivenUp { error: text },
        };
        self.commit(found, event, found.state.clone(), Tx::new()).await
    }

    /// When the step is tried again; none if it is not.
    fn retry_at(&self, phase: &Phase, error: &StepError) -> Option<base::Timestamp> {
        let place = phase.place();
        let step = W::STEPS.iter().copied().find(|step| step.name() == place.step)?;
        let retry = self.workflow.retry(step);
        let failures = place.failures.saturating_add(1);
        let tries_max = if matches!(phase, Phase::Running { .. }) { retry.runs_max } else { retry.undos_max };
        let again = matches!(error, StepError::Transient(_)) && failures < tries_max;
        again.then(|| self.clock.now().plus(retry.backoff.delay(failures, &*self.rng)))
    }

    /// Records what happened to an instance, together with what its step wants to be committed.
    async fn commit(
        &self,
        found: &Versioned<Instance<W>>,
        event: Event,
        state: W::State,
        mut tx: Tx,
    ) -> Result<Advance, StoreError> {
        let next = found.phase.clone().next(event, &names::<W>()).map_err(|illegal| corrupt(found, &illegal))?;
        let advance = match next {
            Next::Phase(phase) => {
                let advance = match (&phase, phase.place().due) {
                    (Phase::Stuck { .. }, _) => Advance::Stuck,
                    (_, Some(due)) => Advance::Waits(due),
                    (_, None) => Advance::Moved,
                };
                tx.replace(found, &Instance::new(state, phase, found.started));
                advance
            }
            Next::Ended(outcome) => {
                self.end(&mut tx, found, &state, outcome.clone()).await?;
                Advance::Ended(outcome)
            }
        };
        match self.store.commit(tx).await {
            // Somebody else moved or cancelled it: what this try has done is done again, or undone.
            Err(StoreError::Conflict { key }) if key == found.key => Ok(Advance::Moved),
            committed => committed.map(|_| advance),
        }
    }

    async fn end(
        &self,
        tx: &mut Tx,
        found: &Versioned<Instance<W>>,
        state: &W::State,
        outcome: Outcome,
    ) -> Result<(), StoreError> {
        let (scope, id, ended) = (&found.scope, found.name(), self.clock.now());
        let unwritable =
            |error: serde_json::Error| StoreError::Record { key: found.key.clone(), reason: error.to_string() };
        let state = serde_json::to_value(state).map_err(unwritable)?;
        let outcome = WorkflowOutcome { outcome, state, started: found.started, ended };
        tx.remove(found);
        match self.store.read::<WorkflowOutcome>(scope, &outcome_id::<W>(id)).await? {
            // The id has been used before.
            Some(earlier) => tx.replace(&earlier, &outcome),
            None => tx.insert(scope, &outcome_id::<W>(id), &outcome),
        };
        let expiry = serde_json::to_vec(&Expiry::new(scope, id, ended)).map_err(unwritable)?;
        tx.enqueue(expiries::<W>(), format!("{}/{id}", scope.key()), expiry, ended.plus(W::KEPT));
        Ok(())
    }
}

fn corrupt<W: Workflow>(found: &Versioned<Instance<W>>, illegal: &IllegalTransition) -> StoreError {
    StoreError::Record { key: found.key.clone(), reason: illegal.to_string() }
}

fn names<W: Workflow>() -> Vec<&'static str> {
    W::STEPS.iter().map(|step| step.name()).collect()
}

pub(super) fn outcome_id<W: Workflow>(id: &str) -> [&str; 3] {
    [W::SERVICE, W::KIND, id]
}

/// The queue of the outcomes that are to be removed.
pub(super) fn expiries<W: Workflow>() -> String {
    format!("workflow-outcomes/{}/{}", W::SERVICE, W::KIND)
}
