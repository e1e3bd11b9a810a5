//! Observe, plan, execute.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Timestamp};

use super::{Cause, ROUND_LIMIT, Reconciler, Round, Wake};
use crate::{BoxFuture, Platform};

/// A reconciler in three parts, of which only the middle one decides, and that one neither reads nor writes.
pub trait Planned: Send + Sync + 'static {
    /// What is.
    type Observed: Send + Sync;
    /// One change. It displays as what it does: `remove task definition web:3`.
    type Step: Display + Send + Sync;

    /// See [`Reconciler::name`].
    fn name(&self) -> &str;

    /// See [`Reconciler::wakes`].
    fn wakes(&self) -> Vec<Wake>;

    /// See [`Reconciler::limit`].
    fn limit(&self) -> Duration {
        ROUND_LIMIT
    }

    /// Reads what is.
    fn observe(&self) -> BoxFuture<'_, Result<Self::Observed, Cause>>;

    /// Decides what to change, from nothing but its arguments. Of a state that is as it should be it makes an empty plan.
    fn plan(&self, observed: &Self::Observed, now: Timestamp) -> Plan<Self::Step>;

    /// Does one step, or finds that it is no longer needed.
    fn execute<'a>(&'a self, step: &'a Self::Step) -> BoxFuture<'a, Result<(), Cause>>;
}

/// What is to be changed, in this order, and when to look again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<S> {
    /// The changes.
    pub steps: Vec<S>,
    /// When something will be due that is not yet.
    pub due: Option<Timestamp>,
}

impl<S> Default for Plan<S> {
    fn default() -> Self {
        Self { steps: Vec::new(), due: None }
    }
}

/// A [`Planned`] as a [`Reconciler`]. A step that fails keeps no other from being tried; the round fails with the first
/// failure after all of them.
pub fn planned<P: Planned>(platform: &Platform, planned: P) -> Arc<dyn Reconciler> {
    Arc::new(Executor { clock: platform.clock.clone(), planned })
}

/// How many steps a round's description names.
const STEPS_NAMED_MAX: usize = 8;

struct Executor<P> {
    clock: Arc<dyn Clock>,
    planned: P,
}

impl<P: Planned> Executor<P> {
    async fn execute(&self) -> Result<Round, Cause> {
        let observed = self.planned.observe().await?;
        let plan = self.planned.plan(&observed, self.clock.now());
        let mut failure = None;
        let mut done = Vec::new();
        for step in &plan.steps {
            match self.planned.execute(step).await {
                Ok(()) => done.push(step),
                Err(cause) => {
                    failure = failure.or_else(|| Some(StepFailure { step: step.to_string(), cause }));
                }
            }
        }
        match failure {
            Some(failure) => Err(failure.into()),
            None => Ok(Round::did(done.len() as u64, described(&done)).due(plan.due)),
        }
    }
}

/// A step of a plan that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step}: {cause}")]
struct StepFailure {
    step: String,
    cause: Cause,
}

fn described<S: Display>(steps: &[&S]) -> String {
    let mut text: Vec<String> = steps.iter().take(STEPS_NAMED_MAX).map(ToString::to_string).collect();
    if let Some(more) = steps.len().checked_sub(STEPS_NAMED_MAX).filter(|more| *more > 0) {
        text.push(format!("and {more} more"));
    }
    text.join("; ")
}

impl<P: Planned> Reconciler for Executor<P> {
    fn name(&self) -> &str {
        self.planned.name()
    }

    fn wakes(&self) -> Vec<Wake> {
        self.planned.wakes()
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(self.execute())
    }

    fn limit(&self) -> Duration {
        self.planned.limit()
    }
}
