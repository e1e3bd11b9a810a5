//! How what runs ended, as a shell is told: docker's exit codes.

use workload::{ContainerState, ExitStatus, Phase, Reason, ReasonCode};

use super::protocol::{Exited, Told};

/// It could not be run at all. That its program is missing, or cannot be executed, the node itself says as 127 and 126.
const NOT_RUN: u8 = 125;

/// Whether its first container has been started, now or before.
pub(super) fn has_begun(told: &Told) -> bool {
    let Some(observed) = &told.observed else { return false };
    observed.containers.first().is_some_and(|first| match &first.state {
        ContainerState::Waiting { .. } => first.last_exit.as_ref().is_some_and(|exit| exit.started_at.is_some()),
        ContainerState::Running { .. } | ContainerState::Paused { .. } => true,
        ContainerState::Exited(exit) => exit.started_at.is_some(),
    })
}

/// Whether nothing of it runs any more, though its node may still clear away what it had.
pub(super) fn has_run_out(told: &Told) -> bool {
    let Some(observed) = &told.observed else { return false };
    observed.phase >= Phase::Stopping
        && observed.containers.iter().all(|one| matches!(one.state, ContainerState::Exited(_)))
}

/// How it ended, if it has.
pub(super) fn ended(told: &Told) -> Option<Exited> {
    let observed = told.observed.as_ref()?;
    match observed.containers.first().map(|first| &first.state) {
        Some(ContainerState::Exited(exit)) => Some(of_exit(exit, observed.reason.as_ref())),
        _ if observed.phase == Phase::Stopped => {
            let reason = observed.reason.as_ref().map(|reason| reason.message.clone());
            Some(Exited { code: NOT_RUN, reason: reason.or_else(|| Some("it never ran".to_owned())) })
        }
        _ => None,
    }
}

/// What is told when it was forgotten before it was seen to end.
pub(super) fn gone() -> Exited {
    Exited { code: NOT_RUN, reason: Some("somebody removed it".to_owned()) }
}

/// An exit code as a shell has it.
pub(super) fn code(code: i32) -> u8 {
    // Of a wider one a shell sees the lowest byte, too.
    code.to_le_bytes()[0]
}

fn of_exit(exit: &ExitStatus, of_workload: Option<&Reason>) -> Exited {
    let reason = exit.reason.as_ref();
    match exit.code {
        Some(number) => {
            let told = match (exit.out_of_memory, exit.started_at, reason) {
                (true, ..) => Some("the kernel killed it: it wanted more memory than it may have".to_owned()),
                // What ended by itself, or by somebody's wish, needs no words.
                (false, Some(_), Some(reason)) if !is_loss(reason) => None,
                (false, _, reason) => reason.map(|reason| reason.message.clone()),
            };
            Exited { code: code(number), reason: told }
        }
        None => {
            let reason = reason.or(of_workload);
            Exited { code: NOT_RUN, reason: reason.map(|reason| reason.message.clone()) }
        }
    }
}

/// Whether it ended because what it stands on did.
fn is_loss(reason: &Reason) -> bool {
    reason.code.is_loss() || reason.code == ReasonCode::Internal
}

#[cfg(test)]
mod tests {
    use base::Timestamp;

    use super::*;

    fn exit(code: Option<i32>, reason: Option<Reason>) -> ExitStatus {
        let started_at = code.map(|_| Timestamp::default());
        ExitStatus { code, signal: None, out_of_memory: false, reason, started_at, at: Timestamp::default() }
    }

    #[test]
    fn a_shell_is_told_what_docker_would_tell_it() {
        let why = |code, message: &str| Some(Reason::new(code, message));
        for (exit, expected) in [
            (exit(Some(0), None), 0),
            (exit(Some(3), None), 3),
            (exit(Some(137), why(ReasonCode::Asked, "stopped")), 137),
            (exit(Some(-1), None), 255),
            (ExitStatus { started_at: None, ..exit(Some(127), why(ReasonCode::CannotStart, "no such program")) }, 127),
            (exit(None, why(ReasonCode::CannotStart, "no such user")), 125),
            (exit(None, why(ReasonCode::CannotCreate, "no such device")), 125),
            (exit(None, None), 125),
        ] {
            assert_eq!(of_exit(&exit, None).code, expected, "{exit:?}");
        }
    }

    #[test]
    fn only_what_is_more_than_an_exit_code_is_said() {
        let lost = Reason::new(ReasonCode::SandboxLost, "its sandbox died");
        assert_eq!(of_exit(&exit(Some(137), Some(lost)), None).reason.as_deref(), Some("its sandbox died"));
        let asked = Reason::new(ReasonCode::Asked, "stopped by pilvi stop");
        assert_eq!(of_exit(&exit(Some(143), Some(asked)), None).reason, None);
        let killed = ExitStatus { out_of_memory: true, ..exit(Some(137), None) };
        assert!(of_exit(&killed, None).reason.unwrap().contains("memory"));
        let of_workload = Reason::new(ReasonCode::CannotPull, "no such image");
        assert_eq!(of_exit(&exit(None, None), Some(&of_workload)).reason.as_deref(), Some("no such image"));
    }
}
