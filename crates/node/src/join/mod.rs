//! A host's side of [`crate::gate`]: joining, and staying.
//!
//! [`join`] trades a token for a certificate, once; what comes of it lies in the node's directory ([`Identity`]). [`Joined`] is
//! the membership from then on: it renews lease and certificate, hands the server's questions to the node's agent
//! ([`Resident`]), and brings blobs and workloads' connections.
//!
//! The server is believed as much as the one on this machine is: what it asks for is checked by the agent.

mod address;
mod begun;
mod blobs;
mod error;
mod identity;
mod tls;
mod way;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::base::Clock;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use workload::NodeId;

pub use address::Address;
pub use blobs::ServerBlobs;
pub use error::JoinError;
pub use identity::{FILE, Identity};

use crate::client::Stream;
use crate::gate::lease::{FENCE_AFTER, RENEW_EVERY};
use crate::gate::words::{
    Certified, DOOR, DOOR_PROTOCOL, JOIN, JoinRequest, LEASE, LINK, LINK_PROTOCOL, Leased, RENEW, RenewRequest,
};
use crate::gate::{BoxFuture, Token, uptime};
use begun::Begun;
use way::{Sender, Way};

/// How long a renewal of the lease may take before another one is tried on a new connection.
const LEASE_PATIENCE: Duration = Duration::from_secs(2);
/// How long it may take to tell all workloads when they end. Those that were not told end earlier.
pub const FENCE_PATIENCE: Duration = Duration::from_secs(2);
/// The pause after a renewal that failed.
const LEASE_PAUSE: Duration = Duration::from_millis(250);
/// A lease is not asked for more often than this, whatever the server says.
const LEASE_PAUSE_MIN: Duration = Duration::from_millis(100);
/// The first pause after a connection that failed; each is twice as long as the one before.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Connections over which the server asks at one time; it needs one.
const LINKS_MAX: usize = 16;
/// How often it is looked whether the lease has run out.
const LAPSE_CHECK: Duration = Duration::from_millis(500);
/// How often it is looked whether the certificate is to be renewed.
const RENEWAL_CHECK: Duration = Duration::from_secs(600);

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

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    identity: Mutex<Identity>,
    way: Arc<Way>,
    clock: Arc<dyn Clock>,
}

impl Joined {
    /// The membership of a host whose node has this directory.
    ///
    /// # Errors
    /// [`JoinError::Key`] if certificate and key cannot be used.
    pub fn new(identity: Identity, directory: &Path, clock: Arc<dyn Clock>) -> Result<Self, JoinError> {
        let way = Arc::new(Way::new(&identity)?);
        Ok(Self(Arc::new(Inner { directory: directory.to_owned(), identity: Mutex::new(identity), way, clock })))
    }

    /// The blobs that the server lets this host read. To be called from the runtime that is to fetch them.
    pub fn blobs(&self) -> ServerBlobs {
        ServerBlobs { way: Arc::clone(&self.0.way), runtime: Handle::current() }
    }

    /// A connection to the server's API, for a workload.
    ///
    /// # Errors
    /// [`JoinError`]
    pub async fn door(&self) -> Result<Box<dyn Stream>, JoinError> {
        self.0.way.upgrade(DOOR, DOOR_PROTOCOL).await
    }

    /// Stays: renews lease and certificate, and has the server's questions answered. Returns only when the server knows this
    /// host no more, or cannot be what it was.
    pub async fn stay(&self, resident: Arc<dyn Resident>) -> JoinError {
        // Until when the lease lasts.
        let (renewed, lease) = watch::channel(Duration::ZERO);
        tokio::select! {
            ended = self.keep_lease(renewed) => ended,
            ended = self.keep_links(&resident, lease.clone()) => ended,
            ended = self.keep_certificate() => ended,
            () = fence(&*resident, lease) => JoinError::Key,
        }
    }

    async fn keep_lease(&self, renewed: watch::Sender<Duration>) -> JoinError {
        let mut sender = None;
        let mut is_away = false;
        loop {
            // What is counted from is before the request, however long it is on its way.
            let (sent, began) = (uptime(), Instant::now());
            let is_new = sender.is_none();
            match timeout(LEASE_PATIENCE, self.renew_lease(&mut sender)).await {
                Ok(Ok(leased)) => {
                    if is_away {
                        tracing::info!("the server is there again");
                    }
                    is_away = false;
                    renewed.send_replace(sent + Duration::from_millis(leased.fence_after_ms).min(FENCE_AFTER));
                    let pause = Duration::from_millis(leased.renew_every_ms).clamp(LEASE_PAUSE_MIN, RENEW_EVERY);
                    sleep_until(began + pause).await;
                    continue;
                }
                Ok(Err(error)) if error.is_permanent() && is_new => return error,
                // The connection may be older than the certificate.
                Ok(Err(error)) if error.is_permanent() => {
                    sender = None;
                    continue;
                }
                Ok(Err(error)) if !is_away => tracing::warn!(%error, "the lease cannot be renewed"),
                Err(_) if !is_away => tracing::warn!("the lease cannot be renewed: the server does not answer"),
                Ok(Err(_)) | Err(_) => {}
            }
            is_away = true;
            sender = None;
            sleep(LEASE_PAUSE).await;
        }
    }

