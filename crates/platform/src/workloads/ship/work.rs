//! Sends the output of one container on.

use std::sync::Arc;
use std::time::Duration;

use store::{Guard, Record, Scope, StoreError, Tx};
use tokio::time::timeout;

use super::super::{DriverError, LogDestination, OutputOf, Placement, Printing, Shipped, Workload, WorkloadError};
use super::lines::Lines;
use super::{Order, Shared};
use crate::ports::{LogSinkError, LogTarget};
use crate::reconciler::Cause;

/// So much is gathered before it is stored, in bytes and in events.
const BATCH_BYTES: usize = 512 * 1024;
const BATCH_EVENTS: usize = 5000;
/// For so long more is waited for before it is stored.
const GATHER: Duration = Duration::from_millis(250);

/// Why output is not sent on, now or for ever.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Node(#[from] DriverError),
    #[error(transparent)]
    Sink(#[from] LogSinkError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sends output on until there is no more, or something fails, which is then tried again later.
pub(super) async fn ship(shared: Arc<Shared>, order: Order) -> Result<(), Cause> {
    let (id, container) = &order.source;
    let workload = shared.workloads.store().read::<Workload>(&order.scope, &[id.as_str()]).await?;
    let destination = workload.as_ref().and_then(|workload| workload.sinks.get(container));
    let Some(destination) = destination else {
        shared.done(&order.source);
        return Ok(());
    };
    match shared.send(&order, destination).await {
        Ok(()) if order.is_stopped => shared.done(&order.source),
        // It has printed all it will, and is known to have stopped soon; or it is another's turn.
        Ok(()) => shared.later(&order.source, false),
        Err(Trouble::Store(error)) => return Err(WorkloadError::from(error).into()),
        Err(trouble) if trouble.is_lasting() => {
            tracing::warn!(workload = %id, container, %trouble, "output is not sent on");
            shared.note(&order, |shipped| shipped.is_done = true).await?;
            shared.done(&order.source);
        }
        Err(trouble) => {
            tracing::info!(workload = %id, container, %trouble, "output is not sent on now");
            shared.later(&order.source, true);
        }
    }
    Ok(())
}

impl Trouble {
    fn is_lasting(&self) -> bool {
        matches!(self, Self::Node(DriverError::Refused(_)) | Self::Sink(LogSinkError::Name))
    }
}

impl Shared {
    async fn send(&self, order: &Order, destination: &LogDestination) -> Result<(), Trouble> {
        let (id, container) = (&order.source.0, order.source.1.as_str());
        let shipped = self.workloads.store().read::<Shipped>(&Scope::system(), &self.place(order)).await?;
        let shipped = shipped.map(|shipped| shipped.value).unwrap_or_default();
        if shipped.is_done {
            return Ok(());
        }
        let position = shipped.position;
        let mut printing = self.driver.output(OutputOf { id, container, position, follow: order.follow }).await?;
        let mut lines = Lines::starting_at(position);
        let mut goes_on = true;
        while goes_on {
            goes_on = gather(&mut *printing, &mut lines).await?;
            if !goes_on {
                if order.is_stopped || order.follow {
                    lines.end_all();
                }
                // Nothing is left, but that may have to be noted.
                if !lines.has_news() {
                    break;
                }
            }
            self.store(order, destination, &mut lines).await?;
        }
        if order.is_stopped {
            self.note(order, |shipped| shipped.is_done = true).await?;
        }
        Ok(())
    }

    /// Stores what was gathered, and then notes how far that is.
    async fn store(&self, order: &Order, destination: &LogDestination, lines: &mut Lines) -> Result<(), Trouble> {
        let batch = lines.take();
        let (Some(account), Some(region)) = (order.scope.account(), order.scope.region()) else { return Ok(()) };
        let target = LogTarget {
            account,
            region,
            group: &destination.group,
            stream: &destination.stream,
            creates_group: destination.creates_group,
        };
        self.sink.put_events(target, batch.events).await?;
        self.note(order, |shipped| {
            shipped.position = batch.position;
            shipped.lost_bytes = shipped.lost_bytes.saturating_add(batch.lost_bytes);
        })
        .await?;
        Ok(())
    }

    /// Notes how far the output was sent on. Nobody else does.
    async fn note(&self, order: &Order, note: impl Fn(&mut Shipped)) -> Result<(), StoreError> {
        let (store, place) = (self.workloads.store(), self.place(order));
        let known = store.read::<Shipped>(&Scope::system(), &place).await?;
        let mut shipped = known.as_ref().map(|known| known.value.clone()).unwrap_or_default();
        note(&mut shipped);
        let placement = Scope::system().key().join([Placement::SERVICE, Placement::KIND, place[0], place[1]]);
        let mut tx = Tx::new();
        tx.guard(Guard::Exists(placement));
        match &known {
            Some(known) => tx.replace(known, &shipped),
            None => tx.insert(&Scope::system(), &place, &shipped),
        };
        match store.commit(tx).await {
            // It was removed meanwhile, and nobody wants to know.
            Err(error) if error.is_conflict() => Ok(()),
            noted => noted.map(drop),
        }
    }

    fn place<'a>(&'a self, order: &'a Order) -> [&'a str; 3] {
        [self.node.as_str(), order.source.0.as_str(), &order.source.1]
    }
}

/// Reads until there is enough, or nothing has come for a while, or there is no more; answers whether there may be more.
async fn gather(printing: &mut dyn Printing, lines: &mut Lines) -> Result<bool, DriverError> {
    while lines.bytes() < BATCH_BYTES && lines.count() < BATCH_EVENTS {
        let next = if lines.has_news() {
            match timeout(GATHER, printing.next()).await {
                Ok(next) => next?,
                Err(_) => return Ok(true),
            }
        } else {
            printing.next().await?
        };
        match next {
            Some(printed) => lines.push(printed),
            None => return Ok(false),
        }
    }
    Ok(true)
}
