//! The sandbox that a shim holds.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use super::Shim;
use super::making::Heard;
use super::peer::Asker;
use super::poll::Source;
use super::process::{Process, failed, not_there, refused};
use crate::plan::{NetworkNamespace, SandboxPlan};
use crate::protocol::{Answer, ShimFailure};
use crate::setup::{self, Making, Report, SandboxHandle};

/// How the sandbox is.
#[derive(Debug)]
pub(super) enum Sandbox {
    /// Nobody asked for it.
    None,
    /// It is being made.
    Making { key: u64, making: Making, plan: SandboxPlan, asker: Asker },
    /// Containers can be made in it.
    There { process: Process, handle: SandboxHandle, plan: SandboxPlan },
    /// Its process has ended, or it came to nothing.
    Ended,
}

impl Sandbox {
    /// The process that holds it.
    pub(super) fn process(&self) -> Option<&Process> {
        match self {
            Self::There { process, .. } => Some(process),
            _ => None,
        }
    }

    /// Whether it is to end with the connection to whoever asked for it.
    pub(super) fn ends_with_connection(&self) -> bool {
        match self {
            Self::Making { plan, .. } | Self::There { plan, .. } => plan.ends_with_connection,
            Self::None | Self::Ended => false,
        }
    }

    /// Whether its containers' processes end with their process 1 by the kernel alone.
    pub(super) fn has_own_processes(&self) -> bool {
        match self {
            Self::There { plan, .. } => !plan.share_processes && !plan.host_processes,
            _ => false,
        }
    }
}

impl Shim {
    pub(super) fn make_sandbox(
        &mut self,
        asker: Asker,
        plan: SandboxPlan,
        descriptors: Vec<OwnedFd>,
    ) -> Result<(), ShimFailure> {
        if !matches!(self.sandbox, Sandbox::None) {
            return Err(refused("there is a sandbox already"));
        }
        let given = usize::from(plan.network == NetworkNamespace::Given);
        if descriptors.len() != given {
            return Err(refused(format!("{} descriptors came instead of {given}", descriptors.len())));
        }
        let making = setup::sandbox(&plan, descriptors.first().map(AsFd::as_fd))?;
        let key = self.next_key();
        self.watch_making(&making, key)?;
        self.sandbox = Sandbox::Making { key, making, plan, asker };
        Ok(())
    }

    /// Goes on with the sandbox as the process that makes it has told.
    pub(super) fn sandbox_reported(&mut self, report: Report) -> Heard {
        let Sandbox::Making { making, plan, asker, .. } = std::mem::replace(&mut self.sandbox, Sandbox::None) else {
            return Heard::NothingMore;
        };
        self.poll.remove(&making.control);
        let made = match report {
            Report::Sandbox { pid, parts } => Process::of(pid).and_then(|process| {
                let handle = process.handle().try_clone_to_owned();
                let handle = handle.map_err(|error| failed(format!("the sandbox's process: {error}")))?;
                Ok((process, SandboxHandle { process: handle, parts }))
            }),
            Report::Failed(failure) => Err(failure),
            _ => Err(failed("the process that makes the sandbox ended")),
        };
        // A sandbox that failed can be asked for again: nothing of it is left.
        let answer = made.map(|(process, handle)| {
            let pid = process.number();
            self.sandbox = Sandbox::There { process, handle, plan };
            Answer::Sandbox { pid }
        });
        self.answer(asker, answer, Vec::new());
        Heard::NothingMore
    }

    /// The namespace that its containers' network is in.
    pub(super) fn network_namespace(&self) -> Result<OwnedFd, ShimFailure> {
        let process = self.sandbox.process().ok_or_else(|| not_there("there is no sandbox"))?;
        // The process is a child that has not been reaped: the number is its own.
        let path = format!("/proc/{}/ns/net", process.number());
        rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| failed(format!("the sandbox's network namespace: {error}")))
    }

    pub(super) fn watch_making(&self, making: &Making, key: u64) -> Result<(), ShimFailure> {
        self.poll
            .add(&making.control, Source::Making(key))
            .map_err(|error| failed(format!("waiting for what is being made: {error}")))
    }
}
