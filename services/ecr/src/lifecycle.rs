//! Lifecycle policies: which images expire or are archived, and when.
//!
//! - [`document`]: what a policy says.
//! - [`evaluate`]: what it means for the images of a repository; pure.
//! - [`LifecyclePolicy`] and [`Preview`]: the records. [`crate::reconcile`] executes the one and works out the other.

pub mod document;
pub mod evaluate;
mod preview;
mod snapshot;

use base::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Record, Store, Versioned};

use crate::Error;
use crate::repository::Found;

pub(crate) use preview::results_key;
pub use preview::{PREVIEW_KEPT, Preview, PreviewResult, PreviewResults, PreviewStatus, RESULTS_A_CHUNK};
pub(crate) use snapshot::Snapshot;

/// A repository's policy. Its record's id is the repository's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecyclePolicy {
    /// The repository's name, by which it is found again.
    pub repository: String,
    /// The document, as it was given.
    pub text: String,
    /// When it was last executed.
    pub last_evaluated: Option<Timestamp>,
}

impl Record for LifecyclePolicy {
    const SERVICE: &'static str = "ecr";
    const KIND: &'static str = "lifecycle-policy";
}

/// A repository's policy.
///
/// # Errors
/// [`Error::LifecyclePolicyNotFound`]
pub(crate) async fn find(store: &Store, repository: &Found) -> Result<Versioned<LifecyclePolicy>, Error> {
    let found = store.read(&repository.record.scope, &[repository.id()]).await?;
    found.ok_or_else(|| Error::LifecyclePolicyNotFound(repository.name.clone()))
}
