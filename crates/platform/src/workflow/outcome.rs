//! What became of a workflow.

use base::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Record, Scope};

use super::Outcome;

/// A workflow that has ended. It lies at `<scope>/workflow/outcome/<service>/<kind>/<id>` and is removed after
/// [`Workflow::KEPT`](super::Workflow::KEPT).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowOutcome {
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Its state at the end, as a document: the workflow may have another form by the time that somebody asks.
    pub state: serde_json::Value,
    /// When it was started.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
}

impl Record for WorkflowOutcome {
    const SERVICE: &'static str = "workflow";
    const KIND: &'static str = "outcome";
}

/// Which outcome is to be removed: the body of a message that becomes visible when its time has come.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Expiry {
    account: Option<base::AccountId>,
    region: Option<base::Region>,
    pub(super) id: String,
    pub(super) ended: Timestamp,
}

impl Expiry {
    pub(super) fn new(scope: &Scope, id: &str, ended: Timestamp) -> Self {
        Self { account: scope.account(), region: scope.region().cloned(), id: id.to_owned(), ended }
    }

    pub(super) fn scope(&self) -> Scope {
        match (self.account, &self.region) {
            (Some(account), Some(region)) => Scope::new(account, region.clone()),
            _ => Scope::system(),
        }
    }
}
