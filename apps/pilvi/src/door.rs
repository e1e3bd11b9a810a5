//! The door: how workloads reach the server's API from where they are, without a port that they could be mistaken at.
//!
//! The node accepts a workload's connection inside the workload's own network and hands it over with one line that says which
//! workload it is: on this machine at `run/door.sock`, from a machine that joined over its connection to the nodes' port. From
//! there on it is served like any connection to the API, but for the server's own pages below `/_pilvi/`, which are no workload's
//! business. The line is the node's word, and as good as the node: whoever calls is still known by his signature alone.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use node::client::Stream;
use node::gate::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, warn};
use wire::serve::{Backend, Internal, Server};
use workload::{NodeId, WorkloadId};

use crate::control_socket::at_short_path;
use crate::data_dir::DataDir;
use crate::own_routes::PREFIX;
use crate::stop::Stop;

/// Connections of all workloads at one time.
const CONNECTIONS_MAX: usize = 2048;
/// Connections of one workload at one time, so that it leaves room for others.
const WORKLOAD_CONNECTIONS_MAX: usize = 128;
/// The longest first line, in bytes.
const LINE_BYTES_MAX: u64 = 256;
/// How long the first line may take.
const LINE_PATIENCE: Duration = Duration::from_secs(5);
/// A pause after a failure to accept, which is the want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The first line of a connection.
#[derive(Debug, Serialize, Deserialize)]
struct Preface {
    /// Who calls.
    workload: WorkloadId,
}

/// Serves what is behind the door: the API. Cheap to clone.
pub(crate) struct Door<B> {
    /// Set once the API is there; until then nobody is let in.
    api: Arc<OnceLock<Arc<Server<B>>>>,
    guests: Arc<Guests>,
    stop: Stop,
}

impl<B> Clone for Door<B> {
    fn clone(&self) -> Self {
        Self { api: Arc::clone(&self.api), guests: Arc::clone(&self.guests), stop: self.stop.clone() }
    }
}

/// How many connections each workload has.
#[derive(Debug, Default)]
struct Guests(Mutex<HashMap<WorkloadId, usize>>);

/// One connection among them.
struct Guest {
    guests: Arc<Guests>,
    workload: WorkloadId,
}

impl<B: Backend> Door<B> {
    /// A door that nobody is let in by before [`Door::open`].
    pub(crate) fn new(stop: Stop) -> Self {
        Self { api: Arc::default(), guests: Arc::default(), stop }
    }

    /// Lets workloads in to what this serves. Only the first call does anything.
    pub(crate) fn open(&self, api: Server<B>) {
        let _ = self.api.set(Arc::new(api));
    }

    /// Serves a connection, whose first line says which workload it is of.
    async fn let_in(&self, host: Option<NodeId>, stream: Box<dyn Stream>) {
        let Some(api) = self.api.get() else { return };
        let mut stream = BufReader::new(stream);
        let first = tokio::select! {
            first = timeout(LINE_PATIENCE, read_preface(&mut stream)) => first,
            () = self.stop.requested() => return,
        };
        let workload = match first {
            Ok(Ok(workload)) => workload,
            Ok(Err(error)) => return warn!(?host, %error, "a node hands over what is no workload's connection"),
            Err(_) => return debug!(?host, "a node hands over a connection and says nothing"),
        };
        let Some(_guest) = self.guests.enter(&workload) else {
            return warn!(?host, %workload, "a workload has too many connections to the API: one more is turned away");
        };
        debug!(?host, %workload, "a workload is connected to the API");
        wire::serve::serve_stream(Arc::clone(api), stream, self.stop.requested()).await;
    }
}

impl<B: Backend> node::gate::Door for Door<B> {
    fn serve(&self, host: NodeId, stream: Box<dyn Stream>) -> BoxFuture<'static, ()> {
        let door = self.clone();
        Box::pin(async move { door.let_in(Some(host), stream).await })
    }
}

