//! Workloads that live exactly as long as whoever runs them wants them to.

use workload::{Observed, Spec, Step, StepName, StepOutcome};

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
        fits(assignment)?;
        Ok(Running(self.open(Session::Run(Box::new(assignment.clone()))).await?))
    }
}

impl Node {
    /// Has everything of a workload made but what it executes, which it is told later by [`Running::release`]: a workload that comes
    /// into being before it is known what it will be. Else as [`Node::run`].
    ///
    /// # Errors
    /// As of [`Node::run`].
    pub async fn hold(&self, assignment: &Assignment) -> Result<Running, NodeError> {
        fits(assignment)?;
        Ok(Running(self.open(Session::Hold(Box::new(assignment.clone()))).await?))
    }
}

/// Whether a container of a workload that is held has been made, and waits for what it executes.
pub fn is_made(observed: &Observed, container: &str) -> bool {
    let is_its = |step: &&Step| step.name == StepName::Create && step.container.as_deref() == Some(container);
    observed.steps.iter().rev().find(is_its).is_some_and(|step| step.outcome == StepOutcome::Done)
}

fn fits(what: &impl serde::Serialize) -> Result<(), NodeError> {
    let length = serde_json::to_vec(what).map_or(usize::MAX, |text| text.len());
    if length > LINE_BYTES_MAX - AROUND_ASSIGNMENT_BYTES {
        let message = "what is to be run does not fit into a message";
        return Err(Failure::new(FailureKind::Refused, message).into());
    }
    Ok(())
}

impl Running {
    /// Has a workload that is held execute what this specification says, as which it goes on: once. It may differ from the one that
    /// it was made by in what containers execute and may use, and in volumes of archives and files that are added
    /// ([`Spec::check_release`]). Where a root cannot be written to, its image has the directories that these are mounted at.
    ///
    /// # Errors
    /// [`NodeError::Lost`] if it is over; what the node says against it comes with [`Running::next`], and ends it.
    pub async fn release(&self, spec: &Spec) -> Result<(), NodeError> {
        fits(spec)?;
        self.0.send(Input::Release(Box::new(spec.clone()))).await
    }

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
