//! Registries elsewhere: images are looked up and their blobs fetched, by a process that needs no rights.
//!
//! [`Registries`] is the client; it keeps connections and what mirrors are out of order. [`Registries::repository`] is one
//! repository of one registry, with who asks: [`Repository::resolve`] finds out what a reference means now,
//! [`Repository::fetch`] brings all blobs of the image for one platform into a [`Sink`]. `Downloads::open(directory, blobs)` (next) is the sink that
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
mod config;
mod credentials;
mod error;
mod proxy;
mod sink;

use std::sync::Arc;

pub use config::{Authorities, Config, Mirror, RemoteLimits, Timeouts};
pub use credentials::Credentials;
pub use error::{ConfigError, Quoted, RemoteError, Said};
pub use proxy::{Exceptions, Proxies, Proxy};
pub use sink::{Arrival, Fetched, Partial, Progress, Sink};

use crate::{Descriptor, Platform, Reference};

/// A client of registries; a handle that is cheap to clone. See the [module's page](self).
///
/// Making one reads nothing and starts nothing. It must be used within a tokio runtime with network and time.
#[derive(Debug, Clone)]
pub struct Registries(Arc<Config>);

/// A repository of a registry, and who asks; a handle that is cheap to clone. It remembers tokens, so an image should be resolved and
/// fetched by the same one.
#[derive(Debug, Clone)]
pub struct Repository {
    registries: Registries,
    reference: Reference,
    credentials: Option<Credentials>,
}

impl Registries {
    /// A client with these settings.
    ///
    /// # Errors
    /// [`ConfigError::Mirror`] if a mirror would be reached without TLS and that is not allowed.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Ok(Self(Arc::new(config)))
    }

    /// The repository that a reference names.
    ///
    /// # Errors
    /// [`ConfigError::Reference`] if its registry cannot be part of an address.
    pub fn repository(
        &self,
        reference: &Reference,
        credentials: Option<Credentials>,
    ) -> Result<Repository, ConfigError> {
        Ok(Repository { registries: self.clone(), reference: reference.clone(), credentials })
    }
}

impl Repository {
    /// What the reference means: the digest that it names, or that its tag has now. Dropping the future gives up.
    ///
    /// # Errors
    /// [`RemoteError::NotFound`], [`RemoteError::Unauthorized`] and whatever else may go wrong, of the registry itself: what went
    /// wrong with mirrors is logged.
    pub async fn resolve(&self) -> Result<Descriptor, RemoteError> {
        let _ = (&self.registries, &self.reference, &self.credentials);
        Err(RemoteError::Stopped)
    }

    /// Brings all blobs of the image for a platform into the sink. Dropping the future gives up; what came so far is kept to
    /// go on with.
    ///
    /// # Errors
    /// Of several the first that is not a consequence.
    pub async fn fetch(
        &self,
        root: &Descriptor,
        platform: &Platform,
        sink: Arc<dyn Sink>,
        progress: Arc<dyn Progress>,
    ) -> Result<Fetched, RemoteError> {
        let _ = (root, platform, sink, progress);
        Err(RemoteError::Stopped)
    }
}
