//! One task for each workload: it asks the plan what is next, does it, notes it, and waits when there is nothing.

mod adopt;
mod clean_up;
mod containers;
mod late;
mod needs;
mod note;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sandbox::cgroup::Group;
use sandbox::client::{Event, Events, Shim};
use sandbox::plan::ProcessPlan;
use sandbox::protocol::{Exit, Target};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};
use workload::{Desired, ExitStatus, Reason, ReasonCode, Spec, StepName, StepOutcome, WorkloadId};

pub(super) use adopt::Found;
pub(super) use containers::group_name;
use note::Later;

use super::Shared;
use super::area::Area;
use super::assign::Kept;
use super::home::{Assigned, Home};
use super::local::LocalAddresses;
use super::losses::{Loss, Losses};
use super::plan::{self, Action, Next};
use super::root::EtcFiles;
use super::state::{Now, State};
use super::volumes::Volume;
use crate::protocol::Failure;

/// How long after a failure cleaning up is tried again, at first and at most.
const CLEAN_UP_PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(30)];
/// What whoever asks may have waiting for a worker.
pub(super) const COMMANDS_WAITING_MAX: usize = 16;

/// What is wanted of a workload.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) generation: u64,
    pub(super) desired: Desired,
    /// Nobody has it any more: it vanishes once it has stopped.
    pub(super) is_let_go: bool,
}

impl Wanted {
    pub(super) fn new(generation: u64, desired: Desired) -> Self {
        Self { generation, desired, is_let_go: false }
    }
}

/// Something that only the workload's worker does.
#[derive(Debug)]
pub(super) enum Command {
    Freeze {
        frozen: bool,
        answer: oneshot::Sender<Result<(), Failure>>,
    },
    /// What is held goes on as this.
    Release {
        assigned: Arc<Assigned>,
        held: Vec<images::Prepared>,
    },
}

/// What sessions need of a workload that lives.
#[derive(Debug, Default)]
pub(super) struct Live {
    parts: Mutex<LiveParts>,
    pub(super) losses: Losses,
}

#[derive(Debug, Default, Clone)]
pub(super) struct LiveParts {
    pub(super) shim: Option<Shim>,
    pub(super) processes: HashMap<String, ProcessPlan>,
}

impl Live {
    /// As it is now.
    pub(super) fn now(&self) -> LiveParts {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut LiveParts)) {
        // Nothing in there is half-changed by a panic that could poison it.
        change(&mut self.parts.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The worker of one workload.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) id: WorkloadId,
    pub(super) home: Home,
    /// What it is made by.
    assigned: Arc<Assigned>,
    /// What it is, where that was told after it was made.
    released: Option<late::Released>,
    state: State,
    kept: Kept,
    /// What others are told once it is on the disk.
    told_later: Option<Later>,
    wanted: watch::Receiver<Wanted>,
    commands: mpsc::Receiver<Command>,
    live: Arc<Live>,
    has: Made,
    /// A probe's outcome: the container, its start, whether it is well.
    outcomes: mpsc::Receiver<Outcome>,
    tell_outcome: mpsc::Sender<Outcome>,
    clean_up_pause: Duration,
}

/// What came of a probe.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) container: usize,
    /// Of which start of it.
    pub(super) restarts: u32,
    pub(super) is_well: bool,
}

/// What there is of a workload in this process.
#[derive(Default)]
struct Made {
    network: Option<Connected>,
    volumes: HashMap<String, Volume>,
    area: Option<Area>,
    group: Option<Group>,
    shim: Option<Shim>,
    events: Option<Events>,
    /// A group and a shim that are on their way.
    begun: Option<needs::Beginnings>,
    /// Containers that only wait for the sandbox.
    prepared: HashMap<usize, Result<containers::Prepared, Reason>>,
    /// The processes of containers that have been made and not started.
    processes: HashMap<usize, u32>,
    probes: HashMap<usize, AbortHandle>,
}

/// A workload's network.
struct Connected {
    namespace: Option<std::os::fd::OwnedFd>,
    etc: EtcFiles,
    local: LocalAddresses,
    /// What serves the link-local addresses; ends when this does.
    _serving: JoinSet<()>,
}

