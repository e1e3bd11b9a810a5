//! How a shim ends, and everything with it.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

use super::container::Life;
use super::container::kill_what_is_left;
use super::peer::Asker;
use super::process::{failed, refused};
use super::sandbox::Sandbox;
use super::{LAST_WORDS_BYTES_MAX, LAST_WORDS_FILE, SOCKET_FILE, Shim};
use crate::protocol::{Answer, FromShim, ShimFailure, ShimState};
use crate::sys;

const NANOSECONDS: u64 = 1_000_000_000;

/// That everything is being killed.
#[derive(Debug)]
pub(super) struct Ending {
    /// Who waits for the end.
    askers: Vec<Asker>,
}

/// What the fence's time is waited for with. It goes on while the machine is suspended.
pub(super) fn timer() -> io::Result<OwnedFd> {
    let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
    Ok(rustix::time::timerfd_create(TimerfdClockId::Boottime, flags)?)
}

impl Shim {
    /// Has everything killed at this time, or never.
    pub(super) fn set_fence(&self, at_ns: Option<u64>) -> Result<(), ShimFailure> {
        // 0 would mean never; it is long past.
        let at_ns = at_ns.map_or(0, |at_ns| at_ns.max(1));
        let seconds = i64::try_from(at_ns / NANOSECONDS).unwrap_or(i64::MAX);
        let nanoseconds = i64::try_from(at_ns % NANOSECONDS).unwrap_or(0);
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let at = Itimerspec { it_interval: never, it_value: Timespec { tv_sec: seconds, tv_nsec: nanoseconds } };
        rustix::time::timerfd_settime(&self.fence, TimerfdTimerFlags::ABSTIME, &at)
            .map(|_| ())
            .map_err(|error| failed(format!("the fence: {error}")))
    }

    /// The fence's time has come.
    pub(super) fn fence_reached(&mut self) {
        let mut times = [0; 8];
        // Nothing can be read if the fence was moved a moment ago.
        if rustix::io::read(&self.fence, &mut times).is_ok() {
            self.fenced = true;
            self.begin_to_end(None);
        }
    }

    /// Kills everything. The shim ends once everything has ended.
    pub(super) fn begin_to_end(&mut self, asker: Option<Asker>) {
        if let Some(ending) = &mut self.ending {
            ending.askers.extend(asker);
            return;
        }
        self.ending = Some(Ending { askers: asker.into_iter().collect() });
        self.give_up_what_is_made();
        // Its namespace's other processes go with it, and so do those of namespaces within.
        if let Some(process) = self.sandbox.process() {
            process.kill();
        }
        for container in self.containers.values() {
            if let Some(process) = container.process() {
                process.kill();
                // Some may be in a namespace of the host's. Those that are not have ended or are about to.
                kill_what_is_left(&container.plan);
            }
        }
        for exec in self.execs.values() {
            if let Some(process) = exec.process() {
                process.kill();
            }
        }
    }

    fn give_up_what_is_made(&mut self) {
        let ends = || failed("the sandbox ends");
        if let Sandbox::Making { making, asker, .. } = &self.sandbox {
            let asker = *asker;
            self.poll.remove(&making.control);
            self.sandbox = Sandbox::Ended;
            self.answer(asker, Err(ends()), Vec::new());
        }
        let making = |life: &Life| matches!(life, Life::Making { .. });
        let names: Vec<String> =
            self.containers.iter().filter(|(_, one)| making(&one.life)).map(|(name, _)| name.clone()).collect();
        for name in names {
            self.came_to_nothing(&name, ends());
        }
        let execs: Vec<u64> =
            self.execs.iter().filter(|(_, exec)| exec.process().is_none()).map(|(key, _)| *key).collect();
        for key in execs {
            if let Some(exec) = self.execs.remove(&key) {
                self.not_executed(exec, ends());
            }
        }
    }

    pub(super) fn refuse_while_ending(&self) -> Result<(), ShimFailure> {
        if self.ending.is_some() { Err(refused("the sandbox ends")) } else { Ok(()) }
    }

    /// Whether everything has ended that was to be ended.
    pub(super) fn has_ended(&self) -> bool {
        self.ending.is_some() && !sys::has_children()
    }

    /// Tells who waits, and who comes later.
    pub(super) fn say_last_words(&mut self) {
        self.sandbox = Sandbox::Ended;
        // What is written is complete before anybody finds no shim.
        let _ = self.write_last_words();
        let _ = rustix::fs::unlinkat(&self.directory, SOCKET_FILE, AtFlags::empty());
        self.tell(&FromShim::SandboxEnded);
        let askers = self.ending.take().map(|ending| ending.askers).unwrap_or_default();
        for asker in askers {
            self.answer(asker, Ok(Answer::Done), Vec::new());
        }
        self.flush_peer_at_last();
    }

    fn write_last_words(&self) -> io::Result<()> {
        let words = serde_json::to_vec(&self.state())?;
        if words.len() as u64 > LAST_WORDS_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let temporary = format!("{LAST_WORDS_FILE}.new");
        let file = rustix::fs::openat(&self.directory, &temporary, flags, Mode::RUSR | Mode::WUSR)?;
        io::Write::write_all(&mut std::fs::File::from(file), &words)?;
        Ok(rustix::fs::renameat(&self.directory, &temporary, &self.directory, LAST_WORDS_FILE)?)
    }

    /// Everything that there is to tell.
    pub(super) fn state(&self) -> ShimState {
        let containers = self.containers.iter().map(|(name, container)| container.info(name)).collect();
        let sandbox = self.sandbox.process().map(|process| process.number());
        ShimState { sandbox, containers, fenced: self.fenced }
    }
}
