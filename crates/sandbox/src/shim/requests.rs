//! What a shim is asked for.

use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{PidfdFlags, getpid, pidfd_open};

use super::Shim;
use super::container::no_container;
use super::peer::Asker;
use super::process::{Process, failed, not_there, refused};
use crate::protocol::{Answer, Request, ShimFailure, Target, VERSION};

/// An answer and the descriptors that go with it; none if it comes later.
type Answered = Result<Option<(Answer, Vec<OwnedFd>)>, ShimFailure>;

impl Shim {
    /// Does what is asked for, or begins to.
    pub(super) fn request(&mut self, asker: Asker, request: Request, descriptors: Vec<OwnedFd>) -> Answered {
        match request {
            Request::Hello { .. } => greet(),
            Request::State => with_nothing(Answer::State(self.state())),
            Request::Fence { at_ns } => done(self.set_fence(at_ns)),
            Request::Kept => self.kept(),
            Request::Destroy => {
                self.begin_to_end(Some(asker));
                Ok(None)
            }
            Request::Remove { container } => match self.remove(asker, &container)? {
                Some(answer) => with_nothing(answer),
                None => Ok(None),
            },
            request => {
                self.refuse_while_ending()?;
                self.request_of_sandbox(asker, request, descriptors)
            }
        }
    }

    fn request_of_sandbox(&mut self, asker: Asker, request: Request, descriptors: Vec<OwnedFd>) -> Answered {
        match request {
            Request::Sandbox(plan) => later(self.make_sandbox(asker, plan, descriptors)),
            Request::Create(plan) => now_or_later(self.create(asker, *plan, descriptors)),
            Request::Start { container, process, late } => {
                now_or_later(self.start_container(asker, &container, &process, late.as_ref(), &descriptors))
            }
            Request::Exec { container, process, tty } => {
                later(self.exec(asker, &container, &process, tty, &descriptors))
            }
            Request::Signal { to, signal } => done(self.signal(&to, signal)),
            Request::Kill { container } => done(self.kill_container(&container)),
            Request::Resize { container, size } => done(self.resize(&container, size)),
            Request::Input { container } => with_one(self.input(&container)),
            Request::CloseInput { container } => done(self.close_input(&container)),
            Request::Watch { container, after } => done(self.watch(&container, after)),
            Request::NetworkNamespace => with_one(self.network_namespace()),
            Request::Keep => {
                self.kept = descriptors;
                done(Ok(()))
            }
            // The others are answered whether the sandbox ends or not.
            other => Err(refused(format!("this shim does not do {other:?}"))),
        }
    }

    fn signal(&self, to: &Target, signal: i32) -> Result<(), ShimFailure> {
        let process = match to {
            Target::Container(name) => self.containers.get(name).ok_or_else(|| no_container(name))?.running(),
            Target::Exec(exec) => self.execs.get(exec).and_then(|exec| exec.process()),
        };
        let process: &Process = process.ok_or_else(|| not_there("what the signal is for does not run"))?;
        process.signal(signal).map_err(|error| match error.raw_os_error() {
            Some(libc::ESRCH) => not_there("what the signal is for has just ended"),
            Some(libc::EINVAL) => refused(format!("there is no signal {signal}")),
            _ => failed(format!("sending signal {signal}: {error}")),
        })
    }

    fn kept(&self) -> Answered {
        let kept: Result<Vec<OwnedFd>, _> = self.kept.iter().map(|kept| kept.as_fd().try_clone_to_owned()).collect();
        Ok(Some((Answer::Done, kept.map_err(|error| failed(format!("what was kept: {error}")))?)))
    }
}

fn greet() -> Answered {
    let own = getpid();
    let handle = pidfd_open(own, PidfdFlags::empty()).map_err(|error| failed(format!("naming this shim: {error}")))?;
    let answer = Answer::Shim { version: VERSION, pid: own.as_raw_nonzero().get().unsigned_abs() };
    Ok(Some((answer, vec![handle])))
}

fn now_or_later(begun: Result<Option<Answer>, ShimFailure>) -> Answered {
    begun.map(|answer| answer.map(|answer| (answer, Vec::new())))
}

fn later(begun: Result<(), ShimFailure>) -> Answered {
    begun.map(|()| None)
}

fn done(result: Result<(), ShimFailure>) -> Answered {
    result?;
    with_nothing(Answer::Done)
}

fn with_nothing(answer: Answer) -> Answered {
    Ok(Some((answer, Vec::new())))
}

fn with_one(descriptor: Result<OwnedFd, ShimFailure>) -> Answered {
    Ok(Some((Answer::Done, vec![descriptor?])))
}
