//! A host's side of [`crate::gate`]: joining, and staying.
//!
//! [`join`] trades a token for a certificate, once; what comes of it lies in the node's directory ([`Identity`]). [`Joined`] is
//! the membership from then on: it renews lease and certificate, hands the server's questions to the node's agent
//! ([`Resident`]), and brings blobs and workloads' connections.
//!
//! The server is believed as much as the one on this machine is: what it asks for is checked by the agent.

mod address;
mod blobs;
mod error;
mod identity;
mod stay;
mod way;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::base::Clock;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use workload::NodeId;

pub use address::Address;
pub use blobs::ServerBlobs;
pub use error::JoinError;
pub use identity::{FILE, Identity};
pub use stay::FENCE_PATIENCE;

use crate::client::Stream;
use crate::gate::words::{Certified, DOOR, DOOR_PROTOCOL, JOIN, JoinRequest};
use crate::gate::{BoxFuture, Token, uptime};
use way::Way;

/// Connections of workloads to the server's API at one time. The server gives a host more than that: what its workloads do never
/// keeps a lease from being renewed, or the server from asking.
const DOORS_MAX: usize = 768;
/// Connections over which the server asks at one time; it needs one.
const LINKS_MAX: usize = 16;

/// The node's agent, as its membership needs it.
pub trait Resident: Send + Sync + 'static {
    /// Answers the server on a connection, until it ends.
    fn serve(&self, stream: Box<dyn Stream>) -> BoxFuture<'static, ()>;

    /// From now on all workloads, those to come included, are to be killed when the machine has been up for so long
    /// (`CLOCK_BOOTTIME`), unless this is called again before. What takes longer than [`FENCE_PATIENCE`] is not waited for.
    fn fence(&self, at: Duration) -> BoxFuture<'_, ()>;
}

/// Joins a server, or goes on with a membership that the directory keeps, unless a new token is given. A host that does not hear
/// the answer may ask again with the same token, also after it was restarted.
///
/// # Errors
/// [`JoinError`]; [`JoinError::Another`] if the directory is another host's.
pub async fn join(
    directory: &Path,
    server: &Address,
    name: &NodeId,
    token: Option<&Token>,
    clock: &dyn Clock,
) -> Result<Identity, JoinError> {
    let another =
        |it: &Identity| JoinError::Another { name: it.name.as_str().to_owned(), server: it.server.to_string() };
    let kept = Identity::load(directory)?.filter(Identity::has_joined);
    // Another token than it joined with is somebody's wish to join again.
    if let Some(identity) = kept.filter(|it| token.is_none_or(|token| token.id == it.token)) {
        // Where the server is may change; which one it is does not.
        return if identity.name == *name { moved(directory, &identity, server) } else { Err(another(&identity)) };
    }
    let token = token.ok_or(crate::gate::InvalidToken)?;
    let is_same = |it: &Identity| it.name == *name && it.token == token.id && it.authority == token.authority;
    let mut identity = match Identity::load_asked(directory)?.filter(is_same) {
        Some(identity) => Identity { server: server.clone(), ..identity },
        None => Identity::new(server.clone(), name.clone(), token)?,
    };
    identity.save_asked(directory)?;
    let way = Way::new(&identity)?;
    let asked = JoinRequest {
        token: token.id.clone(),
        secret: token.secret.text().to_string(),
        name: name.clone(),
        public_key: identity.public_key()?,
    };
    let certified: Certified = way.post(&mut way.connect().await?, JOIN, &asked).await?;
    identity.certify(certified, clock.now());
    // That it is a certificate for this key is seen here, not when it is needed.
    way.renew(&identity)?;
    identity.save(directory)?;
    Ok(identity)
}

fn moved(directory: &Path, kept: &Identity, server: &Address) -> Result<Identity, JoinError> {
    let identity = Identity { server: server.clone(), ..kept.clone() };
    if kept.server != *server {
        identity.save(directory)?;
    }
    Ok(identity)
}

/// A host that has joined; cheap to clone.
#[derive(Debug, Clone)]
pub struct Joined(Arc<Inner>);

struct Inner {
    directory: PathBuf,
    identity: Mutex<Identity>,
    way: Arc<Way>,
    clock: Arc<dyn Clock>,
    uptime: Uptime,
    doors: Arc<Semaphore>,
    links: Arc<Semaphore>,
}

/// Tells how long the machine has been up, its sleep included.
pub type Uptime = Arc<dyn Fn() -> Duration + Send + Sync>;

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joined").field("directory", &self.directory).field("way", &self.way).finish_non_exhaustive()
    }
}

impl Joined {
    /// The membership of a host whose node has this directory.
    ///
    /// # Errors
    /// [`JoinError::Key`] if certificate and key cannot be used.
    pub fn new(identity: Identity, directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, JoinError> {
        Self::counted_by(identity, directory, clock, Arc::new(uptime))
    }

    /// The same, whose lease is counted by something else than this machine's own [`uptime`].
    ///
    /// # Errors
    /// As above.
    pub fn counted_by(
        identity: Identity,
        directory: &Path,
        clock: Arc<dyn Clock>,
        uptime: Uptime,
    ) -> Result<Self, JoinError> {
        let way = Arc::new(Way::new(&identity)?);
        let (doors, links) = (Arc::new(Semaphore::new(DOORS_MAX)), Arc::new(Semaphore::new(LINKS_MAX)));
        let (directory, identity) = (directory.to_owned(), Mutex::new(identity));
        Ok(Self(Arc::new(Inner { directory, identity, way, clock, uptime, doors, links })))
    }

    /// The blobs that the server lets this host read. To be called from the runtime that is to fetch them.
    pub fn blobs(&self) -> ServerBlobs {
        ServerBlobs { way: Arc::clone(&self.0.way), runtime: Handle::current() }
    }

    /// A connection to the server's API, for a workload.
    ///
    /// # Errors
    /// [`JoinError`]; [`JoinError::Busy`] if there are as many as there may be.
    pub async fn door(&self) -> Result<Box<dyn Stream>, JoinError> {
        let busy = || JoinError::Busy { message: "this node's workloads have too many connections".to_owned() };
        let place = Arc::clone(&self.0.doors).try_acquire_owned().map_err(|_| busy())?;
        Ok(Box::new(self.0.way.upgrade(DOOR, DOOR_PROTOCOL, place).await?))
    }

    /// What the server tells its hosts about itself, as it did when the certificate was made.
    pub fn facts(&self) -> BTreeMap<String, String> {
        self.identity().facts
    }

    /// Who this host is.
    pub fn identity(&self) -> Identity {
        self.0.identity.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::host::{BLOBS_AT_ONCE, CONNECTIONS_MAX};

    #[test]
    fn workloads_leave_room_for_what_their_host_itself_needs() {
        // The lease, and a certificate that is renewed.
        let own = LINKS_MAX + BLOBS_AT_ONCE + 2;
        assert!(DOORS_MAX + 4 * own < CONNECTIONS_MAX);
    }
}
