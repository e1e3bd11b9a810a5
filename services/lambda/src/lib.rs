//! AWS Lambda: functions, their code, versions and aliases, and who may call them.
//!
//! This is the service as `aws lambda` sees it, up to the door of what runs: an invocation is handed to an [`Executor`], and
//! what a function needs is made ready by it. Event source mappings, code signing, durable functions, managed instances,
//! SnapStart, networks and file systems of one's own are not served.
//!
//! - [`Lambda`] is the entry; generated code in `api` routes each operation to its file in `ops`.
//! - [`names`]: what requests call functions, layers and their versions.
//! - [`function`]: a function's records. [`configuration`]: what can be said of one, and what is wrong with it.
//! - [`code`]: archives, from requests and from buckets; [`layer`]: those that functions share.
//! - [`permission`]: who else may; [`concurrency`], [`event_invoke`], [`url`]: what else a function may have.
//! - [`environment`]: where functions run, on the server's side; [`local`]: the node's, which runtimes and extensions talk to.
//! - [`service_caller`]: services that call functions; [`url_routes`], [`code_routes`]: what is reached by addresses of its own.
//! - [`runtimes`]: the programs in runtimes that hand events to handlers.
//! - [`executor`]: what runs; [`event`]: invocations that nobody waits for.
//! - [`usage`]: what an account has used up of its quotas.
//! - [`reconcile`]: what goes on without a request.

mod alias;
pub mod api;
pub mod code;
pub mod code_routes;
pub mod concurrency;
pub mod configuration;
mod describe;
pub mod environment;
mod error;
pub mod event;
pub mod event_invoke;
pub mod executor;
mod facts;
#[cfg(test)]
mod flows;
pub mod function;
mod invoke;
pub mod layer;
pub mod limits;
pub mod local;
pub mod names;
mod ops;
mod page;
pub mod permission;
pub mod reconcile;
pub mod runtimes;
pub mod service_caller;
mod tags;
pub mod url;
pub mod url_routes;
pub mod usage;

use std::sync::Arc;

use code::CodeStore;
use configuration::Architecture;
use executor::Executor;
use platform::Platform;
use platform::ports::{CredentialIssuer, LocalRegistry, ObjectReader};

pub use error::Error;

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Lambda {
    /// What it is built on.
    pub platform: Platform,
    /// The archives.
    pub code: CodeStore,
    /// The other services that it needs.
    pub neighbours: Neighbours,
    /// What is a matter of this installation.
    pub settings: Settings,
}

/// What others do for functions. Cheap to clone.
#[derive(Clone)]
pub struct Neighbours {
    /// Runs them.
    pub executor: Arc<dyn Executor>,
    /// Knows whether a role lets Lambda take it.
    pub credentials: Arc<dyn CredentialIssuer>,
    /// Has the archives that lie in buckets.
    pub objects: Arc<dyn ObjectReader>,
    /// Has the images.
    pub images: Arc<dyn LocalRegistry>,
}

/// What is a matter of this installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The processors of its machines.
    pub architecture: Architecture,
    /// Whether runtimes are refused that AWS has retired; else they are taken where they are offered.
    pub refuses_retired_runtimes: bool,
    /// The address that clients reach the server by, with scheme and port, where it is not their own `Host`.
    pub public_address: Option<String>,
    /// The host, and the port if it has one, below which function URLs are: `lambda-url.<region>.<this>`.
    pub url_host: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            architecture: Architecture::of_this_machine(),
            refuses_retired_runtimes: false,
            public_address: None,
            url_host: "localhost:4566".to_owned(),
        }
    }
}

impl std::fmt::Debug for Lambda {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lambda").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Lambda {
    /// The service over a platform, archives and its neighbours.
    pub fn new(platform: Platform, code: CodeStore, neighbours: Neighbours, settings: Settings) -> Self {
        Self { platform, code, neighbours, settings }
    }
}
