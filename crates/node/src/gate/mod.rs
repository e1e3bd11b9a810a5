//! The gate: the server's TLS port for hosts that join from elsewhere.
//!
//! A host joins with a [`Token`], which names the gate's [`Authority`] and is good once. It gets a certificate for a key that
//! never leaves it; from then on both sides know each other by certificates of that authority alone, and a host is who its
//! certificate's record says, not who it says. [`words`] is what is said.
//!
//! A joined host keeps a lease ([`lease`]): how it runs out at both ends is the only thing by which a host is ever taken for
//! lost. The server asks it over connections that the host makes ([`Gate::node`]), in the same words that a node's socket
//! understands. It reads blobs of images that it was asked to prepare, while it does, and no others. Its workloads reach the
//! server's API through [`Door`].
//!
//! What a captured host can do: run or not run what was given to it, read what it was given, and reach the API like anybody
//! else who can connect. It can be no other host, read no other image, and say nothing about other hosts' workloads.

mod arrivals;
mod authority;
mod blob_body;
mod connections;
mod grants;
pub(crate) mod held;
pub(crate) mod host;
pub mod lease;
mod roster;
mod routes;
mod token;
pub(crate) mod words;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::{Clock, Rng, Timestamp};
use blobs::Blobs;
use rustix::net::sockopt;
use rustix::time::{ClockId, clock_gettime};
use rustls::ServerConfig;
use store::Store;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use workload::NodeId;

pub use authority::Authority;
pub use lease::HostState;
pub use roster::{GateError, HOSTS_MAX, JoinedHost, KnownCertificate, TOKENS_MAX};
pub use token::{InvalidToken, TOKEN_TTL_DEFAULT, TOKEN_TTL_MAX, Token};

pub use crate::certificates::{AuthorityError, Fingerprint, InvalidFingerprint};
use crate::client::{Node, Stream};
use authority::HostCertificate;
use host::{Host, Way};
use lease::{Leases, Renewal};
use roster::{Applicant, Roster};

/// What an asynchronous method of a trait returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The longest pause between two looks at the leases: a machine that was asleep does not tell when it wakes.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// After so long without a word the other side is asked whether it is there.
const PROBE_AFTER: Duration = Duration::from_secs(5);
/// How often it is asked.
const PROBE_EVERY: Duration = Duration::from_secs(2);
/// After so many questions without an answer a connection is dead.
const PROBES_MAX: u32 = 3;
/// How long what is sent may stay unacknowledged, in milliseconds.
const UNHEARD_MS: u32 = 10_000;

/// Where workloads' connections to the server's API go.
pub trait Door: Send + Sync + 'static {
    /// Serves a connection of a workload on a host, until it ends.
    fn serve(&self, host: NodeId, stream: Box<dyn Stream>) -> BoxFuture<'static, ()>;
}

/// What a gate is made of.
pub struct Parts {
    /// Where hosts and tokens are written down.
    pub store: Store,
    /// Where the blobs of images are.
    pub blobs: Blobs,
    /// By what hosts know the server.
    pub authority: Authority,
    /// Names that no host may have.
    pub reserved: Vec<NodeId>,
    /// What hosts are told about the server. It means nothing here.
    pub facts: BTreeMap<String, String>,
    /// Where workloads' connections go.
    pub door: Arc<dyn Door>,
    /// Tells the time of certificates and tokens.
    pub clock: Arc<dyn Clock>,
    /// Makes tokens.
    pub rng: Arc<dyn Rng>,
    /// Tells how long the machine has been up, its sleep included: what leases are counted by. [`uptime`] does.
    pub uptime: Arc<dyn Fn() -> Duration + Send + Sync>,
}

/// How long this machine has been up, its sleep included.
pub fn uptime() -> Duration {
    let since = clock_gettime(ClockId::Boottime);
    Duration::new(since.tv_sec.unsigned_abs(), u32::try_from(since.tv_nsec).unwrap_or(0))
}

/// The gate; a handle that is cheap to clone.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    roster: Roster,
    blobs: Blobs,
    authority: Authority,
    tls: Arc<ServerConfig>,
    reserved: Vec<NodeId>,
    facts: BTreeMap<String, String>,
    door: Arc<dyn Door>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    uptime: Arc<dyn Fn() -> Duration + Send + Sync>,
    hosts: Mutex<HashMap<NodeId, Arc<Host>>>,
    leases: Mutex<Leases>,
    states: watch::Sender<BTreeMap<NodeId, HostState>>,
    /// Who looks at the leases is to look again.
    changed: Notify,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

impl Gate {
    /// The gate of an installation. All leases of its hosts begin anew.
    ///
    /// # Errors
    /// [`GateError::Store`] if it cannot be read who has joined, [`GateError::Authority`] if the authority cannot sign.
    pub async fn open(parts: Parts) -> Result<Self, GateError> {
        let Parts { store, blobs, authority, reserved, facts, door, clock, rng, uptime } = parts;
        let roster = Roster { store };
        let tls = connections::tls(&authority, authority.gate_identity(clock.now())?, Arc::clone(&clock))?;
        let names: Vec<_> = roster.all().await?.into_iter().map(|(name, _)| name).collect();
        let leases = Leases::started(names, uptime());
        let states = watch::Sender::new(leases.states());
        Ok(Self(Arc::new(Inner {
            roster,
            blobs,
            authority,
            tls: Arc::new(tls),
            reserved,
            facts,
            door,
            clock,
            rng,
            uptime,
            hosts: Mutex::default(),
            leases: Mutex::new(leases),
            states,
            changed: Notify::new(),
        })))
    }

