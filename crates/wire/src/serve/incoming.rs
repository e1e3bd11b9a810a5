//! The body of a request that streams, verified while it is read.

use bytes::Bytes;
use http::HeaderMap;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::body::RequestBody;
use crate::chunked::{Announced, Chunks};
use crate::content::{ContentError, Trailers};
use crate::error::Error;
use crate::rest::form::multipart::Multipart;
use crate::sigv4::{BodyRule, ChunkChain, StreamingKind};

/// A body that is on its way.
pub(crate) struct Incoming {
    body: RequestBody,
    form: Form,
    /// How many bytes there are to be, where that is known.
    length: Option<u64>,
    /// How many have been handed on.
    count: u64,
    /// What has come of the body and is not looked at yet.
    input: Bytes,
    trailers: Trailers,
}

/// What the body looks like, and how its bytes are verified.
enum Form {
    /// The bytes themselves, which the signature does not cover.
    Plain,
    /// The bytes themselves, whose hash was signed.
    Hashed { declared: [u8; 32], so_far: Sha256 },
    /// `aws-chunked`.
    Chunked(Box<Chunks>),
    /// A form of a browser, whose file is between so many bytes long.
    Browsers { multipart: Box<Multipart>, range: Option<(u64, u64)> },
}

/// What S3 answers where nothing says how long an object is.
pub(crate) fn missing_length() -> Error {
    Error::new("MissingContentLength", 411, "You must provide the Content-Length HTTP header.")
}

impl Incoming {
    /// A body of which nothing has been read, as its request's head says that it is. `chain` is what signed chunks continue.
    ///
    /// # Errors
    /// What the client is told of a head that cannot be.
    pub(crate) fn new(
        body: RequestBody,
        rule: &BodyRule,
        chain: Option<ChunkChain>,
        headers: &HeaderMap,
    ) -> Result<Self, Error> {
        let sent = body.declared_length();
        if sent.is_none() && !matches!(rule, BodyRule::Streaming(_)) {
            return Err(missing_length());
        }
        let (form, length) = match rule {
            BodyRule::UnsignedPayload => (Form::Plain, sent),
            // Such a body is read before its signature is verified, by others.
            BodyRule::Compute => return Err(Error::internal()),
            BodyRule::Hex(digits) => {
                let mut declared = [0; 32];
                hex::decode_to_slice(digits, &mut declared).map_err(|_| Error::from(ContentError::Sha256))?;
                (Form::Hashed { declared, so_far: Sha256::new() }, sent)
            }
            BodyRule::Streaming(kind) => {
                let announced = Announced::of(headers)?;
                let length = announced.length;
                let (chain, has_trailer) = match kind {
                    StreamingKind::Signed => (Some(chain.ok_or_else(Error::internal)?), false),
                    StreamingKind::SignedTrailer => (Some(chain.ok_or_else(Error::internal)?), true),
                    StreamingKind::UnsignedTrailer => (None, true),
                };
                (Form::Chunked(Box::new(Chunks::new(announced, chain, has_trailer))), Some(length))
            }
        };
        Ok(Self { body, form, length, count: 0, input: Bytes::new(), trailers: Trailers::new() })
    }

    /// The file of a form whose fields have been read, between so many bytes long.
    pub(crate) fn of_form(body: RequestBody, multipart: Multipart, range: Option<(u64, u64)>) -> Self {
        let form = Form::Browsers { multipart: Box::new(multipart), range };
        Self { body, form, length: None, count: 0, input: Bytes::new(), trailers: Trailers::new() }
    }

    /// How many bytes it is to have.
    pub(crate) fn declared_length(&self) -> Option<u64> {
        self.length
    }

    /// The next piece; none once all of it has been verified.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ContentError> {
        let piece = match &mut self.form {
            Form::Plain => self.body.next().await?,
            Form::Hashed { declared, so_far } => {
                let piece = self.body.next().await?;
                match &piece {
                    Some(piece) => so_far.update(piece),
                    None => {
                        let found: [u8; 32] = std::mem::take(so_far).finalize().into();
                        bool::from(found.ct_eq(declared)).then_some(()).ok_or(ContentError::Sha256)?;
                    }
                }
                piece
            }
            Form::Browsers { multipart, .. } => loop {
                if let Some(piece) = multipart.data(&mut self.input)? {
                    break Some(piece);
                }
                match self.body.next().await? {
                    Some(input) => self.input = input,
                    None => {
                        multipart.finish()?;
                        break None;
                    }
                }
            },
            Form::Chunked(chunks) => loop {
                if let Some(piece) = chunks.next(&mut self.input)? {
                    break Some(piece);
                }
                match self.body.next().await? {
                    Some(input) => self.input = input,
                    None => {
                        self.trailers = chunks.finish()?;
                        break None;
                    }
                }
            },
        };
        self.counted(piece)
    }

    /// The next piece, once its place in the whole is right.
    fn counted(&mut self, piece: Option<Bytes>) -> Result<Option<Bytes>, ContentError> {
        self.count += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        if let Form::Browsers { range: Some((least, most)), .. } = self.form {
            match &piece {
                Some(_) if self.count > most => return Err(ContentError::TooLarge),
                None if self.count < least => return Err(ContentError::TooSmall),
                _ => {}
            }
        }
        match (&piece, self.length) {
            (None, Some(length)) if length != self.count => Err(ContentError::Incomplete),
            _ => Ok(piece),
        }
    }

    /// What came after it.
    pub(crate) fn take_trailers(&mut self) -> Trailers {
        std::mem::take(&mut self.trailers)
    }
}
