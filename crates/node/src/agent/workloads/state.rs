//! How far a workload is, as its node knows it and keeps it on disk: all that a node needs that comes after this one.

use std::net::Ipv4Addr;

use base::Timestamp;
use serde::{Deserialize, Serialize};
use workload::{
    Container, ContainerObserved, ContainerState, Event, ExitStatus, Health, Observed, Phase, PortBinding, Reason,
    ReasonCode, Restart, RestartWhen, Spec, Step, StepName, StepOutcome,
};

use super::losses::Losses;

/// The form in which it is written.
const VERSION: u32 = 1;
/// The pause before a container is started again for the first time, in milliseconds; each is twice as long as the one before
/// (Docker's).
const BACK_OFF_MS: u64 = 100;
/// The longest such pause, in milliseconds (Docker's).
const BACK_OFF_MS_MAX: u64 = 60_000;
/// A container that ran so long begins with the first pause again, in milliseconds (Docker's).
const BACK_OFF_FORGOTTEN_MS: u64 = 10_000;

/// How far a workload is. Times that are waited for are of `CLOCK_BOOTTIME`, in milliseconds: no clock that is set moves
/// them, and they hold for as long as the machine runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    version: u32,
    /// The start of the machine that everything here is about.
    pub(super) boot_id: String,
    sequence: u64,
    pub(super) phase: Phase,
    pub(super) reason: Option<Reason>,
    /// What it has been given, or may have been.
    pub(super) has: Has,
    /// What there is of the sandbox: everything that is handed from one node to the next by the shim.
    pub(super) kept: Vec<String>,
    pub(super) ending: Option<Ending>,
    pub(super) is_frozen: bool,
    /// Nothing is to be executed yet.
    #[serde(default)]
    pub(super) is_held: bool,
    /// Which users of the host are its own, if it has its own.
    pub(super) users: Option<u32>,
    /// Since when containers may start, or wait for each other.
    pub(super) waits_since_ms: u64,
    pub(super) containers: Vec<One>,
    pub(super) address: Option<Ipv4Addr>,
    pub(super) ports: Vec<PortBinding>,
    pub(super) steps: Vec<Step>,
    started_at: Option<Timestamp>,
    pub(super) stopped_at: Option<Timestamp>,
}

/// What a workload has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Has {
    pub(super) network: bool,
    pub(super) volumes: bool,
    pub(super) sandbox: bool,
}

/// It is to end, whatever else is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Ending {
    /// Instead of the containers' own stop timeouts, in seconds.
    pub(super) timeout_s: Option<u32>,
}

/// How far a container is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct One {
    pub(super) name: String,
    pub(super) stage: Stage,
    pub(super) restarts: u32,
    /// How often it was started again without having run for long.
    quick_restarts: u32,
    pub(super) health: Health,
    /// Probes that failed in a row.
    failures: u32,
    pub(super) last_exit: Option<ExitStatus>,
    pub(super) stop: Option<Stop>,
    pub(super) output_bytes_lost: u64,
    /// The position before which its output was sent on, or is lost.
    #[serde(default)]
    pub(super) output_seen: u64,
    pub(super) image_digest: Option<String>,
}

/// How far a container is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// It has not been made, or is to be made again.
    Waiting,
    /// It waits for what it executes.
    Created,
    /// It runs.
    Running { since: Timestamp, since_ms: u64, pid: u32 },
    /// It has ended and is started again at this time.
    BackOff { until_ms: u64 },
    /// It has ended for good.
    Done(ExitStatus),
}

/// It has been told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stop {
    /// When it is killed.
    pub(super) kill_at_ms: u64,
    /// It has been.
    pub(super) killed: bool,
}

/// The present, of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Now {
    /// What a person's clock shows.
    pub(super) at: Timestamp,
    /// `CLOCK_BOOTTIME`, in milliseconds.
    pub(super) ms: u64,
}

impl State {
    /// That of a workload of which nothing has been done.
    pub(super) fn new(spec: &Spec, boot_id: &str, digest_of: impl Fn(&str) -> Option<String>) -> Self {
        let containers = spec.containers.iter().map(|container| One {
            name: container.name.clone(),
            stage: Stage::Waiting,
            restarts: 0,
            quick_restarts: 0,
            health: Health::Unknown,
            failures: 0,
            last_exit: None,
            stop: None,
            output_bytes_lost: 0,
            output_seen: 0,
            image_digest: digest_of(&container.name),
        });
        Self {
            version: VERSION,
            boot_id: boot_id.to_owned(),
            sequence: 0,
            phase: Phase::Pending,
            reason: None,
            has: Has::default(),
            kept: Vec::new(),
            ending: None,
            is_frozen: false,
            is_held: false,
            users: None,
            waits_since_ms: 0,
            containers: containers.collect(),
            address: None,
            ports: Vec::new(),
            steps: Vec::new(),
            started_at: None,
            stopped_at: None,
        }
    }

