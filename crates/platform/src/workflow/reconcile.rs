//! Drives instances to their ends, and forgets them when their time has come.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use store::{Message, Scope, StoreError, Tx, Versioned};

use super::engine::{Advance, Engine, Workflows, expiries, outcome_id};
use super::outcome::{Expiry, WorkflowOutcome};
use super::{Instance, Phase, Workflow};
use crate::BoxFuture;
use crate::reconciler::{Cause, Reconciler, Round, Wake};

/// How many instances are read at once.
const PAGE: usize = 200;
/// How many outcomes are forgotten at once.
const BATCH: usize = 50;
/// How long an expiry that was received is held before it comes again.
const HOLD: Duration = Duration::from_secs(30);

impl<W: Workflow> Reconciler for Workflows<W> {
    fn name(&self) -> &str {
        &self.name
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::records::<Instance<W>>(), Wake::Queue(expiries::<W>()), self.crew.wake()]
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async {
            self.crew.check()?;
            let forgotten = self.engine.forget().await?;
            let (driven, due) = self.drive().await?;
            let next_expiry = self.engine.store.count(&expiries::<W>()).await?.next_visible_at;
            let did = format!("set {driven} going, forgot {forgotten} outcomes");
            Ok(Round::did(driven + forgotten, did).due(due.into_iter().chain(next_expiry).min()))
        })
    }
}

impl<W: Workflow> Workflows<W> {
    /// Sets every instance going that has something to do and is not at it, as far as there are places. Answers how many,
    /// and when the first of the others has something to do.
    async fn drive(&self) -> Result<(u64, Option<Timestamp>), StoreError> {
        let (mut driven, mut due, mut after) = (0, None, None);
        loop {
            let page = self.engine.store.list_everywhere::<Instance<W>>(after.as_deref(), PAGE).await?;
            for instance in &page.items {
                match instance.phase.place().due.filter(|due| *due > self.engine.clock.now()) {
                    _ if matches!(instance.phase, Phase::Stuck { .. }) => {}
                    Some(later) => due = Some(due.map_or(later, |due: Timestamp| due.min(later))),
                    // One that ends wakes the next round.
                    None if self.crew.places_left() == 0 => return Ok((driven, due)),
                    None => driven += u64::from(self.set_going(instance)),
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok((driven, due)),
            }
        }
    }

    fn set_going(&self, instance: &Versioned<Instance<W>>) -> bool {
        let (engine, scope, id) = (self.engine.clone(), instance.scope.clone(), instance.name().to_owned());
        self.crew.start(instance.key.as_str(), move || run(engine.clone(), scope.clone(), id.clone()))
    }
}

/// Moves an instance on until it waits or has ended.
async fn run<W: Workflow>(engine: Arc<Engine<W>>, scope: Scope, id: String) -> Result<(), Cause> {
    while engine.advance(&scope, &id).await? == Advance::Moved {}
    Ok(())
}

impl<W: Workflow> Engine<W> {
    /// Removes the outcomes whose time has come.
    async fn forget(&self) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        loop {
            let due = self.store.receive(&expiries::<W>(), BATCH, HOLD).await?;
            if due.is_empty() {
                return Ok(forgotten);
            }
            for message in &due {
                match self.forget_one(message).await {
                    Ok(()) => forgotten += 1,
                    // Another instance of the id ended just now, and is kept for its own time.
                    Err(StoreError::Conflict { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    async fn forget_one(&self, message: &Message) -> Result<(), StoreError> {
        let mut tx = Tx::new();
        tx.ack(message);
        match serde_json::from_slice::<Expiry>(&message.body) {
            Ok(expiry) => {
                let id = outcome_id::<W>(&expiry.id);
                let outcome = self.store.read::<WorkflowOutcome>(&expiry.scope(), &id).await?;
                if let Some(outcome) = outcome.filter(|outcome| outcome.ended == expiry.ended) {
                    tx.remove(&outcome);
                }
            }
            Err(error) => tracing::error!(id = message.id, %error, "an expiry of a workflow's outcome cannot be read"),
        }
        self.store.commit(tx).await.map(drop)
    }
}
