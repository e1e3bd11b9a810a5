//! What is to be done next for a workload: pure, from what is wanted and how far it is.

use workload::{Condition, Dependency, Desired, Health, Phase, Reason, ReasonCode, Spec};

use super::state::{One, Stage, State};

/// What a workload's worker does.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Next {
    /// This, and then it is looked again.
    Do(Action),
    /// Nothing, until something happens or this time of `CLOCK_BOOTTIME` comes, in milliseconds.
    Wait { until_ms: Option<u64> },
    /// Nothing ever again.
    Rest,
}

/// One thing that is done. Containers are named by their place in the specification.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Action {
    Begin,
    Network,
    Volumes,
    Sandbox,
    Create(usize),
    Start(usize),
    /// A container that ended is made again.
    Again(usize),
    /// A container is not started any more.
    GiveUp(usize, Reason),
    /// The workload is to end.
    End {
        reason: Reason,
        timeout_s: Option<u32>,
    },
    /// Frozen containers hear no signal.
    Thaw,
    /// A container is told to stop.
    Stop(usize),
    Kill(usize),
    CleanUp,
}

/// Whether what a container waits for has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    Yes,
    NotYet,
    /// And it never will.
    Never,
}

/// What is to be done next.
pub(super) fn next(spec: &Spec, desired: &Desired, state: &State, now_ms: u64) -> Next {
    if state.phase == Phase::Stopped {
        return Next::Rest;
    }
    if let Some(action) = to_end(desired, state) {
        return Next::Do(action);
    }
    if state.phase == Phase::Stopping {
        return stop(spec, state, now_ms);
    }
    if state.phase == Phase::Pending {
        return Next::Do(Action::Begin);
    }
    if !state.has.network {
        return Next::Do(Action::Network);
    }
    if !state.has.volumes {
        return Next::Do(Action::Volumes);
    }
    if !state.has.sandbox {
        return Next::Do(Action::Sandbox);
    }
    run(spec, state, now_ms)
}

fn to_end(desired: &Desired, state: &State) -> Option<Action> {
    let Desired::Stopped { timeout_s, reason } = desired else { return None };
    let is_known = match &state.ending {
        None => false,
        // Asked again with less patience.
        Some(ending) => timeout_s.is_none_or(|new| ending.timeout_s.is_some_and(|before| before <= new)),
    };
    (!is_known).then(|| Action::End { reason: Reason::new(ReasonCode::Asked, reason.clone()), timeout_s: *timeout_s })
}

fn run(spec: &Spec, state: &State, now_ms: u64) -> Next {
    if let Some(reason) = ended_by(spec, state) {
        return Next::Do(Action::End { reason, timeout_s: None });
    }
    let mut until_ms: Option<u64> = None;
    let mut wait = |at: u64| until_ms = Some(until_ms.map_or(at, |before| before.min(at)));
    for (index, (container, one)) in spec.containers.iter().zip(&state.containers).enumerate() {
        match &one.stage {
            Stage::Created if state.is_held => {}
            Stage::Created => return Next::Do(Action::Start(index)),
            Stage::BackOff { until_ms: at } if *at <= now_ms => return Next::Do(Action::Again(index)),
            Stage::BackOff { until_ms: at } => wait(*at),
            Stage::Running { .. } | Stage::Done(_) => {}
            // It has met its conditions once.
            Stage::Waiting if one.restarts > 0 => return Next::Do(Action::Create(index)),
            Stage::Waiting => match unmet(state, &container.depends_on) {
                None => return Next::Do(Action::Create(index)),
                Some((needed, Met::Never)) => return give_up(index, needed, "did not become what is waited for"),
                Some((needed, _)) => {
                    let Some(timeout_s) = container.start_timeout_s else { continue };
                    let at = state.waits_since_ms + u64::from(timeout_s) * 1000;
                    if at <= now_ms {
                        return give_up(index, needed, "did not become what is waited for in time");
                    }
                    wait(at);
                }
            },
        }
    }
    Next::Wait { until_ms }
}

