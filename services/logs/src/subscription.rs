//! Subscription filters: who is told of events while they come in.
//!
//! What a filter takes is handed to its destination as CloudWatch Logs hands it to a function: a document in gzip and base64. It
//! is handed over before whoever has sent the events is answered, so that each is delivered at least once.
//!
//! Source: CloudWatch Logs User Guide, "Real-time processing of log data with subscriptions".

mod document;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base::{AccountId, Region, Timestamp};
use platform::BoxFuture;
use segments::{EventId, NewEvent};
use serde::{Deserialize, Serialize};
use store::{Record, Versioned};

use crate::children::{self, Child, Window};
use crate::group::LogGroup;
use crate::names::GroupName;
use crate::pattern::{Message, Pattern};
use crate::{Error, Logs, api};
use document::{Document, LogEvent};

/// CloudWatch Logs' quota of subscription filters in a group.
pub const FILTERS_MAX: usize = 2;
/// How many groups' compiled filters are kept in memory.
const COMPILED_GROUPS_MAX: usize = 4096;

/// A subscription filter. Its record's id is its group's id and its name, cut at `/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionFilter {
    /// Its name.
    pub name: String,
    /// The name of its group.
    pub group: String,
    /// Which events it takes.
    pub pattern: String,
    /// Where they go.
    pub destination_arn: String,
    /// How they are spread over a stream's shards; a function has none.
    #[serde(with = "wire::stored")]
    pub distribution: api::Distribution,
    /// When it was created.
    pub created: Timestamp,
}

impl Record for SubscriptionFilter {
    const SERVICE: &'static str = "logs";
    const KIND: &'static str = "subscription-filter";
}

impl Child for SubscriptionFilter {
    fn name(&self) -> &str {
        &self.name
    }
}

impl SubscriptionFilter {
    /// The filter as DescribeSubscriptionFilters answers it.
    pub(crate) fn describe(self) -> api::SubscriptionFilter {
        api::SubscriptionFilter {
            filter_name: Some(self.name),
            log_group_name: Some(self.group),
            filter_pattern: Some(self.pattern),
            destination_arn: Some(self.destination_arn),
            distribution: Some(self.distribution),
            creation_time: Some(self.created.as_millis()),
            ..api::SubscriptionFilter::default()
        }
    }
}

/// The group whose events are handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source<'a> {
    /// Whose it is.
    pub account: AccountId,
    /// Where it is.
    pub region: &'a Region,
    /// `arn:aws:logs:REGION:ACCOUNT:log-group:NAME:*`
    pub arn: &'a str,
}

/// Where events go: implemented over the services that take some.
pub trait Destinations: Send + Sync + fmt::Debug {
    /// Whether a function is there and lets the group in.
    fn validate<'a>(&'a self, source: Source<'a>, function_arn: &'a str) -> BoxFuture<'a, Result<(), CannotDeliver>>;

    /// Hands a function an event. When this returns it is on disk.
    fn deliver<'a>(
        &'a self,
        source: Source<'a>,
        function_arn: &'a str,
        event: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), CannotDeliver>>;
}

/// Why a destination gets nothing.
#[derive(Debug, thiserror::Error)]
pub enum CannotDeliver {
    /// It never will, as things are: it is not there, does not let the group in, or cannot take so much.
    #[error("{0}")]
    Refused(String),
    /// It may later.
    #[error("{0}")]
    Failed(String),
}

/// No service takes events.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDestinations;

impl Destinations for NoDestinations {
    fn validate<'a>(&'a self, _: Source<'a>, function_arn: &'a str) -> BoxFuture<'a, Result<(), CannotDeliver>> {
        Box::pin(async move { Err(CannotDeliver::Refused(format!("nothing is at {function_arn}"))) })
    }

    fn deliver<'a>(
        &'a self,
        source: Source<'a>,
        function_arn: &'a str,
        _: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), CannotDeliver>> {
        self.validate(source, function_arn)
    }
}

/// A subscription filter, ready.
#[derive(Debug)]
struct Compiled {
    name: String,
    pattern: Pattern,
    destination_arn: String,
    /// Whether its destination has refused something since this was read. It is told once.
    was_refused: AtomicBool,
}

#[derive(Debug)]
struct GroupFilters {
    /// [`LogGroup::subscription_filters_changed`] when they were read.
    changed: u64,
    compiled: Vec<Compiled>,
}

/// The compiled filters of groups that events came into.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(Mutex<BTreeMap<String, Arc<GroupFilters>>>);

/// Events that were stored, and are to be handed on.
pub(crate) struct Stored<'a> {
    pub(crate) name: &'a GroupName,
    pub(crate) stream: &'a str,
    /// The smallest id among them.
    pub(crate) first: EventId,
    pub(crate) events: Vec<NewEvent>,
    filters: Arc<GroupFilters>,
}

impl Subscriptions {
    /// A group's filters, and the events as they are to be kept for them; none if the group has no filters.
    pub(crate) async fn wanted(
        &self,
        logs: &Logs,
        name: &GroupName,
        group: &Versioned<LogGroup>,
        events: &[NewEvent],
    ) -> Result<Option<Wanted>, Error> {
        if group.subscription_filters == 0 {
            return Ok(None);
        }
        let filters = match self.known(group) {
            Some(known) => known,
            None => self.read(logs, name, group).await?,
        };
        Ok(Some(Wanted { filters, events: events.to_vec() }))
    }

