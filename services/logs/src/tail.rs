//! Live Tail: events as they come in, to whoever watches.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use segments::{Event, Received, Subscription};
use store::Scope;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};
use wire::eventstream::EventSender;

use crate::Error;
use crate::api::{
    LiveTailSessionLogEvent, LiveTailSessionMetadata, LiveTailSessionStart, LiveTailSessionUpdate,
    SessionStreamingException, SessionTimeoutException, StartLiveTailResponseStream as Told,
};
use crate::pattern::Pattern;

/// How many sessions an account can have in a region (CloudWatch Logs' quota).
pub const SESSIONS_MAX: usize = 15;
/// How long a session lasts (CloudWatch Logs' quota).
pub const SESSION_MAX: Duration = Duration::from_secs(3 * 3600);
/// How often an update is sent.
const UPDATE_EVERY: Duration = Duration::from_secs(1);
/// How many events an update has (CloudWatch Logs' quota): of more, those that came first.
const UPDATE_EVENTS_MAX: usize = 500;
/// How many bytes of messages an update has.
const UPDATE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The sessions that are open, by account and region.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<BTreeMap<Scope, usize>>);

/// One open session; it is closed when this is dropped.
#[derive(Debug)]
pub(crate) struct Session {
    sessions: Arc<Sessions>,
    scope: Scope,
}

impl Sessions {
    /// Opens one more.
    ///
    /// # Errors
    /// [`Error::SessionsMax`]
    pub(crate) fn open(self: &Arc<Self>, scope: Scope) -> Result<Session, Error> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(scope.clone()).or_default();
        if *count >= SESSIONS_MAX {
            return Err(Error::SessionsMax(SESSIONS_MAX));
        }
        *count += 1;
        Ok(Session { sessions: self.clone(), scope })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut open = self.sessions.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.scope) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.scope);
            }
        }
    }
}

/// A group that is watched.
#[derive(Debug)]
pub(crate) struct Watched {
    /// How events name it: its ARN.
    pub(crate) identifier: String,
    /// Its events, from now on.
    pub(crate) subscription: Subscription,
}

/// Which events of the groups are wanted.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// By what they say.
    pub(crate) pattern: Pattern,
    /// By their streams, if any are named.
    pub(crate) streams: Option<BTreeSet<String>>,
    /// By what their streams' names begin with, if anything is named.
    pub(crate) stream_prefixes: Option<Vec<String>>,
}

impl Wanted {
    fn takes(&self, event: &Event) -> bool {
        let stream = &*event.stream;
        self.streams.as_ref().is_none_or(|names| names.contains(stream))
            && self.stream_prefixes.as_ref().is_none_or(|all| all.iter().any(|prefix| stream.starts_with(prefix)))
            && self.pattern.matches(&event.message)
    }

    /// Which events of a batch are wanted. A regular expression can take seconds for a batch, which must not hold up other
    /// requests. Nothing if the work broke off.
    async fn taken(self: &Arc<Self>, received: &Received) -> Option<Vec<bool>> {
        let (wanted, events) = (self.clone(), received.events.clone());
        let work = move || events.iter().map(|event| wanted.takes(event)).collect();
        if self.pattern.regexes() == 0 { Some(work()) } else { tokio::task::spawn_blocking(work).await.ok() }
    }
}

/// What an update will have.
#[derive(Debug, Default)]
struct Gathered {
    events: Vec<LiveTailSessionLogEvent>,
    bytes: usize,
    is_sampled: bool,
}

impl Gathered {
    /// Adds those events of a batch that are taken, told of each.
    fn add(&mut self, identifier: &str, received: &Received, taken: &[bool]) {
        self.is_sampled |= received.missed > 0;
        for event in received.events.iter().zip(taken).filter_map(|(event, is_taken)| is_taken.then_some(event)) {
            if self.events.len() == UPDATE_EVENTS_MAX || self.bytes + event.message.len() > UPDATE_BYTES_MAX {
                self.is_sampled = true;
                continue;
            }
            self.bytes += event.message.len();
            self.events.push(LiveTailSessionLogEvent {
                log_group_identifier: Some(identifier.to_owned()),
                log_stream_name: Some(event.stream.to_string()),
                timestamp: Some(event.timestamp.as_millis()),
                ingestion_time: Some(event.ingestion.as_millis()),
                message: Some(event.message.clone()),
            });
        }
    }

    fn take(&mut self) -> LiveTailSessionUpdate {
        let Self { mut events, is_sampled, .. } = std::mem::take(self);
        events.sort_by_key(|event| event.timestamp);
        LiveTailSessionUpdate {
            session_metadata: Some(LiveTailSessionMetadata { sampled: Some(is_sampled) }),
            session_results: Some(events),
        }
    }
}

/// Tells a client of events until it goes away, a group is deleted, or the session's time is over.
pub(crate) async fn tell(
    client: EventSender<Told>,
    start: LiveTailSessionStart,
    (mut watched, wanted): (Vec<Watched>, Wanted),
    _session: Session,
) {
    if client.send(Told::SessionStart(start)).await.is_err() {
        return;
    }
    let begin = Instant::now();
    let mut updates = interval_at(begin + UPDATE_EVERY, UPDATE_EVERY);
    updates.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut end = pin!(sleep_until(begin + SESSION_MAX));
    let mut gathered = Gathered::default();
    let wanted = Arc::new(wanted);
    loop {
        let last = tokio::select! {
            () = client.closed() => return,
            () = &mut end => {
                let message = Some("The Live Tail session has reached its longest time.".to_owned());
                Some(Told::SessionTimeoutException(SessionTimeoutException { message }))
            }
            _ = updates.tick() => {
                if client.send(Told::SessionUpdate(gathered.take())).await.is_err() {
                    return;
                }
                None
            }
            (at, received) = next(&mut watched) => match received {
                Some(received) => {
                    let Some(taken) = wanted.taken(&received).await else { return };
                    gathered.add(&watched[at].identifier, &received, &taken);
                    None
                }
                None => {
                    let message = Some(format!("The log group {} can be watched no more.", watched[at].identifier));
                    Some(Told::SessionStreamingException(SessionStreamingException { message }))
                }
            },
        };
        if let Some(last) = last {
            // Whoever has gone does not need to be told.
            let _ = client.send(last).await;
            return;
        }
    }
}

/// The next batch of any group, and of which.
async fn next(watched: &mut [Watched]) -> (usize, Option<Received>) {
    let mut waiting: Vec<_> = watched.iter_mut().map(|group| Box::pin(group.subscription.recv())).collect();
    poll_fn(|context| {
        for (at, receiving) in waiting.iter_mut().enumerate() {
            if let Poll::Ready(received) = receiving.as_mut().poll(context) {
                return Poll::Ready((at, received));
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests;
