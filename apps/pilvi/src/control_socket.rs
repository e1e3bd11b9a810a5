//! The server's control socket, `run/control.sock`: how the command line asks for what no AWS operation does.
//!
//! It admits the server's own user and root, as the kernel tells who connects; the directory and the socket's mode say so,
//! too. Each connection asks for one thing.

mod client;
mod protocol;

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use node::supply::BoxFuture;
use rustix::fs::{Mode, OFlags};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, warn};

pub(crate) use client::Conversation;
pub(crate) use protocol::{Answer, Credentials, Pull, Request};

use crate::data_dir::DataDir;
use crate::stop::Stop;
use protocol::{ANSWER_BYTES_MAX, Envelope, REQUEST_BYTES_MAX, VERSION};

/// Connections at one time; further ones wait.
const CONNECTIONS_MAX: usize = 64;
/// How long a command may take to say what it wants, and to read a line of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a command that waits is told that there is still somebody at work.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
/// Lines that wait for a command to read them.
const LINES_MAX: usize = 64;
/// A pause after a failure to accept, which is the want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who answers.
pub(crate) trait Commands: Send + Sync + 'static {
    /// Answers a request: each line but the last by `teller`, the last by what it returns. When it is dropped nobody
    /// wants the answer.
    fn answer(&self, request: Request, teller: Teller) -> BoxFuture<'_, Answer>;
}

/// Tells a command how it goes on.
#[derive(Debug, Clone)]
pub(crate) struct Teller(mpsc::Sender<Answer>);

impl Teller {
    /// Sends a line, when the command has read those before. That nobody reads any more ends the request by itself.
    pub(crate) async fn tell(&self, answer: Answer) {
        let _ = self.0.send(answer).await;
    }
}

/// The socket, which answers nobody yet.
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ControlSocket {
    /// Makes the socket, in place of what a server before has left. The caller holds the server's lock.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn open(dir: &DataDir) -> Result<Self> {
        let path = dir.control_socket();
        let made = at_short_path(&path, |short| {
            match std::fs::remove_file(short) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(short)?;
            std::fs::set_permissions(short, std::fs::Permissions::from_mode(0o600))?;
            Ok(listener)
        });
        let listener = made.with_context(|| format!("cannot listen at {}", path.display()))?;
        Ok(Self { listener, path })
    }

    /// Answers until told to stop; what is under way then is broken off.
    pub(crate) async fn serve(self, commands: Arc<dyn Commands>, stop: Stop) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        let accepting = async {
            loop {
                // It is closed by nobody.
                let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
                match self.listener.accept().await {
                    Ok((stream, _)) => {
                        let commands = Arc::clone(&commands);
                        connections.spawn(async move {
                            if let Err(error) = converse(stream, &*commands).await {
                                debug!(%error, "a command broke off");
                            }
                            drop(place);
                        });
                    }
                    Err(error) => {
                        warn!(%error, "no command can connect");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
                while connections.try_join_next().is_some() {}
            }
        };
        tokio::select! {
            () = accepting => {}
            () = stop.requested() => {}
        }
        connections.shutdown().await;
        // One that stays is harmless: nobody answers there.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Addresses of sockets are short, and paths may be long: the directory is named by a descriptor.
fn at_short_path<T>(path: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::open(parent, flags, Mode::empty())?;
    act(&Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name))
}

/// One command, from its question to the answer.
async fn converse(stream: UnixStream, commands: &dyn Commands) -> io::Result<()> {
    let caller = stream.peer_cred()?.uid();
    let (from, mut to) = stream.into_split();
    if caller != 0 && caller != rustix::process::geteuid().as_raw() {
        let reason = "only the owner of the data directory and root may ask for this".to_owned();
        return send(&mut to, &Answer::Failed { reason }).await;
    }
    let mut from = BufReader::new(from);
    let request = match timeout(PATIENCE, read(&mut from)).await.map_err(|_| io::ErrorKind::TimedOut)?? {
        Ok(request) => request,
        Err(reason) => return send(&mut to, &Answer::Failed { reason: reason.to_owned() }).await,
    };
    let (teller, mut told) = mpsc::channel(LINES_MAX);
    let mut work = commands.answer(request, Teller(teller));
    let mut gone = std::pin::pin!(hang_up(from));
    loop {
        tokio::select! {
            biased;
            Some(answer) = told.recv() => send(&mut to, &answer).await?,
            answer = &mut work => {
                // What was told before comes before.
                while let Ok(told) = told.try_recv() {
                    send(&mut to, &told).await?;
                }
                return send(&mut to, &answer).await;
            }
            () = &mut gone => return Err(io::ErrorKind::ConnectionAborted.into()),
            () = tokio::time::sleep(SIGN_OF_LIFE) => send(&mut to, &Answer::Working).await?,
        }
    }
}

/// Reads what a command wants; an error is for the command to tell.
async fn read(from: &mut BufReader<OwnedReadHalf>) -> io::Result<Result<Request, &'static str>> {
    let mut line = Vec::new();
    from.take(REQUEST_BYTES_MAX).read_until(b'\n', &mut line).await?;
    if line.last() != Some(&b'\n') {
        return Ok(Err("the request is too long, or broke off"));
    }
    // What serde says could repeat a secret.
    Ok(match serde_json::from_slice(&line) {
        Ok(Envelope { version: VERSION, request }) => Ok(request),
        _ => Err("this command and the server that runs are of different versions: restart Pilvi"),
    })
}

/// Waits until a command has hung up. More than one request is not asked on a connection: what comes is passed over.
async fn hang_up(mut from: BufReader<OwnedReadHalf>) {
    let mut nothing = [0; 512];
    while matches!(from.read(&mut nothing).await, Ok(1..)) {}
}

async fn send(to: &mut OwnedWriteHalf, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    if line.len() as u64 >= ANSWER_BYTES_MAX {
        let reason = "the answer is too long to be told".to_owned();
        line = serde_json::to_vec(&Answer::Failed { reason })?;
    }
    line.push(b'\n');
    timeout(PATIENCE, to.write_all(&line)).await.map_err(|_| io::ErrorKind::TimedOut)?
}

#[cfg(test)]
mod tests;