    fn known(&self, group: &Versioned<LogGroup>) -> Option<Arc<GroupFilters>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&group.storage_id).filter(|it| it.changed == group.subscription_filters_changed).cloned()
    }

    async fn read(
        &self,
        logs: &Logs,
        name: &GroupName,
        group: &Versioned<LogGroup>,
    ) -> Result<Arc<GroupFilters>, Error> {
        let filters = of_group(logs, name, group, "").await?;
        let compiled = filters.into_iter().filter_map(|filter| {
            let pattern = Pattern::parse(&filter.pattern)
                .inspect_err(|error| tracing::error!(filter = filter.name, %error, "a stored filter is void"))
                .ok()?;
            let (name, destination_arn) = (filter.name, filter.destination_arn);
            Some(Compiled { name, pattern, destination_arn, was_refused: AtomicBool::new(false) })
        });
        let read = Arc::new(GroupFilters { changed: group.subscription_filters_changed, compiled: compiled.collect() });
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= COMPILED_GROUPS_MAX {
            known.clear();
        }
        known.insert(group.storage_id.clone(), read.clone());
        Ok(read)
    }
}

/// Events that are to be handed on once they are stored, and by which filters.
pub(crate) struct Wanted {
    filters: Arc<GroupFilters>,
    events: Vec<NewEvent>,
}

impl Wanted {
    /// The same when they are stored.
    pub(crate) fn stored<'a>(mut self, name: &'a GroupName, stream: &'a str, first: EventId) -> Stored<'a> {
        // That is the order in which they were.
        self.events.sort_by_key(|event| event.timestamp);
        Stored { name, stream, first, events: self.events, filters: self.filters }
    }
}

/// The filters of a group whose names begin so, by name.
pub(crate) async fn of_group(
    logs: &Logs,
    name: &GroupName,
    group: &Versioned<LogGroup>,
    prefix: &str,
) -> Result<Vec<SubscriptionFilter>, Error> {
    let window = Window { prefix, limit: FILTERS_MAX, ..Window::default() };
    Ok(children::list(&logs.platform.store, &name.scope(), &group.storage_id, window).await?.items)
}

impl Stored<'_> {
    /// Hands each filter's destination what the filter takes.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where a destination could not take it for now: the events have to be sent again. What a
    /// destination refuses is skipped, as AWS skips it.
    pub(crate) async fn hand_on(self, destinations: &dyn Destinations) -> Result<(), Error> {
        let Self { name, stream, first, events, filters } = self;
        let arn = name.arn_with_streams();
        let source = Source { account: name.account, region: &name.region, arn: &arn };
        let head = Head { owner: name.account.to_string(), group: name.name.clone(), stream: stream.to_owned() };
        let (made, filters) = {
            // Looking at a batch, and packing it, can take long enough to be in the way of other requests.
            let work = tokio::task::spawn_blocking(move || {
                let ids = ids(first, &events);
                let made: Vec<_> = filters.compiled.iter().map(|filter| filter.events(&head, &ids, &events)).collect();
                (made, filters)
            });
            // A panic in there has been printed; nothing else keeps the work from ending.
            work.await.map_err(|_| Error::Unavailable)?
        };
        for (filter, events) in filters.compiled.iter().zip(made) {
            for event in events {
                match destinations.deliver(source, &filter.destination_arn, event).await {
                    Ok(()) => filter.was_refused.store(false, Ordering::Relaxed),
                    Err(CannotDeliver::Refused(reason)) => filter.note_refusal(&arn, &reason),
                    Err(CannotDeliver::Failed(reason)) => {
                        tracing::error!(group = arn, filter = filter.name, reason, "events could not be handed on");
                        return Err(Error::Unavailable);
                    }
                }
            }
        }
        Ok(())
    }
}

/// What all documents of a batch have.
struct Head {
    owner: String,
    group: String,
    stream: String,
}

impl Compiled {
    /// What the destination gets of a batch: as many events as it takes not to make one too large.
    fn events(&self, head: &Head, ids: &[EventId], events: &[NewEvent]) -> Vec<Vec<u8>> {
        let taken = events.iter().zip(ids).filter(|(event, _)| {
            self.pattern.matches_everything() || self.pattern.matches_message(&Message::new(&event.message))
        });
        let taken = taken.map(|(event, id)| LogEvent {
            id: id.to_string(),
            timestamp: event.timestamp.as_millis(),
            message: &event.message,
            extracted_fields: self.pattern.fields(&event.message),
        });
        let document = Document::new(&head.owner, &head.group, &head.stream, &self.name);
        document::pack(document, taken.collect())
    }

    fn note_refusal(&self, group: &str, reason: &str) {
        if !self.was_refused.swap(true, Ordering::Relaxed) {
            tracing::warn!(group, filter = self.name, reason, "a subscription filter's destination takes nothing");
        }
    }
}

/// The ids that events got when they were stored together: in the order of their times, and of the batch, each has the next
/// number.
fn ids(first: EventId, events: &[NewEvent]) -> Vec<EventId> {
    let earliest = events.first().map_or(0, |event| event.timestamp.as_millis());
    let id = |(index, event): (usize, &NewEvent)| {
        let later = event.timestamp.as_millis().abs_diff(earliest);
        EventId::from_u128(first.as_u128() + index as u128 + (u128::from(later) << 64))
    };
    events.iter().enumerate().map(id).collect()
}

#[cfg(test)]
mod tests;
