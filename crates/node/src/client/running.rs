//! Workloads that live exactly as long as whoever runs them wants them to.

use workload::Observed;

use super::{Node, NodeError, Talk};
use crate::protocol::{Assignment, Event, Failure, FailureKind, Input, LINE_BYTES_MAX, Session};

/// How much of a line may be beside a workload's assignment, in bytes.
const AROUND_ASSIGNMENT_BYTES: usize = 4096;

/// A workload that ends when this is dropped, when the connection breaks or when the node's process ends: it is killed then, and
/// nothing of it is left. Its output is there to be read until then, also after it has stopped.
#[derive(Debug)]
pub struct Running(Talk);

impl Node {
    /// Runs a workload for as long as what this returns is kept. Its name must be new. Nothing of it is written down anywhere,
    /// and those who follow hear nothing of it.
    ///
    /// # Errors
    /// [`NodeError`] if the node cannot be reached; what it says against the workload comes with [`Running::next`].
    pub async fn run(&self, assignment: &Assignment) -> Result<Running, NodeError> {
        let length = serde_json::to_vec(assignment).map_or(usize::MAX, |text| text.len());
        if length > LINE_BYTES_MAX - AROUND_ASSIGNMENT_BYTES {
            let message = "what is to be run does not fit into a message";
            return Err(Failure::new(FailureKind::Refused, message).into());
        }
        Ok(Running(self.open(Session::Run(Box::new(assignment.clone()))).await?))
    }
}

impl Running {
    /// What came of it next: of what changes faster than this is called, the latest. The first tells that the node has it. May be
    /// dropped and called again.
    ///
    /// # Errors
    /// [`NodeError::Failed`] with why it is not run, or not any more: of kind [`FailureKind::Refused`] if it cannot be,
    /// [`FailureKind::NotFound`] if an image or archive of it is not prepared; [`NodeError::Lost`] if the connection broke. It is
    /// over then.
    pub async fn next(&mut self) -> Result<Observed, NodeError> {
        loop {
            match self.0.next().await {
                Some(Ok(Event::Observed { observed, .. })) => return Ok(*observed),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Err(NodeError::Lost),
            }
        }
    }

    /// Has it stop: its containers get their stop signals, and are killed after their stop timeouts.
    ///
    /// # Errors
    /// [`NodeError::Lost`] if it is over.
    pub async fn stop(&self) -> Result<(), NodeError> {
        self.0.send(Input::End).await
    }
}
