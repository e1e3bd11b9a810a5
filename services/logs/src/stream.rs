//! Log streams: what is kept of one. What is in it, the segments know.

use base::Timestamp;
use platform::Attempts;
use segments::StreamStats;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{Record, Scope, Store, Tx, Versioned};

use crate::children::{self, Child};
use crate::names::GroupName;
use crate::{Error, api, group};

/// A log stream. Its record's id is its group's id and its name, cut at `/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogStream {
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created: Timestamp,
}

impl Record for LogStream {
    const SERVICE: &'static str = "logs";
    const KIND: &'static str = "log-stream";
}

impl Child for LogStream {
    fn name(&self) -> &str {
        &self.name
    }
}

impl LogStream {
    /// The stream as DescribeLogStreams answers it.
    pub(crate) fn describe(&self, group: &GroupName, stats: Option<&StreamStats>) -> api::LogStream {
        let millis = |of: fn(&StreamStats) -> Timestamp| stats.map(|stats| of(stats).as_millis());
        api::LogStream {
            arn: Some(group.stream_arn(&self.name)),
            log_stream_name: Some(self.name.clone()),
            creation_time: Some(self.created.as_millis()),
            first_event_timestamp: millis(|stats| stats.first_event),
            last_event_timestamp: millis(|stats| stats.last_event),
            last_ingestion_time: millis(|stats| stats.last_ingestion),
            upload_sequence_token: Some(sequence_token(group, &self.name)),
            // AWS answers 0 since June 2019; only groups have sizes.
            stored_bytes: Some(0),
        }
    }
}

/// The sequence token of a stream, which every request is answered and none is asked for: one that never changes.
pub(crate) fn sequence_token(group: &GroupName, stream: &str) -> String {
    let digest = Sha256::digest(group.stream_arn(stream).as_bytes());
    let number = digest.iter().take(16).fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    format!("{number:056}")
}

/// The stream of a name.
///
/// # Errors
/// [`Error::StreamNotFound`]
pub(crate) async fn find(
    store: &Store,
    scope: &Scope,
    group_id: &str,
    name: &str,
) -> Result<Versioned<LogStream>, Error> {
    children::read(store, scope, group_id, name).await?.ok_or(Error::StreamNotFound)
}

/// Creates a stream in a group that exists.
///
/// # Errors
/// [`Error::GroupNotFound`], [`Error::StreamExists`]
pub(crate) async fn create(store: &Store, group: &GroupName, name: &str, now: Timestamp) -> Result<(), Error> {
    let mut attempts = Attempts::new();
    loop {
        let outcome = try_create(store, group, name, now).await;
        if !attempts.again(&outcome) {
            return outcome;
        }
    }
}

async fn try_create(store: &Store, name: &GroupName, stream: &str, now: Timestamp) -> Result<(), Error> {
    let (group, scope) = (group::find(store, name).await?, name.scope());
    if children::read::<LogStream>(store, &scope, &group.storage_id, stream).await?.is_some() {
        return Err(Error::StreamExists);
    }
    let mut tx = Tx::new();
    let record = LogStream { name: stream.to_owned(), created: now };
    let id = children::id_of(&group.storage_id, stream);
    tx.require(&group).insert(&scope, &children::segments(&id), &record);
    store.commit(tx).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_token_has_fifty_six_digits_and_never_changes() {
        let account = "123456789012".parse().unwrap();
        let group = GroupName { account, region: base::Region::default(), name: "g".to_owned() };
        let token = sequence_token(&group, "s");
        assert_eq!((token.len(), &token), (56, &sequence_token(&group, "s")));
        assert_ne!(token, sequence_token(&group, "t"));
    }
}
