//! Why something was not done about workloads.

use store::StoreError;
use workload::{InvalidSpec, WorkloadId};

use crate::MayConflict;

/// Why something was not done about workloads.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkloadError {
    /// It can be no workload.
    #[error(transparent)]
    Invalid(#[from] InvalidSpec),
    /// No workload can be called so.
    #[error(
        "a workload cannot be called `{given}`: names have 1 to 255 letters, digits, `_`, `.` and `-`, and begin with a letter or digit"
    )]
    Name {
        /// What was given.
        given: String,
    },
    /// Another workload is called so.
    #[error("the name {name} is in use by workload {by}")]
    NameTaken {
        /// The name.
        name: String,
        /// Whose it is.
        by: WorkloadId,
    },
    /// There is none.
    #[error("there is no workload {given}")]
    NotFound {
        /// What was looked for.
        given: String,
    },
    /// What was given begins the ids of several.
    #[error("{given} is the beginning of more than one workload's id")]
    Ambiguous {
        /// What was given.
        given: String,
    },
    /// It has not stopped.
    #[error("workload {id} has not stopped; stop it first, or have it removed by force")]
    NotStopped {
        /// Which.
        id: WorkloadId,
    },
    /// There is no such node.
    #[error("there is no node {given}")]
    NoSuchNode {
        /// What was looked for.
        given: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl MayConflict for WorkloadError {
    fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_conflict())
    }
}
