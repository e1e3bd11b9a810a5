//! Appending: what has been asked for since the last write is written at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::open::log_name;
use super::{Group, Open};
use crate::block::{self, Block, Row};
use crate::event::EventId;
use crate::frame::{HEADER_LENGTH, Header, Kind};
use crate::log::{Batch, Log};
use crate::shared::Shared;
use crate::summary::Summary;
use crate::{Appended, Error, GroupKey, NewEvent, lock};

/// No more than this is written at once, unless it is one batch.
const WRITE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// An active file is also full when so much must be known of it: when its streams are very many.
const ACTIVE_MEMORY_MAX: usize = 4 * 1024 * 1024;

/// What waits to be written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    requests: Vec<Request>,
    /// A writer has it or will.
    is_scheduled: bool,
}

/// A batch that is to be written.
#[derive(Debug)]
pub(crate) struct Request {
    /// Its sequence number is still 0.
    header: Header,
    payload: Vec<u8>,
    batch: Batch,
    reply: oneshot::Sender<Result<Appended, Error>>,
    /// Its share of what may wait.
    _permit: OwnedSemaphorePermit,
}

impl Request {
    /// Encodes events of a stream, which must not be empty.
    pub(crate) fn new(
        stream: &str,
        ingestion: i64,
        mut events: Vec<NewEvent>,
        permit: OwnedSemaphorePermit,
    ) -> (Self, oneshot::Receiver<Result<Appended, Error>>) {
        events.sort_by_key(|event| event.timestamp);
        let rows: Vec<Row<'_>> = (0..)
            .zip(&events)
            .map(|(sequence, NewEvent { timestamp, message })| Row {
                timestamp: timestamp.as_millis(),
                sequence,
                ingestion,
                message,
            })
            .collect();
        let mut summary = Summary::EMPTY;
        rows.iter().for_each(|row| summary.add(&Summary::of(row)));
        let payload = block::encode(0, &[(stream, &rows)]);
        let count = u32::try_from(events.len()).expect("a batch's events are limited");
        let header = Header::of(Kind::Batch, &payload, 0, count);
        let length = u32::try_from(header.frame_length()).expect("a batch's bytes are limited");
        let batch = Batch { stream: stream.into(), summary, length };
        let (reply, receiver) = oneshot::channel();
        (Self { header, payload, batch, reply, _permit: permit }, receiver)
    }

    /// Gives it its place in the order of arrival.
    fn place(&mut self, sequence: u64) {
        self.header.sequence = sequence;
        self.batch.summary.first_sequence = sequence;
        self.batch.summary.last_sequence = sequence + self.batch.summary.events - 1;
    }

    fn appended(&self) -> Appended {
        let Summary { events, message_bytes, first_timestamp, first_sequence, .. } = self.batch.summary;
        Appended { events, message_bytes, first: Some(EventId::new(first_timestamp, first_sequence)) }
    }
}

impl Group {
    /// Lets a batch wait for a writer. Answers whether one must be called.
    pub(crate) fn enqueue(&self, request: Request) -> bool {
        let mut queue = lock(&self.queue);
        queue.requests.push(request);
        !std::mem::replace(&mut queue.is_scheduled, true)
    }

    /// Writes what waits. Answers whether more has come in the meantime. One writer at a time does it.
    pub(crate) fn write(self: &Arc<Self>, shared: &Shared) -> bool {
        let mut requests = std::mem::take(&mut lock(&self.queue).requests);
        while !requests.is_empty() {
            let mut bytes = 0;
            let fits = |request: &Request| {
                bytes += request.batch.length as usize;
                bytes <= WRITE_BYTES_MAX
            };
            let count = requests.iter().map(fits).take_while(|fits| *fits).count().max(1);
            let rest = requests.split_off(count);
            self.write_some(shared, std::mem::replace(&mut requests, rest));
        }
        let mut queue = lock(&self.queue);
        queue.is_scheduled = !queue.requests.is_empty();
        queue.is_scheduled
    }

    fn write_some(self: &Arc<Self>, shared: &Shared, mut requests: Vec<Request>) {
        let written = self.with(shared, |open| open.append(shared, &self.key, &mut requests));
        match written {
            Ok(()) => {
                shared.work.sync(self);
                self.publish(&requests);
                for request in requests {
                    let appended = request.appended();
                    // Whoever asked may have gone.
                    let _ = request.reply.send(Ok(appended));
                }
            }
            Err(error) => {
                let events: u64 = requests.iter().map(|request| request.batch.summary.events).sum();
                self.refused.fetch_add(events, Ordering::Relaxed);
                for request in requests {
                    let _ = request.reply.send(Err(error.again()));
                }
            }
        }
    }

    /// Hands what was written to those who follow the group.
    fn publish(&self, requests: &[Request]) {
        if self.subscribers.is_empty() {
            return;
        }
        for request in requests {
            let mut block = Block::default();
            if block.add(&request.payload, request.header.sequence).is_some() {
                self.subscribers.publish(block.entries().iter().map(|entry| block.event(entry).to_event()).collect());
            }
        }
    }
}

impl Open {
    /// Writes batches behind each other, all or none.
    fn append(&mut self, shared: &Shared, key: &GroupKey, requests: &mut [Request]) -> Result<(), Error> {
        let length = requests.iter().map(|request| request.batch.length as usize).sum();
        let mut bytes = Vec::with_capacity(length);
        let mut sequence = self.next_sequence;
        for request in requests.iter_mut() {
            request.place(sequence);
            sequence += request.batch.summary.events;
            bytes.extend_from_slice(&request.header.to_bytes());
            bytes.extend_from_slice(&request.payload);
        }
        debug_assert_eq!(bytes.len(), length, "a batch's length counts its header of {HEADER_LENGTH} bytes");
        let active = self.active(shared, key)?;
        let file = active.file.open().map_err(Error::write("opening an active file of events"))?;
        if let Err(error) = shared.root.disk.write_at(&file, &bytes, active.length) {
            let cut = shared.root.disk.truncate(&file, active.length);
            if let Err(error) = cut {
                // Nothing may be written over debris: whole batches in it could seem to follow.
                tracing::warn!(%error, file = active.file.path(), "a half-written batch cannot be cut off");
                self.freeze();
            }
            return Err(Error::write("writing events")(error));
        }
        requests.iter().for_each(|request| active.record(&request.batch));
        let is_full = active.length >= shared.active_bytes_max || active.memory_bytes() >= ACTIVE_MEMORY_MAX;
        let stored = Arc::clone(&active.file);
        self.next_sequence = sequence;
        if self.unsynced.last().is_none_or(|last| last.id() != stored.id()) {
            self.unsynced.push(stored);
        }
        if is_full {
            self.freeze();
        }
        Ok(())
    }

    /// The active file, which is made if there is none.
    fn active(&mut self, shared: &Shared, key: &GroupKey) -> Result<&mut Log, Error> {
        if self.active.is_none() {
            let number = shared.root.next_number(self.least_number);
            shared.root.make_folder(key.as_str())?;
            let path = format!("{key}/{}", log_name(number));
            let file = Arc::new(shared.root.file(path));
            file.opened(shared.root.create(file.path())?);
            self.has_new_names = true;
            self.active = Some(Log::new(file, number));
        }
        Ok(self.active.as_mut().expect("it was made if there was none"))
    }
}
