//! Following a group live.

use std::sync::Arc;

use crate::Event;

/// Events as they are appended to a group, from the moment of subscribing.
#[derive(Debug)]
pub struct Subscription {}

/// What a subscriber receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// How many events were lost before these, because the subscriber was too slow.
    pub missed: u64,
    /// The events of one batch, in order.
    pub events: Arc<[Event]>,
}

impl Subscription {
    /// Waits for the next batch; none once the group is deleted or the store closed. Cancelling it loses nothing.
    pub async fn recv(&mut self) -> Option<Received> {
        None
    }
}
