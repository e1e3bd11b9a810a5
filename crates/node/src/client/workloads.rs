//! What is asked about workloads.

use std::sync::Arc;

use tokio::time::timeout;
use workload::WorkloadId;

use super::connection::Lost;
use super::{Following, Node, NodeError, QUICK, REPEATS_MAX, SESSIONS_MAX, Talk};
use crate::protocol::{Answer, Assignment, Description, Failure, FailureKind, Request, Session, WorkloadStats};

impl Node {
    /// What the node is and has.
    ///
    /// # Errors
    /// [`NodeError`]; of kind [`FailureKind::Unknown`] with a node that runs no workloads, as of all calls about them.
    pub async fn describe(&self) -> Result<Description, NodeError> {
        match self.quick(&Request::Describe).await? {
            Answer::Description(description) => Ok(description),
            _ => Err(NodeError::Confused),
        }
    }

    /// Has the node make a workload true. Returns once that is on the node's disk; what comes of it is told to who follows.
    /// An assignment of a lower generation than the node knows changes nothing.
    ///
    /// # Errors
    /// [`NodeError`]; of kind [`FailureKind::Refused`] if the specification is none, [`FailureKind::NotFound`] if an image of
    /// it is not prepared, or the workload has been retired.
    pub async fn assign(&self, assignment: &Assignment) -> Result<(), NodeError> {
        match self.quick(&Request::Assign(Box::new(assignment.clone()))).await? {
            Answer::Assigned => Ok(()),
            _ => Err(NodeError::Confused),
        }
    }

    /// Has the node forget a workload that has stopped, its output included. Answers whether there was one.
    ///
    /// # Errors
    /// [`NodeError`]; of kind [`FailureKind::Busy`] if it has not stopped.
    pub async fn retire(&self, id: &WorkloadId) -> Result<bool, NodeError> {
        match self.quick(&Request::Retire { id: id.clone() }).await? {
            Answer::Retired(it_was) => Ok(it_was),
            _ => Err(NodeError::Confused),
        }
    }

    /// Sends a signal to a container's process 1; to the only container's, if none is named. Not repeated by itself.
    ///
    /// # Errors
    /// [`NodeError`]; of kind [`FailureKind::NotFound`] if there is no such container, or it does not run.
    pub async fn signal(&self, id: &WorkloadId, container: Option<&str>, signal: i32) -> Result<(), NodeError> {
        let request = Request::Signal { id: id.clone(), container: container.map(str::to_owned), signal };
        let asked = async {
            // Nobody closes it.
            let _turn = self.0.quick.acquire().await.ok();
            self.connection().await?.ask(&request, &mut |_| {}).await.map_err(|Lost| NodeError::Lost)
        };
        match timeout(QUICK, asked).await.map_err(|_| NodeError::Silent { after: QUICK })??? {
            Answer::Signalled => Ok(()),
            _ => Err(NodeError::Confused),
        }
    }

    /// Freezes every container of a workload, or lets it go on.
    ///
    /// # Errors
    /// As of [`Node::signal`].
    pub async fn freeze(&self, id: &WorkloadId, frozen: bool) -> Result<(), NodeError> {
        match self.quick(&Request::Freeze { id: id.clone(), frozen }).await? {
            Answer::Signalled => Ok(()),
            _ => Err(NodeError::Confused),
        }
    }

    /// What workloads use: those that are named and run, or all that run.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn stats(&self, ids: &[WorkloadId]) -> Result<Vec<WorkloadStats>, NodeError> {
        let mut all: Vec<WorkloadStats> = Vec::new();
        loop {
            let after = all.last().map(|last| last.id.clone());
            let request = Request::Stats { ids: ids.to_vec(), after: after.clone() };
            let Answer::Stats(page) = self.quick(&request).await? else { return Err(NodeError::Confused) };
            let Some(first) = page.first() else { return Ok(all) };
            if after.is_some_and(|after| first.id <= after) {
                return Err(NodeError::Confused);
            }
            all.extend(page);
        }
    }

    /// Stops everything at once and removes every trace of workloads. Answers how many there were. Takes as long as it takes.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn purge(&self) -> Result<u64, NodeError> {
        match self.long(&Request::Purge, &mut |_| {}).await? {
            Answer::Purged(count) => Ok(count),
            _ => Err(NodeError::Confused),
        }
    }

    /// Follows what comes of all workloads.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn follow(&self) -> Result<Following, NodeError> {
        Ok(Following::new(self.open(Session::Follow).await?))
    }

    /// Opens a session.
    ///
    /// # Errors
    /// [`NodeError`] if the node cannot be reached; what the node itself says against it comes with [`Talk::next`].
    pub async fn open(&self, session: Session) -> Result<Talk, NodeError> {
        let Ok(place) = Arc::clone(&self.0.sessions).try_acquire_owned() else {
            let message = format!("there are {SESSIONS_MAX} sessions with the node already");
            return Err(Failure::new(FailureKind::Busy, message).into());
        };
        for _ in 0..=REPEATS_MAX {
            let connection = self.connection().await?;
            // Nothing was heard yet: it may be tried again.
            if let Ok((id, mailbox)) = connection.begin(session.clone()) {
                return Ok(Talk::new(connection, id, mailbox, place));
            }
        }
        Err(NodeError::Lost)
    }
}