/// What answers to the server's own pages: that there are none.
pub(crate) fn no_own_pages() -> Internal {
    Arc::new(|parts: &Parts| {
        let path = parts.uri.path();
        if !path.starts_with(PREFIX) && path != PREFIX.trim_end_matches('/') {
            return None;
        }
        let mut answer = Response::new(Full::from(Bytes::from_static(b"nothing is here\n")));
        *answer.status_mut() = StatusCode::NOT_FOUND;
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        Some(answer)
    })
}

async fn read_preface(stream: &mut BufReader<Box<dyn Stream>>) -> io::Result<WorkloadId> {
    let mut line = Vec::new();
    stream.take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
    let preface: Preface = serde_json::from_slice(&line)?;
    Ok(preface.workload)
}

impl Guests {
    /// A place for one more connection of a workload; none if there is none.
    fn enter(self: &Arc<Self>, workload: &WorkloadId) -> Option<Guest> {
        let mut guests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if guests.values().sum::<usize>() >= CONNECTIONS_MAX {
            return None;
        }
        let count = guests.entry(workload.clone()).or_default();
        if *count >= WORKLOAD_CONNECTIONS_MAX {
            return None;
        }
        *count += 1;
        Some(Guest { guests: Arc::clone(self), workload: workload.clone() })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut guests = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = guests.get_mut(&self.workload) {
            *count -= 1;
            if *count == 0 {
                guests.remove(&self.workload);
            }
        }
    }
}

/// The socket where the node on this machine hands connections over.
pub(crate) struct DoorSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl DoorSocket {
    /// Makes the socket, in place of what a server before has left. The caller holds the server's lock.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn make(dir: &DataDir) -> Result<Self> {
        let path = dir.door_socket();
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

    /// Lets connections in until told to stop. Requests under way may finish as those of the API do.
    pub(crate) async fn serve<B: Backend>(self, door: Door<B>) {
        let mut connections = JoinSet::new();
        let accepting = async {
            loop {
                match self.listener.accept().await {
                    Ok((stream, _)) if is_admitted(&stream) => {
                        let door = door.clone();
                        connections.spawn(async move { door.let_in(None, Box::new(stream)).await });
                    }
                    Ok(_) => warn!("somebody who is neither root nor this server's user knocks at the door"),
                    Err(error) => {
                        warn!(%error, "no workload can connect");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
                while connections.try_join_next().is_some() {}
            }
        };
        tokio::select! {
            () = accepting => {}
            () = door.stop.requested() => {}
        }
        // One that stays is harmless: nobody answers there.
        let _ = std::fs::remove_file(&self.path);
        while connections.join_next().await.is_some() {}
    }
}

/// The node is root; this server's user is for tests, and gains nothing by it.
fn is_admitted(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
}

/// The node's way to the door.
#[derive(Debug, Clone)]
pub(crate) enum WayToDoor {
    /// The server is on this machine: its socket.
    Here(PathBuf),
    /// It is where this machine has joined.
    There(node::join::Joined),
}

impl WayToDoor {
    /// Hands over a workload's connection, and carries bytes until both sides have ended.
    ///
    /// # Errors
    /// When the server is not to be reached, or the connection breaks.
    pub(crate) async fn hand_over(&self, workload: WorkloadId, mut from: impl Stream) -> io::Result<()> {
        let mut door = self.connect().await?;
        let mut line = serde_json::to_vec(&Preface { workload })?;
        line.push(b'\n');
        door.write_all(&line).await?;
        tokio::io::copy_bidirectional(&mut from, &mut door).await.map(drop)
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Here(path) => Ok(Box::new(connect_here(path).await?)),
            Self::There(joined) => joined.door().await.map_err(io::Error::other),
        }
    }
}

async fn connect_here(path: &Path) -> io::Result<UnixStream> {
    let stream = at_short_path(path, |short| std::os::unix::net::UnixStream::connect(short))?;
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

#[cfg(test)]
mod tests;
