//! What an outbox keeps.

use std::time::Duration;

use base::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::{HistoryPolicy, Key, Record, Scope, Store, StoreError};

const SERVICE: &str = "outbox";
const EVENT: &str = "event";

/// Nobody watches events: what has been delivered is of no use to anybody.
const HISTORY: HistoryPolicy = HistoryPolicy { keep: Duration::from_secs(1), events_max: 1024 };

/// An event that is to be delivered. It is written with a payload of its own type, and read with any, so that one that
/// this program cannot read can still be given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pending<P> {
    pub(super) event_id: String,
    pub(super) key: String,
    pub(super) payload: P,
    pub(super) put_at: Timestamp,
    /// When its age begins: when it was put, or put back.
    pub(super) since: Timestamp,
    pub(super) failures: u32,
    /// When it is tried again.
    pub(super) due: Option<Timestamp>,
    /// What the last failure was.
    pub(super) error: Option<String>,
}

impl<P> Pending<P> {
    pub(super) fn new(event_id: String, key: String, payload: P, now: Timestamp) -> Self {
        Self { event_id, key, payload, put_at: now, since: now, failures: 0, due: None, error: None }
    }
}

impl<P: Serialize + DeserializeOwned + Send + Sync + 'static> Record for Pending<P> {
    const SERVICE: &'static str = SERVICE;
    const KIND: &'static str = EVENT;
}

/// What all events lie below.
pub(super) fn events_key() -> Key {
    Scope::system().key().join([SERVICE, EVENT])
}

/// Keeps delivered events out of the history.
pub(super) async fn keep_no_history(store: &Store) -> Result<(), StoreError> {
    store.set_history(&events_key(), HISTORY).await
}