fn give_up(index: usize, needed: &Dependency, how: &str) -> Next {
    let message = format!("the container {} {how} ({:?})", needed.container, needed.condition);
    Next::Do(Action::GiveUp(index, Reason::new(ReasonCode::DependencyFailed, message)))
}

/// Why the workload is over, if it is: a container that it cannot be without, or the last one.
fn ended_by(spec: &Spec, state: &State) -> Option<Reason> {
    let mut all_done = true;
    for (container, one) in spec.containers.iter().zip(&state.containers) {
        let Stage::Done(exit) = &one.stage else {
            all_done = false;
            continue;
        };
        if container.essential {
            return Some(match (&exit.reason, exit.out_of_memory) {
                (Some(reason), _) => reason.clone(),
                (None, true) => {
                    Reason::new(ReasonCode::OutOfMemory, format!("the container {} was out of memory", one.name))
                }
                (None, false) => {
                    Reason::new(ReasonCode::EssentialExited, format!("the container {} has ended", one.name))
                }
            });
        }
    }
    all_done.then(|| Reason::new(ReasonCode::EssentialExited, "all containers have ended"))
}

/// The first condition that is not met; one that never will be comes before others.
fn unmet<'a>(state: &State, needed: &'a [Dependency]) -> Option<(&'a Dependency, Met)> {
    let mut first = None;
    for one in needed {
        match dependency(state, one) {
            Met::Yes => {}
            Met::Never => return Some((one, Met::Never)),
            Met::NotYet => first = first.or(Some((one, Met::NotYet))),
        }
    }
    first
}

/// Whether a condition is met.
pub(super) fn dependency(state: &State, needed: &Dependency) -> Met {
    let Some(one) = state.containers.iter().find(|one| one.name == needed.container) else { return Met::Never };
    let has_started = match &one.stage {
        Stage::Running { .. } | Stage::BackOff { .. } => true,
        Stage::Done(exit) => exit.started_at.is_some(),
        Stage::Waiting | Stage::Created => one.restarts > 0,
    };
    let done = match &one.stage {
        Stage::Done(exit) => Some(exit),
        _ => None,
    };
    let met = match needed.condition {
        Condition::Started => has_started,
        Condition::Completed => has_started && done.is_some(),
        Condition::Succeeded => done.is_some_and(|exit| exit.code == Some(0)),
        Condition::Healthy => one.health == Health::Healthy,
    };
    match (met, done.is_some()) {
        (true, _) => Met::Yes,
        (false, true) => Met::Never,
        (false, false) => Met::NotYet,
    }
}

fn stop(spec: &Spec, state: &State, now_ms: u64) -> Next {
    if state.is_frozen {
        return Next::Do(Action::Thaw);
    }
    let mut until_ms: Option<u64> = None;
    let mut anything = false;
    for (index, one) in state.containers.iter().enumerate().filter(|(_, one)| one.is_alive()) {
        anything = true;
        match one.stop {
            None if is_needed(spec, state, one) => {}
            None => return Next::Do(Action::Stop(index)),
            Some(stop) if stop.killed => {}
            Some(stop) if stop.kill_at_ms <= now_ms => return Next::Do(Action::Kill(index)),
            Some(stop) => until_ms = Some(until_ms.map_or(stop.kill_at_ms, |before| before.min(stop.kill_at_ms))),
        }
    }
    if anything { Next::Wait { until_ms } } else { Next::Do(Action::CleanUp) }
}

/// Whether another container that runs was started after this one: it is stopped before it.
fn is_needed(spec: &Spec, state: &State, one: &One) -> bool {
    spec.containers.iter().zip(&state.containers).any(|(container, other)| {
        other.is_alive() && container.depends_on.iter().any(|needed| needed.container == one.name)
    })
}

#[cfg(test)]
mod tests;
