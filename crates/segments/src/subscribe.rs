//! Following a group live.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::Notify;

use crate::{Event, lock};

/// What a subscriber has not received yet takes at most this much memory, about; beyond, the oldest is lost.
const PENDING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What an event takes besides its message.
const EVENT_BYTES: usize = size_of::<Event>() + 32;

/// Events as they are appended to a group, from the moment of subscribing.
#[derive(Debug)]
pub struct Subscription(Arc<Channel>);

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
        loop {
            let woken = self.0.woken.notified();
            match self.0.take() {
                Next::Batch(received) => return Some(received),
                Next::Closed => return None,
                Next::Nothing => woken.await,
            }
        }
    }

    /// The next batch, if it has come already.
    pub fn try_recv(&mut self) -> Option<Received> {
        match self.0.take() {
            Next::Batch(received) => Some(received),
            Next::Closed | Next::Nothing => None,
        }
    }
}

#[derive(Debug, Default)]
struct Channel {
    pending: Mutex<Pending>,
    woken: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    batches: VecDeque<Arc<[Event]>>,
    bytes: usize,
    missed: u64,
    is_closed: bool,
}

enum Next {
    Batch(Received),
    Nothing,
    Closed,
}

impl Channel {
    fn take(&self) -> Next {
        let mut pending = lock(&self.pending);
        match pending.batches.pop_front() {
            Some(events) => {
                pending.bytes -= weight(&events);
                Next::Batch(Received { missed: std::mem::take(&mut pending.missed), events })
            }
            None if pending.is_closed => Next::Closed,
            None => Next::Nothing,
        }
    }

    fn put(&self, events: &Arc<[Event]>) {
        let mut pending = lock(&self.pending);
        pending.bytes += weight(events);
        pending.batches.push_back(Arc::clone(events));
        // One batch is always kept, whatever its size.
        while pending.bytes > PENDING_BYTES_MAX && pending.batches.len() > 1 {
            let Some(lost) = pending.batches.pop_front() else { break };
            pending.bytes -= weight(&lost);
            pending.missed += lost.len() as u64;
        }
        self.woken.notify_one();
    }

    fn close(&self) {
        lock(&self.pending).is_closed = true;
        self.woken.notify_one();
    }
}

fn weight(events: &[Event]) -> usize {
    events.iter().map(|event| EVENT_BYTES + event.message.len()).sum()
}

/// Those who follow a group.
#[derive(Debug, Default)]
pub(crate) struct Subscribers(Mutex<Vec<Weak<Channel>>>);

impl Subscribers {
    pub(crate) fn subscribe(&self) -> Subscription {
        let channel = Arc::new(Channel::default());
        let mut channels = lock(&self.0);
        channels.retain(|channel| channel.strong_count() > 0);
        channels.push(Arc::downgrade(&channel));
        Subscription(channel)
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }

    pub(crate) fn publish(&self, events: Arc<[Event]>) {
        lock(&self.0).retain(|channel| channel.upgrade().inspect(|channel| channel.put(&events)).is_some());
    }

    /// Nothing comes any more.
    pub(crate) fn close(&self) {
        std::mem::take(&mut *lock(&self.0)).iter().filter_map(Weak::upgrade).for_each(|channel| channel.close());
    }
}

#[cfg(test)]
mod tests {
    use base::Timestamp;

    use super::*;
    use crate::EventId;

    fn batch(events: usize, bytes: usize) -> Arc<[Event]> {
        let event = Event {
            id: EventId::new(1, 1),
            timestamp: Timestamp::from_millis(1),
            ingestion: Timestamp::from_millis(1),
            message: "x".repeat(bytes),
            stream: "stream".into(),
        };
        vec![event; events].into()
    }

    #[test]
    fn whoever_is_too_slow_is_told_how_many_events_were_missed() {
        let subscribers = Subscribers::default();
        let mut slow = subscribers.subscribe();
        for _ in 0..3 {
            subscribers.publish(batch(2, PENDING_BYTES_MAX / 3));
        }
        let received = slow.try_recv().unwrap();
        assert_eq!((received.missed, received.events.len()), (4, 2));
        assert_eq!(slow.try_recv(), None);
    }

    #[tokio::test]
    async fn what_was_published_before_the_end_is_received() {
        let subscribers = Subscribers::default();
        let mut subscription = subscribers.subscribe();
        subscribers.publish(batch(1, 1));
        subscribers.close();
        assert!(subscription.recv().await.is_some());
        assert_eq!(subscription.recv().await, None);
    }

    #[test]
    fn whoever_has_gone_is_forgotten() {
        let subscribers = Subscribers::default();
        drop(subscribers.subscribe());
        subscribers.publish(batch(1, 1));
        assert!(subscribers.is_empty());
    }
}
