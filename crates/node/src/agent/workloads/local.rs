//! What is served near a workload in somebody else's terms: the node only carries the connections.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddrV4;
use std::pin::Pin;

use tokio::net::TcpStream;
use workload::{Spec, WorkloadId};

use crate::client::Stream;

/// What workloads are served at the link-local addresses that each of them has for itself. Wired in the binary: no word of what
/// is served stands in the node.
pub trait LocalEndpoint: fmt::Debug + Send + Sync + 'static {
    /// Variables of its containers' environments: by which a client in it finds what is served. What the specification says
    /// itself comes before them.
    fn env(&self, workload: &WorkloadId, spec: &Spec, at: &LocalAddresses) -> BTreeMap<String, String>;

    /// Serves a connection until it ends.
    fn serve(&self, call: LocalCall) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Talks with the server's own half of what is served, until either has had enough. It is dropped when the workload has
    /// stopped. Whoever has no such half lets go of the channel.
    fn attach(&self, channel: LocalChannel) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move { drop(channel) })
    }
}

/// The way between what is served near a workload and the server's half of it: bytes in both directions, of which the node knows
/// nothing. There is at most one of a workload at a time.
pub struct LocalChannel {
    /// Which workload.
    pub workload: WorkloadId,
    /// What it is: [`Spec::local_service`] says of what.
    pub spec: Spec,
    /// The bytes.
    pub stream: Box<dyn Stream>,
}

impl fmt::Debug for LocalChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalChannel").field("workload", &self.workload).finish_non_exhaustive()
    }
}

/// Where a workload finds what is served for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAddresses {
    /// Services of its kind.
    pub services: SocketAddrV4,
    /// The API's endpoint.
    pub endpoint: SocketAddrV4,
    /// What paths must begin with, where others reach the addresses, too: `/` and something unguessable. Else empty.
    pub path_prefix: String,
}

/// A connection from within a workload.
#[derive(Debug)]
pub struct LocalCall {
    /// Which workload: nobody else can make this connection, unless there is a prefix.
    pub workload: WorkloadId,
    /// What the workload is of: [`Spec::local_service`].
    pub service: Option<String>,
    /// What it called.
    pub listener: LocalListener,
    /// What paths must begin with for the connection to be believed; empty where nobody else can connect.
    pub path_prefix: String,
    /// The connection.
    pub stream: TcpStream,
}

/// What a workload called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalListener {
    /// Services of its kind.
    Services,
    /// The API's endpoint.
    Endpoint,
}

/// Nothing is served: connections are closed.
#[derive(Debug, Clone, Copy, Default)]
pub struct NothingLocal;

impl LocalEndpoint for NothingLocal {
    fn env(&self, _: &WorkloadId, _: &Spec, _: &LocalAddresses) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    fn serve(&self, call: LocalCall) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move { drop(call) })
    }
}
