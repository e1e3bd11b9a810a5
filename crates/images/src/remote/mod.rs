//! Registries elsewhere: images are looked up and their blobs fetched, by a process that needs no rights.
//!
//! [`Registries`] is the client; it keeps connections and what mirrors are out of order. [`Registries::repository`] is one
//! repository of one registry, with who asks: [`Repository::resolve`] finds out what a reference means now,
//! [`Repository::fetch`] brings all blobs of the image for one platform into a [`Sink`]. [`Downloads`] is the sink that
//! keeps half-fetched blobs in a directory and puts whole ones among [`blobs::Blobs`].
//!
//! # What is fetched
//!
//! The documents are read here, with the bounds that [`crate::Image::resolve`] has, and the image is chosen as it chooses. Layers are
//! fetched several at a time and hashed while they come. A connection that breaks is taken up where it broke; what came before the
//! process ended is hashed again and then gone on with. A blob reaches the sink's blobs when its digest is right, not before. Nothing
//! is decompressed.
//!
//! # Who is trusted
//!
//! Nobody with more than their own: what a registry sends is bounded in bytes, headers, redirections, retries and time, and verified.
//! Credentials go to the registry they are for and to the token endpoint that it names, over TLS, and nowhere else: not along
//! redirections to other hosts, not to mirrors, not to the addresses that a manifest names for a layer (CVE-2020-15157). No answer
//! leads from TLS to plain HTTP, nor to this machine or its own link, where clouds keep their instances' secrets.

mod address;
mod blob;
mod challenge;
mod config;
mod connect;
mod credentials;
mod downloads;
mod endpoint;
mod error;
mod exchange;
mod fetch;
mod login;
mod plan;
mod proxy;
mod sink;
mod tls;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

pub use config::{Authorities, Config, Mirror, RemoteLimits, Timeouts};
pub use credentials::Credentials;
pub use downloads::Downloads;
pub use error::{ConfigError, Quoted, RemoteError, Said};
pub use proxy::{Exceptions, Proxies, Proxy};
pub use sink::{Arrival, Fetched, Partial, Progress, Sink};

use crate::{Descriptor, Digest, Platform, Reference};
use connect::Connections;
use endpoint::Endpoint;
use fetch::Fetch;

/// A client of registries; a handle that is cheap to clone. See the [module's page](self).
///
/// Making one reads nothing and starts nothing. It must be used within a tokio runtime with network and time.
#[derive(Debug, Clone)]
pub struct Registries {
    connections: Arc<Connections>,
    /// The places for downloads.
    places: Arc<Semaphore>,
    /// The blobs that are being fetched.
    turns: Arc<Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>>,
}

/// A repository of a registry, and who asks; a handle that is cheap to clone. It remembers tokens, and which mirrors cannot be
/// reached: an image should be resolved and fetched by the same one, and the next by a new one.
#[derive(Clone)]
pub struct Repository(Arc<Inner>);

struct Inner {
    registries: Registries,
    reference: Reference,
    /// The mirrors, and the registry as the last.
    endpoints: Vec<Endpoint>,
}

impl Registries {
    /// A client with these settings.
    ///
    /// # Errors
    /// [`ConfigError::Mirror`] if what is mirrored is no registry.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        if let Some(host) = config.mirrors.keys().find(|host| address::split_port(host).is_none()) {
            return Err(ConfigError::Mirror { text: host.chars().take(config::NAMED_LENGTH_MAX).collect() });
        }
        let places = Arc::new(Semaphore::new(config.limits.downloads.clamp(1, Semaphore::MAX_PERMITS)));
        Ok(Self { connections: Arc::new(Connections::new(Arc::new(config))), places, turns: Arc::default() })
    }

    /// The repository that a reference names. `credentials` are for its registry alone.
    ///
    /// # Errors
    /// [`ConfigError::Reference`] if its registry cannot be part of an address.
    pub fn repository(
        &self,
        reference: &Reference,
        credentials: Option<Credentials>,
    ) -> Result<Repository, ConfigError> {
        let mirrors = self.connections.config.mirrors.get(reference.registry());
        let mirrors = mirrors.into_iter().flatten();
        let mut endpoints: Vec<Endpoint> =
            mirrors.map(|mirror| Endpoint::mirror(&self.connections, mirror, reference)).collect();
        endpoints.push(Endpoint::registry(&self.connections, reference, credentials)?);
        let inner = Inner { registries: self.clone(), reference: reference.clone(), endpoints };
        Ok(Repository(Arc::new(inner)))
    }

    /// Waits until nobody else fetches a blob.
    async fn turn(&self, digest: Digest) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| turn.strong_count() > 0);
            match turns.get(&digest).and_then(Weak::upgrade) {
                Some(turn) => turn,
                None => {
                    let turn = Arc::default();
                    turns.insert(digest, Arc::downgrade(&turn));
                    turn
                }
            }
        };
        turn.lock_owned().await
    }

    /// A place for a download.
    async fn place(&self) -> Result<OwnedSemaphorePermit, RemoteError> {
        self.places.clone().acquire_owned().await.map_err(|_| RemoteError::Stopped)
    }
}

impl Repository {
    /// What the reference means: the digest that it names, or that its tag has now. Dropping the future gives up.
    ///
    /// # Errors
    /// [`RemoteError::NotFound`], [`RemoteError::Unauthorized`] and whatever else may go wrong, of the registry itself: what
    /// goes wrong with mirrors is logged.
    pub async fn resolve(&self) -> Result<Descriptor, RemoteError> {
        self.0.resolve().await
    }

    /// Brings all blobs of the image for a platform into the sink. Dropping the future gives up; what came so far is kept to
    /// go on with.
    ///
    /// # Errors
    /// Of several the first. The blobs that are whole by then stay in the sink.
    pub async fn fetch(
        &self,
        root: &Descriptor,
        platform: &Platform,
        sink: Arc<dyn Sink>,
        progress: Arc<dyn Progress>,
    ) -> Result<Fetched, RemoteError> {
        let (root, platform) = (root.clone(), platform.clone());
        let moved_bytes = AtomicU64::new(0);
        Fetch { repository: self.0.clone(), root, platform, sink, progress, moved_bytes }.run().await
    }
}

impl Inner {
    fn config(&self) -> &Config {
        &self.registries.connections.config
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Repository").field(&self.0.reference).finish()
    }
}
