//! A container, as its shim knows it.

use std::hash::{Hash, Hasher};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::making::Heard;
use super::peer::Asker;
use super::printed::{Printed, input_pipe};
use super::process::{Process, failed, not_there, refused};
use super::sandbox::Sandbox;
use super::{Shim, now_ns};
use crate::cgroup;
use crate::output::{Writer, is_file_name};
use crate::plan::{ContainerPlan, LateParts, ProcessPlan, TerminalSize};
use crate::protocol::{Answer, ContainerInfo, ContainerPhase, Exit, FromShim, ShimFailure, ShimFailureKind, Target};
use crate::setup::{self, Making, Report, Streams};
use crate::sys::ChildEnded;

/// The most containers of a shim, those that have ended and are not forgotten included.
const CONTAINERS_MAX: usize = 256;
/// How often what is left of a container without a process namespace of its own is killed, while it forks.
const KILLS_MAX: usize = 64;

/// A container.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) key: u64,
    pub(super) plan: ContainerPlan,
    pub(super) life: Life,
    pub(super) printed: Printed,
    /// What the node writes the container's input to.
    input: Option<OwnedFd>,
    /// How often the kernel had killed for want of memory in its cgroup before it was made.
    oom_kills_before: u64,
    /// Who waits for it to be forgotten.
    removal: Option<Asker>,
    /// What stands for what it was told to execute.
    told: Option<u64>,
}

/// How a container is.
#[derive(Debug)]
pub(super) enum Life {
    /// It is being made.
    Making { making: Making, askers: Vec<Asker> },
    /// It waits for what it executes.
    Created { making: Making, process: Process },
    /// It is about to execute that. Which process does may yet change; one that has ended may have executed it or not.
    Starting { making: Making, process: Process, askers: Vec<Asker>, is_executing: bool, ended: Option<ChildEnded> },
    /// It runs.
    Running { process: Process, started_ns: u64 },
    /// It has ended; if it was never started, without having run.
    Ended { started_ns: Option<u64>, exit: Exit },
}

impl Life {
    fn phase(&self) -> ContainerPhase {
        match self {
            Self::Making { .. } => ContainerPhase::Making,
            Self::Created { .. } => ContainerPhase::Created,
            Self::Starting { .. } => ContainerPhase::Starting,
            Self::Running { .. } => ContainerPhase::Running,
            Self::Ended { .. } => ContainerPhase::Ended,
        }
    }
}

impl Container {
    /// The channel to the process that makes it.
    pub(super) fn making(&self) -> Option<&Making> {
        match &self.life {
            Life::Making { making, .. } | Life::Created { making, .. } | Life::Starting { making, .. } => Some(making),
            Life::Running { .. } | Life::Ended { .. } => None,
        }
    }

    /// Its process 1, or what will be.
    pub(super) fn process(&self) -> Option<&Process> {
        match &self.life {
            Life::Created { process, .. } | Life::Starting { process, .. } | Life::Running { process, .. } => {
                Some(process)
            }
            Life::Making { .. } | Life::Ended { .. } => None,
        }
    }

    /// Its process 1, if it runs.
    pub(super) fn running(&self) -> Option<&Process> {
        match &self.life {
            Life::Running { process, .. } => Some(process),
            _ => None,
        }
    }

    pub(super) fn info(&self, name: &str) -> ContainerInfo {
        let (started_ns, exit) = match &self.life {
            Life::Running { started_ns, .. } => (Some(*started_ns), None),
            Life::Ended { started_ns, exit } => (*started_ns, Some(*exit)),
            _ => (None, None),
        };
        let pid = self.process().map(Process::number);
        ContainerInfo { name: name.to_owned(), phase: self.life.phase(), pid, started_ns, exit }
    }

    fn exit_of(&self, code: i32, signal: Option<i32>) -> Exit {
        let out_of_memory = cgroup::oom_kills(&self.plan.cgroup) > self.oom_kills_before;
        Exit { code, signal, out_of_memory, at_ns: now_ns() }
    }
}

