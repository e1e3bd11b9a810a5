//! One connection, over which nothing is hidden.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::{Answer, Request};

/// The longest wait for one read or write.
const PATIENCE: Duration = Duration::from_secs(60);
/// No answer of the API is larger.
const BODY_BYTES_MAX: usize = 64 << 20;

/// A connection to a server; opened again when the server has closed it.
#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Connection {
    /// A connection that is opened with its first use.
    pub fn to(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// The server's address, for the `Host` header.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request with its body's length and reads the answer.
    #[track_caller]
    pub fn send(&mut self, request: &Request) -> Answer {
        let mut bytes = request.head(&[("content-length", &request.body.len().to_string())]);
        bytes.extend_from_slice(&request.body);
        self.send_bytes(&bytes)
    }

    /// Sends bytes as they are and reads one answer.
    #[track_caller]
    pub fn send_bytes(&mut self, bytes: &[u8]) -> Answer {
        self.try_bytes(bytes, false).unwrap_or_else(|error| panic!("no answer: {error}"))
    }

    /// Sends bytes, says that no more will come, and reads one answer.
    #[track_caller]
    pub fn send_all(&mut self, bytes: &[u8]) -> Answer {
        self.try_bytes(bytes, true).unwrap_or_else(|error| panic!("no answer: {error}"))
    }

    /// Sends bytes and reads one answer, if there is one.
    ///
    /// # Errors
    /// When the server closes the connection without a whole answer.
    pub fn try_bytes(&mut self, bytes: &[u8], is_all: bool) -> io::Result<Answer> {
        if let Some(kept) = self.stream.take() {
            // A server may close a connection that it has kept; then nothing of this request was answered.
            if let Ok(answer) = self.exchange(kept, bytes, is_all) {
                return Ok(answer);
            }
        }
        let fresh = BufReader::new(self.open()?);
        self.exchange(fresh, bytes, is_all)
    }

    fn exchange(&mut self, mut stream: BufReader<TcpStream>, bytes: &[u8], is_all: bool) -> io::Result<Answer> {
        // A server that refuses a request early may close before it has read everything; its answer is there all the same.
        let written = stream.get_mut().write_all(bytes);
        if is_all {
            stream.get_mut().shutdown(Shutdown::Write)?;
        }
        let answer = match read(&mut stream, bytes.starts_with(b"HEAD ")) {
            Ok(answer) => answer,
            Err(error) => return Err(written.err().unwrap_or(error)),
        };
        // A stream of events goes on for hours; what came before them is the answer.
        let goes_on = answer.header("connection") != Some("close") && !answer.is_stream();
        if !is_all && written.is_ok() && goes_on {
            self.stream = Some(stream);
        }
        Ok(answer)
    }

    /// A bare connection to the same server.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::other(format!("{what} is not as HTTP has it"))
}

/// Reads an answer's head; its body is empty.
pub(crate) fn read_head(stream: &mut impl BufRead) -> io::Result<Answer> {
    loop {
        let line = line(stream)?;
        let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.ok_or_else(|| wrong("the status line"))?;
        let mut headers = Vec::new();
        loop {
            let line = self::line(stream)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| wrong("a header"))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        // What comes before the answer says only that the body may be sent.
        if status >= 200 {
            return Ok(Answer { status, headers, body: Vec::new() });
        }
    }
}

fn read(stream: &mut impl BufRead, is_head: bool) -> io::Result<Answer> {
    let mut answer = read_head(stream)?;
    if answer.is_stream() {
        answer.body = first_message(stream)?;
        return Ok(answer);
    }
    if is_head || [204, 304].contains(&answer.status) {
        return Ok(answer);
    }
    let length = answer.length()?.unwrap_or(0);
    if length > BODY_BYTES_MAX {
        return Err(wrong("the length"));
    }
    answer.body.resize(length, 0);
    stream.read_exact(&mut answer.body)?;
    Ok(answer)
}

/// The first message of a stream of events, in the chunks in which it comes.
fn first_message(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let wrong = || io::Error::other("the stream is not in chunks as HTTP has them");
    let mut body = Vec::new();
    loop {
        // A message begins with its length.
        let length = body.first_chunk().map_or(usize::MAX, |length| u32::from_be_bytes(*length) as usize);
        if body.len() >= length {
            body.truncate(length);
            return Ok(body);
        }
        let length = usize::from_str_radix(&line(stream)?, 16).map_err(|_| wrong())?;
        if length == 0 || body.len() + length > BODY_BYTES_MAX {
            return Err(wrong());
        }
        let begin = body.len();
        body.resize(begin + length, 0);
        stream.read_exact(&mut body[begin..])?;
        line(stream)?;
    }
}

fn line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    stream.take(64 << 10).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(io::Error::other)
}
