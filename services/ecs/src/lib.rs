//! Amazon Elastic Container Service: clusters, task definitions, account settings and their tags.
//!
//! This is the service as `aws ecs` sees it, and nothing else: it keeps what was asked for, in ECS's shapes, by ECS's
//! rules. It runs nothing and knows no node, sandbox or network. Tasks, services and container instances are not served
//! yet; until they are, a cluster is empty, and says so.
//!
//! - [`Ecs`] is the entry; generated code in `api` routes each operation to its file in `ops`.
//! - [`cluster`]: ACTIVE → INACTIVE, and again ACTIVE when the name is taken again.
//! - [`task_definition`]: ACTIVE → INACTIVE → DELETE_IN_PROGRESS → gone; a family numbers its revisions.
//! - [`account_setting`]: a principal's own value, the account's, AWS's.
//! - [`reconcile`]: removes task definitions that are being deleted, once nothing uses them.
//!
//! Every operation validates, commits one transaction and answers. Two that race for one record meet in the store: the
//! slower one reads again.

mod access;
pub mod account_setting;
pub mod api;
pub mod cluster;
mod cluster_choices;
mod error;
mod facts;
mod index;
pub mod names;
mod ops;
mod page;
pub mod reconcile;
mod resource;
mod tags;
pub mod task_definition;

use platform::Platform;

pub use error::{Error, TagProblem};
pub use tags::{TAGS_MAX, Tags};

/// The service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ecs {
    /// What it is built on.
    pub platform: Platform,
}
