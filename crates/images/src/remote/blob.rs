//! Blobs on their way: hashed while they come, taken up where they broke.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::address::Address;
use super::endpoint::{Endpoint, Wanted};
use super::exchange::{Answer, Ask, declared_length};
use super::plan::{Plan, Source};
use super::{Arrival, Partial, Progress, Quoted, RemoteError, Sink};
use crate::digest::Hasher;
use crate::error::is_full;
use crate::{Descriptor, Digest};

/// How many pieces may wait for the disk.
const PIECES_WAITING_MAX: usize = 8;
/// How many bytes must have come for an attempt not to have been in vain.
const ADVANCE_BYTES: u64 = 1024 * 1024;
const REREAD_BUFFER_BYTES: usize = 256 * 1024;

/// A blob that is wanted.
pub(super) struct Download<'a> {
    pub(super) endpoints: &'a [Endpoint],
    pub(super) blob: &'a Descriptor,
    /// Where else the manifest says that it is.
    pub(super) elsewhere: &'a [Address],
    pub(super) sink: &'a Arc<dyn Sink>,
    pub(super) progress: &'a Arc<dyn Progress>,
    /// Counts what came over the network.
    pub(super) moved_bytes: &'a AtomicU64,
}

/// What is there of a blob, and its hash so far.
struct Tail {
    partial: Box<dyn Partial>,
    hasher: Hasher,
    length: u64,
}

