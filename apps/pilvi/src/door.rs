//! The door: how workloads reach the server's API from where they are, without a port that they could be mistaken at.
//!
//! The node accepts a workload's connection inside the workload's own network and hands it over with one line that says which
//! workload it is: on this machine at `run/door.sock`, from a machine that joined over its connection to the nodes' port. From
//! there on it is served like any connection to the API, but for the server's own pages below `/_pilvi/`, which are no workload's
//! business. The line is the node's word, and as good as the node: whoever calls is still known by his signature alone.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use node::client::Stream;
use node::gate::BoxFuture;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tracing::{debug, warn};
use wire::serve::{Backend, Below, Internal, Server};
use workload::{NodeId, WorkloadId};

use crate::data_dir::DataDir;
use crate::own_routes::PREFIX;
use crate::own_socket::{OwnSocket, at_short_path, is_own};
use crate::stop::Stop;

/// Connections of all workloads at one time.
const CONNECTIONS_MAX: usize = 2048;
/// Connections of all workloads on this machine at one time, with those that are about to be turned away; further ones wait.
const KNOCKING_MAX: usize = CONNECTIONS_MAX + 64;
/// Connections of one workload at one time, so that it leaves room for others.
const WORKLOAD_CONNECTIONS_MAX: usize = 128;
/// How many connections every workload finds room for, whatever others take...
const WORKLOAD_CONNECTIONS_SURE: usize = 2;
/// ... and how many places are kept for those.
const CONNECTIONS_SURE: usize = CONNECTIONS_MAX / 2;
/// The longest first line, in bytes.
const LINE_BYTES_MAX: u64 = 256;
/// How long the first line may take.
const LINE_PATIENCE: Duration = Duration::from_secs(5);

/// The first line of a connection.
#[derive(Debug, Serialize, Deserialize)]
struct Preface {
    /// Who calls.
    workload: WorkloadId,
    /// The path below which it was told to find the API, if any: that part of its requests' paths means nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    below: String,
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

/// A workload, and which machine that joined says so; none is this one. No machine takes places of what runs on another.
type Whose = (Option<NodeId>, WorkloadId);

/// How many connections each workload has.
#[derive(Debug, Default)]
struct Guests(Mutex<HashMap<Whose, usize>>);

/// One connection among them.
struct Guest {
    guests: Arc<Guests>,
    whose: Whose,
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
        let (workload, below) = match first {
            Ok(Ok(preface)) => preface,
            Ok(Err(error)) => return warn!(?host, %error, "a node hands over what is no workload's connection"),
            Err(_) => return debug!(?host, "a node hands over a connection and says nothing"),
        };
        let Some(_guest) = self.guests.enter((host.clone(), workload.clone())) else {
            return warn!(?host, %workload, "a workload has too many connections to the API: one more is turned away");
        };
        debug!(?host, %workload, "a workload is connected to the API");
        wire::serve::serve_stream(Arc::clone(api), stream, below, self.stop.requested()).await;
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

async fn read_preface(stream: &mut BufReader<Box<dyn Stream>>) -> io::Result<(WorkloadId, Option<Below>)> {
    let mut line = Vec::new();
    stream.take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
    let Preface { workload, below } = serde_json::from_slice(&line)?;
    if below.is_empty() {
        return Ok((workload, None));
    }
    let below = Below::new(&below).ok_or(io::ErrorKind::InvalidData)?;
    Ok((workload, Some(below)))
}

impl Guests {
    /// A place for one more connection of a workload; none if there is none. Of what is not kept for others nobody gets more
    /// than he leaves free.
    fn enter(self: &Arc<Self>, whose: Whose) -> Option<Guest> {
        let mut guests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let free = CONNECTIONS_MAX.saturating_sub(guests.values().sum());
        let count = guests.get(&whose).copied().unwrap_or_default();
        let most = match free.saturating_sub(CONNECTIONS_SURE) {
            _ if free == 0 => 0,
            shared => shared.clamp(WORKLOAD_CONNECTIONS_SURE, WORKLOAD_CONNECTIONS_MAX),
        };
        if count >= most {
            return None;
        }
        guests.insert(whose.clone(), count + 1);
        Some(Guest { guests: Arc::clone(self), whose })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut guests = self.guests.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = guests.get_mut(&self.whose) {
            *count -= 1;
            if *count == 0 {
                guests.remove(&self.whose);
            }
        }
    }
}

/// The socket where the node on this machine hands connections over.
pub(crate) struct DoorSocket(OwnSocket);

impl DoorSocket {
    /// Makes the socket.
    ///
    /// # Errors
    /// As [`OwnSocket::make`].
    pub(crate) fn make(dir: &DataDir) -> Result<Self> {
        OwnSocket::make(dir.door_socket()).map(Self)
    }

    /// Lets connections in until told to stop. Requests under way may finish as those of the API do.
    pub(crate) async fn serve<B: Backend>(self, door: Door<B>) {
        let let_in = |stream: UnixStream| {
            let door = door.clone();
            async move {
                // The node is root; this server's user is for tests, and gains nothing by it.
                match is_own(&stream) {
                    true => door.let_in(None, Box::new(stream)).await,
                    false => warn!("somebody who is neither root nor this server's user knocks at the door"),
                }
            }
        };
        self.0.accept(KNOCKING_MAX, &door.stop, let_in).await.join_all().await;
    }
}

/// A workload's connection, as it is handed over.
#[derive(Debug)]
pub(crate) struct Handed<S> {
    /// Whose it is.
    pub(crate) workload: WorkloadId,
    /// The path below which it was told to find the API; empty if there is none.
    pub(crate) below: String,
    /// What was read of it already.
    pub(crate) read: Vec<u8>,
    /// What comes.
    pub(crate) from: S,
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
    /// Hands over a workload's connection, and carries bytes until both sides have ended. Of the connection something may have
    /// been read already.
    ///
    /// # Errors
    /// When the server is not to be reached, or the connection breaks.
    pub(crate) async fn hand_over(&self, call: Handed<impl Stream>) -> io::Result<()> {
        let Handed { workload, below, read, mut from } = call;
        let mut door = self.connect().await?;
        let mut first = serde_json::to_vec(&Preface { workload, below })?;
        first.push(b'\n');
        first.extend_from_slice(&read);
        door.write_all(&first).await?;
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
    // While a server accepts nobody only so many wait for it: the next one is turned away at once, and blocks no thread of the node.
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    at_short_path(path, |short| Ok(rustix::net::connect(&socket, &SocketAddrUnix::new(short)?)?))?;
    UnixStream::from_std(socket.into())
}

#[cfg(test)]
mod tests;
