//! Amazon Elastic Container Registry: repositories, their images and policies.
//!
//! This is the service as `aws ecr` sees it. Scanning, pull through caches, replication, creation templates and signing
//! are not served.
//!
//! - [`Ecr`] is the entry; generated code in `api` routes each operation to its file in `ops`.
//! - [`repository`]: what is in one lies below the random id that it gets at each creation.
//! - [`image`]: manifests and tags; [`layer`]: the blobs that a repository has; [`upload`]: those on their way.
//! - [`lifecycle`]: which images expire, and when.
//! - [`content`]: bytes, which know no repository.
//! - [`token`]: what `docker login` is given, and whom it stands for.
//! - [`reconcile`]: what goes on without a request.

pub mod account_setting;
pub mod api;
pub mod content;
pub mod digest;
mod endpoint;
mod error;
mod facts;
pub mod image;
mod kept;
pub mod layer;
pub mod lifecycle;
pub mod names;
mod ops;
mod page;
pub mod reconcile;
pub mod registry;
pub mod registry_policy;
pub mod repository;
mod tags;
pub mod token;
pub mod upload;
mod wildcard;

use std::sync::Arc;

use content::Content;
use image::room::Room;
use kept::Kept;
use platform::Platform;

pub use endpoint::PublicAddress;
pub use error::Error;

/// The service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ecr {
    /// What it is built on.
    pub platform: Platform,
    /// The bytes.
    pub content: Content,
    /// The address that URLs have instead of the caller's `Host`.
    pub public_address: Option<PublicAddress>,
    kept: Arc<Kept>,
    /// For manifests that are answered together.
    room: Arc<Room>,
}

impl Ecr {
    /// The service over a platform and bytes. URLs have `public_address`, or the caller's `Host`.
    pub fn new(platform: Platform, content: Content, public_address: Option<PublicAddress>) -> Self {
        Self { platform, content, public_address, kept: Arc::default(), room: Arc::default() }
    }
}
