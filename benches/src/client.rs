//! The load: one thread that keeps a number of callers busy over kept-alive connections.
//!
//! Each caller has one connection and one request under way. One thread serves them all by epoll, so that the client takes
//! as little of the processors as it can; the requests were made and signed before. A server that closes a connection
//! after its answer is connected to anew, and that connecting is part of the next request's time, as it is for every
//! client.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::event::epoll;
use rustix::fd::OwnedFd;
use rustix::time::Timespec;

use crate::stats::nanoseconds;

/// No answer for this long ends the benchmark.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// What a connection reads at once.
const BUFFER_BYTES: usize = 64 * 1024;
/// The longest answer; none here comes near it.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most headers of an answer.
const HEADERS_MAX: usize = 64;

/// What is sent, and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) requests: &'a [Vec<u8>],
    pub(crate) order: Order,
    /// How many callers wait for an answer at any time.
    pub(crate) callers: usize,
    /// New requests are sent this long; those under way are waited for.
    pub(crate) time: Duration,
}

/// What follows the last request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// The end: each request is sent once.
    Once,
    /// The first again.
    Cycle,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// A time for each answer, from before the request was written until its answer was complete.
    pub(crate) latencies_ns: Vec<u64>,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// How many requests were sent, in the order of [`Load::requests`].
    pub(crate) sent: usize,
    /// Answers that are not 200.
    pub(crate) refused: u64,
    /// The first of them.
    pub(crate) first_refusal: Option<String>,
}

/// Sends the load.
///
/// # Errors
/// When the server cannot be reached, breaks a connection off, speaks no HTTP/1.1 or is silent.
pub(crate) fn drive(load: &Load<'_>) -> Result<Outcome> {
    Driver::new(load)?.run()
}

/// One request and its answer's status and body.
///
/// # Errors
/// As [`drive`].
pub(crate) fn ask(address: SocketAddr, request: &[u8]) -> Result<(u16, Vec<u8>)> {
    let mut stream = connect(address)?;
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.write_all(request)?;
    let mut buffer = Buffer::new();
    loop {
        buffer.fill(&mut stream)?;
        if let Some(answer) = Answer::parse(buffer.bytes())? {
            return Ok((answer.status, buffer.bytes()[answer.body..answer.length].to_vec()));
        }
    }
}

struct Driver<'a> {
    load: &'a Load<'a>,
    epoll: OwnedFd,
    callers: Vec<Caller>,
    begun: Instant,
    waiting: usize,
    outcome: Outcome,
}

struct Caller {
    stream: Option<TcpStream>,
    buffer: Buffer,
    begun: Instant,
}

impl<'a> Driver<'a> {
    fn new(load: &'a Load<'a>) -> Result<Self> {
        ensure!(!load.requests.is_empty(), "there is nothing to send");
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let begun = Instant::now();
        let caller = || Caller { stream: None, buffer: Buffer::new(), begun };
        let callers = std::iter::repeat_with(caller).take(load.callers).collect();
        let mut driver = Self { load, epoll, callers, begun, waiting: 0, outcome: Outcome::default() };
        for index in 0..load.callers {
            driver.connect(index)?;
        }
        driver.begun = Instant::now();
        Ok(driver)
    }

    fn run(mut self) -> Result<Outcome> {
        for index in 0..self.callers.len() {
            self.send(index)?;
        }
        let mut events = Vec::with_capacity(self.callers.len());
        let patience = Timespec { tv_sec: i64::try_from(SILENCE_MAX.as_secs())?, tv_nsec: 0 };
        while self.waiting > 0 {
            epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&patience))?;
            ensure!(!events.is_empty(), "no answer for {} s", SILENCE_MAX.as_secs());
            for event in events.drain(..) {
                self.receive(usize::try_from(event.data.u64())?)?;
            }
        }
        self.outcome.elapsed = self.begun.elapsed();
        Ok(self.outcome)
    }

    fn connect(&mut self, index: usize) -> Result<()> {
        let stream = connect(self.load.address)?;
        let data = epoll::EventData::new_u64(u64::try_from(index)?);
        epoll::add(&self.epoll, &stream, data, epoll::EventFlags::IN)?;
        self.callers[index].stream = Some(stream);
        Ok(())
    }

    /// Sends a caller's next request, if there is one and it is time for it.
    fn send(&mut self, index: usize) -> Result<()> {
        let Some(request) = self.next() else { return Ok(()) };
        self.callers[index].begun = Instant::now();
        if self.callers[index].stream.is_none() {
            self.connect(index)?;
        }
        if let Some(stream) = &mut self.callers[index].stream {
            stream.write_all(request).context("sending a request")?;
        }
        self.waiting += 1;
        self.outcome.sent += 1;
        Ok(())
    }

    fn next(&self) -> Option<&'a [u8]> {
        let requests = self.load.requests;
        let next = match self.load.order {
            Order::Once => requests.get(self.outcome.sent)?,
            Order::Cycle => &requests[self.outcome.sent % requests.len()],
        };
        (self.begun.elapsed() < self.load.time).then_some(next)
    }

    /// Reads what has come for a caller; the kernel said that a read will not wait.
    fn receive(&mut self, index: usize) -> Result<()> {
        let caller = &mut self.callers[index];
        let Some(stream) = &mut caller.stream else { return Ok(()) };
        caller.buffer.fill(stream)?;
        let Some(answer) = Answer::parse(caller.buffer.bytes())? else { return Ok(()) };
        self.outcome.latencies_ns.push(nanoseconds(caller.begun.elapsed()));
        ensure!(caller.buffer.bytes().len() == answer.length, "more came than the answer");
        if answer.status != 200 {
            let body = &caller.buffer.bytes()[answer.body..];
            let text = || format!("HTTP {}: {}", answer.status, String::from_utf8_lossy(body));
            self.outcome.first_refusal.get_or_insert_with(text);
            self.outcome.refused += 1;
        }
        caller.buffer.clear();
        if !answer.keep_alive {
            caller.stream = None;
        }
        self.waiting -= 1;
        self.send(index)
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(SILENCE_MAX))?;
    Ok(stream)
}

