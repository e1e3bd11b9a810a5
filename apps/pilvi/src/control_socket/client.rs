//! The command's side of the control socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::protocol::{ANSWER_BYTES_MAX, Envelope, REQUEST_BYTES_MAX, VERSION};
use super::workloads::{Say, WorkloadAnswer, WorkloadRequest};
use super::{Answer, LINES_MAX, Request, at_short_path};
use crate::data_dir::DataDir;

/// How long the server may say nothing. While it works for long it gives signs of life more often.
const PATIENCE: Duration = Duration::from_secs(60);

/// A question to the server, and its answers one by one.
#[derive(Debug)]
pub(crate) struct Conversation(BufReader<UnixStream>);

impl Conversation {
    /// Asks the server of a data directory.
    ///
    /// # Errors
    /// When nobody answers there.
    pub(crate) fn ask(dir: &DataDir, request: impl Into<Request>) -> Result<Self> {
        Ok(Self(BufReader::new(asked(dir, request.into())?)))
    }

    /// Waits for what the server says next.
    ///
    /// # Errors
    /// When it says that it failed, or nothing more.
    pub(crate) fn next(&mut self) -> Result<Answer> {
        loop {
            match self.line()? {
                Answer::Working => {}
                Answer::Failed { reason } => bail!("{reason}"),
                answer => return Ok(answer),
            }
        }
    }

    fn line(&mut self) -> Result<Answer> {
        let mut line = Vec::new();
        let read = self.0.by_ref().take(ANSWER_BYTES_MAX).read_until(b'\n', &mut line);
        read.context("the server has fallen silent")?;
        answer(&line)
    }
}

/// A connection on which a question was asked.
fn asked(dir: &DataDir, request: Request) -> Result<UnixStream> {
    let path = dir.control_socket();
    let stream = match at_short_path(&path, |short| UnixStream::connect(short)) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            bail!("Pilvi is starting, or stops; try again in a moment")
        }
        stream => stream.with_context(|| format!("cannot reach {}", path.display()))?,
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(&Envelope { version: VERSION, request })?;
    line.push(b'\n');
    if line.len() as u64 > REQUEST_BYTES_MAX {
        bail!("that is more than the server takes at once: {REQUEST_BYTES_MAX} bytes");
    }
    (&stream).write_all(&line).context("the server does not listen")?;
    Ok(stream)
}

fn answer(line: &[u8]) -> Result<Answer> {
    if line.last() != Some(&b'\n') {
        bail!("the server ended before it answered");
    }
    // What serde says of it is of no use to a person.
    let answer = serde_json::from_slice(line).ok();
    answer.context("this command and the server that runs are of different versions: restart Pilvi")
}

/// A question that goes on: the server's lines, and the command's own.
///
/// Both directions are bounded by who speaks: of output and input no more is under way than was taken.
#[derive(Debug)]
pub(crate) struct Session {
    answers: mpsc::Receiver<Result<Answer>>,
    to: OwnedWriteHalf,
    reading: tokio::task::JoinHandle<()>,
}

impl Session {
    /// Asks the server of a data directory, within a tokio runtime.
    ///
    /// # Errors
    /// When nobody answers there.
    pub(crate) fn open(dir: &DataDir, request: WorkloadRequest) -> Result<Self> {
        let stream = asked(dir, request.into())?;
        stream.set_nonblocking(true)?;
        let (from, to) = tokio::net::UnixStream::from_std(stream)?.into_split();
        let (sender, answers) = mpsc::channel(LINES_MAX);
        let reading = tokio::spawn(async move {
            let mut from = tokio::io::BufReader::new(from);
            while let Some(answer) = next_line(&mut from).await {
                let is_last = answer.is_err();
                if sender.send(answer).await.is_err() || is_last {
                    return;
                }
            }
        });
        Ok(Self { answers, to, reading })
    }

    /// What the server says next. Nothing is lost when it is not waited for to the end.
    ///
    /// # Errors
    /// When it says that it failed ([`Ended::Refused`]), or the connection ended.
    pub(crate) async fn next(&mut self) -> Result<WorkloadAnswer, Ended> {
        loop {
            match self.answers.recv().await {
                None => return Err(Ended::Broken("the server ended before it answered".to_owned())),
                Some(Err(error)) => return Err(Ended::Broken(format!("{error:#}"))),
                Some(Ok(Answer::Working)) => {}
                Some(Ok(Answer::Failed { reason })) => return Err(Ended::Refused(reason)),
                Some(Ok(Answer::Workload(answer))) => return Ok(*answer),
                Some(Ok(_)) => return Err(Ended::Refused("the server answered something else".to_owned())),
            }
        }
    }

    /// Says something to whom the session is with.
    ///
    /// # Errors
    /// When the server does not listen any more; [`Session::next`] tells why.
    pub(crate) async fn say(&mut self, say: &Say) -> io::Result<()> {
        let mut line = serde_json::to_vec(say)?;
        line.push(b'\n');
        self.to.write_all(&line).await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// How a session ended that has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ended {
    /// The server says why.
    #[error("{0}")]
    Refused(String),
    /// The connection broke; the server may be starting anew.
    #[error("{0}")]
    Broken(String),
}

/// Reads a line; nothing after the last.
async fn next_line(from: &mut tokio::io::BufReader<OwnedReadHalf>) -> Option<Result<Answer>> {
    let mut line = Vec::new();
    let mut limited = from.take(ANSWER_BYTES_MAX);
    match timeout(PATIENCE, limited.read_until(b'\n', &mut line)).await {
        Err(_) => Some(Err(anyhow!("the server has fallen silent"))),
        Ok(Err(error)) => Some(Err(anyhow!(error).context("the server is gone"))),
        Ok(Ok(0)) => None,
        Ok(Ok(_)) => Some(answer(&line)),
    }
}