impl Download<'_> {
    /// Brings the blob into the sink if it is not there.
    pub(super) async fn run(&self) -> Result<Arrival, RemoteError> {
        let (sink, blob) = (self.sink.clone(), self.blob.clone());
        if self.blocking(move || sink.has(&blob)).await? {
            return Ok(Arrival::Present);
        }
        let (sink, blob) = (self.sink.clone(), self.blob.clone());
        let mut tail = self.blocking(move || Tail::open(sink.begin(&blob)?, &blob)).await?;
        let resumed_bytes = tail.length;
        self.progress.advanced(self.blob, resumed_bytes);
        let mut plan = Plan::new(self.endpoints, self.elsewhere, self.progress.as_ref());
        // Whether what is there may be somebody else's than the one who is asked.
        let mut is_mixed = resumed_bytes > 0;
        loop {
            let before = tail.length;
            let source = plan.source();
            let outcome;
            (tail, outcome) = self.receive(&plan, source, tail).await?;
            if tail.length.saturating_sub(before) >= ADVANCE_BYTES {
                plan.advanced();
            }
            let failure = match outcome {
                Err(error) => error,
                Ok(()) => match tail.mismatch(&self.blob.digest) {
                    None => break,
                    Some(found) => {
                        tail = self.cleared(tail).await?;
                        if std::mem::take(&mut is_mixed) {
                            continue;
                        }
                        let (host, expected) = (named(source), self.blob.digest);
                        RemoteError::Mismatch { host, expected, found: Box::new(found) }
                    }
                },
            };
            if matches!(failure, RemoteError::Status { status: 416, .. }) && tail.length > 0 {
                tail = self.cleared(tail).await?;
                is_mixed = false;
                continue;
            }
            plan.failed(failure).await?;
            is_mixed |= tail.length > 0 && !is_same(source, plan.source());
        }
        let digest = self.blob.digest;
        self.blocking(move || tail.partial.finish(&digest)).await?;
        Ok(Arrival::Fetched { resumed_bytes })
    }

    /// Asks one place for what is missing. Answers what is there then, and what went wrong.
    async fn receive(
        &self,
        plan: &Plan<'_>,
        source: Source<'_>,
        tail: Tail,
    ) -> Result<(Tail, Result<(), RemoteError>), RemoteError> {
        let missing = self.blob.size.saturating_sub(tail.length);
        if missing == 0 {
            return Ok((tail, Ok(())));
        }
        let answer = match self.ask(plan, source, tail.length).await {
            Ok(answer) => answer,
            Err(error) => return Ok((tail, Err(error))),
        };
        let skipped = match skipped(&answer, tail.length, self.blob.size) {
            Ok(skipped) => skipped,
            Err(what) => {
                let host = answer.origin.quoted();
                return Ok((tail, Err(RemoteError::Length { host, what })));
            }
        };
        let (pieces, waiting) = mpsc::channel(PIECES_WAITING_MAX);
        let (progress, blob) = (self.progress.clone(), self.blob.clone());
        let writing = tokio::task::spawn_blocking(move || tail.write(waiting, progress.as_ref(), &blob));
        let received = self.forward(answer, plan.registry(), skipped, missing, pieces).await;
        let (tail, written) = writing.await.map_err(|_| RemoteError::Stopped)?;
        written.map_err(|error| sink_error(self.blob.digest, error))?;
        Ok((tail, received))
    }

    async fn ask(&self, plan: &Plan<'_>, source: Source<'_>, from: u64) -> Result<Answer, RemoteError> {
        let what = format!("the blob {}", self.blob.digest);
        let wanted = Wanted {
            method: Method::GET,
            path: format!("blobs/{}", self.blob.digest),
            accept: None,
            from,
            what: &what,
        };
        let address = match source {
            Source::Repository(endpoint) => return endpoint.ask(&wanted).await,
            Source::Elsewhere(address) => address,
        };
        let registry = plan.registry();
        if !registry.connections().rules.may_lead(registry.origin().await?, &address.origin) {
            return Err(RemoteError::Address { url: address.origin.quoted() });
        }
        let mut ask = Ask::get(address.clone());
        ask.start_at(from);
        let answer = registry.connections().exchange(&ask).await?;
        match answer.response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(answer),
            _ => Err(registry.connections().complaint(answer, &what).await),
        }
    }

    /// Hands the body on to the thread that writes, at the speed of the slower.
    async fn forward(
        &self,
        answer: Answer,
        registry: &Endpoint,
        mut skipped: u64,
        mut missing: u64,
        pieces: mpsc::Sender<Bytes>,
    ) -> Result<(), RemoteError> {
        let (connections, origin) = (registry.connections(), answer.origin);
        let mut body = answer.response.into_body();
        let limits = &registry.config().limits;
        let mut speed = Speed { waited: Duration::ZERO, bytes: 0 };
        loop {
            let asked = Instant::now();
            let Some(mut piece) = connections.piece(&origin, &mut body).await? else { break };
            self.moved_bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
            if !speed.is_enough(asked.elapsed(), piece.len() as u64, limits.speed_least, limits.slow_window) {
                return Err(RemoteError::TimedOut {
                    host: origin.quoted(),
                    waiting_for: "to send a blob, byte by byte",
                });
            }
            let skip = usize::try_from(skipped).unwrap_or(usize::MAX).min(piece.len());
            skipped -= skip as u64;
            let piece = piece.split_off(skip);
            if piece.len() as u64 > missing {
                return Err(RemoteError::Length { host: origin.quoted(), what: "more bytes than the blob has" });
            }
            missing -= piece.len() as u64;
            if !piece.is_empty() && pieces.send(piece).await.is_err() {
                // The thread that writes has failed, and tells why.
                return Ok(());
            }
        }
        if missing > 0 {
            let source = "it ended before the blob did".into();
            return Err(RemoteError::Exchange { host: origin.quoted(), source });
        }
        Ok(())
    }

    async fn cleared(&self, mut tail: Tail) -> Result<Tail, RemoteError> {
        let algorithm = self.blob.digest.algorithm();
        let tail = self
            .blocking(move || {
                tail.partial.clear()?;
                Ok(Tail { hasher: Hasher::new(algorithm), length: 0, ..tail })
            })
            .await?;
        self.progress.advanced(self.blob, 0);
        Ok(tail)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T, RemoteError> {
        let done = tokio::task::spawn_blocking(work).await.map_err(|_| RemoteError::Stopped)?;
        done.map_err(|error| sink_error(self.blob.digest, error))
    }
}

