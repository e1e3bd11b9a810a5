//! Parts of files that a socket sends without anybody reading them.
//!
//! hyper carries answers as bytes in memory. In place of a part of a file it is given a placeholder: a slice of a region
//! that is never read. hyper queues slices uncopied and hands them to the socket, which knows a placeholder by its address
//! and lets the kernel send the file's bytes. Each placeholder has a place of its own in the region, so the socket knows
//! which part is meant and how far it has come; where what is to be written and what is waiting to be sent do not agree to
//! the byte, the write fails and with it the connection. A placeholder's own bytes are never sent.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rustix::io::Errno;
use rustix::net::SendFlags;
use tokio::net::TcpStream;

/// The longest part, in bytes: so much is sent before other connections get their turn.
pub(super) const WINDOW_BYTES_MAX: usize = 1024 * 1024;
/// How many parts in a row begin at different places of the region.
const PLACES: usize = 256;
/// How far these are apart.
const PLACE_STEP: usize = 4096;
/// How much is copied at once where a file system cannot hand its files to a socket.
const COPY_BYTES: usize = 64 * 1024;

/// What placeholders are cut from. An allocation of its own, which no other slice can lie in; its pages are never touched,
/// so it takes no memory.
static REGION: LazyLock<Box<[u8]>> = LazyLock::new(|| vec![0; WINDOW_BYTES_MAX + PLACES * PLACE_STEP].into());

/// The parts that a connection is to send, in the order of their placeholders.
#[derive(Debug, Default)]
pub(super) struct Windows(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    windows: VecDeque<Window>,
    /// How many there have been.
    opened: usize,
}

/// A part of a file; it shrinks while it is sent.
#[derive(Debug)]
struct Window {
    file: Arc<File>,
    position: u64,
    /// Where in the region its placeholder begins.
    place: usize,
    length: usize,
}

impl Windows {
    /// Lines up a part of at most [`WINDOW_BYTES_MAX`] bytes; what is to be written in its stead.
    pub(super) fn open(&self, file: Arc<File>, position: u64, length: usize) -> Bytes {
        let mut queue = self.queue();
        let place = queue.opened % PLACES * PLACE_STEP;
        let length = length.min(WINDOW_BYTES_MAX);
        queue.opened = queue.opened.wrapping_add(1);
        queue.windows.push_back(Window { file, position, place, length });
        let region: &'static [u8] = &REGION;
        Bytes::from_static(&region[place..place + length])
    }

    /// Where among the slices of one write the first placeholder is; none where there is no placeholder.
    ///
    /// # Errors
    /// Where the placeholders are not exactly those of the parts that wait.
    pub(super) fn first_placeholder(&self, slices: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
        let queue = self.queue();
        let mut waiting = queue.windows.iter();
        let mut first = None;
        for (index, slice) in slices.iter().enumerate() {
            let Some(place) = place_of(slice) else { continue };
            let window = waiting.next().ok_or_else(out_of_step)?;
            if (place, slice.len()) != (window.place, window.length) {
                return Err(out_of_step());
            }
            first = first.or(Some(index));
        }
        if waiting.next().is_some() { Err(out_of_step()) } else { Ok(first) }
    }

    /// Sends `before` and then as much of the first part as the socket takes; how many bytes these were.
    pub(super) fn send(&self, stream: &TcpStream, before: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut sent = 0;
        for slice in before {
            // The part follows at once, so both share their packets.
            match rustix::net::send(stream, slice, SendFlags::MORE | SendFlags::NOSIGNAL) {
                Ok(count) if count == slice.len() => sent += count,
                Ok(count) => return Ok(sent + count),
                Err(_) if sent > 0 => return Ok(sent),
                Err(error) => return Err(error.into()),
            }
        }
        match self.queue().send_first(stream) {
            Ok(count) => Ok(sent + count),
            // What has been sent is told first; a failure that lasts comes up again.
            Err(_) if sent > 0 => Ok(sent),
            Err(error) => Err(error),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn send_first(&mut self, stream: &TcpStream) -> io::Result<usize> {
        let window = self.windows.front_mut().ok_or_else(out_of_step)?;
        let count = window.send(stream)?;
        window.advance(count);
        if window.length == 0 {
            self.windows.pop_front();
        }
        Ok(count)
    }
}

impl Window {
    fn send(&self, stream: &TcpStream) -> io::Result<usize> {
        let mut position = self.position;
        match rustix::fs::sendfile(stream, &*self.file, Some(&mut position), self.length) {
            Ok(0) => Err(cut_short()),
            Ok(count) => Ok(count),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => self.copy(stream),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends bytes that are read, for file systems that know no other way.
    fn copy(&self, stream: &TcpStream) -> io::Result<usize> {
        let mut piece = vec![0; self.length.min(COPY_BYTES)];
        match self.file.read_at(&mut piece, self.position)? {
            0 => Err(cut_short()),
            count => Ok(rustix::net::send(stream, &piece[..count], SendFlags::NOSIGNAL)?),
        }
    }

    fn advance(&mut self, count: usize) {
        self.position += count as u64;
        self.place += count;
        self.length -= count;
    }
}

/// Where in the region a slice lies.
fn place_of(slice: &[u8]) -> Option<usize> {
    let (region, slice) = (REGION.as_ptr_range(), slice.as_ptr());
    region.contains(&slice).then(|| slice.addr() - region.start.addr())
}

/// A file that had more when its length was told. All that is left to do is to break the answer off.
pub(super) fn cut_short() -> io::Error {
    tracing::error!("a file has become shorter while it was sent");
    io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than it was")
}

fn out_of_step() -> io::Error {
    io::Error::other("what is to be written is not what is to be sent")
}

#[cfg(test)]
mod tests;
