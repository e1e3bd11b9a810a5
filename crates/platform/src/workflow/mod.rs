//! Fixed steps with undo: what must happen whole or be taken back, and takes longer than one transaction.
//!
//! A [`Workflow`] is a list of steps. Each has a `run` and an `undo`. [`Workflows::start`] writes an instance into a
//! handler's own transaction; from there on the instance is driven to its end, by whatever process is there. After each
//! step the instance is written with what the step found out, so a new process goes on where the old one died.
//!
//! ```text
//!  Running ──a step is done──> Running at the next ──the last is done──> ended: Done
//!     │ a step failed for good, or too often, or the workflow was cancelled
//!     v
//!  Undoing, from that step back ──the first is undone──> ended: Undone
//!     │ an undo failed for good, or too often                ^
//!     v                                                      │
//!  Stuck: waits for a person ──Workflows::resume──> Undoing ─┘
//! ```
//!
//! What a workflow may rely on, and what its author owes:
//! - A step may run more than once: its process may die between the effect and the record of it. So `run` finds what an
//!   earlier try has made and uses it. A name or id that it makes something under comes from an earlier step, or from the
//!   start, so that it is the same each time.
//! - `undo` runs for every step that was tried, the failed one included, in reverse order. It may meet an effect that is
//!   there, half there or not there, and may run more than once.
//! - What `run` and `undo` change in [`StepCtx::state`], and what they put into [`StepCtx::tx`], is written with the
//!   record of the step, in one transaction, and is gone if they fail.
//! - A step that fails is tried again with growing waits, as [`Retry`] says; [`StepError::Permanent`] is not.
//!
//! `testkit::workflow` fails, crashes and repeats each step of a workflow, and undoes each twice.

mod engine;
mod outcome;
mod phase;
mod reconcile;

use std::fmt::Debug;
use std::marker::PhantomData;
use std::time::Duration;

use base::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::{MigrationError, Record, Scope, StoreError, Tx, Versioned};

pub use engine::{Advance, Workflows};
pub use outcome::WorkflowOutcome;
pub use phase::{IllegalTransition, Outcome, Phase, Place, UndoCause};

use crate::backoff::Backoff;
use crate::reconciler::Cause;
use crate::{BoxFuture, Broken};

/// A list of steps. See the [module's page](self).
pub trait Workflow: Send + Sync + 'static {
    /// The service that it belongs to, as `aws <service>` names it.
    const SERVICE: &'static str;
    /// What its instances are, as [`Record::KIND`]: `cluster-deletion`.
    const KIND: &'static str;
    /// The version of the form of its state; see [`Record::VERSION`]. Steps are kept by name: one that is renamed or
    /// removed needs a new version, too.
    const VERSION: u32 = 1;
    /// For how long the outcome can be asked for.
    const KEPT: Duration = Duration::from_secs(24 * 3600);

    /// What it was started with, and what its steps have found out.
    type State: Clone + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// A step: one of an enum.
    type Step: Step;

    /// The steps, in their order. At least one.
    const STEPS: &'static [Self::Step];

    /// Does a step.
    fn run<'a>(&'a self, step: Self::Step, cx: &'a mut StepCtx<Self::State>) -> BoxFuture<'a, Result<(), StepError>>;

    /// Takes back a step.
    fn undo<'a>(&'a self, step: Self::Step, cx: &'a mut StepCtx<Self::State>) -> BoxFuture<'a, Result<(), StepError>>;

    /// How often a step is tried.
    fn retry(&self, step: Self::Step) -> Retry {
        let _ = step;
        Retry::DEFAULT
    }

    /// Brings the instance's document of an older version to the present one; see [`Record::migrate`].
    ///
    /// # Errors
    /// [`MigrationError`] for a version that it does not know.
    fn migrate(from: u32, value: serde_json::Value) -> Result<serde_json::Value, MigrationError> {
        drop(value);
        Err(MigrationError { from, reason: "there is no migration for it".to_owned() })
    }
}

/// A step of a workflow.
pub trait Step: Copy + Eq + Debug + Send + Sync + 'static {
    /// Its name in records and for a person: `create-role`.
    fn name(self) -> &'static str;
}

/// What a step works with.
#[derive(Debug)]
pub struct StepCtx<S> {
    /// The instance's id.
    pub id: String,
    /// Whose it is.
    pub scope: Scope,
    /// Which try of the step this is; 1 is the first. A process that dies does not count.
    pub attempt: u32,
    /// The present.
    pub now: Timestamp,
    /// The instance's state.
    pub state: S,
    /// What is committed together with the record of the step. A conflict is a failed try.
    pub tx: Tx,
}

/// How often a step is tried, and how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often it is run before everything is undone.
    pub runs_max: u32,
    /// How often it is undone before the workflow is stuck.
    pub undos_max: u32,
    /// The waits in between.
    pub backoff: Backoff,
    /// The longest that one try may take.
    pub limit: Duration,
}

impl Retry {
    /// Eight runs, within about ten seconds; a hundred undos, within about an hour and a half; five minutes a try.
    pub const DEFAULT: Self =
        Self { runs_max: 8, undos_max: 100, backoff: Backoff::DEFAULT, limit: Duration::from_secs(300) };
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// It may succeed later.
    #[error("{0}")]
    Transient(Cause),
    /// It never will.
    #[error("{0}")]
    Permanent(Cause),
}

impl StepError {
    /// Something that may succeed later.
    pub fn transient(cause: impl Into<Cause>) -> Self {
        Self::Transient(cause.into())
    }

    /// Something that never will.
    pub fn permanent(cause: impl Into<Cause>) -> Self {
        Self::Permanent(cause.into())
    }
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::transient(error)
    }
}

impl From<Broken> for StepError {
    fn from(error: Broken) -> Self {
        Self::transient(error)
    }
}

/// A workflow that has not ended, as it is stored: at `<scope>/<SERVICE>/<KIND>/<id>`.
#[derive(Serialize, Deserialize)]
#[serde(bound = "", rename_all = "camelCase")]
pub struct Instance<W: Workflow> {
    /// Its state after the last step that was done.
    pub state: W::State,
    /// Where it stands.
    pub phase: Phase,
    /// When it was started.
    pub started: Timestamp,
    #[serde(skip)]
    workflow: PhantomData<fn() -> W>,
}

impl<W: Workflow> Instance<W> {
    fn new(state: W::State, phase: Phase, started: Timestamp) -> Self {
        Self { state, phase, started, workflow: PhantomData }
    }
}

impl<W: Workflow> Record for Instance<W> {
    const SERVICE: &'static str = W::SERVICE;
    const KIND: &'static str = W::KIND;
    const VERSION: u32 = W::VERSION;

    fn migrate(from: u32, value: serde_json::Value) -> Result<serde_json::Value, MigrationError> {
        W::migrate(from, value)
    }
}

/// What there is to know of a workflow.
pub enum Progress<W: Workflow> {
    /// It goes on.
    Active(Versioned<Instance<W>>),
    /// It has ended, not longer than [`Workflow::KEPT`] ago.
    Ended(Versioned<WorkflowOutcome>),
}
