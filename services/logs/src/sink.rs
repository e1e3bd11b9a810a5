//! The output of what other services run, as they hand it in.

use platform::BoxFuture;
use platform::ports::{LogEvent, LogSink, LogSinkError, LogTarget};
use segments::NewEvent;
use store::StoreError;

use crate::group::LogGroup;
use crate::ingest::{BATCH_BYTES_MAX, EVENT_BYTES_MAX, EVENT_OVERHEAD_BYTES};
use crate::names::{GroupName, is_group_name, is_stream_name};
use crate::{Error, Logs, group, stream};

/// The longest message of an event, in bytes.
const MESSAGE_BYTES_MAX: usize = EVENT_BYTES_MAX - EVENT_OVERHEAD_BYTES;
/// The most events that are written at once.
const BATCH_EVENTS_MAX: usize = 10_000;

impl LogSink for Logs {
    fn put_events<'a>(
        &'a self,
        target: LogTarget<'a>,
        events: Vec<LogEvent>,
    ) -> BoxFuture<'a, Result<(), LogSinkError>> {
        Box::pin(async move {
            if !is_group_name(target.group) || !is_stream_name(target.stream) {
                return Err(LogSinkError::Name);
            }
            let (account, region) = (target.account, target.region.clone());
            let name = GroupName { account, region, name: target.group.to_owned() };
            for batch in batches(events) {
                self.put_batch(&name, &target, batch).await.map_err(sink_error)?;
            }
            Ok(())
        })
    }
}

impl Logs {
    async fn put_batch(&self, name: &GroupName, target: &LogTarget<'_>, batch: Vec<NewEvent>) -> Result<(), Error> {
        let now = self.platform.clock.now();
        let open = match self.open(name, target.stream).await {
            Err(Error::GroupNotFound | Error::StreamNotFound) => {
                self.create(name, target).await?;
                self.open(name, target.stream).await?
            }
            other => other?,
        };
        self.write(open, now, batch).await
    }

    async fn create(&self, name: &GroupName, target: &LogTarget<'_>) -> Result<(), Error> {
        let now = self.platform.clock.now();
        if target.creates_group {
            match group::create(&self.platform.store, name, &LogGroup::new(&*self.platform.rng, now)).await {
                // Somebody else was faster.
                Ok(()) | Err(Error::GroupExists) => {}
                Err(error) => return Err(error),
            }
        }
        match stream::create(&self.platform.store, name, target.stream, now).await {
            Ok(()) | Err(Error::StreamExists) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn sink_error(error: Error) -> LogSinkError {
    match error {
        Error::GroupNotFound => LogSinkError::NoSuchGroup,
        Error::Store(StoreError::TooLarge { .. }) => LogSinkError::Name,
        Error::Store(error) => LogSinkError::Store(error),
        _ => LogSinkError::Unavailable,
    }
}

/// Cuts messages and batches to their limits.
fn batches(events: Vec<LogEvent>) -> Vec<Vec<NewEvent>> {
    let mut batches = Vec::new();
    let mut batch: Vec<NewEvent> = Vec::new();
    let mut bytes = 0;
    for LogEvent { timestamp, message } in events {
        for message in pieces(message) {
            let size = message.len() + EVENT_OVERHEAD_BYTES;
            if !batch.is_empty() && (bytes + size > BATCH_BYTES_MAX || batch.len() == BATCH_EVENTS_MAX) {
                batches.push(std::mem::take(&mut batch));
                bytes = 0;
            }
            bytes += size;
            batch.push(NewEvent { timestamp, message });
        }
    }
    batches.extend((!batch.is_empty()).then_some(batch));
    batches
}

/// A message as it is, or cut between two characters.
fn pieces(message: String) -> Vec<String> {
    if message.is_empty() {
        return Vec::new();
    }
    if message.len() <= MESSAGE_BYTES_MAX {
        return vec![message];
    }
    let mut pieces = Vec::new();
    let mut rest = message.as_str();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(MESSAGE_BYTES_MAX));
        pieces.push(piece.to_owned());
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use base::Timestamp;

    use super::*;

    fn event(message: String) -> LogEvent {
        LogEvent { timestamp: Timestamp::from_secs(1), message }
    }

    #[test]
    fn long_output_is_cut_between_characters_and_into_batches() {
        let long = "ä".repeat(MESSAGE_BYTES_MAX);
        let cut =
            batches(vec![event("a".to_owned()), event(String::new()), event(long.clone()), event("b".to_owned())]);
        let all: Vec<_> = cut.iter().flatten().map(|event| event.message.as_str()).collect();
        assert_eq!(all.concat(), format!("a{long}b"));
        for batch in &cut {
            let size: usize = batch.iter().map(|event| event.message.len() + EVENT_OVERHEAD_BYTES).sum();
            assert!(!batch.is_empty() && size <= BATCH_BYTES_MAX, "{size}");
        }
        let many = batches((0..25_000).map(|n| event(n.to_string())).collect());
        assert_eq!(many.iter().map(Vec::len).collect::<Vec<_>>(), [10_000, 10_000, 5_000]);
    }
}