impl Shim {
    pub(super) fn create(
        &mut self,
        asker: Asker,
        plan: ContainerPlan,
        descriptors: Vec<OwnedFd>,
    ) -> Result<Option<Answer>, ShimFailure> {
        if !is_file_name(&plan.name) {
            return Err(refused(format!("a container cannot have the name {:?}", plan.name)));
        }
        if let Some(container) = self.containers.get_mut(&plan.name) {
            return container.create_again(asker, &plan);
        }
        if self.containers.len() >= CONTAINERS_MAX {
            return Err(refused(format!("there are {CONTAINERS_MAX} containers already")));
        }
        let [root, mounts @ ..] = &descriptors[..] else {
            return Err(refused("the container's root did not come"));
        };
        let key = self.next_key();
        let output = Writer::open(self.directory.as_fd(), &plan.name, plan.output_bytes_max);
        let printed = Printed::new(output.map_err(|error| failed(format!("the container's output: {error}")))?, key);
        let (making, printed, input) = self.begin(&plan, printed, root.as_fd(), mounts)?;
        self.watch_making(&making, key)?;
        let oom_kills_before = cgroup::oom_kills(&plan.cgroup);
        let name = plan.name.clone();
        let life = Life::Making { making, askers: vec![asker] };
        let container = Container { key, plan, life, printed, input, oom_kills_before, removal: None, told: None };
        self.containers.insert(name, container);
        Ok(None)
    }

    /// Begins to make a container, with its input and outputs.
    fn begin(
        &self,
        plan: &ContainerPlan,
        mut printed: Printed,
        root: BorrowedFd<'_>,
        mounts: &[OwnedFd],
    ) -> Result<(Making, Printed, Option<OwnedFd>), ShimFailure> {
        let Sandbox::There { handle, plan: shared, .. } = &self.sandbox else {
            return Err(not_there("there is no sandbox"));
        };
        let mounts: Vec<BorrowedFd<'_>> = mounts.iter().map(AsFd::as_fd).collect();
        if plan.tty.is_some() {
            let making = setup::container(handle, shared, plan, root, &mounts, None)?;
            return Ok((making, printed, None));
        }
        let pipes = |error| failed(format!("the container's pipes: {error}"));
        let ends = printed.make_pipes(&self.poll).map_err(pipes)?;
        let (input_end, input) =
            if plan.stdin { input_pipe().map(|(read, write)| (Some(read), Some(write))) } else { Ok((None, None)) }
                .map_err(pipes)?;
        let streams = Streams {
            input: input_end.as_ref().map(AsFd::as_fd),
            output: ends.output.as_fd(),
            errors: ends.errors.as_fd(),
        };
        let making = setup::container(handle, shared, plan, root, &mounts, Some(streams))?;
        Ok((making, printed, input))
    }

    pub(super) fn start_container(
        &mut self,
        asker: Asker,
        name: &str,
        process: &ProcessPlan,
        late: Option<&LateParts>,
        descriptors: &[OwnedFd],
    ) -> Result<Option<Answer>, ShimFailure> {
        let container = self.containers.get_mut(name).ok_or_else(|| no_container(name))?;
        let told = digest_of(process, late);
        let Life::Created { making, .. } = &container.life else {
            return container.start_again(asker, name, told);
        };
        let mounts: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
        setup::start(making, process, late, &mounts)?;
        container.told = Some(told);
        container.change(|life| match life {
            Life::Created { making, process } => {
                Life::Starting { making, process, askers: vec![asker], is_executing: false, ended: None }
            }
            other => other,
        });
        Ok(None)
    }

    /// Goes on with a container as the process that makes it has told.
    pub(super) fn container_reported(&mut self, name: &str, report: Report) -> Heard {
        let Some(container) = self.containers.get_mut(name) else {
            return Heard::NothingMore;
        };
        match (&container.life, report) {
            (Life::Making { .. }, Report::Created { pid, terminal }) => self.created(name, pid, terminal),
            (Life::Making { .. }, Report::Failed(failure)) => self.came_to_nothing(name, failure),
            (Life::Making { .. }, _) => {
                self.came_to_nothing(name, failed("the process that makes the container ended"))
            }
            (Life::Starting { .. }, Report::Executing { pid, .. }) => self.executing(name, pid),
            (Life::Starting { is_executing: true, .. }, Report::Ended) => self.runs(name),
            (Life::Starting { .. }, Report::Failed(failure)) => self.not_started(name, failure),
            (Life::Starting { .. }, _) => self.not_started(name, failed("the container ended before it was started")),
            // It was killed while it waited, which its end as a child tells as well.
            (Life::Created { making, .. }, _) => {
                self.poll.remove(&making.control);
                Heard::NothingMore
            }
            _ => Heard::NothingMore,
        }
    }

    fn created(&mut self, name: &str, pid: i32, terminal: Option<OwnedFd>) -> Heard {
        let Some(container) = self.containers.get_mut(name) else {
            return Heard::NothingMore;
        };
        let terminal = terminal.map(|master| container.printed.set_terminal(&self.poll, master)).transpose();
        let process = terminal
            .map_err(|error| failed(format!("the container's terminal: {error}")))
            .and_then(|_| Process::of(pid));
        let process = match process {
            Ok(process) => process,
            Err(failure) => return self.came_to_nothing(name, failure),
        };
        let answer = Answer::Created { pid: process.number() };
        let mut who = Vec::new();
        container.change(|life| match life {
            Life::Making { making, askers } => {
                who = askers;
                Life::Created { making, process }
            }
            other => other,
        });
        self.answer_all(who, &Ok(answer));
        Heard::GoOn
    }

