//! `aws-chunked` bodies: the bytes of an object in chunks that may each be signed, and checksums after the last one.
//!
//! ```text
//! 10000;chunk-signature=<64 digits>\r\n        the length in hexadecimal
//! <65536 bytes>\r\n
//! 0;chunk-signature=<64 digits>\r\n            the last chunk has none
//! x-amz-checksum-crc32c:sOO8/Q==\r\n           what the head has announced in x-amz-trailer
//! x-amz-trailer-signature:<64 digits>\r\n
//! \r\n
//! ```
//!
//! Bytes are handed on as they come and hashed on the way, a chunk's signature is looked at when its last byte has come: a
//! chunk may be as long as its client likes. Lines, their number and the number of bytes are bounded.
//!
//! Source: S3 API Reference, "Authenticating requests: using the Authorization header", and what S3 is known to refuse.

use std::collections::BTreeSet;

use bytes::{Buf as _, Bytes, BytesMut};
use http::HeaderMap;
use sha2::{Digest as _, Sha256};

use crate::content::{ContentError, Trailers};
use crate::error::Error;
use crate::sigv4::ChunkChain;

/// The header that says how many bytes the chunks hold.
pub const DECODED_LENGTH: &str = "x-amz-decoded-content-length";
/// The header that says what follows the last chunk.
pub const TRAILER: &str = "x-amz-trailer";
/// The smallest chunk that is not the last, in bytes.
pub const CHUNK_BYTES_MIN: u64 = 8192;

const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";
/// All that may follow the last chunk.
const TRAILER_PREFIX: &str = "x-amz-checksum-";
const SIGNATURE: &str = "chunk-signature=";
/// The longest line: a length and a signature, or a trailer's name and value.
const LINE_BYTES_MAX: usize = 512;
/// The most lines after the last chunk.
const TRAILERS_MAX: usize = 16;

/// Reads the chunks of one body.
#[derive(Debug)]
pub struct Chunks {
    /// None where chunks are not signed.
    chain: Option<ChunkChain>,
    /// The names of the trailers that are to come; none at all where there are to be none.
    announced: Option<BTreeSet<String>>,
    state: State,
    line: BytesMut,
    /// How many bytes are still to come in all.
    left: u64,
    is_after_small_chunk: bool,
    trailers: Trailers,
    trailer_signature: Option<String>,
}

#[derive(Debug)]
enum State {
    /// The line before a chunk.
    Head,
    /// The bytes of a chunk.
    Data {
        left: u64,
        hash: Sha256,
        signature: Option<String>,
    },
    /// The end of the line after them.
    DataEnd,
    /// The lines after the last chunk.
    Trailers,
    End,
}

/// What a body is announced to be.
#[derive(Debug)]
pub struct Announced {
    /// How many bytes the chunks hold.
    pub length: u64,
    /// What follows the last chunk, in small letters.
    pub trailers: BTreeSet<String>,
}

impl Announced {
    /// What a request's head says.
    ///
    /// # Errors
    /// `MissingContentLength` and `InvalidRequest`, as S3 answers them.
    pub fn of(headers: &HeaderMap) -> Result<Self, Error> {
        let length = headers.get(DECODED_LENGTH).ok_or_else(|| {
            Error::new("MissingContentLength", 411, "You must provide the Content-Length HTTP header.")
        })?;
        let length = length.to_str().ok().filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
        let length = length.and_then(|text| text.parse().ok()).ok_or_else(|| {
            Error::new("InvalidArgument", 400, format!("The value of {DECODED_LENGTH} is not valid."))
        })?;
        let mut trailers = BTreeSet::new();
        for value in headers.get_all(TRAILER) {
            for name in value.to_str().unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty()) {
                let name = name.to_ascii_lowercase();
                if !name.starts_with(TRAILER_PREFIX) || trailers.len() >= TRAILERS_MAX {
                    let problem = "The value specified in the x-amz-trailer header is not supported";
                    return Err(Error::new("InvalidRequest", 400, problem));
                }
                trailers.insert(name);
            }
        }
        Ok(Self { length, trailers })
    }
}

impl Chunks {
    /// A body whose chunks continue `chain`, or are not signed; with `announced.trailers` only where `has_trailer`.
    pub fn new(announced: Announced, chain: Option<ChunkChain>, has_trailer: bool) -> Self {
        Self {
            chain,
            announced: has_trailer.then_some(announced.trailers),
            state: State::Head,
            line: BytesMut::new(),
            left: announced.length,
            is_after_small_chunk: false,
            trailers: Trailers::new(),
            trailer_signature: None,
        }
    }

