//! Events: invocations that nobody waits for. They lie in a queue until the function has answered, or they are too old, or
//! were tried often enough.
//!
//! A small event is whole in its message. The payload of a large one is a blob, which a record keeps until the event is done
//! with.

use std::time::Duration;

use base::Timestamp;
use blobs::Digest;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use store::{Message, Op, Record, Tx};

use crate::code::blocking;
use crate::event_invoke::{AGE_S_DEFAULT, RETRIES_DEFAULT};
use crate::executor::Invocation;
use crate::names::Target;
use crate::{Error, Lambda};

/// Where events wait.
pub const QUEUE: &str = "lambda/events";
/// The largest payload that lies in its message, in bytes.
const INLINE_BYTES_MAX: usize = 256 * 1024;
/// How long the head of a message is told in.
const LENGTH_BYTES: usize = 4;
/// How long an event waits after its function has failed the first and the second time. (Developer guide: "one minute between
/// the first two attempts, and two minutes between the second and third attempts".)
const RETRIES: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];

/// An event on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// What is called.
    pub function: String,
    /// Which of all functions that have had the name it was.
    pub uid: String,
    /// By what it is known.
    pub request_id: String,
    /// What the caller said of itself, in base64.
    pub client_context: Option<String>,
    /// When it was sent.
    pub sent: Timestamp,
    /// How often the function has failed at it.
    pub failures: u32,
    /// The blob of its payload, if that is not in the message.
    pub payload: Option<Digest>,
}

/// Keeps the blob of a payload. Its record's id is the event's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventPayload {
    /// The blob.
    pub digest: Digest,
}

impl Record for EventPayload {
    const SERVICE: &'static str = "lambda";
    const KIND: &'static str = "event-payload";

    fn blobs(&self) -> Vec<Digest> {
        vec![self.digest]
    }
}

/// Takes an event. When this returns it is on disk.
///
/// # Errors
/// [`Error::Store`], [`Error::Code`]
pub(crate) async fn send(lambda: &Lambda, invocation: Invocation) -> Result<(), Error> {
    let mut event = Event {
        function: invocation.callee.invoked_arn.clone(),
        uid: invocation.callee.uid.clone(),
        request_id: invocation.request_id.clone(),
        client_context: invocation.client_context,
        sent: invocation.since,
        failures: 0,
        payload: None,
    };
    let (mut tx, mut payload) = (Tx::new(), invocation.payload);
    if payload.len() > INLINE_BYTES_MAX {
        let (blobs, bytes) = (lambda.code.blobs().clone(), payload.clone());
        let digest = blocking(move || blobs.put(&bytes)).await?;
        event.payload = Some(digest);
        payload = Bytes::new();
        let scope = invocation.callee.function.scope();
        tx.insert(&scope, &[&event.request_id], &EventPayload { digest });
    }
    tx.enqueue(QUEUE, &event.request_id, event.message(&payload), invocation.since);
    lambda.platform.store.commit(tx).await?;
    Ok(())
}

impl Event {
    /// What a message says, and the payload that is in it; none if it is of a form that is not written any more.
    pub fn read(message: &Message) -> Option<(Self, Bytes)> {
        let (length, rest) = message.body.split_first_chunk::<LENGTH_BYTES>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (head, payload) = rest.split_at_checked(length)?;
        Some((serde_json::from_slice(head).ok()?, Bytes::copy_from_slice(payload)))
    }

    fn message(&self, payload: &[u8]) -> Vec<u8> {
        let head = serde_json::to_vec(self).expect("it has only string keys, so serde_json cannot refuse it");
        let length =
            u32::try_from(head.len()).expect("an event's head is bounded by what an ARN and a context may have");
        [&length.to_be_bytes()[..], &head, payload].concat()
    }

    /// What is called.
    pub fn target(&self) -> Option<Target> {
        Target::of_arn(&self.function)
    }