/// What a worker begins with.
pub(super) struct Beginning {
    pub(super) shared: Arc<Shared>,
    pub(super) id: WorkloadId,
    pub(super) home: Home,
    pub(super) assigned: Arc<Assigned>,
    pub(super) state: State,
    pub(super) kept: Kept,
    pub(super) wanted: watch::Receiver<Wanted>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) live: Arc<Live>,
}

impl Worker {
    pub(super) fn new(beginning: Beginning) -> Self {
        let Beginning { shared, id, home, assigned, state, kept, wanted, commands, live } = beginning;
        for one in &state.containers {
            live.losses.begin(&one.name, Loss { seen: one.output_seen, bytes: one.output_bytes_lost });
        }
        let (tell_outcome, outcomes) = mpsc::channel(COMMANDS_WAITING_MAX);
        Self {
            shared,
            id,
            home,
            assigned,
            released: None,
            state,
            kept,
            told_later: None,
            wanted,
            commands,
            live,
            has: Made::default(),
            outcomes,
            tell_outcome,
            clean_up_pause: CLEAN_UP_PAUSES[0],
        }
    }

    /// Works until it is aborted, which harms nothing: whatever is done is found again. Of a workload that nobody has any more the
    /// worker ends by itself.
    pub(super) async fn run(mut self) {
        self.note();
        loop {
            let desired = self.wanted.borrow().desired.clone();
            match plan::next(self.spec(), &desired, &self.state, now().ms) {
                // It tells meanwhile.
                Next::Do(Action::CleanUp) => self.clean_up().await,
                Next::Do(action) => {
                    self.tell_what_is_on_disk().await;
                    self.act(action).await;
                }
                Next::Wait { until_ms } => {
                    self.tell_what_is_on_disk().await;
                    self.wait(until_ms).await;
                }
                Next::Rest if self.wanted.borrow().is_let_go => return self.vanish(),
                Next::Rest => self.wait(None).await,
            }
        }
    }

    fn spec(&self) -> &Spec {
        &self.assigned.assignment.spec
    }

    async fn act(&mut self, action: Action) {
        match action {
            Action::Begin => {
                self.has.begun = Some(self.begin_sandbox());
                self.state.advance(workload::Event::Began);
                self.note();
            }
            Action::Network => self.need(StepName::Network, ReasonCode::Network).await,
            Action::Volumes => self.need(StepName::Volumes, ReasonCode::Volume).await,
            Action::Sandbox => self.need(StepName::Sandbox, ReasonCode::CannotCreate).await,
            Action::Create(index) => self.create(index).await,
            Action::Start(index) => self.start(index).await,
            Action::Again(index) => self.again(index).await,
            Action::GiveUp(index, reason) => self.give_up(index, reason, None),
            Action::End { reason, timeout_s } => {
                self.state.end(reason, timeout_s);
                self.hurry();
                self.note();
            }
            Action::Thaw => {
                // What stays frozen is killed when its time is up.
                let _ = self.freeze(false).await;
                self.state.is_frozen = false;
                self.note();
            }
            Action::Stop(index) => self.stop(index).await,
            Action::Kill(index) => self.kill(index).await,
            Action::CleanUp => self.clean_up().await,
        }
    }

    /// Who waits for containers to stop may have lost patience since they were told.
    fn hurry(&mut self) {
        let Some(timeout_s) = self.state.ending.and_then(|ending| ending.timeout_s) else { return };
        let latest = now().ms + u64::from(timeout_s) * 1000;
        for stop in self.state.containers.iter_mut().filter_map(|one| one.stop.as_mut()) {
            stop.kill_at_ms = stop.kill_at_ms.min(latest);
        }
    }

    /// Waits until something happens.
    async fn wait(&mut self, until_ms: Option<u64>) {
        let pause = until_ms.map(|at| Duration::from_millis(at.saturating_sub(now().ms)));
        let shim = self.has.shim.clone();
        tokio::select! {
            changed = self.wanted.changed() => match changed {
                // Others are told which generation is worked on.
                Ok(()) => self.note(),
                // Nobody will ever want anything of it.
                Err(_) => std::future::pending().await,
            },
            Some(command) = self.commands.recv() => self.obey(command).await,
            Some(outcome) = self.outcomes.recv() => self.probed(&outcome),
            () = self.live.losses.news() => self.note(),
            event = next_event(&mut self.has.events) => self.heard(event).await,
            () = ended(shim.as_ref()) => self.lost_shim().await,
            () = sleep(pause) => {}
        }
    }