/// Bytes that came and are not yet an answer.
struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Buffer {
    fn new() -> Self {
        Self { bytes: vec![0; BUFFER_BYTES], filled: 0 }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    fn clear(&mut self) {
        self.filled = 0;
    }

    /// One read. The end of the stream is an error: an answer is missing.
    fn fill(&mut self, stream: &mut TcpStream) -> Result<()> {
        if self.filled == self.bytes.len() {
            ensure!(self.filled < ANSWER_BYTES_MAX, "an answer of more than {ANSWER_BYTES_MAX} bytes");
            self.bytes.resize(self.filled * 2, 0);
        }
        let count = stream.read(&mut self.bytes[self.filled..]).context("reading an answer")?;
        ensure!(count > 0, "the server closed a connection without an answer");
        self.filled += count;
        Ok(())
    }
}

/// The head of a complete answer.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    keep_alive: bool,
    /// Where the body begins.
    body: usize,
    /// Head and body, in bytes.
    length: usize,
}

impl Answer {
    /// `None` while more has to come.
    fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(body) = head.parse(bytes).context("an answer that is not HTTP")? else {
            return Ok(None);
        };
        let header = |name| head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        let length = match (header("content-length"), header("transfer-encoding")) {
            (_, Some(coding)) if coding.value.eq_ignore_ascii_case(b"chunked") => {
                let Some(length) = chunked_length(&bytes[body..])? else { return Ok(None) };
                length
            }
            (Some(length), _) => std::str::from_utf8(length.value)?.trim().parse().context("the Content-Length")?,
            (None, _) => bail!("an answer that does not tell its length"),
        };
        let connection = header("connection").map(|header| header.value);
        let keep_alive = match head.version {
            Some(1) => !connection.is_some_and(|value| value.eq_ignore_ascii_case(b"close")),
            _ => connection.is_some_and(|value| value.eq_ignore_ascii_case(b"keep-alive")),
        };
        let length = body.checked_add(length).context("the Content-Length")?;
        Ok((bytes.len() >= length).then_some(Self { status: head.code.unwrap_or_default(), keep_alive, body, length }))
    }
}

/// How long a body in chunks is with all that frames it, without trailers; `None` while more has to come.
fn chunked_length(bytes: &[u8]) -> Result<Option<usize>> {
    let mut length = 0;
    loop {
        let rest = bytes.get(length..).unwrap_or_default();
        let (start, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => bail!("a chunk without a size"),
        };
        length = usize::try_from(size)
            .ok()
            .and_then(|size| length.checked_add(start + 2)?.checked_add(size))
            .context("a chunk's size")?;
        if size == 0 {
            return Ok((bytes.len() >= length).then_some(length));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::floor::Echo;

    #[test]
    fn an_answer_is_complete_with_its_last_byte() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        for end in 0..text.len() {
            assert_eq!(Answer::parse(&text[..end]).unwrap(), None, "{end}");
        }
        let complete = Answer { status: 200, keep_alive: true, body: text.len() - 2, length: text.len() };
        assert_eq!(Answer::parse(text).unwrap(), Some(complete));
    }

    #[test]
    fn an_answer_in_chunks_is_complete_with_the_last_one() {
        let text = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(Answer::parse(&text[..end]).unwrap(), None, "{end}");
        }
        assert_eq!(Answer::parse(text).unwrap().unwrap().length, text.len());
    }

    #[test]
    fn a_connection_is_kept_as_its_protocol_says() {
        let kept = |head: &str| {
            let text = format!("{head}\r\ncontent-length: 0\r\n\r\n");
            Answer::parse(text.as_bytes()).unwrap().unwrap().keep_alive
        };
        assert!(kept("HTTP/1.1 200 OK"));
        assert!(!kept("HTTP/1.1 200 OK\r\nConnection: close"));
        assert!(!kept("HTTP/1.0 200 OK"));
        assert!(kept("HTTP/1.0 200 OK\r\nConnection: keep-alive"));
    }

    #[test]
    fn an_answer_without_a_length_is_refused() {
        assert!(Answer::parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(Answer::parse(b"SSH-2.0-server\r\n").is_err());
    }

    #[test]
    fn every_request_of_a_load_is_sent_once_and_answered() {
        let echo = Echo::start().unwrap();
        let requests: Vec<Vec<u8>> = vec![Echo::request(10); 100];
        let load = Load {
            address: echo.address(),
            requests: &requests,
            order: Order::Once,
            callers: 4,
            time: Duration::from_secs(60),
        };
        let outcome = drive(&load).unwrap();
        assert_eq!((outcome.sent, outcome.latencies_ns.len(), outcome.refused), (100, 100, 0));
        assert_eq!(ask(echo.address(), &requests[0]).unwrap().0, 200);
    }

    #[test]
    fn a_load_without_time_sends_nothing() {
        let echo = Echo::start().unwrap();
        let requests = vec![Echo::request(0)];
        let load = Load {
            address: echo.address(),
            requests: &requests,
            order: Order::Cycle,
            callers: 2,
            time: Duration::ZERO,
        };
        assert_eq!(drive(&load).unwrap().sent, 0);
    }
}
