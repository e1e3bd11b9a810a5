//! What the server and an environment's node half say to each other over their channel.
//!
//! A frame is a byte that says what it is, its length in four bytes (big endian) and so many bytes: JSON of what is said once an
//! invocation, raw bytes of payloads. A payload follows what it belongs to in any number of pieces and ends with a piece of its own
//! kind, so that nobody has to know its length before.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The most bytes of one piece of a payload.
pub const PIECE_BYTES_MAX: usize = 64 * 1024;
/// The most bytes of a frame that is no piece: an event's context, an extension's name.
const CONTROL_BYTES_MAX: usize = 256 * 1024;
/// What stands before a frame's body, in bytes.
const HEAD_BYTES: usize = 5;
/// How much is read at once.
const READ_BYTES: usize = 16 * 1024;

/// What the server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToEnvironment {
    /// What the environment is: said once, first.
    Begin(Begin),
    /// An event; its payload follows.
    Invoke(Invoke),
    /// A piece of the payload.
    Payload(Bytes),
    /// The payload is whole.
    PayloadEnd,
    /// So many bytes of a streamed response have been taken: as many more may come.
    Credit(u32),
    /// The environment ends: extensions are told.
    Shutdown(Shutdown),
}

/// What the node half says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromEnvironment {
    /// Runtime and extensions have asked for their first event.
    Ready(Ready),
    /// The runtime could not begin.
    InitError(Failed),
    /// The function has an answer; its payload follows.
    Response(ResponseHead),
    /// The function has failed; what it says about it follows as a payload.
    Error(InvocationFailed),
    /// A piece of the payload.
    Payload(Bytes),
    /// The payload has ended.
    PayloadEnd(PayloadEnd),
    /// Runtime and extensions have asked for the next event: nothing is going on.
    Idle {
        /// The event that they are done with.
        request_id: String,
    },
    /// An extension cannot go on.
    ExtensionFailed(ExtensionFailed),
}

/// What an environment is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Begin {
    /// The function's name.
    pub function_name: String,
    /// Its version.
    pub function_version: String,
    /// Its handler; empty for an image's.
    pub handler: String,
    /// Whose it is.
    pub account_id: String,
    /// The extensions that were started as programs of their own, by their files' names.
    pub extensions: Vec<String>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invoke {
    /// The request's id.
    pub request_id: String,
    /// When it is over at the latest, in milliseconds since 1970.
    pub deadline_ms: u64,
    /// The ARN that was invoked, with its qualifier.
    pub function_arn: String,
    /// The value of `X-Amzn-Trace-Id`.
    pub trace_id: Option<String>,
    /// What the client said of itself, JSON.
    pub client_context: Option<String>,
    /// Who uses the client, JSON.
    pub cognito_identity: Option<String>,
}

/// The environment ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shutdown {
    /// `spindown`, `timeout` or `failure`.
    pub reason: String,
    /// When at the latest, in milliseconds since 1970.
    pub deadline_ms: u64,
}

/// What began.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// The extensions, with the events that each wants.
    pub extensions: Vec<RegisteredExtension>,
}

/// An extension that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegisteredExtension {
    /// Its name.
    pub name: String,
    /// `INVOKE`, `SHUTDOWN`.
    pub events: Vec<String>,
}

/// Something failed, in the words of whom it failed for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// `Lambda-Runtime-Function-Error-Type`; empty if nothing was said.
    pub error_type: String,
    /// What was said, as it came: JSON with `errorMessage`, `errorType` and `stackTrace`.
    pub body: String,
}

/// How an answer begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResponseHead {
    /// The event.
    pub request_id: String,
    /// What the payload is.
    pub content_type: Option<String>,
    /// Whether it is sent on while it comes. If not, it is known to be whole.
    pub is_streamed: bool,
}

/// A function has failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InvocationFailed {
    /// The event.
    pub request_id: String,
    /// `Lambda-Runtime-Function-Error-Type`; empty if nothing was said.
    pub error_type: String,
    /// What the payload is.
    pub content_type: Option<String>,
}

/// How a payload ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PayloadEnd {
    /// What went wrong on the way, of a streamed one.
    pub failed: Option<Failed>,
}

/// An extension cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionFailed {
    /// Its name.
    pub name: String,
    /// Whether that was while the environment began.
    pub is_init: bool,
    /// What it says.
    pub error_type: String,
}

/// Why a channel is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The connection failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The other side says what nobody says.
    #[error("the other side of an environment's channel says what it cannot say: {0}")]
    Malformed(String),
}