    /// Whether this program can go on from it.
    pub(super) fn is_known(&self, spec: &Spec) -> bool {
        self.version == VERSION
            && self.containers.iter().map(|one| &one.name).eq(spec.containers.iter().map(|it| &it.name))
    }

    /// Something changed that others are told of.
    pub(super) fn touch(&mut self) {
        self.sequence += 1;
    }

    /// How much of each container's output nobody got.
    pub(super) fn lost_output(&mut self, losses: &Losses) {
        for one in &mut self.containers {
            let loss = losses.of(&one.name);
            (one.output_bytes_lost, one.output_seen) = (loss.bytes, loss.seen);
        }
    }

    /// A node comes after another, of which it is not known what it said last.
    pub(super) fn skip(&mut self, step: u64, at_least: u64) {
        self.sequence = (self.sequence + step).max(at_least);
    }

    /// How far it is, once something has happened. What cannot happen changes nothing.
    pub(super) fn advance(&mut self, event: Event) {
        if let Ok(phase) = self.phase.next(event) {
            self.phase = phase;
        }
    }

    /// It is to end. Of several reasons the first counts.
    pub(super) fn end(&mut self, reason: Reason, timeout_s: Option<u32>) {
        match &mut self.ending {
            None => {
                self.ending = Some(Ending { timeout_s });
                self.reason = Some(reason);
            }
            // Asked again, less patiently.
            Some(ending) => {
                if let Some(timeout_s) = timeout_s {
                    ending.timeout_s = Some(ending.timeout_s.map_or(timeout_s, |before| before.min(timeout_s)));
                }
            }
        }
        self.advance(Event::Ending);
    }

    /// Whether it is known why it ends and how each container did.
    pub(super) fn has_ended(&self) -> bool {
        self.ending.is_some() && self.containers.iter().all(|one| matches!(one.stage, Stage::Done(_)))
    }

    /// A container runs.
    pub(super) fn started(&mut self, index: usize, pid: u32, now: Now) {
        let Some(one) = self.containers.get_mut(index) else { return };
        one.stage = Stage::Running { since: now.at, since_ms: now.ms, pid };
        (one.health, one.failures, one.stop) = (Health::Unknown, 0, None);
        self.started_at = self.started_at.or(Some(now.at));
        self.advance(Event::Started);
    }

    /// A container has ended, and is started again or not.
    pub(super) fn exited(&mut self, spec: &Spec, index: usize, mut exit: ExitStatus, now: Now) {
        let is_ending = self.ending.is_some() || self.phase >= Phase::Stopping;
        let (Some(one), Some(container)) = (self.containers.get_mut(index), spec.containers.get(index)) else { return };
        let since_ms = match one.stage {
            Stage::Done(_) | Stage::BackOff { .. } => return,
            Stage::Running { since, since_ms, .. } => {
                exit.started_at = exit.started_at.or(Some(since));
                Some(since_ms)
            }
            Stage::Waiting | Stage::Created => None,
        };
        one.last_exit = Some(exit.clone());
        // What it was is not known any more.
        one.health = Health::Unknown;
        let ran_ms = since_ms.map(|since_ms| now.ms.saturating_sub(since_ms));
        one.stage = match (is_ending, ran_ms) {
            (false, Some(ran_ms)) if is_started_again(&container.restart, &exit, one.restarts) => {
                if ran_ms >= BACK_OFF_FORGOTTEN_MS {
                    one.quick_restarts = 0;
                }
                let pause = BACK_OFF_MS.saturating_mul(1 << one.quick_restarts.min(20)).min(BACK_OFF_MS_MAX);
                one.quick_restarts += 1;
                let period = u64::from(container.restart.attempt_period_s) * 1000;
                Stage::BackOff { until_ms: now.ms + pause.max(period.saturating_sub(ran_ms)) }
            }
            _ => Stage::Done(exit),
        };
    }

    /// Everything that had not ended by itself ended for this reason.
    pub(super) fn lost(&mut self, reason: &Reason, at: Timestamp) {
        for one in &mut self.containers {
            let started_at = match &one.stage {
                Stage::Running { since, .. } => Some(*since),
                Stage::BackOff { .. } => {
                    if let Some(exit) = &one.last_exit {
                        one.stage = Stage::Done(exit.clone());
                    }
                    continue;
                }
                Stage::Done(_) => continue,
                Stage::Waiting | Stage::Created => None,
            };
            let (code, signal, out_of_memory) = (None, None, false);
            let exit = ExitStatus { code, signal, out_of_memory, reason: Some(reason.clone()), started_at, at };
            one.last_exit = started_at.map(|_| exit.clone()).or(one.last_exit.take());
            one.health = Health::Unknown;
            one.stage = Stage::Done(exit);
        }
    }