    async fn renew_lease(&self, sender: &mut Option<Sender>) -> Result<Leased, JoinError> {
        let way = &self.0.way;
        if sender.as_ref().is_none_or(Sender::is_closed) {
            *sender = Some(way.connect().await?);
        }
        let sender = sender.as_mut().ok_or_else(|| way.silent())?;
        way.post(sender, LEASE, &serde_json::Map::new()).await
    }

    /// Offers the server one connection to ask over, and the next when it asks there; none while there is no lease, when nothing
    /// that it asks for may begin.
    async fn keep_links(&self, resident: &Arc<dyn Resident>, mut lease: watch::Receiver<Duration>) -> JoinError {
        loop {
            if lease.wait_for(|until| *until > uptime()).await.is_err() {
                return JoinError::Key;
            }
            tokio::select! {
                ended = self.offer_links(resident) => return ended,
                () = lapse(lease.clone()) => tracing::warn!("there is no lease any more: the server is not answered"),
            }
        }
    }

    async fn offer_links(&self, resident: &Arc<dyn Resident>) -> JoinError {
        let mut served = JoinSet::new();
        let mut pause = PAUSE_FIRST;
        loop {
            while served.len() >= LINKS_MAX {
                served.join_next().await;
            }
            match self.link().await {
                Ok(link) => {
                    pause = PAUSE_FIRST;
                    served.spawn(resident.serve(Box::new(link)));
                }
                Err(error) if error.is_permanent() => return error,
                Err(error) => {
                    tracing::debug!(%error, "the server cannot ask");
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
            while served.try_join_next().is_some() {}
        }
    }

    /// A connection on which the server has begun to ask.
    async fn link(&self) -> Result<Begun, JoinError> {
        let stream = self.0.way.upgrade(LINK, LINK_PROTOCOL).await?;
        Begun::wait(stream).await.map_err(|error| self.0.way.confused(error))
    }

    async fn keep_certificate(&self) -> JoinError {
        loop {
            match self.renew_certificate().await {
                Ok(()) => {}
                Err(error) if error.is_permanent() => return error,
                Err(error) => tracing::warn!(%error, "the certificate cannot be renewed"),
            }
            sleep(RENEWAL_CHECK).await;
        }
    }

    /// Renews the certificate, with a new key, if half of its life is over.
    async fn renew_certificate(&self) -> Result<(), JoinError> {
        let mut identity = self.identity();
        let now = self.0.clock.now();
        if identity.certificate.as_ref().is_some_and(|it| it.renew_at > now) {
            return Ok(());
        }
        let way = &self.0.way;
        let (key, public_key) = identity::new_key()?;
        let certified = way.post(&mut way.connect().await?, RENEW, &RenewRequest { public_key }).await?;
        identity.key = key;
        identity.certify(certified, now);
        // Kept before it is used: with its first use the one before is good only until the next renewal.
        identity.save(&self.0.directory)?;
        way.renew(&identity)?;
        *self.0.identity.lock().unwrap_or_else(PoisonError::into_inner) = identity;
        tracing::info!("the certificate was renewed");
        Ok(())
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

/// Tells the resident of each renewal; of several the latest.
async fn fence(resident: &dyn Resident, mut lease: watch::Receiver<Duration>) {
    while lease.changed().await.is_ok() {
        let until = *lease.borrow_and_update();
        if timeout(FENCE_PATIENCE, resident.fence(until)).await.is_err() {
            tracing::warn!("some workloads did not hear that the lease goes on, and end before it does");
        }
    }
}

/// Waits until a lease has run out.
async fn lapse(lease: watch::Receiver<Duration>) {
    loop {
        let left = lease.borrow().saturating_sub(uptime());
        if left.is_zero() {
            return;
        }
        // A machine that was asleep does not tell: it is looked often.
        sleep(left.min(LAPSE_CHECK)).await;
    }
}