    /// A container could not be made: nothing of it is left. Closing its channel ends what is there.
    pub(super) fn came_to_nothing(&mut self, name: &str, failure: ShimFailure) -> Heard {
        if let Some(mut container) = self.containers.remove(name) {
            if let Some(making) = container.making() {
                self.poll.remove(&making.control);
            }
            container.printed.finish(&self.poll, &mut self.tools);
            if let Life::Making { askers, .. } = container.life {
                self.answer_all(askers, &Err(failure));
            }
        }
        Heard::NothingMore
    }

    fn executing(&mut self, name: &str, pid: i32) -> Heard {
        let Some(container) = self.containers.get_mut(name) else {
            return Heard::NothingMore;
        };
        let Life::Starting { process, is_executing, ended, .. } = &mut container.life else {
            return Heard::NothingMore;
        };
        *is_executing = true;
        if !process.is(pid) {
            // Where processes are shared the one that waited has made another, and its own end means nothing.
            match Process::of(pid) {
                Ok(other) => (*process, *ended) = (other, None),
                Err(failure) => return self.not_started(name, failure),
            }
        }
        Heard::GoOn
    }

    /// The container's program has replaced ours.
    fn runs(&mut self, name: &str) -> Heard {
        let Some(container) = self.containers.get_mut(name) else {
            return Heard::NothingMore;
        };
        let mut started = None;
        let poll = &self.poll;
        container.change(|life| match life {
            Life::Starting { making, process, askers, ended, .. } => {
                poll.remove(&making.control);
                started = Some((askers, ended));
                Life::Running { process, started_ns: now_ns() }
            }
            other => other,
        });
        if let Some((askers, ended)) = started {
            self.answer_all(askers, &Ok(Answer::Done));
            if let Some(ended) = ended {
                self.container_ended(name, ended);
            }
        }
        Heard::NothingMore
    }

    /// The container's program was not executed: it ends without having run.
    fn not_started(&mut self, name: &str, failure: ShimFailure) -> Heard {
        let Some(container) = self.containers.get_mut(name) else {
            return Heard::NothingMore;
        };
        let exit = container.exit_of(code_of(failure.kind), None);
        let mut who = Vec::new();
        let poll = &self.poll;
        container.change(|life| match life {
            Life::Starting { making, process, askers, .. } => {
                poll.remove(&making.control);
                process.kill();
                who = askers;
                Life::Ended { started_ns: None, exit }
            }
            other => other,
        });
        self.close_streams(name);
        self.answer_all(who, &Err(failure));
        self.forget_if_wanted(name);
        Heard::NothingMore
    }

    /// A container's process 1 has ended, and everything in its process namespace.
    pub(super) fn container_ended(&mut self, name: &str, child: ChildEnded) {
        let is_alone = self.sandbox.has_own_processes();
        let Some(container) = self.containers.get_mut(name) else { return };
        if let Life::Starting { ended, .. } = &mut container.life {
            // Whether its program was executed its channel tells.
            *ended = Some(child);
            return;
        }
        if !is_alone {
            kill_what_is_left(&container.plan);
        }
        let exit = container.exit_of(child.code, child.signal);
        let poll = &self.poll;
        container.change(|life| match life {
            Life::Running { started_ns, .. } => Life::Ended { started_ns: Some(started_ns), exit },
            Life::Created { making, .. } => {
                poll.remove(&making.control);
                Life::Ended { started_ns: None, exit }
            }
            other => other,
        });
        self.close_streams(name);
        self.tell(&FromShim::Exited { what: Target::Container(name.to_owned()), exit });
        self.forget_if_wanted(name);
    }

    fn close_streams(&mut self, name: &str) {
        let Some(container) = self.containers.get_mut(name) else { return };
        container.printed.finish(&self.poll, &mut self.tools);
        container.input = None;
        if container.printed.take_notice() {
            self.tell(&FromShim::Output { container: name.to_owned() });
        }
    }

    pub(super) fn kill_container(&self, name: &str) -> Result<(), ShimFailure> {
        let container = self.containers.get(name).ok_or_else(|| no_container(name))?;
        container.process().ok_or_else(|| not_there(format!("container {name} has no process")))?.kill();
        if !self.sandbox.has_own_processes() {
            kill_what_is_left(&container.plan);
        }
        Ok(())
    }

