//! Queues: messages without history, in the same transactions as the records that they are about.

use std::fmt;

use base::Timestamp;

use crate::StoreError;

/// What receiving a message gives: whoever has the latest one holds the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt(pub u64);

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A message that was received, and is held until [`Message::visible_at`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The queue that it is in.
    pub queue: String,
    /// Its id within the queue.
    pub id: String,
    /// What was enqueued.
    pub body: Vec<u8>,
    /// Acknowledges, extends or releases it.
    pub receipt: Receipt,
    /// How often it has been received, this time included.
    pub received: u32,
    /// When it was enqueued.
    pub enqueued_at: Timestamp,
    /// When it can be received again.
    pub visible_at: Timestamp,
}

/// How many messages a queue has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueCount {
    /// Those that can be received now (SQS's ApproximateNumberOfMessages).
    pub visible: u64,
    /// Those that somebody holds (ApproximateNumberOfMessagesNotVisible).
    pub held: u64,
    /// Those whose time has still to come (ApproximateNumberOfMessagesDelayed).
    pub delayed: u64,
    /// When the first of the held and delayed ones can be received.
    pub next_visible_at: Option<Timestamp>,
}

/// Wakes a receiver when a message has been put into its queue, or released. It does not tell of messages that become
/// visible by the passing of time: [`QueueCount::next_visible_at`] says when to look again.
#[derive(Debug, Clone)]
pub struct QueueSignal(pub(crate) tokio::sync::watch::Receiver<()>);

impl QueueSignal {
    /// Waits until the queue has changed since the last call, or since the signal was made: so make it, then receive,
    /// and wait when there was nothing.
    ///
    /// # Errors
    /// [`StoreError::Closed`] when the store has been closed.
    pub async fn changed(&mut self) -> Result<(), StoreError> {
        self.0.changed().await.map_err(|_| StoreError::Closed)
    }
}