/// A side of a conversation.
pub trait Frame: Sized {
    /// Adds it to what is to be sent.
    fn write(&self, to: &mut BytesMut);
    /// Reads it.
    ///
    /// # Errors
    /// [`FrameError::Malformed`]
    fn read(kind: u8, body: Bytes) -> Result<Self, FrameError>;
}

/// The kinds of frames. Payloads are the same in both directions.
mod kind {
    pub(super) const BEGIN: u8 = 1;
    pub(super) const INVOKE: u8 = 2;
    pub(super) const CREDIT: u8 = 3;
    pub(super) const SHUTDOWN: u8 = 4;
    pub(super) const PAYLOAD: u8 = 16;
    pub(super) const PAYLOAD_END: u8 = 17;
    pub(super) const READY: u8 = 32;
    pub(super) const INIT_ERROR: u8 = 33;
    pub(super) const RESPONSE: u8 = 34;
    pub(super) const ERROR: u8 = 35;
    pub(super) const IDLE: u8 = 36;
    pub(super) const EXTENSION_FAILED: u8 = 37;
}

impl Frame for ToEnvironment {
    fn write(&self, to: &mut BytesMut) {
        match self {
            Self::Begin(begin) => put_json(to, kind::BEGIN, begin),
            Self::Invoke(invoke) => put_json(to, kind::INVOKE, invoke),
            Self::Payload(bytes) => put(to, kind::PAYLOAD, bytes),
            Self::PayloadEnd => put(to, kind::PAYLOAD_END, &[]),
            Self::Credit(bytes) => put(to, kind::CREDIT, &bytes.to_be_bytes()),
            Self::Shutdown(shutdown) => put_json(to, kind::SHUTDOWN, shutdown),
        }
    }

    fn read(kind: u8, body: Bytes) -> Result<Self, FrameError> {
        Ok(match kind {
            kind::BEGIN => Self::Begin(json(&body)?),
            kind::INVOKE => Self::Invoke(json(&body)?),
            kind::PAYLOAD => Self::Payload(body),
            kind::PAYLOAD_END => Self::PayloadEnd,
            kind::CREDIT => {
                let bytes = body.as_ref().try_into();
                Self::Credit(u32::from_be_bytes(bytes.map_err(|_| malformed("a credit of no number"))?))
            }
            kind::SHUTDOWN => Self::Shutdown(json(&body)?),
            other => return Err(malformed(format!("a frame of kind {other}"))),
        })
    }
}

impl Frame for FromEnvironment {
    fn write(&self, to: &mut BytesMut) {
        match self {
            Self::Ready(ready) => put_json(to, kind::READY, ready),
            Self::InitError(failed) => put_json(to, kind::INIT_ERROR, failed),
            Self::Response(head) => put_json(to, kind::RESPONSE, head),
            Self::Error(failed) => put_json(to, kind::ERROR, failed),
            Self::Payload(bytes) => put(to, kind::PAYLOAD, bytes),
            Self::PayloadEnd(end) => put_json(to, kind::PAYLOAD_END, end),
            Self::Idle { request_id } => put(to, kind::IDLE, request_id.as_bytes()),
            Self::ExtensionFailed(failed) => put_json(to, kind::EXTENSION_FAILED, failed),
        }
    }

    fn read(kind: u8, body: Bytes) -> Result<Self, FrameError> {
        Ok(match kind {
            kind::READY => Self::Ready(json(&body)?),
            kind::INIT_ERROR => Self::InitError(json(&body)?),
            kind::RESPONSE => Self::Response(json(&body)?),
            kind::ERROR => Self::Error(json(&body)?),
            kind::PAYLOAD => Self::Payload(body),
            kind::PAYLOAD_END => Self::PayloadEnd(json(&body)?),
            kind::IDLE => Self::Idle {
                request_id: String::from_utf8(body.to_vec()).map_err(|_| malformed("an id that is no text"))?,
            },
            kind::EXTENSION_FAILED => Self::ExtensionFailed(json(&body)?),
            other => return Err(malformed(format!("a frame of kind {other}"))),
        })
    }
}

/// Reads frames from a connection.
#[derive(Debug)]
pub struct FrameReader<R> {
    from: R,
    read: BytesMut,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Over one side of a connection.
    pub fn new(from: R) -> Self {
        Self { from, read: BytesMut::with_capacity(READ_BYTES) }
    }

    /// The next frame; none at the end of the connection. What is read of a frame is kept when this is dropped.
    ///
    /// # Errors
    /// [`FrameError`]; nothing can be read after it.
    pub async fn next<F: Frame>(&mut self) -> Result<Option<F>, FrameError> {
        loop {
            if let Some((kind, body)) = self.whole()? {
                return F::read(kind, body).map(Some);
            }
            self.read.reserve(READ_BYTES);
            if self.from.read_buf(&mut self.read).await? == 0 {
                return match self.read.is_empty() {
                    true => Ok(None),
                    false => Err(malformed("half a frame")),
                };
            }
        }
    }

