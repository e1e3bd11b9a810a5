//! A connection that moves large bodies with few system calls and looks at no byte of them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// No byte for this long ends the benchmark: a server may have to wait for a disk.
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// What is read at once.
const BUFFER_BYTES: usize = 256 * 1024;
/// The longest answer that is kept.
const KEPT_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// The most headers of an answer.
const HEADERS_MAX: usize = 64;

/// One connection, kept alive; made anew where a server ends it with its answer.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    /// None once the server has said that it takes no further request.
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    /// What of the buffer has been read and not yet used.
    filled: usize,
}

/// An answer's head.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
}

/// An answer whose body is kept.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
}

/// How an answer's body ends.
#[derive(Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
}

impl Head {
    /// The value of a header, its name in small letters.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    fn framing(&self, to_head: bool) -> Result<Framing> {
        if to_head || matches!(self.status, 204 | 304) {
            return Ok(Framing::Length(0));
        }
        if self.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return Ok(Framing::Chunked);
        }
        let length = self.header("content-length").context("an answer that does not tell its length")?;
        Ok(Framing::Length(length.parse().context("the Content-Length")?))
    }
}

impl Connection {
    /// Connects.
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        Ok(Self { address, stream: Some(connect(address)?), buffer: vec![0; BUFFER_BYTES], filled: 0 })
    }

    /// Sends a request, whose `head` ends with its empty line, and keeps the answer.
    ///
    /// # Errors
    /// When the connection breaks, the server is silent, or the answer is none or long.
    pub(crate) fn exchange(&mut self, head: &str, body: &[Arc<[u8]>]) -> Result<Answer> {
        let mut kept = Vec::new();
        let head = self.send(head, body, &mut |bytes| {
            ensure!(
                (kept.len() + bytes.len()) as u64 <= KEPT_BYTES_MAX,
                "an answer of more than {KEPT_BYTES_MAX} bytes"
            );
            kept.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok(Answer { head, body: kept })
    }

    /// Sends a request without a body and shows `each` piece of the answer's.
    ///
    /// # Errors
    /// As [`Self::exchange`], and those of `each`.
    pub(crate) fn download(&mut self, head: &str, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Head> {
        self.send(head, &[], each)
    }

    fn send(&mut self, head: &str, body: &[Arc<[u8]>], each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Head> {
        let to_head = head.starts_with("HEAD ");
        let stream = match &mut self.stream {
            Some(stream) => stream,
            ended => ended.insert(connect(self.address)?),
        };
        stream.write_all(head.as_bytes()).context("sending a request")?;
        for part in body {
            stream.write_all(part).context("sending a body")?;
        }
        self.filled = 0;
        let (answer, body) = self.head()?;
        self.consume(body);
        match answer.framing(to_head)? {
            Framing::Length(length) => self.take(length, each)?,
            Framing::Chunked => self.chunks(each)?,
        }
        ensure!(self.filled == 0, "more came than the answer");
        if answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            self.stream = None;
        }
        Ok(answer)
    }

    /// The head, and how long it is.
    fn head(&mut self) -> Result<(Head, usize)> {
        loop {
            self.fill()?;
            let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
            let mut head = httparse::Response::new(&mut headers);
            let bytes = &self.buffer[..self.filled];
            if let httparse::Status::Complete(length) = head.parse(bytes).context("an answer that is not HTTP")? {
                let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                let headers = head.headers.iter().map(|of| (of.name.to_ascii_lowercase(), text(of.value))).collect();
                return Ok((Head { status: head.code.unwrap_or_default(), headers }, length));
            }
        }
    }

    /// So many bytes of a body.
    fn take(&mut self, length: u64, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut left = length;
        while left > 0 {
            if self.filled == 0 {
                self.fill()?;
            }
            let count = usize::try_from(left).unwrap_or(usize::MAX).min(self.filled);
            each(&self.buffer[..count])?;
            self.consume(count);
            left -= count as u64;
        }
        Ok(())
    }

    /// A body in chunks (RFC 9112, section 7.1), without trailers.
    fn chunks(&mut self, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        loop {
            let (start, size) = loop {
                match httparse::parse_chunk_size(&self.buffer[..self.filled]) {
                    Ok(httparse::Status::Complete(found)) => break found,
                    Ok(httparse::Status::Partial) => self.fill()?,
                    Err(_) => bail!("a chunk without a size"),
                }
            };
            self.consume(start);
            self.take(size, each)?;
            let mut line = Vec::new();
            self.take(2, &mut |bytes| {
                line.extend_from_slice(bytes);
                Ok(())
            })?;
            ensure!(line == b"\r\n", "a chunk without an end");
            if size == 0 {
                return Ok(());
            }
        }
    }

    /// One read. The end of the stream is an error: an answer is missing.
    fn fill(&mut self) -> Result<()> {
        ensure!(self.filled < self.buffer.len(), "an answer's head of more than {BUFFER_BYTES} bytes");
        let stream = self.stream.as_mut().context("nothing was asked")?;
        let count = stream.read(&mut self.buffer[self.filled..]).context("reading an answer")?;
        ensure!(count > 0, "the server closed a connection within an answer");
        self.filled += count;
        Ok(())
    }

    fn consume(&mut self, count: usize) {
        self.buffer.copy_within(count..self.filled, 0);
        self.filled -= count;
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_write_timeout(Some(SILENCE_MAX))?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::net::{Ipv4Addr, TcpListener};

    /// The answer that comes as `pieces`, each written by itself.
    fn answer(request: &'static str, pieces: Vec<&'static str>) -> Result<Answer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            let mut heard = vec![0; request.len()];
            stream.read_exact(&mut heard).unwrap();
            pieces.into_iter().for_each(|piece| stream.write_all(piece.as_bytes()).unwrap());
        });
        let answer = Connection::open(address).unwrap().exchange(request, &[]);
        server.join().unwrap();
        answer
    }

    const GET: &str = "GET / HTTP/1.1\r\n\r\n";

    #[test]
    fn a_body_ends_as_its_head_says() {
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nLocation: /x\r\n\r\nhello";
        let got = answer(GET, vec![whole]).unwrap();
        assert_eq!(
            (got.head.status, got.head.header("location"), got.body.as_slice()),
            (200, Some("/x"), &b"hello"[..])
        );
        let head = answer("HEAD / HTTP/1.1\r\n\r\n", vec!["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"]).unwrap();
        assert!(head.body.is_empty());
        assert!(answer(GET, vec!["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"]).is_err(), "cut off");
    }

    #[test]
    fn chunks_become_one_body_wherever_they_are_cut() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let pieces = vec![head, "3\r\nab", "c\r", "\n0b\r\ndefghijklmn\r\n", "0\r\n\r\n"];
        assert_eq!(answer(GET, pieces).unwrap().body, b"abcdefghijklmn");
        assert!(answer(GET, vec![head, "zz\r\n"]).is_err());
    }

    #[test]
    fn a_server_that_ends_the_connection_with_its_answer_is_connected_to_anew() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut heard = [0; GET.len()];
                stream.read_exact(&mut heard).unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            }
        });
        let mut connection = Connection::open(address).unwrap();
        assert_eq!([(); 2].map(|()| connection.exchange(GET, &[]).unwrap().head.status), [200, 200]);
        server.join().unwrap();
    }
}
