//! What a container prints, on its way from pipes or a terminal to files.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::pty::OpenptFlags;

use super::flood::{Pace, Tools};
use super::poll::{Poll, Source};
use super::{Shim, now_ns};
use crate::output::{Stream, Writer};
use crate::protocol::FromShim;

/// How much is read of a stream when its container has ended, in bytes: more than any pipe holds. Only who is not of the
/// container any more could have more to say.
const LEFT_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A container's input and outputs, on the shim's side.
#[derive(Debug)]
pub(super) struct Printed {
    writer: Writer,
    pace: Pace,
    key: u64,
    output: Option<OwnedFd>,
    errors: Option<OwnedFd>,
    terminal: Option<Terminal>,
    /// Beyond which position the node wants to be told.
    watch: Option<u64>,
}

/// A terminal.
#[derive(Debug)]
struct Terminal {
    master: OwnedFd,
    /// Kept open so that the master can be read until the container has ended, whoever else opens and closes it.
    _slave: OwnedFd,
}

/// The container's side of its pipes.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) output: OwnedFd,
    pub(super) errors: OwnedFd,
}

impl Printed {
    pub(super) fn new(writer: Writer, key: u64) -> Self {
        let pace = Pace::of(writer.bytes_max());
        Self { writer, pace, key, output: None, errors: None, terminal: None, watch: None }
    }

    /// Makes pipes for output and errors.
    pub(super) fn make_pipes(&mut self, poll: &Poll) -> io::Result<Ends> {
        let (output, output_end) = pipe_with(PipeFlags::CLOEXEC)?;
        let (errors, errors_end) = pipe_with(PipeFlags::CLOEXEC)?;
        for (end, source) in [(&output, Source::Output(self.key)), (&errors, Source::Errors(self.key))] {
            rustix::io::ioctl_fionbio(end, true)?;
            poll.add(end, source)?;
        }
        (self.output, self.errors) = (Some(output), Some(errors));
        Ok(Ends { output: output_end, errors: errors_end })
    }

    /// Takes the other side of the container's terminal.
    pub(super) fn set_terminal(&mut self, poll: &Poll, master: OwnedFd) -> io::Result<()> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        poll.add(&master, Source::Output(self.key))?;
        self.terminal = Some(Terminal { master, _slave: slave });
        Ok(())
    }

    pub(super) fn terminal(&self) -> Option<&OwnedFd> {
        self.terminal.as_ref().map(|terminal| &terminal.master)
    }

    /// Has it told, once, that there is more than this.
    pub(super) fn watch(&mut self, after: u64) {
        self.watch = Some(self.watch.map_or(after, |already| already.min(after)));
    }

    pub(super) fn forget_watch(&mut self) {
        self.watch = None;
    }

    /// Whether the node is to be told now.
    pub(super) fn take_notice(&mut self) -> bool {
        let is_due = self.watch.is_some_and(|after| self.writer.end() > after);
        if is_due {
            self.watch = None;
        }
        is_due
    }

    /// Reads once from a stream. Answers how much there was; none if there is nothing now, or never will be.
    fn read(&mut self, poll: &Poll, stream: Stream, tools: &mut Tools) -> Option<usize> {
        let now = Instant::now();
        let is_spent = self.pace.is_spent(now);
        let pipe = match stream {
            Stream::Output => self.output.as_ref(),
            Stream::Errors => self.errors.as_ref(),
        };
        let gone = pipe.filter(|_| is_spent).map_or(0, |pipe| tools.let_go(pipe.as_fd()));
        let source = pipe.or(self.terminal().filter(|_| stream == Stream::Output));
        match rustix::io::read(source?, tools.buffer()) {
            Ok(0) => {}
            Ok(count) => {
                let data = &tools.buffer()[..count];
                if is_spent {
                    self.hold(stream, data, gone);
                } else {
                    self.write_held(stream, now);
                    self.write(stream, now, data);
                }
                return Some(gone + count);
            }
            Err(Errno::AGAIN | Errno::INTR) => {
                // Nothing came after what was let go of, which only others who read from the pipe can bring about.
                self.hold(stream, &[], gone);
                return None;
            }
            // Whatever else it says, it will say again.
            Err(_) => {}
        }
        self.close(poll, stream);
        None
    }

    /// Holds what was read after so much that is gone.
    fn hold(&mut self, stream: Stream, data: &[u8], gone: usize) {
        let lost = gone + self.pace.hold(stream, data, gone > 0);
        if lost > 0 {
            self.writer.skip(lost as u64);
        }
    }

    fn write(&mut self, stream: Stream, now: Instant, data: &[u8]) {
        self.writer.write(stream, now_ns(), data);
        self.pace.note(now, data.len());
    }

    fn write_held(&mut self, stream: Stream, now: Instant) {
        let held = self.pace.take(stream);
        if !held.is_empty() {
            self.write(stream, now, &held);
        }
    }

    /// Writes what has been held long enough. Answers how long something else is held yet.
    pub(super) fn settle(&mut self, now: Instant) -> Option<Duration> {
        if self.pace.is_due_in(now)?.is_zero() {
            self.write_held(Stream::Output, now);
            self.write_held(Stream::Errors, now);
        }
        self.pace.is_due_in(now)
    }

    fn close(&mut self, poll: &Poll, stream: Stream) {
        let pipe = match stream {
            Stream::Output => self.output.take(),
            Stream::Errors => self.errors.take(),
        };
        match (pipe, stream) {
            (Some(pipe), _) => poll.remove(pipe),
            // The master stays, for who asks for input or changes the size.
            (None, Stream::Output) => {
                if let Some(terminal) = &self.terminal {
                    poll.remove(&terminal.master);
                }
            }
            (None, Stream::Errors) => {}
        }
    }

    /// Takes what is left when the container has ended, and closes everything.
    pub(super) fn finish(&mut self, poll: &Poll, tools: &mut Tools) {
        for stream in [Stream::Output, Stream::Errors] {
            let mut taken = 0;
            while taken < LEFT_BYTES_MAX
                && let Some(count) = self.read(poll, stream, tools)
            {
                taken += count;
            }
            self.write_held(stream, Instant::now());
            self.close(poll, stream);
        }
        self.terminal = None;
    }
}

impl Shim {
    /// Takes some of what a container has printed. Answers how much, in bytes.
    pub(super) fn printed(&mut self, key: u64, stream: Stream) -> usize {
        let Some((name, container)) = self.containers.iter_mut().find(|(_, container)| container.key == key) else {
            return 0;
        };
        let count = container.printed.read(&self.poll, stream, &mut self.tools).unwrap_or(0);
        if container.printed.take_notice() {
            let container = name.clone();
            self.tell(&FromShim::Output { container });
        }
        count
    }

    /// Writes what has been held back long enough. Answers how long other output is held yet.
    pub(super) fn settle_outputs(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let mut held: Option<Duration> = None;
        let mut told = Vec::new();
        for (name, container) in &mut self.containers {
            let longer = container.printed.settle(now);
            held = held.into_iter().chain(longer).min();
            if container.printed.take_notice() {
                told.push(name.clone());
            }
        }
        told.into_iter().for_each(|container| self.tell(&FromShim::Output { container }));
        held
    }

    pub(super) fn forget_watches(&mut self) {
        for container in self.containers.values_mut() {
            container.printed.forget_watch();
        }
    }
}

/// A pipe for input: what the container reads, and what the node writes, which does not block.
pub(super) fn input_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(write.as_fd(), true)?;
    Ok((read, write))
}