    fn whole(&mut self) -> Result<Option<(u8, Bytes)>, FrameError> {
        let Some((mut head, rest)) = self.read.split_at_checked(HEAD_BYTES) else { return Ok(None) };
        let (kind, length) = (head.get_u8(), head.get_u32());
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let bytes_max = if kind == kind::PAYLOAD { PIECE_BYTES_MAX } else { CONTROL_BYTES_MAX };
        if length > bytes_max {
            return Err(malformed(format!("a frame of {length} bytes")));
        }
        if rest.len() < length {
            return Ok(None);
        }
        self.read.advance(HEAD_BYTES);
        Ok(Some((kind, self.read.split_to(length).freeze())))
    }
}

/// Writes frames, all of them at once.
///
/// # Errors
/// [`FrameError::Io`]
pub async fn write<F: Frame>(to: &mut (impl AsyncWrite + Unpin), frames: &[F]) -> Result<(), FrameError> {
    let mut bytes = BytesMut::new();
    frames.iter().for_each(|frame| frame.write(&mut bytes));
    Ok(to.write_all(&bytes).await?)
}

/// A payload in pieces.
pub fn pieces(payload: &Bytes) -> impl Iterator<Item = Bytes> + '_ {
    (0..payload.len()).step_by(PIECE_BYTES_MAX).map(|at| payload.slice(at..payload.len().min(at + PIECE_BYTES_MAX)))
}

fn put(to: &mut BytesMut, kind: u8, body: &[u8]) {
    to.reserve(HEAD_BYTES + body.len());
    to.put_u8(kind);
    to.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
    to.put_slice(body);
}

fn put_json(to: &mut BytesMut, kind: u8, said: &impl Serialize) {
    let body = serde_json::to_vec(said).expect("texts and numbers can be written");
    put(to, kind, &body);
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))
}

fn malformed(what: impl Into<String>) -> FrameError {
    FrameError::Malformed(what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invoke() -> Invoke {
        Invoke { request_id: "a".to_owned(), deadline_ms: 1, function_arn: "b".to_owned(), ..Invoke::default() }
    }

    #[tokio::test]
    async fn what_is_written_is_read_however_it_is_cut() {
        let said = [
            ToEnvironment::Invoke(invoke()),
            ToEnvironment::Payload(Bytes::from_static(b"{}")),
            ToEnvironment::PayloadEnd,
            ToEnvironment::Credit(7),
            ToEnvironment::Shutdown(Shutdown { reason: "spindown".to_owned(), deadline_ms: 2 }),
        ];
        let mut bytes = Vec::new();
        write(&mut bytes, &said).await.unwrap();
        for size in [1, 3, 7, 1000] {
            let mut chunks = tokio_test_reader(&bytes, size);
            for expected in &said {
                assert_eq!(chunks.next::<ToEnvironment>().await.unwrap().as_ref(), Some(expected));
            }
            assert!(chunks.next::<ToEnvironment>().await.unwrap().is_none());
        }
    }

    fn tokio_test_reader(bytes: &[u8], size: usize) -> FrameReader<impl AsyncRead + Unpin> {
        let (mut to, from) = tokio::io::duplex(size);
        let bytes = bytes.to_vec();
        tokio::spawn(async move { to.write_all(&bytes).await });
        FrameReader::new(from)
    }

    #[tokio::test]
    async fn what_nobody_says_ends_the_channel() {
        for wrong in [
            vec![99, 0, 0, 0, 0],
            vec![16, 0xff, 0, 0, 0],
            vec![2, 0, 0, 0, 1, b'x'],
            vec![3, 0, 0, 0, 1, 0],
            vec![2, 0],
        ] {
            let mut reader = FrameReader::new(wrong.as_slice());
            assert!(matches!(reader.next::<ToEnvironment>().await, Err(FrameError::Malformed(_))), "{wrong:?}");
        }
    }

    #[test]
    fn a_payload_is_cut_into_pieces_and_none_of_an_empty_one() {
        let payload = Bytes::from(vec![1; PIECE_BYTES_MAX * 2 + 1]);
        assert_eq!(
            pieces(&payload).map(|piece| piece.len()).collect::<Vec<_>>(),
            [PIECE_BYTES_MAX, PIECE_BYTES_MAX, 1]
        );
        assert_eq!(pieces(&Bytes::new()).count(), 0);
    }
}
