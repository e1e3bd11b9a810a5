//! The channel between the supervisor and a process that it keeps: a socket pair whose far end is that process's standard
//! output.
//!
//! The supervisor sends one [`Start`], the process answers with [`Report`]s; each is a line of JSON. Secrets cross here
//! and nowhere else: arguments and environment of a process can be read by others. When the channel closes, the other
//! side is gone.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::settings::{Log, Settings};

/// The longest message. Settings are the longest, with at most 1000 access keys and two PEM files.
const MESSAGE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What a process is told to begin with.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Start<A> {
    /// The supervisor: a process whose parent is another one has lost it.
    pub(crate) supervisor: u32,
    /// How it logs.
    pub(crate) log: Log,
    /// What it is to do.
    pub(crate) assignment: A,
}

/// What a server is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ServerAssignment {
    /// The data directory.
    pub(crate) data_dir: PathBuf,
    /// The node's socket, if there is a node.
    pub(crate) node: Option<PathBuf>,
    /// Everything else.
    pub(crate) settings: Settings,
}

/// What a node is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct NodeAssignment {
    /// Its own directory.
    pub(crate) directory: PathBuf,
    /// Where the server has the blobs.
    pub(crate) blobs: PathBuf,
    /// The server's user.
    pub(crate) owner_uid: u32,
    /// Where the server takes workloads' connections to the API.
    pub(crate) door: PathBuf,
    /// The region that the server is in.
    pub(crate) region: String,
}

/// What a process tells. The supervisor may be root and a server captured: nothing here is more than a text to show.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// It answers requests.
    Ready,
    /// It ends because of this.
    Failed(String),
}

/// Sends a message.
///
/// # Errors
/// When the other side is gone.
pub(crate) fn send(mut channel: &UnixStream, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    channel.write_all(&line)
}

/// Receives messages one after the other.
#[derive(Debug)]
pub(crate) struct Receiver(BufReader<UnixStream>);

impl Receiver {
    pub(crate) fn new(channel: UnixStream) -> Self {
        Self(BufReader::new(channel))
    }

    /// Waits for a message; `None` when the other side is gone.
    ///
    /// # Errors
    /// When what comes is no such message.
    pub(crate) fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let mut line = Vec::new();
        self.0.by_ref().take(MESSAGE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Ok(None);
        }
        Ok(Some(serde_json::from_slice(&line)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_one_by_one_until_the_sender_is_gone() {
        let (near, far) = UnixStream::pair().unwrap();
        send(&near, &Report::Failed("a\nb".into())).unwrap();
        send(&near, &Report::Failed("c".into())).unwrap();
        drop(near);
        let mut receiver = Receiver::new(far);
        for expected in ["a\nb", "c"] {
            assert!(matches!(receiver.receive().unwrap(), Some(Report::Failed(text)) if text == expected));
        }
        assert!(receiver.receive::<Report>().unwrap().is_none());
    }
}