    /// The payload, wherever it is.
    ///
    /// # Errors
    /// [`Error::Code`]
    pub(crate) async fn payload(&self, lambda: &Lambda, inline: Bytes) -> Result<Bytes, Error> {
        use std::io::Read as _;
        let Some(digest) = self.payload else { return Ok(inline) };
        let mut blob = lambda.code.open(digest).await?;
        blocking(move || {
            let mut bytes = Vec::new();
            blob.read_to_end(&mut bytes)
                .map_err(|source| blobs::BlobError::Io { doing: "reading an event", source })?;
            Ok::<_, Error>(bytes.into())
        })
        .await
    }

    /// Whether it is too old to be tried again.
    pub(crate) fn is_over(&self, age_s: Option<u32>, now: Timestamp) -> bool {
        now.since(self.sent) > Duration::from_secs(age_s.unwrap_or(AGE_S_DEFAULT).into())
    }

    /// What follows the function's failing at it once more: when it is tried again, or that it is not.
    pub(crate) fn failed(
        mut self,
        retries: Option<u32>,
        inline: &[u8],
        now: Timestamp,
    ) -> Option<(Vec<u8>, Timestamp)> {
        let wait = RETRIES.get(usize::try_from(self.failures).ok()?)?;
        if self.failures >= retries.unwrap_or(RETRIES_DEFAULT) {
            return None;
        }
        self.failures += 1;
        Some((self.message(inline), now.plus(*wait)))
    }

    /// It is done with.
    pub(crate) fn finish(&self, tx: &mut Tx, message: &Message) {
        tx.ack(message);
        if let Some(target) = self.target().filter(|_| self.payload.is_some()) {
            let key = EventPayload::key(&target.function.scope(), &[&self.request_id]);
            tx.op(Op::Delete { key });
        }
    }
}

#[cfg(test)]
mod tests {
    use store::Receipt;

    use super::*;

    fn event() -> Event {
        Event {
            function: "arn:aws:lambda:us-east-1:123456789012:function:f:live".to_owned(),
            uid: "u".to_owned(),
            request_id: "r".to_owned(),
            client_context: None,
            sent: Timestamp::from_secs(1000),
            failures: 0,
            payload: None,
        }
    }

    fn message(body: Vec<u8>) -> Message {
        let at = Timestamp::from_secs(0);
        let (queue, id) = (QUEUE.to_owned(), "r".to_owned());
        Message { queue, id, body, receipt: Receipt(1), received: 1, enqueued_at: at, visible_at: at }
    }

    #[test]
    fn a_message_holds_the_event_and_its_payload() {
        let read = Event::read(&message(event().message(b"{\"a\":1}"))).unwrap();
        assert_eq!(read, (event(), Bytes::from_static(b"{\"a\":1}")));
        assert_eq!(event().target().unwrap().qualifier(), "live");
        assert_eq!(Event::read(&message(b"\0\0\x01\0{}".to_vec())), None);
    }

    #[test]
    fn an_event_is_tried_twice_more_after_one_minute_and_after_two() {
        let now = Timestamp::from_secs(2000);
        let (body, at) = event().failed(None, b"x", now).unwrap();
        assert_eq!(at, now.plus(Duration::from_secs(60)));
        let (once, payload) = Event::read(&message(body)).unwrap();
        assert_eq!((once.failures, &payload[..]), (1, &b"x"[..]));
        let (body, at) = once.failed(Some(2), b"x", now).unwrap();
        assert_eq!(at, now.plus(Duration::from_secs(120)));
        assert!(Event::read(&message(body)).unwrap().0.failed(None, b"x", now).is_none());
        assert!(event().failed(Some(0), b"x", now).is_none());
    }

    #[test]
    fn an_event_is_over_when_it_is_as_old_as_it_may_be() {
        let at = |seconds: i64| Timestamp::from_secs(1000 + seconds);
        assert!(!event().is_over(Some(60), at(60)) && event().is_over(Some(60), at(61)));
        assert!(!event().is_over(None, at(21_600)) && event().is_over(None, at(21_601)));
    }
}
