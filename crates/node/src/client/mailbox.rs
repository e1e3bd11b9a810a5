//! What came of a session and was not looked at yet.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore};
use workload::WorkloadId;

use crate::protocol::{Answer, Event, Failure, FailureKind, WINDOW_BYTES, cost};

/// The most that waits to be looked at. What is printed has its window; of a workload only the latest waits; a node with
/// more workloads than this there is none.
const EVENTS_MAX: usize = 64 * 1024;

/// Between the connection, which never waits, and whoever looks.
#[derive(Debug)]
pub(super) struct Mailbox {
    state: Mutex<State>,
    /// There is something.
    more: Notify,
    /// What may be sent before more is taken.
    pub(super) credit: Semaphore,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    /// How many were taken from the front, ever.
    gone: u64,
    /// Where the latest about a workload is, counted from the first there ever was.
    latest: HashMap<WorkloadId, u64>,
    /// How much of what was printed is here or was not reported as taken.
    under_way: u32,
    end: Option<End>,
}

/// How a session ended.
#[derive(Debug, Clone)]
pub(super) enum End {
    Answered(Result<Answer, Failure>),
    /// The connection broke.
    Lost,
}

impl Mailbox {
    pub(super) fn new() -> Self {
        let credit = Semaphore::new(WINDOW_BYTES as usize);
        Self { state: Mutex::default(), more: Notify::new(), credit }
    }

    /// Something happened. A node that says more than it may is not listened to any more.
    pub(super) fn put(&self, event: Event) {
        let mut state = self.lock();
        if state.end.is_some() {
            return;
        }
        match &event {
            Event::Taken(count) => return self.give(*count),
            Event::Output(output) => {
                let cost = cost(&output.data);
                if cost > WINDOW_BYTES.saturating_sub(state.under_way) {
                    drop(state);
                    return self.end(End::Answered(Err(beyond())));
                }
                state.under_way += cost;
            }
            Event::Observed { id, .. } => {
                let (id, gone) = (id.clone(), state.gone);
                let place = state.latest.get(&id).and_then(|at| usize::try_from(at.checked_sub(gone)?).ok());
                if let Some(waiting) = place.and_then(|place| state.events.get_mut(place)) {
                    *waiting = event;
                    return;
                }
                let at = gone + state.events.len() as u64;
                state.latest.insert(id, at);
            }
            Event::Told | Event::Started => {}
        }
        if state.events.len() >= EVENTS_MAX {
            drop(state);
            return self.end(End::Answered(Err(beyond())));
        }
        state.events.push_back(event);
        drop(state);
        self.more.notify_one();
    }

    /// Nothing more will happen.
    pub(super) fn end(&self, end: End) {
        let mut state = self.lock();
        if state.end.is_none() {
            state.end = Some(end);
            self.credit.close();
        }
        drop(state);
        self.more.notify_one();
    }

    /// The next thing that happened, or how it ended.
    pub(super) async fn next(&self) -> Result<Event, End> {
        loop {
            {
                let mut state = self.lock();
                if let Some(event) = state.events.pop_front() {
                    state.gone += 1;
                    if let Event::Observed { id, .. } = &event {
                        state.latest.remove(id);
                    }
                    return Ok(event);
                }
                if let Some(end) = &state.end {
                    return Err(end.clone());
                }
            }
            self.more.notified().await;
        }
    }

    /// So much of what was printed is told to have been taken.
    pub(super) fn told_taken(&self, count: u32) {
        let mut state = self.lock();
        state.under_way = state.under_way.saturating_sub(count);
    }

    fn give(&self, count: u32) {
        let room = (WINDOW_BYTES as usize).saturating_sub(self.credit.available_permits());
        self.credit.add_permits((count as usize).min(room));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in there is half-changed by a panic that could poison it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn beyond() -> Failure {
    Failure::new(FailureKind::Internal, "the node says more than was taken")
}

#[cfg(test)]
mod tests {
    use workload::{Observed, Phase};

    use super::*;
    use crate::protocol::{Output, PIECE_COST};

    fn observed(id: char, sequence: u64) -> Event {
        let id = std::iter::repeat_n(id, WorkloadId::LENGTH).collect::<String>().parse().unwrap();
        let observed = Observed {
            sequence,
            phase: Phase::Pending,
            reason: None,
            containers: Vec::new(),
            address: None,
            ports: Vec::new(),
            steps: Vec::new(),
            started_at: None,
            stopped_at: None,
        };
        Event::Observed { id, generation: 1, observed: Box::new(observed) }
    }

    fn output(length: usize) -> Event {
        let data = "A".repeat(length);
        Event::Output(Output { stream: 1, data, at_ms: 0, next: 0, partial: false, lost_bytes: 0 })
    }

    #[tokio::test]
    async fn of_a_workload_only_the_latest_waits_and_order_stays() {
        let mailbox = Mailbox::new();
        for event in [observed('a', 1), observed('b', 1), Event::Told, observed('a', 2), observed('a', 3)] {
            mailbox.put(event);
        }
        assert_eq!(mailbox.next().await.unwrap(), observed('a', 3));
        mailbox.put(observed('a', 4));
        mailbox.put(observed('b', 2));
        mailbox.end(End::Lost);
        for expected in [observed('b', 2), Event::Told, observed('a', 4)] {
            assert_eq!(mailbox.next().await.unwrap(), expected);
        }
        assert!(matches!(mailbox.next().await, Err(End::Lost)));
    }

    #[tokio::test]
    async fn a_node_that_says_more_than_was_taken_is_not_listened_to() {
        let mailbox = Mailbox::new();
        let whole = (WINDOW_BYTES - PIECE_COST) as usize;
        mailbox.put(output(whole));
        mailbox.next().await.unwrap();
        mailbox.told_taken(WINDOW_BYTES);
        mailbox.put(output(whole));
        mailbox.put(output(0));
        mailbox.next().await.unwrap();
        assert!(matches!(mailbox.next().await, Err(End::Answered(Err(_)))));
        assert!(mailbox.credit.acquire().await.is_err(), "nothing is sent there any more");
    }

    #[test]
    fn what_a_node_gives_is_never_more_than_the_window() {
        let mailbox = Mailbox::new();
        mailbox.put(Event::Taken(u32::MAX));
        assert_eq!(mailbox.credit.available_permits(), WINDOW_BYTES as usize);
    }
}
