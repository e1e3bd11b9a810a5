//! Amazon CloudWatch Logs: log groups, their streams and events, and the two languages that ask for events.
//!
//! Groups, streams, filters, policies and definitions are records in the store. Events are in segments, below the random
//! id that a group gets at each creation, and never in rows.
//!
//! - [`Logs`] is the entry; generated code in `api` routes each operation to its file in `ops`.
//! - [`pattern`]: filter patterns, which FilterLogEvents, metric filters, subscription filters and Live Tail use.
//! - [`subscription`]: who is told of events while they come in.
//! - [`insights`]: the query language of StartQuery; [`query`] is about running it.
//! - [`reconcile`]: what goes on without a request: removing what deleted groups leave behind, and retention.

pub mod api;
mod children;
mod error;
mod facts;
pub mod group;
pub mod ingest;
pub mod insights;
pub mod metric_filter;
mod names;
mod ops;
mod page;
pub mod pattern;
pub mod query;
pub mod query_definition;
mod reading;
pub mod reconcile;
pub mod resource_policy;
mod sink;
pub mod stream;
pub mod subscription;
mod tags;
pub mod tail;

use std::sync::Arc;

use metric_filter::Filters;
use platform::Platform;
use platform::ports::MetricSink;
use query::Queries;
use segments::Segments;
use tokio::sync::{Notify, RwLock};

use subscription::{Destinations, NoDestinations, Subscriptions};
use tail::Sessions;

pub use error::Error;
pub use tags::{TAGS_MAX, Tags};

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Logs {
    /// What it is built on.
    pub platform: Platform,
    /// Where the events are.
    pub segments: Arc<Segments>,
    /// Where metric filters send what they find.
    pub metrics: Arc<dyn MetricSink>,
    /// Held shared by whoever writes events, and alone by whoever deletes a stream: so none of the stream's events comes
    /// after its end.
    writing: Arc<RwLock<()>>,
    filters: Arc<Filters>,
    subscriptions: Arc<Subscriptions>,
    /// Where subscription filters send what they find.
    destinations: Arc<dyn Destinations>,
    queries: Arc<Queries>,
    sessions: Arc<Sessions>,
    /// Called when a retention has changed.
    pub(crate) retention_changed: Arc<Notify>,
}

impl Logs {
    /// The service.
    pub fn new(platform: Platform, segments: Arc<Segments>, metrics: Arc<dyn MetricSink>) -> Self {
        Self {
            platform,
            segments,
            metrics,
            writing: Arc::default(),
            filters: Arc::default(),
            subscriptions: Arc::default(),
            destinations: Arc::new(NoDestinations),
            queries: Arc::default(),
            sessions: Arc::default(),
            retention_changed: Arc::default(),
        }
    }

    /// The same with somebody to whom subscription filters send what they find.
    #[must_use]
    pub fn with_destinations(self, destinations: Arc<dyn Destinations>) -> Self {
        Self { destinations, ..self }
    }

    /// Does what blocks on the disk.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Segments) -> Result<T, segments::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let segments = self.segments.clone();
        let done = tokio::task::spawn_blocking(move || work(&segments)).await;
        // A panic in there has been printed; nothing else keeps the work from ending.
        Ok(done.map_err(|_| Error::Unavailable)??)
    }
}