    /// Forgets a container that has ended, at once; one that was never started as soon as it is dead.
    pub(super) fn remove(&mut self, asker: Asker, name: &str) -> Result<Option<Answer>, ShimFailure> {
        let container = self.containers.get_mut(name).ok_or_else(|| no_container(name))?;
        match &container.life {
            Life::Ended { .. } => {
                self.containers.remove(name);
                Ok(Some(Answer::Done))
            }
            Life::Created { process, .. } if container.removal.is_none() => {
                process.kill();
                container.removal = Some(asker);
                Ok(None)
            }
            _ => Err(not_there(format!("container {name} has not ended"))),
        }
    }

    fn forget_if_wanted(&mut self, name: &str) {
        if let Some(asker) = self.containers.get(name).and_then(|container| container.removal) {
            self.containers.remove(name);
            self.answer(asker, Ok(Answer::Done), Vec::new());
        }
    }

    /// What a container's input is written to.
    pub(super) fn input(&self, name: &str) -> Result<OwnedFd, ShimFailure> {
        let container = self.containers.get(name).ok_or_else(|| no_container(name))?;
        let input = container.input.as_ref().or(container.printed.terminal());
        let input = input.ok_or_else(|| not_there(format!("container {name} has no input")))?;
        input.try_clone().map_err(|error| failed(format!("the container's input: {error}")))
    }

    pub(super) fn close_input(&mut self, name: &str) -> Result<(), ShimFailure> {
        self.containers.get_mut(name).ok_or_else(|| no_container(name))?.input = None;
        Ok(())
    }

    pub(super) fn resize(&self, name: &str, size: TerminalSize) -> Result<(), ShimFailure> {
        let container = self.containers.get(name).ok_or_else(|| no_container(name))?;
        let terminal = container.printed.terminal();
        let terminal = terminal.ok_or_else(|| not_there(format!("container {name} has no terminal")))?;
        crate::client::resize(terminal.as_fd(), size).map_err(|error| failed(format!("the terminal's size: {error}")))
    }

    pub(super) fn watch(&mut self, name: &str, after: u64) -> Result<(), ShimFailure> {
        let container = self.containers.get_mut(name).ok_or_else(|| no_container(name))?;
        container.printed.watch(after);
        if container.printed.take_notice() {
            self.tell(&FromShim::Output { container: name.to_owned() });
        }
        Ok(())
    }
}

impl Container {
    /// Whoever lost its connection and asks again is not refused what it has.
    fn create_again(&mut self, asker: Asker, plan: &ContainerPlan) -> Result<Option<Answer>, ShimFailure> {
        match &mut self.life {
            Life::Making { askers, .. } if self.plan == *plan => {
                askers.push(asker);
                Ok(None)
            }
            Life::Created { process, .. } if self.plan == *plan && self.removal.is_none() => {
                Ok(Some(Answer::Created { pid: process.number() }))
            }
            _ => Err(refused(format!("there is a container {} already", plan.name))),
        }
    }

    fn start_again(&mut self, asker: Asker, name: &str, told: u64) -> Result<Option<Answer>, ShimFailure> {
        let is_same = self.told == Some(told);
        match &mut self.life {
            Life::Starting { askers, .. } if is_same => {
                askers.push(asker);
                Ok(None)
            }
            Life::Running { .. } | Life::Ended { started_ns: Some(_), .. } if is_same => Ok(Some(Answer::Done)),
            _ => Err(not_there(format!("container {name} does not wait for what it executes"))),
        }
    }

    /// Its next life, out of what its life is.
    fn change(&mut self, next: impl FnOnce(Life) -> Life) {
        let nothing = Exit { code: 0, signal: None, out_of_memory: false, at_ns: 0 };
        let life = std::mem::replace(&mut self.life, Life::Ended { started_ns: None, exit: nothing });
        self.life = next(life);
    }
}

pub(super) fn no_container(name: &str) -> ShimFailure {
    not_there(format!("there is no container {name}"))
}

/// What stands for what a container is told to execute, which may hold secrets and is not kept.
fn digest_of(process: &ProcessPlan, late: Option<&LateParts>) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    // Plain data always serialises.
    serde_json::to_vec(&(process, late)).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

/// What a shell says of a program that was not executed.
fn code_of(kind: ShimFailureKind) -> i32 {
    match kind {
        ShimFailureKind::ProgramNotFound => 127,
        ShimFailureKind::ProgramNotExecutable => 126,
        _ => 125,
    }
}

/// Kills what a container without a process namespace of its own has left in its cgroup.
pub(super) fn kill_what_is_left(plan: &ContainerPlan) {
    for _ in 0..KILLS_MAX {
        // What it says otherwise it would say again.
        if cgroup::kill(&plan.cgroup).unwrap_or(true) {
            return;
        }
    }
}
