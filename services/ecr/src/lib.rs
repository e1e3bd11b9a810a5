//! Amazon Elastic Container Registry: repositories, their images and policies.
//!
//! This is the service as `aws ecr` sees it. Scanning, pull through caches, replication, creation templates and signing
//! are not served.
//!
//! - [`Ecr`] is the entry; generated code in `api` routes each operation to its file in `ops`.
//! - [`repository`]: what is in one lies below the random id that it gets at each creation.
//! - [`token`]: what `docker login` is given, and whom it stands for.

pub mod account_setting;
pub mod api;
mod contention;
mod endpoint;
mod error;
mod facts;
pub mod names;
mod ops;
mod page;
pub mod registry_policy;
pub mod repository;
mod tags;
pub mod token;
mod wildcard;

use platform::Platform;

pub use endpoint::PublicAddress;
pub use error::Error;

/// The service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ecr {
    /// What it is built on.
    pub platform: Platform,
    /// The address that URLs have instead of the caller's `Host`.
    pub public_address: Option<PublicAddress>,
}
