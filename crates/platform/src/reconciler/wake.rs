//! What wakes a reconciler.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use store::{Key, QueueSignal, Record, Store, StoreError, Watch};
use tokio::sync::Notify;

use crate::BoxFuture;

/// A reason to look at the state again. It says that something may have changed, never what.
#[derive(Debug, Clone)]
pub enum Wake {
    /// Something at or below a key was written or deleted.
    Prefix(Key),
    /// A record of a kind was written or deleted, in whatever account and region; see [`Wake::records`].
    Kind {
        /// [`Record::SERVICE`].
        service: &'static str,
        /// [`Record::KIND`].
        kind: &'static str,
    },
    /// A message was put into the queue, or released. That a message becomes visible by the passing of time wakes
    /// nobody: a round says by [`Round::due`](super::Round::due) when to look again.
    Queue(String),
    /// Another part of this process calls.
    Signal(Arc<Notify>),
}

impl Wake {
    /// A change of any record of a kind.
    pub fn records<R: Record>() -> Self {
        Self::Kind { service: R::SERVICE, kind: R::KIND }
    }
}

/// The name of a queue that nobody uses: its signal tells that the store has been closed.
const NO_QUEUE: &str = "reconcilers";

/// Wakes that have been set. All that happens after they were is noticed.
pub(super) struct Armed {
    sources: Vec<Source>,
    closing: QueueSignal,
}

enum Source {
    Watch(Watch),
    Queue(QueueSignal),
    Signal(Arc<Notify>),
}

impl Armed {
    /// Sets wakes. What was committed before is seen by whoever reads after this call, so it needs no waking: however
    /// much has happened since the last round, it is one round more.
    pub(super) fn new(store: &Store, wakes: &[Wake]) -> Self {
        let now = store.revision();
        let sources = wakes.iter().map(|wake| match wake {
            Wake::Prefix(key) => Source::Watch(store.watch(key, now)),
            Wake::Kind { service, kind } => Source::Watch(store.watch_kind(service, kind, now)),
            Wake::Queue(queue) => Source::Queue(store.queue_signal(queue)),
            Wake::Signal(signal) => Source::Signal(signal.clone()),
        });
        Self { sources: sources.collect(), closing: store.queue_signal(NO_QUEUE) }
    }

    /// Waits until one of the wakes has gone off. All that have are used up together.
    ///
    /// # Errors
    /// [`StoreError::Closed`] when the store has been closed, and the errors of reading.
    pub(super) async fn fired(&mut self) -> Result<(), StoreError> {
        let mut waiting: Vec<BoxFuture<'_, Result<(), StoreError>>> =
            self.sources.iter_mut().map(|source| Box::pin(source.fired()) as _).collect();
        let closing = &mut self.closing;
        waiting.push(Box::pin(closed(closing)));
        let any = poll_fn(|cx| {
            let mut outcome = Poll::Pending;
            for one in &mut waiting {
                match (one.as_mut().poll(cx), &outcome) {
                    (Poll::Pending, _) | (Poll::Ready(_), Poll::Ready(Err(_))) => {}
                    (ready, _) => outcome = ready,
                }
            }
            outcome
        });
        any.await
    }

    /// Waits until the store is closed.
    pub(super) async fn closed(&mut self) {
        drop(closed(&mut self.closing).await);
    }

    /// Whether a wake has gone off: none if not yet.
    pub(super) async fn has_fired(&mut self) -> Option<Result<(), StoreError>> {
        now_or_never(self.fired()).await
    }

    /// Whether the store has been closed.
    pub(super) async fn is_closed(&mut self) -> bool {
        now_or_never(self.closed()).await.is_some()
    }
}

async fn closed(signal: &mut QueueSignal) -> Result<(), StoreError> {
    loop {
        signal.changed().await?;
    }
}

impl Source {
    async fn fired(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Watch(watch) => match watch.next().await {
                // What was missed does not matter: the next round reads the state, not the events.
                Ok(_) | Err(StoreError::Compacted { .. }) => Ok(()),
                Err(error) => Err(error),
            },
            Self::Queue(signal) => signal.changed().await,
            Self::Signal(signal) => {
                signal.notified().await;
                Ok(())
            }
        }
    }
}

/// Polls a future once.
async fn now_or_never<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}