    /// Lets hosts in until told to stop. Then all their connections end.
    pub async fn serve(&self, listener: &TcpListener, stop: impl Future<Output = ()>) {
        tokio::select! {
            () = self.accept(listener, stop) => {}
            () = self.watch_leases() => {}
        }
        self.hosts().values().for_each(|host| host.remove());
    }

    /// A new token, good for one host and for so long, at most [`TOKEN_TTL_MAX`].
    ///
    /// # Errors
    /// [`GateError::TooMany`]; [`GateError::Store`] if it cannot be written down.
    pub async fn create_token(&self, ttl: Duration) -> Result<Token, GateError> {
        let token = Token::make(&*self.0.rng, self.0.authority.fingerprint()?);
        self.0.roster.add_token(&token, ttl.min(TOKEN_TTL_MAX), self.0.clock.now()).await?;
        Ok(token)
    }

    /// All hosts that have joined, in the order of their names.
    ///
    /// # Errors
    /// [`GateError::Store`]
    pub async fn joined(&self) -> Result<Vec<(NodeId, JoinedHost)>, GateError> {
        self.0.roster.all().await
    }

    /// Which hosts have joined, and whether they are there: as it is, and as it becomes.
    pub fn states(&self) -> watch::Receiver<BTreeMap<NodeId, HostState>> {
        self.0.states.subscribe()
    }

    /// The node of a host that has joined; the handle is good for as long as the name is. Calls fail while the host is away.
    pub fn node(&self, name: &NodeId) -> Option<Node> {
        self.present(name)?;
        Some(Node::over(Way { gate: self.clone(), name: name.clone() }))
    }

    /// Lets a host go: its certificates are good no more, and all its connections end. Answers whether there was one.
    ///
    /// # Errors
    /// [`GateError::Store`]
    pub async fn remove(&self, name: &NodeId) -> Result<bool, GateError> {
        let was_there = self.0.roster.remove(name).await?;
        self.leases().forget(name);
        // Before its connections are looked for: from here on no further one is its.
        self.publish();
        if let Some(host) = self.hosts().remove(name) {
            host.remove();
        }
        Ok(was_there)
    }

    async fn join(&self, applicant: &Applicant<'_>) -> Result<HostCertificate, GateError> {
        if self.0.reserved.contains(applicant.name) {
            // Who has no good token hears of that first.
            self.0.roster.token(applicant, self.now()).await?;
            return Err(GateError::NameTaken);
        }
        let made = self.0.roster.join(applicant, &self.0.authority, self.now()).await?;
        self.leases().admit(applicant.name.clone(), (self.0.uptime)());
        self.publish();
        Ok(made)
    }

    /// A host says that it is there; none if it is not known.
    fn renew_lease(&self, name: &NodeId) -> Option<Renewal> {
        let now = (self.0.uptime)();
        let renewal = self.leases().renew(name, now)?;
        if renewal == Renewal::Regained {
            tracing::info!(%name, "a node is there again");
        }
        self.publish();
        Some(renewal)
    }

    /// Takes hosts for lost as their leases run out.
    async fn watch_leases(&self) {
        loop {
            let now = (self.0.uptime)();
            let expired = self.leases().expire(now);
            for name in &expired {
                tracing::warn!(%name, "a node is lost: it has not renewed its lease");
            }
            if !expired.is_empty() {
                self.publish();
            }
            let next = self.leases().next_end().map_or(LOOK_EVERY, |end| end.saturating_sub(now));
            // Ends early when told to.
            let _ = timeout(next.min(LOOK_EVERY), self.0.changed.notified()).await;
        }
    }

    /// Tells how hosts are, if it is not as it was told last.
    fn publish(&self) {
        let leases = self.leases();
        self.0.states.send_if_modified(|told| {
            let states = leases.states();
            let differs = *told != states;
            *told = states;
            differs
        });
    }

    /// A host that has joined.
    fn present(&self, name: &NodeId) -> Option<Arc<Host>> {
        let mut hosts = self.hosts();
        // Looked at while nobody can be taken out: who is removed meanwhile is found there by who removes him.
        let is_known = self.0.states.borrow().contains_key(name);
        let host = || Arc::clone(hosts.entry(name.clone()).or_insert_with(|| Arc::new(Host::new(name.clone()))));
        is_known.then(host)
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<NodeId, Arc<Host>>> {
        // Nothing in there is half-changed by a panic that could poison it.
        self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        // As above.
        self.0.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection whose other side is gone without a word is noticed. Small messages go at once.
pub(crate) fn keep_alive(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, PROBE_AFTER)?;
    sockopt::set_tcp_keepintvl(stream, PROBE_EVERY)?;
    sockopt::set_tcp_keepcnt(stream, PROBES_MAX)?;
    sockopt::set_tcp_user_timeout(stream, UNHEARD_MS)?;
    Ok(())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
