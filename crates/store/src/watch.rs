//! Watches: the history of some keys, read as it happens.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::engine::Engine;
use crate::hub::Pull;
use crate::limits::WATCH_EVENTS_MAX;
use crate::pattern::Pattern;
use crate::{Event, Revision, StoreError};

/// Events of a set of keys after a revision, each once and in order. The store keeps no buffer for it: a watch that is
/// read slowly reads from the history, until that is compacted.
pub struct Watch {
    engine: Arc<dyn Engine>,
    pattern: Pattern,
    id: u64,
    notify: Arc<Notify>,
    position: Revision,
}

impl Watch {
    pub(crate) fn new(engine: Arc<dyn Engine>, pattern: Pattern, after: Revision) -> Self {
        let (id, notify) = engine.hub().register(&pattern, after);
        Self { engine, pattern, id, notify, position: after }
    }

    /// Waits for events. The events of one revision always come together. May be dropped and called again without
    /// losing any.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] when events that are still to come have been dropped from the history,
    /// [`StoreError::Closed`] when the store has been closed, and the errors of reading.
    pub async fn next(&mut self) -> Result<Vec<Event>, StoreError> {
        loop {
            match self.engine.hub().pull(self.id, self.position) {
                Pull::Closed => return Err(StoreError::Closed),
                Pull::Wait(position) => {
                    self.position = position;
                    self.notify.notified().await;
                }
                Pull::Read(after) => {
                    let changes = self.engine.changes(&self.pattern, after, WATCH_EVENTS_MAX).await?;
                    self.position = changes.through.max(after);
                    self.engine.hub().caught_up(self.id, self.position);
                    if !changes.events.is_empty() {
                        return Ok(changes.events);
                    }
                }
            }
        }
    }

    /// The revision up to which everything has been handed out: a new watch after it misses nothing. It advances while
    /// waiting, too (Kubernetes calls it a bookmark).
    pub fn position(&self) -> Revision {
        self.position
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.engine.hub().unregister(self.id);
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("pattern", &self.pattern).field("position", &self.position).finish()
    }
}
