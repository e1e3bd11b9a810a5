//! Workloads: what is assigned to this node becomes true here.

use super::Agent;
use super::session::{Hearing, Telling};
use crate::protocol::{Answer, Failure, FailureKind, Request, Session};

impl Agent {
    /// Answers what is asked about workloads.
    pub(super) async fn about_workloads(&self, request: Request) -> Result<Answer, Failure> {
        let _ = (self, request);
        Err(none_here())
    }

    /// Serves a session; none if whoever asked is gone.
    pub(super) async fn session(
        &self,
        wanted: Session,
        telling: Telling,
        hearing: Hearing,
    ) -> Option<Result<Answer, Failure>> {
        let _ = (self, wanted, telling, hearing);
        Some(Err(none_here()))
    }
}

fn none_here() -> Failure {
    Failure::new(FailureKind::Unknown, "this node runs no workloads")
}
