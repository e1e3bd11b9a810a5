//! Previews: what a policy would do.

use std::time::Duration;

use base::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Key, Record, Scope};

use super::document::Action;
use super::evaluate::Verdict;
use crate::image::Manifest;

/// How long the results of a preview can be asked for.
pub const PREVIEW_KEPT: Duration = Duration::from_secs(24 * 3600);
/// How many results one record holds.
pub const RESULTS_A_CHUNK: usize = 200;

/// The last preview of a repository. Its record's id is the repository's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// New at each start; below it are the results.
    pub id: String,
    /// The policy.
    pub text: String,
    /// When it was started.
    pub started: Timestamp,
    /// How far it is.
    pub status: PreviewStatus,
}

/// How far a preview is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "status")]
pub enum PreviewStatus {
    /// It is being worked out.
    InProgress,
    /// Its results are there.
    #[serde(rename_all = "camelCase")]
    Complete {
        /// How many images would expire.
        expiring: u32,
        /// How many would be archived.
        archiving: u32,
    },
    /// Its results have gone.
    Expired,
}

impl Record for Preview {
    const SERVICE: &'static str = "ecr";
    const KIND: &'static str = "lifecycle-preview";
}

/// Some results of a preview. The record's id is the repository's id, the preview's, and a number in eight digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PreviewResults(pub Vec<PreviewResult>);

impl Record for PreviewResults {
    const SERVICE: &'static str = "ecr";
    const KIND: &'static str = "lifecycle-preview-results";
}

/// What would become of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewResult {
    /// The image.
    pub digest: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// When it was pushed.
    pub pushed: Timestamp,
    /// Whether it is in the archive.
    pub is_archived: bool,
    /// Whether it would go into the archive; else it would expire.
    pub archives: bool,
    /// The priority of the rule.
    pub priority: i32,
}

impl PreviewResult {
    /// What a verdict says of an image.
    pub(crate) fn new(verdict: &Verdict, digest: &str, manifest: &Manifest) -> Self {
        Self {
            digest: digest.to_owned(),
            tags: manifest.tags.clone(),
            pushed: manifest.pushed,
            is_archived: manifest.storage.is_archived,
            archives: verdict.action == Action::Archive,
            priority: verdict.priority,
        }
    }
}

/// The key below which the results of a repository's previews are.
pub(crate) fn results_key(scope: &Scope, repository_id: &str) -> Key {
    scope.key().child(PreviewResults::SERVICE).child(PreviewResults::KIND).child(repository_id)
}