    /// Takes what it can of `input` and answers the next bytes of the object; none when it needs more input.
    ///
    /// # Errors
    /// [`ContentError`]; nothing that was answered before is worth anything then.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, ContentError> {
        while !input.is_empty() {
            match &mut self.state {
                State::Head => {
                    if let Some(line) = self.line(input)? {
                        self.begin_chunk(&line)?;
                    }
                }
                State::Data { left, hash, .. } => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    let piece = input.split_to(length);
                    *left -= length as u64;
                    self.left -= length as u64;
                    if self.chain.is_some() {
                        hash.update(&piece);
                    }
                    let is_whole = *left == 0;
                    if is_whole {
                        self.end_chunk()?;
                        self.state = State::DataEnd;
                    }
                    return Ok(Some(piece));
                }
                State::DataEnd => match self.line(input)? {
                    Some(line) if line.is_empty() => self.state = State::Head,
                    Some(_) => return Err(ContentError::MalformedChunk),
                    None => {}
                },
                State::Trailers => match self.line(input)? {
                    Some(line) if line.is_empty() => self.end()?,
                    Some(line) => self.trailer(&line)?,
                    None => {}
                },
                State::End => return Err(ContentError::MalformedChunk),
            }
        }
        Ok(None)
    }

    /// Is told that there is no more input; what came after the last chunk.
    ///
    /// # Errors
    /// [`ContentError::Incomplete`] when more was to come.
    pub fn finish(&mut self) -> Result<Trailers, ContentError> {
        match self.state {
            State::End => Ok(std::mem::take(&mut self.trailers)),
            _ => Err(ContentError::Incomplete),
        }
    }

    /// The next line without its end, once all of it is there.
    fn line(&mut self, input: &mut Bytes) -> Result<Option<Vec<u8>>, ContentError> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(input.len(), |end| end + 1);
        if self.line.len() + length > LINE_BYTES_MAX {
            return Err(self.malformed());
        }
        self.line.extend_from_slice(&input[..length]);
        input.advance(length);
        if end.is_none() {
            return Ok(None);
        }
        let line = self.line.split();
        line.strip_suffix(b"\r\n").map(|line| Some(line.to_vec())).ok_or_else(|| self.malformed())
    }

    fn begin_chunk(&mut self, line: &[u8]) -> Result<(), ContentError> {
        let line = std::str::from_utf8(line).map_err(|_| ContentError::MalformedChunk)?;
        let (length, signature) = match line.split_once(';') {
            Some((length, extension)) => (length, Some(extension)),
            None => (line, None),
        };
        let is_length = (1..=16).contains(&length.len()) && length.bytes().all(|digit| digit.is_ascii_hexdigit());
        let length = u64::from_str_radix(length, 16).ok().filter(|_| is_length);
        let length = length.ok_or(ContentError::MalformedChunk)?;
        let signature = match (&self.chain, signature) {
            (None, None) => None,
            (Some(_), Some(extension)) => {
                Some(extension.strip_prefix(SIGNATURE).ok_or(ContentError::MalformedChunk)?.to_owned())
            }
            // A chunk that is not signed among those that have to be, or the other way round.
            (Some(_), None) => return Err(ContentError::ChunkSignature),
            (None, Some(_)) => return Err(ContentError::MalformedChunk),
        };
        if length > self.left {
            return Err(ContentError::Incomplete);
        }
        if length > 0 && self.is_after_small_chunk {
            return Err(ContentError::SmallChunk);
        }
        self.is_after_small_chunk = length < CHUNK_BYTES_MIN;
        self.state = State::Data { left: length, hash: Sha256::new(), signature };
        if length == 0 {
            if self.left > 0 {
                return Err(ContentError::Incomplete);
            }
            self.end_chunk()?;
            self.state = State::Trailers;
        }
        Ok(())
    }

    /// Looks at the signature of the chunk whose bytes have all come.
    fn end_chunk(&mut self) -> Result<(), ContentError> {
        let State::Data { hash, signature, .. } = &mut self.state else { return Ok(()) };
        let Some(chain) = &mut self.chain else { return Ok(()) };
        let hash = std::mem::take(hash).finalize().into();
        let is_signed = chain.admits_chunk(hash, signature.as_deref().unwrap_or_default());
        is_signed.then_some(()).ok_or(ContentError::ChunkSignature)
    }

    fn trailer(&mut self, line: &[u8]) -> Result<(), ContentError> {
        let malformed = ContentError::MalformedTrailer;
        let line = std::str::from_utf8(line).map_err(|_| malformed)?;
        let (name, value) = line.split_once(':').ok_or(malformed)?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
        let announced = self.announced.as_ref().ok_or(malformed)?;
        let is_new = match name.as_str() {
            TRAILER_SIGNATURE if self.chain.is_some() => self.trailer_signature.replace(value).is_none(),
            _ if !announced.contains(&name) => false,
            _ => self.trailers.insert(name, value).is_none(),
        };
        is_new.then_some(()).ok_or(malformed)
    }

    fn end(&mut self) -> Result<(), ContentError> {
        let Some(announced) = &self.announced else {
            self.state = State::End;
            return Ok(());
        };
        if !announced.iter().eq(self.trailers.keys()) {
            return Err(ContentError::MalformedTrailer);
        }
        if let Some(chain) = &mut self.chain {
            let lines: String = self.trailers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
            let given = self.trailer_signature.as_deref().unwrap_or_default();
            if !chain.admits_trailer(&lines, given) {
                return Err(ContentError::ChunkSignature);
            }
        }
        self.state = State::End;
        Ok(())
    }

    fn malformed(&self) -> ContentError {
        match self.state {
            State::Trailers => ContentError::MalformedTrailer,
            _ => ContentError::MalformedChunk,
        }
    }
}

#[cfg(test)]
mod tests;
