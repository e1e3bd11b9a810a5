//! The command's side of the control socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::protocol::{ANSWER_BYTES_MAX, Envelope, VERSION};
use super::{Answer, Request, at_short_path};
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
    pub(crate) fn ask(dir: &DataDir, request: Request) -> Result<Self> {
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
        (&stream).write_all(&line).context("the server does not listen")?;
        Ok(Self(BufReader::new(stream)))
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
        if line.last() != Some(&b'\n') {
            bail!("the server ended before it answered");
        }
        // What serde says of it is of no use to a person.
        let answer = serde_json::from_slice(&line).ok();
        answer.context("this command and the server that runs are of different versions: restart Pilvi")
    }
}
