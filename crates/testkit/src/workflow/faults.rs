//! A workflow that goes wrong as it is told.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::{Rng, SeededRng};
use platform::BoxFuture;
use platform::workflow::{Retry, Step, StepCtx, StepError, Workflow};
use store::{MigrationError, Tx};
use tokio::sync::Notify;

/// How many faults one seed brings at most: fewer than the retries of a step, so that an undo is never given up.
const RANDOM_FAULTS_MAX: u32 = 12;

/// Where in a step something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// It has done nothing yet.
    Before,
    /// It has done its work, and nobody has been told.
    After,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It fails, and may work later.
    Fail(When),
    /// It fails for good.
    Refuse(When),
    /// It panics.
    Panic(When),
    /// Its process dies.
    Crash(When),
    /// It happens twice, and the first time is forgotten.
    Repeat,
}

/// A fault at a step.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    step: &'static str,
    is_undo: bool,
    kind: Kind,
    times: u32,
}

impl Fault {
    pub(super) fn run(step: &'static str, kind: Kind) -> Self {
        Self { step, is_undo: false, kind, times: 1 }
    }

    pub(super) fn undo(step: &'static str, kind: Kind) -> Self {
        Self { is_undo: true, ..Self::run(step, kind) }
    }

    pub(super) fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    pub(super) fn always(self) -> Self {
        self.times(u32::MAX)
    }
}

/// The faults of a case.
#[derive(Debug)]
pub(super) struct Faults {
    plan: Mutex<Plan>,
    died: Notify,
}

#[derive(Debug)]
enum Plan {
    Listed(Vec<Fault>),
    Random {
        #[allow(dead_code, reason = "read by Debug: a failing case says its seed")]
        seed: u64,
        rng: SeededRng,
        left: u32,
    },
}

impl Faults {
    pub(super) fn none() -> Self {
        Self::of([])
    }

    pub(super) fn of(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self { plan: Mutex::new(Plan::Listed(faults.into_iter().collect())), died: Notify::new() }
    }

    pub(super) fn random(seed: u64) -> Self {
        let rng = SeededRng::new(seed);
        let left = u32::try_from(rng.next_u64() % u64::from(RANDOM_FAULTS_MAX)).unwrap_or(0);
        Self { plan: Mutex::new(Plan::Random { seed, rng, left }), died: Notify::new() }
    }

    /// Waits until the process dies.
    pub(super) async fn crashed(&self) {
        self.died.notified().await;
    }

    async fn crash(&self) -> Result<(), StepError> {
        self.died.notify_one();
        std::future::pending().await
    }

    fn take(&self, step: &str, is_undo: bool) -> Option<Kind> {
        match &mut *self.plan.lock().unwrap_or_else(PoisonError::into_inner) {
            Plan::Listed(faults) => {
                let mut here = faults.iter_mut().filter(|it| it.step == step && it.is_undo == is_undo);
                let fault = here.find(|fault| fault.times > 0)?;
                fault.times = fault.times.saturating_sub(u32::from(fault.times < u32::MAX));
                Some(fault.kind)
            }
            Plan::Random { rng, left, .. } => {
                if *left == 0 || rng.next_u64().is_multiple_of(2) {
                    return None;
                }
                *left -= 1;
                Some(random_kind(rng, is_undo))
            }
        }
    }
}

fn random_kind(rng: &SeededRng, is_undo: bool) -> Kind {
    let when = if rng.next_u64().is_multiple_of(2) { When::Before } else { When::After };
    match rng.next_u64() % 8 {
        0 | 1 => Kind::Fail(when),
        // An undo that fails for good needs a person, which is no end.
        2 if !is_undo => Kind::Refuse(when),
        2 | 3 => Kind::Panic(when),
        4..=6 => Kind::Crash(when),
        _ => Kind::Repeat,
    }
}

/// A workflow with faults: the same records, the same steps.
pub(super) struct Faulty<W> {
    pub(super) inner: W,
    pub(super) faults: Arc<Faults>,
}

impl<W: Workflow> Faulty<W> {
    async fn inner(&self, step: W::Step, is_undo: bool, cx: &mut StepCtx<W::State>) -> Result<(), StepError> {
        if is_undo { self.inner.undo(step, cx).await } else { self.inner.run(step, cx).await }
    }

    async fn step(&self, step: W::Step, is_undo: bool, cx: &mut StepCtx<W::State>) -> Result<(), StepError> {
        let Some(kind) = self.faults.take(step.name(), is_undo) else { return self.inner(step, is_undo, cx).await };
        if let Kind::Fail(When::After)
        | Kind::Refuse(When::After)
        | Kind::Panic(When::After)
        | Kind::Crash(When::After)
        | Kind::Repeat = kind
        {
            let state = cx.state.clone();
            self.inner(step, is_undo, cx).await?;
            (cx.state, cx.tx) = (state, Tx::new());
        }
        match kind {
            Kind::Fail(_) => Err(StepError::transient("a fault")),
            Kind::Refuse(_) => Err(StepError::permanent("a fault")),
            Kind::Panic(_) => std::panic::resume_unwind(Box::new("a fault")),
            Kind::Crash(_) => self.faults.crash().await,
            Kind::Repeat => self.inner(step, is_undo, cx).await,
        }
    }
}

impl<W: Workflow> Workflow for Faulty<W> {
    const SERVICE: &'static str = W::SERVICE;
    const KIND: &'static str = W::KIND;
    const VERSION: u32 = W::VERSION;
    const KEPT: Duration = W::KEPT;

    type State = W::State;
    type Step = W::Step;

    const STEPS: &'static [W::Step] = W::STEPS;

    fn run<'a>(&'a self, step: W::Step, cx: &'a mut StepCtx<W::State>) -> BoxFuture<'a, Result<(), StepError>> {
        Box::pin(self.step(step, false, cx))
    }

    fn undo<'a>(&'a self, step: W::Step, cx: &'a mut StepCtx<W::State>) -> BoxFuture<'a, Result<(), StepError>> {
        Box::pin(self.step(step, true, cx))
    }

    fn retry(&self, step: W::Step) -> Retry {
        self.inner.retry(step)
    }

    fn migrate(from: u32, value: serde_json::Value) -> Result<serde_json::Value, MigrationError> {
        W::migrate(from, value)
    }
}
