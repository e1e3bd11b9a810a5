//! A program that is executed beside a container's own.

use std::os::fd::{AsFd, OwnedFd};

use super::container::no_container;
use super::making::Heard;
use super::peer::Asker;
use super::process::{Process, failed, not_there, refused};
use super::{Shim, now_ns};
use crate::plan::{ProcessPlan, TerminalSize};
use crate::protocol::{Answer, Exit, FromShim, ShimFailure, Target};
use crate::setup::{self, Making, Report, Streams};
use crate::sys::ChildEnded;

/// The most execs of a shim that go on.
const EXECS_MAX: usize = 1024;

/// An exec, whose number is its key. It is forgotten when it ends: a node that comes later has never heard of it.
#[derive(Debug)]
pub(super) enum Exec {
    /// Its process is being made.
    Making { making: Making, asker: Asker },
    /// Its process is about to execute the program.
    Executing { making: Making, asker: Asker, process: Process, terminal: Option<OwnedFd>, ended: Option<ChildEnded> },
    /// The program runs.
    Running { process: Process },
}

impl Exec {
    /// The channel to the process that makes it.
    pub(super) fn making(&self) -> Option<&Making> {
        match self {
            Self::Making { making, .. } | Self::Executing { making, .. } => Some(making),
            Self::Running { .. } => None,
        }
    }

    /// Its process, if there is one.
    pub(super) fn process(&self) -> Option<&Process> {
        match self {
            Self::Making { .. } => None,
            Self::Executing { process, .. } | Self::Running { process } => Some(process),
        }
    }

    pub(super) fn asker(&self) -> Option<Asker> {
        match self {
            Self::Making { asker, .. } | Self::Executing { asker, .. } => Some(*asker),
            Self::Running { .. } => None,
        }
    }
}

impl Shim {
    pub(super) fn exec(
        &mut self,
        asker: Asker,
        name: &str,
        plan: &ProcessPlan,
        tty: Option<TerminalSize>,
        descriptors: &[OwnedFd],
    ) -> Result<(), ShimFailure> {
        if self.execs.len() >= EXECS_MAX {
            return Err(refused(format!("{EXECS_MAX} programs are being executed already")));
        }
        let streams = match (tty, descriptors) {
            (Some(_), []) => None,
            (None, [input, output, errors]) => {
                Some(Streams { input: Some(input.as_fd()), output: output.as_fd(), errors: errors.as_fd() })
            }
            _ => return Err(refused(format!("{} descriptors came", descriptors.len()))),
        };
        let container = self.containers.get(name).ok_or_else(|| no_container(name))?;
        let process = container.running().ok_or_else(|| not_there(format!("container {name} does not run")))?;
        let making = setup::exec(process.handle(), &container.plan, plan, tty, streams)?;
        let exec = self.next_key();
        self.watch_making(&making, exec)?;
        self.execs.insert(exec, Exec::Making { making, asker });
        Ok(())
    }

    /// Goes on with an exec as the process that makes it has told.
    pub(super) fn exec_reported(&mut self, key: u64, report: Report) -> Heard {
        let Some(exec) = self.execs.remove(&key) else {
            return Heard::NothingMore;
        };
        match (exec, report) {
            (Exec::Making { making, asker }, Report::Executing { pid, terminal }) => match Process::of(pid) {
                Ok(process) => {
                    self.execs.insert(key, Exec::Executing { making, asker, process, terminal, ended: None });
                    Heard::GoOn
                }
                Err(failure) => self.not_executed(Exec::Making { making, asker }, failure),
            },
            (Exec::Executing { making, asker, process, terminal, ended }, Report::Ended) => {
                self.poll.remove(&making.control);
                let answer = Answer::Executing { exec: key, pid: process.number() };
                self.answer(asker, Ok(answer), terminal.into_iter().collect());
                self.execs.insert(key, Exec::Running { process });
                if let Some(ended) = ended {
                    self.exec_ended(key, ended);
                }
                Heard::NothingMore
            }
            (exec, Report::Failed(failure)) => self.not_executed(exec, failure),
            (exec, _) => self.not_executed(exec, failed("the process that was to execute the program ended")),
        }
    }

    pub(super) fn not_executed(&mut self, exec: Exec, failure: ShimFailure) -> Heard {
        if let Some(making) = exec.making() {
            self.poll.remove(&making.control);
        }
        if let Some(process) = exec.process() {
            process.kill();
        }
        if let Some(asker) = exec.asker() {
            self.answer(asker, Err(failure), Vec::new());
        }
        Heard::NothingMore
    }

    /// An exec's process has ended.
    pub(super) fn exec_ended(&mut self, key: u64, child: ChildEnded) {
        match self.execs.get_mut(&key) {
            // Whether the program was executed its channel tells.
            Some(Exec::Executing { ended, .. }) => *ended = Some(child),
            Some(Exec::Running { .. }) => {
                self.execs.remove(&key);
                let exit = Exit { code: child.code, signal: child.signal, out_of_memory: false, at_ns: now_ns() };
                self.tell(&FromShim::Exited { what: Target::Exec(key), exit });
            }
            Some(Exec::Making { .. }) | None => {}
        }
    }
}
