//! What a container prints, on its way from pipes or a terminal to files.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::pty::OpenptFlags;

use super::poll::{Poll, Source};
use super::{Shim, now_ns};
use crate::output::{Stream, Writer};
use crate::protocol::FromShim;

/// How much is read at once, in bytes: what a pipe holds.
const READ_BYTES: usize = 64 * 1024;
/// How much is read of a stream when its container has ended, in bytes: more than any pipe holds. Only who is not of the
/// container any more could have more to say.
const LEFT_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A container's input and outputs, on the shim's side.
#[derive(Debug)]
pub(super) struct Printed {
    writer: Writer,
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
        Self { writer, key, output: None, errors: None, terminal: None, watch: None }
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
        let is_due = self.watch.is_some_and(|after| self.writer.position() > after);
        if is_due {
            self.watch = None;
        }
        is_due
    }

    /// Reads once from a stream. Answers how much there was; none if there is nothing now, or never will be.
    fn read(&mut self, poll: &Poll, stream: Stream, buffer: &mut [u8]) -> Option<usize> {
        let source = match stream {
            Stream::Output => self.output.as_ref().or(self.terminal()),
            Stream::Errors => self.errors.as_ref(),
        };
        match rustix::io::read(source?, &mut *buffer) {
            Ok(0) => {}
            Ok(count) => {
                self.writer.write(stream, now_ns(), &buffer[..count]);
                return Some(count);
            }
            Err(Errno::AGAIN | Errno::INTR) => return None,
            // Whatever else it says, it will say again.
            Err(_) => {}
        }
        self.close(poll, stream);
        None
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
    pub(super) fn finish(&mut self, poll: &Poll, buffer: &mut [u8]) {
        for stream in [Stream::Output, Stream::Errors] {
            let mut taken = 0;
            while taken < LEFT_BYTES_MAX
                && let Some(count) = self.read(poll, stream, buffer)
            {
                taken += count;
            }
            self.close(poll, stream);
        }
        self.terminal = None;
    }
}

impl Shim {
    /// Takes some of what a container has printed.
    pub(super) fn printed(&mut self, key: u64, stream: Stream) {
        let Some((name, container)) = self.containers.iter_mut().find(|(_, container)| container.key == key) else {
            return;
        };
        ready(&mut self.buffer);
        container.printed.read(&self.poll, stream, &mut self.buffer);
        if container.printed.take_notice() {
            let container = name.clone();
            self.tell(&FromShim::Output { container });
        }
    }

    pub(super) fn forget_watches(&mut self) {
        for container in self.containers.values_mut() {
            container.printed.forget_watch();
        }
    }
}

/// Makes the buffer as long as it is needed; a shim whose containers print nothing has none.
pub(super) fn ready(buffer: &mut Vec<u8>) {
    buffer.resize(READ_BYTES, 0);
}

/// A pipe for input: what the container reads, and what the node writes, which does not block.
pub(super) fn input_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(write.as_fd(), true)?;
    Ok((read, write))
}