    /// A probe of a container has an outcome. Answers whether that changed something, and whether it is well for the first time.
    pub(super) fn probed(&mut self, container: &Container, index: usize, is_well: bool, now: Now) -> [bool; 2] {
        let (Some(one), Some(check)) = (self.containers.get_mut(index), &container.health) else { return [false; 2] };
        let Stage::Running { since_ms, .. } = one.stage else { return [false; 2] };
        let before = one.health;
        if is_well {
            (one.health, one.failures) = (Health::Healthy, 0);
        } else if before == Health::Healthy || now.ms >= since_ms + u64::from(check.start_period_s) * 1000 {
            one.failures = one.failures.saturating_add(1);
            if one.failures >= check.retries.max(1) {
                one.health = Health::Unhealthy;
            }
        }
        [one.health != before, before == Health::Unknown && is_well]
    }

    /// A step began.
    pub(super) fn begin_step(&mut self, name: StepName, container: Option<&str>, at: Timestamp) {
        if self.steps.len() >= Observed::STEPS_MAX {
            self.steps.remove(0);
        }
        let container = container.map(str::to_owned);
        self.steps.push(Step { name, container, began_at: at, took_us: None, outcome: StepOutcome::Running });
    }

    /// The step that began last has come to something.
    pub(super) fn end_step(&mut self, took_us: u64, outcome: StepOutcome) {
        if let Some(step) = self.steps.iter_mut().rev().find(|step| step.outcome == StepOutcome::Running) {
            (step.took_us, step.outcome) = (Some(took_us), outcome);
        }
    }

    /// What was done for it is undone.
    pub(super) fn undo_steps(&mut self) {
        for step in &mut self.steps {
            let is_undone = matches!(step.name, StepName::Network | StepName::Volumes | StepName::Sandbox);
            if is_undone && step.outcome == StepOutcome::Done && self.phase < Phase::Running {
                step.outcome = StepOutcome::Undone;
            }
        }
    }

    /// What others are told.
    pub(super) fn observed(&self, spec: &Spec) -> Observed {
        Observed {
            sequence: self.sequence,
            phase: self.phase,
            reason: self.reason.clone(),
            containers: self.containers.iter().map(|one| self.observed_of(spec, one)).collect(),
            address: self.address,
            ports: self.ports.clone(),
            steps: self.steps.clone(),
            started_at: self.started_at,
            stopped_at: self.stopped_at,
        }
    }

    fn observed_of(&self, spec: &Spec, one: &One) -> ContainerObserved {
        let waiting = |message: String| ContainerState::Waiting { reason: Reason::new(ReasonCode::Waiting, message) };
        let state = match &one.stage {
            Stage::Waiting => waiting(self.what_it_waits_for(spec, one)),
            Stage::Created if self.is_held => waiting("it waits for what it executes".to_owned()),
            Stage::Created => waiting("it is about to start".to_owned()),
            Stage::BackOff { .. } => waiting("it has ended and will be started again".to_owned()),
            Stage::Running { since, .. } if self.is_frozen => ContainerState::Paused { since: *since },
            Stage::Running { since, pid, .. } => ContainerState::Running { since: *since, pid: *pid },
            Stage::Done(exit) => ContainerState::Exited(exit.clone()),
        };
        ContainerObserved {
            name: one.name.clone(),
            image_digest: one.image_digest.clone(),
            state,
            health: one.health,
            restarts: one.restarts,
            last_exit: one.last_exit.clone(),
            output_bytes_lost: one.output_bytes_lost,
        }
    }

    fn what_it_waits_for(&self, spec: &Spec, one: &One) -> String {
        let container = spec.containers.iter().find(|container| container.name == one.name);
        let unmet = container.and_then(|container| {
            container.depends_on.iter().find(|needed| super::plan::dependency(self, needed) != super::plan::Met::Yes)
        });
        match unmet {
            Some(needed) => {
                let what = match needed.condition {
                    workload::Condition::Started => "start",
                    workload::Condition::Completed => "end",
                    workload::Condition::Succeeded => "succeed",
                    workload::Condition::Healthy => "be healthy",
                };
                format!("it waits for {} to {what}", needed.container)
            }
            None => "it waits for what the workload needs".to_owned(),
        }
    }
}

impl One {
    /// Whether a process of it may be there.
    pub(super) fn is_alive(&self) -> bool {
        matches!(self.stage, Stage::Running { .. })
    }
}

/// Whether a container that ended so is started again.
fn is_started_again(restart: &Restart, exit: &ExitStatus, restarts: u32) -> bool {
    let failed = exit.code != Some(0);
    let wanted = match restart.when {
        RestartWhen::Never => false,
        RestartWhen::OnFailure => failed,
        RestartWhen::Always => true,
    };
    let is_ignored = exit.code.is_some_and(|code| restart.ignored_exit_codes.contains(&code));
    wanted && !is_ignored && restart.retries_max.is_none_or(|most| restarts < most)
}
