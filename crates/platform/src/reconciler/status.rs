//! What a person sees of a reconciler.

use base::Timestamp;
use serde::Serialize;

/// What a reconciler does, and what it did last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReconcilerStatus {
    /// [`Reconciler::name`](super::Reconciler::name).
    pub name: String,
    /// How many rounds have ended since the process started.
    pub rounds: u64,
    /// How many of them failed.
    pub failures: u64,
    /// How many failed since the last one that did not.
    pub failures_in_row: u32,
    /// Since when a round has been going on.
    pub running_since: Option<Timestamp>,
    /// The last round that ended.
    pub last: Option<LastRound>,
    /// The last round that failed.
    pub last_failure: Option<LastRound>,
    /// When the next round starts, if nothing wakes it before; after a failure, whatever does.
    pub next_due: Option<Timestamp>,
    /// Whether its loop has ended, because the store was closed.
    pub ended: bool,
}

/// A round that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastRound {
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// How.
    pub outcome: RoundOutcome,
}

/// How a round ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "outcome")]
pub enum RoundOutcome {
    /// It did what there was to do.
    Done {
        /// How much it changed.
        changes: u64,
        /// What it did; empty for nothing.
        did: String,
    },
    /// It failed, panicked or took too long.
    Failed {
        /// Why.
        error: String,
    },
}

impl ReconcilerStatus {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            rounds: 0,
            failures: 0,
            failures_in_row: 0,
            running_since: None,
            last: None,
            last_failure: None,
            next_due: None,
            ended: false,
        }
    }

    pub(super) fn begin(&mut self, now: Timestamp) {
        self.running_since = Some(now);
        self.next_due = None;
    }

    pub(super) fn end(&mut self, round: LastRound) {
        self.running_since = None;
        self.rounds += 1;
        if let RoundOutcome::Failed { .. } = round.outcome {
            self.failures += 1;
            self.failures_in_row = self.failures_in_row.saturating_add(1);
            self.last_failure = Some(round.clone());
        } else {
            self.failures_in_row = 0;
        }
        self.last = Some(round);
    }
}
