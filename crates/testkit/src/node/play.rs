//! What the node says that happens.

use base::Timestamp;
use platform::workloads::Assignment;
use workload::{
    ContainerObserved, ContainerState, Event, ExitStatus, Health, Observed, Phase, Reason, ReasonCode, WorkloadId,
};

use super::{FakeNode, Inner, report};

/// A workload that was just assigned.
pub(super) fn pending(assignment: &Assignment) -> Observed {
    let waiting = |container: &workload::Container| ContainerObserved {
        name: container.name.clone(),
        image_digest: assignment.images.get(&container.name).cloned(),
        state: ContainerState::Waiting { reason: Reason::new(ReasonCode::Waiting, "it is its turn soon") },
        health: Health::Unknown,
        restarts: 0,
        last_exit: None,
        output_bytes_lost: 0,
    };
    Observed {
        sequence: 0,
        phase: Phase::Pending,
        reason: None,
        containers: assignment.spec.containers.iter().map(waiting).collect(),
        address: None,
        ports: Vec::new(),
        steps: Vec::new(),
        started_at: None,
        stopped_at: None,
    }
}

impl FakeNode {
    pub(super) fn play_preparing(&self, inner: &mut Inner, id: &WorkloadId) {
        self.change(inner, id, |observed, _| advance(observed, Event::Began));
    }

    pub(super) fn play_running(&self, inner: &mut Inner, id: &WorkloadId) {
        self.change(inner, id, |observed, now| {
            advance(observed, Event::Started);
            observed.started_at = Some(now);
            for container in &mut observed.containers {
                container.state = ContainerState::Running { since: now, pid: 4711 };
            }
        });
    }

    pub(super) fn play_exit(&self, inner: &mut Inner, id: &WorkloadId, code: i32) {
        self.change(inner, id, |observed, _| {
            if observed.phase != Phase::Stopping {
                advance(observed, Event::Ending);
            }
        });
        self.change(inner, id, |observed, now| end(observed, Some(code), ReasonCode::EssentialExited, now));
    }

    pub(super) fn lose(&self, inner: &mut Inner, id: &WorkloadId) {
        self.change(inner, id, |observed, now| end(observed, None, ReasonCode::HostLost, now));
    }

    /// Changes what came of a workload, and tells of it. What has stopped stays so.
    fn change(&self, inner: &mut Inner, id: &WorkloadId, change: impl FnOnce(&mut Observed, Timestamp)) {
        let now = self.clock.now();
        let Some(fake) = inner.workloads.get_mut(id) else { return };
        if fake.observed.phase.is_final() {
            return;
        }
        change(&mut fake.observed, now);
        fake.observed.sequence += 1;
        let report = report(id, fake);
        inner.followers.retain(|follower| follower.send(report.clone()).is_ok());
        self.printed.notify_waiters();
    }
}

fn advance(observed: &mut Observed, event: Event) {
    observed.phase = observed.phase.next(event).expect("the node plays each part in its order");
}

fn end(observed: &mut Observed, code: Option<i32>, why: ReasonCode, now: Timestamp) {
    observed.phase = Phase::Stopped;
    observed.reason = Some(Reason::new(why, "it has ended"));
    observed.stopped_at = Some(now);
    for container in &mut observed.containers {
        let started_at = match container.state {
            ContainerState::Running { since, .. } => Some(since),
            _ => None,
        };
        let (signal, out_of_memory, reason) = (None, false, None);
        let exit = ExitStatus { code, signal, out_of_memory, reason, started_at, at: now };
        container.state = ContainerState::Exited(exit);
    }
}