    async fn heard(&mut self, event: Option<Event>) {
        tracing::debug!(workload = %self.id, ?event, "the shim told something");
        match event {
            Some(Event::Exited { what: Target::Container(name), exit }) => self.exited(&name, &exit),
            Some(Event::Exited { .. } | Event::Output { .. }) => {}
            Some(Event::Missed) => self.look().await,
            // What becomes of its process tells what becomes of it.
            Some(Event::SandboxEnded) => {}
            None => self.reconnect().await,
        }
    }

    /// A container has ended.
    fn exited(&mut self, name: &str, exit: &Exit) {
        let Some(index) = self.state.containers.iter().position(|one| one.name == name) else { return };
        if let Some(probe) = self.has.probes.remove(&index) {
            probe.abort();
        }
        let (before, assigned) = (self.state.clone(), Arc::clone(&self.assigned));
        let spec = &assigned.assignment.spec;
        self.state.exited(spec, index, self.shared.exit_status(exit), now());
        if self.state == before {
            return;
        }
        // With why it ends, if it does: that is on the disk, too.
        let desired = self.wanted.borrow().desired.clone();
        if let Next::Do(Action::End { reason, timeout_s }) = plan::next(spec, &desired, &self.state, now().ms) {
            self.state.end(reason, timeout_s);
            self.hurry();
        }
        self.note_on_disk();
    }

    fn probed(&mut self, outcome: &Outcome) {
        let index = outcome.container;
        let Some(container) = self.assigned.assignment.spec.containers.get(index) else { return };
        if self.state.containers.get(index).is_none_or(|one| one.restarts != outcome.restarts) {
            return;
        }
        let [changed, is_first] = self.state.probed(container, index, outcome.is_well, now());
        if is_first {
            self.state.begin_step(StepName::Probe, Some(&container.name), now().at);
            self.state.end_step(0, StepOutcome::Done);
        }
        if changed {
            self.note();
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Freeze { frozen, answer } => {
                let done = self.freeze(frozen).await;
                if done.is_ok() {
                    self.state.is_frozen = frozen;
                    self.note();
                }
                // Whoever asked may be gone.
                let _ = answer.send(done);
            }
            Command::Release { assigned, held } => self.release(assigned, held),
        }
    }
}

/// The present.
pub(super) fn now() -> Now {
    use base::Clock;
    Now { at: base::SystemClock.now(), ms: sandbox::client::boot_time_ns() / 1_000_000 }
}

async fn next_event(events: &mut Option<Events>) -> Option<Event> {
    match events {
        Some(events) => events.next().await,
        None => std::future::pending().await,
    }
}

async fn ended(shim: Option<&Shim>) {
    match shim {
        Some(shim) => shim.ended().await,
        None => std::future::pending().await,
    }
}

async fn sleep(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => std::future::pending().await,
    }
}

impl Shared {
    /// Whether shims end everything by now.
    fn is_fenced(&self) -> bool {
        self.fence().is_some_and(|at_ns| sandbox::client::boot_time_ns() >= at_ns)
    }

    /// How a container ended.
    fn exit_status(&self, exit: &Exit) -> ExitStatus {
        let reason = self.is_fenced().then(|| Reason::new(ReasonCode::Fenced, FENCED));
        ExitStatus { reason, ..exit_status(exit) }
    }
}

/// Why shims end everything.
const FENCED: &str = "the node had no lease any more";

fn exit_status(exit: &Exit) -> ExitStatus {
    let at = base::Timestamp::from_millis(i64::try_from(exit.at_ns / 1_000_000).unwrap_or(i64::MAX));
    let &Exit { code, signal, out_of_memory, .. } = exit;
    ExitStatus { code: Some(code), signal, out_of_memory, reason: None, started_at: None, at }
}

/// Does what may wait for the disk where nobody else waits for it.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, Reason> + Send + 'static) -> Result<T, Reason> {
    let broken = |_| Reason::new(ReasonCode::Internal, "the node could not do it");
    tokio::task::spawn_blocking(work).await.map_err(broken)?
}