impl Tail {
    /// Hashes what is there of a blob.
    fn open(mut partial: Box<dyn Partial>, blob: &Descriptor) -> io::Result<Self> {
        let mut hasher = Hasher::new(blob.digest.algorithm());
        let length = partial.length();
        if length > blob.size {
            partial.clear()?;
            return Ok(Self { partial, hasher, length: 0 });
        }
        if length > 0 {
            let mut there = partial.reread()?;
            let mut buffer = vec![0; REREAD_BUFFER_BYTES];
            let mut left = length;
            while left > 0 {
                let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
                match there.read(&mut buffer[..most]) {
                    Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Ok(read) => {
                        hasher.update(&buffer[..read]);
                        left -= read as u64;
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(Self { partial, hasher, length })
    }

    /// Writes what comes, until nothing comes any more.
    fn write(
        mut self,
        mut pieces: mpsc::Receiver<Bytes>,
        progress: &dyn Progress,
        blob: &Descriptor,
    ) -> (Self, io::Result<()>) {
        while let Some(piece) = pieces.blocking_recv() {
            if let Err(error) = self.partial.append(&piece) {
                return (self, Err(error));
            }
            self.hasher.update(&piece);
            self.length += piece.len() as u64;
            progress.advanced(blob, self.length);
        }
        (self, Ok(()))
    }

    /// What a whole blob turned out to be, if it is another.
    fn mismatch(&self, expected: &Digest) -> Option<Digest> {
        let found = self.hasher.clone().finish();
        (found != *expected).then_some(found)
    }
}

/// How fast a blob comes, over windows of the time that was spent waiting for the other side.
struct Speed {
    waited: Duration,
    bytes: u64,
}

impl Speed {
    fn is_enough(&mut self, waited: Duration, bytes: u64, least: u64, window: Duration) -> bool {
        self.waited += waited;
        self.bytes += bytes;
        if self.waited < window {
            return true;
        }
        let is_enough = u128::from(self.bytes) * 1000 >= u128::from(least) * self.waited.as_millis();
        *self = Self { waited: Duration::ZERO, bytes: 0 };
        is_enough
    }
}

/// How many bytes of an answer are there already: none if it goes on where it was asked to, all if it begins anew.
fn skipped(answer: &Answer, from: u64, size: u64) -> Result<u64, &'static str> {
    let (status, headers) = (answer.response.status(), answer.response.headers());
    let length = declared_length(headers);
    if status == StatusCode::OK {
        let fits = length.is_none_or(|length| length == size);
        return if fits { Ok(from) } else { Err("a blob of another length than it has") };
    }
    let range = content_range(headers).ok_or("a part of a blob without saying which")?;
    let begins = from > 0 && range.first == from && range.total.is_none_or(|total| total == size);
    let ends = range.last < size && length.is_none_or(|length| length == range.last - range.first + 1);
    if begins && ends { Ok(0) } else { Err("another part of a blob than was asked for") }
}

struct ContentRange {
    first: u64,
    last: u64,
    total: Option<u64>,
}

/// `bytes 100-199/200`, the last perhaps `*` (RFC 9110, section 14.4).
fn content_range(headers: &HeaderMap) -> Option<ContentRange> {
    let value = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = if total.trim() == "*" { None } else { Some(total.trim().parse().ok()?) };
    (first <= last).then_some(ContentRange { first, last, total })
}

pub(super) fn sink_error(digest: Digest, source: io::Error) -> RemoteError {
    if is_full(&source) { RemoteError::Full } else { RemoteError::Sink { digest, source } }
}

fn named(source: Source<'_>) -> Quoted {
    match source {
        Source::Repository(endpoint) => endpoint.quoted(),
        Source::Elsewhere(address) => address.origin.quoted(),
    }
}

fn is_same(one: Source<'_>, other: Source<'_>) -> bool {
    match (one, other) {
        (Source::Repository(one), Source::Repository(other)) => std::ptr::eq(one, other),
        (Source::Elsewhere(one), Source::Elsewhere(other)) => std::ptr::eq(one, other),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_part_of_an_answer_is_read_as_it_is_written() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_RANGE, HeaderValue::from_str(text).unwrap());
            content_range(&headers).map(|range| (range.first, range.last, range.total))
        };
        assert_eq!(read("bytes 100-199/200"), Some((100, 199, Some(200))));
        assert_eq!(read("bytes 0-0/*"), Some((0, 0, None)));
        for wrong in
            ["", "bytes", "bytes */200", "bytes 2-1/3", "items 0-1/2", "bytes 1-/2", "bytes 0-1/-2", "bytes 0-1"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_comes_byte_by_byte_is_too_slow_and_what_waits_for_the_disk_is_not() {
        let window = Duration::from_secs(10);
        let mut speed = Speed { waited: Duration::ZERO, bytes: 0 };
        assert!(speed.is_enough(Duration::from_secs(9), 1, 100, window), "the window is not over");
        assert!(!speed.is_enough(Duration::from_secs(1), 1, 100, window));
        assert!(speed.is_enough(Duration::from_secs(10), 1000, 100, window));
        assert!(!speed.is_enough(Duration::from_secs(10), 999, 100, window), "each window counts for itself");
        assert!(speed.is_enough(Duration::from_millis(1), 1, u64::MAX, window));
    }
}
