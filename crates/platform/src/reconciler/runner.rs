//! One reconciler's loop.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{Clock, Rng, Timestamp};
use store::{Store, StoreError};
use tracing::Instrument;

use super::status::{LastRound, ReconcilerStatus, RoundOutcome};
use super::wake::{Armed, Wake};
use super::{Cause, Reconciler, Round};
use crate::Platform;
use crate::backoff::Backoff;
use crate::guarded::{brief, limited};

/// How long a timer sleeps before it looks at the clock again: the wall clock may be set, and does not stand still while
/// the machine is suspended. Nothing else is looked at.
const CLOCK_RECHECK: Duration = Duration::from_secs(60);
/// When a round runs again that changed nothing and yet wants to run at once.
const IDLE_GAP: Duration = Duration::from_secs(1);

/// The loop of one reconciler. [`Reconcilers`](super::Reconcilers) runs it; a test takes it step by step.
pub struct Runner {
    store: Store,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    reconciler: Arc<dyn Reconciler>,
    wakes: Vec<Wake>,
    backoff: Backoff,
    armed: Armed,
    next: Next,
    status: Arc<Mutex<ReconcilerStatus>>,
}

/// What starts the next round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Now,
    /// A wake, or the instant.
    Wake(Option<Timestamp>),
    /// The instant, and nothing else: the last round failed.
    After(Timestamp),
}

/// What [`Runner::step`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It ran a round.
    Ran,
    /// There is nothing to do before the instant, or before something happens.
    Waits(Option<Timestamp>),
    /// The store has been closed.
    Ended,
}

impl Runner {
    /// A loop that has not begun: its first step runs a round.
    pub fn new(platform: &Platform, reconciler: Arc<dyn Reconciler>) -> Self {
        let wakes = reconciler.wakes();
        Self {
            armed: Armed::new(&platform.store, &wakes),
            status: Arc::new(Mutex::new(ReconcilerStatus::new(reconciler.name()))),
            store: platform.store.clone(),
            clock: platform.clock.clone(),
            rng: platform.rng.clone(),
            reconciler,
            wakes,
            backoff: Backoff::DEFAULT,
            next: Next::Now,
        }
    }

    /// What it did last.
    pub fn status(&self) -> ReconcilerStatus {
        self.lock().clone()
    }

    pub(super) fn shared_status(&self) -> Arc<Mutex<ReconcilerStatus>> {
        self.status.clone()
    }

    /// Runs a round if there is a reason for one now; waits for none. Meant for a store in memory, which answers at once,
    /// and a clock that the test moves.
    pub async fn step(&mut self) -> Turn {
        if self.armed.is_closed().await {
            return self.end();
        }
        let now = self.clock.now();
        let due = match self.next {
            Next::Now => None,
            Next::After(at) if at > now => return Turn::Waits(Some(at)),
            Next::Wake(due) if due.is_none_or(|at| at > now) => match self.armed.has_fired().await {
                None => return Turn::Waits(due),
                Some(fired) => Some(fired),
            },
            Next::After(_) | Next::Wake(_) => None,
        };
        self.woken(due.unwrap_or(Ok(()))).await
    }

    /// Runs rounds as long as there is a reason for one now; answers how many that were.
    ///
    /// # Panics
    /// After a thousand rounds: the reconciler does not converge.
    pub async fn settle(&mut self) -> u32 {
        for rounds in 0..1000 {
            if self.step().await != Turn::Ran {
                return rounds;
            }
        }
        panic!("{} does not come to rest: {:?}", self.reconciler.name(), self.status());
    }

    /// Runs rounds whenever there is a reason for one, until the store is closed.
    pub(super) async fn run(mut self) {
        while self.turn().await != Turn::Ended {}
    }

    async fn turn(&mut self) -> Turn {
        let fired = match self.next {
            Next::Now => Ok(()),
            Next::Wake(due) => {
                tokio::select! {
                    fired = self.armed.fired() => fired,
                    () = until(&*self.clock, due) => Ok(()),
                }
            }
            Next::After(at) => {
                tokio::select! {
                    () = self.armed.closed() => Err(StoreError::Closed),
                    () = until(&*self.clock, Some(at)) => Ok(()),
                }
            }
        };
        self.woken(fired).await
    }

    async fn woken(&mut self, fired: Result<(), StoreError>) -> Turn {
        match fired {
            Err(StoreError::Closed) => return self.end(),
            Ok(()) => {}
            Err(error) => {
                // The next round begins with fresh wakes, and reads all that these have missed.
                let now = self.clock.now();
                self.lock().begin(now);
                self.failed(now, error.into());
                return Turn::Ran;
            }
        }
        // Before the round reads, so that nothing falls between.
        self.armed = Armed::new(&self.store, &self.wakes);
        let started = self.clock.now();
        self.lock().begin(started);
        let span = tracing::info_span!("reconcile", name = self.reconciler.name());
        let round = limited(self.reconciler.limit(), self.reconciler.round()).instrument(span).await;
        match round.map_err(Cause::from).flatten() {
            Ok(round) => self.done(started, round),
            Err(_) if self.armed.is_closed().await => return self.end(),
            Err(cause) => self.failed(started, cause),
        }
        Turn::Ran
    }

    fn done(&mut self, started: Timestamp, round: Round) {
        let finished = self.clock.now();
        let wanted_at_once = round.due.is_some_and(|due| due <= finished);
        let due = if wanted_at_once && round.changes == 0 { Some(finished.plus(IDLE_GAP)) } else { round.due };
        self.next = Next::Wake(due);
        let outcome = RoundOutcome::Done { changes: round.changes, did: brief(&round.did) };
        let mut status = self.lock();
        status.end(LastRound { started, finished, outcome });
        status.next_due = due;
    }

    fn failed(&mut self, started: Timestamp, cause: Cause) {
        let name = self.reconciler.name();
        tracing::error!(name, error = %cause, "a reconciler failed; it is tried again");
        let finished = self.clock.now();
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.end(LastRound { started, finished, outcome: RoundOutcome::Failed { error: brief(&cause) } });
        let at = finished.plus(self.backoff.delay(status.failures_in_row, &*self.rng));
        status.next_due = Some(at);
        self.next = Next::After(at);
    }

    fn end(&mut self) -> Turn {
        let mut status = self.lock();
        status.running_since = None;
        status.next_due = None;
        status.ended = true;
        Turn::Ended
    }

    fn lock(&self) -> MutexGuard<'_, ReconcilerStatus> {
        // Nothing that holds the lock leaves the status half changed in a way that matters to a reader.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner")
            .field("name", &self.reconciler.name())
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

/// Sleeps until the clock shows an instant; for ever, if there is none.
pub(crate) async fn until(clock: &dyn Clock, at: Option<Timestamp>) {
    let Some(at) = at else { return std::future::pending().await };
    loop {
        let left = at.since(clock.now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(CLOCK_RECHECK)).await;
    }
}
