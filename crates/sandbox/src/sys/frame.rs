//! Frames over a stream socket that does not block: four bytes of length, big endian, then JSON. Descriptors come with the
//! first byte of a frame, so nothing is ever read beyond the frame that is being read.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::Serialize;

use crate::protocol::{DESCRIPTORS_MAX, FRAME_BYTES_MAX};

const HEADER_BYTES: usize = 4;

/// A frame that has come.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) body: Vec<u8>,
    pub(crate) descriptors: Vec<OwnedFd>,
}

/// What reading came to.
#[derive(Debug)]
pub(crate) enum FrameRead {
    Frame(Frame),
    /// The rest has not come yet.
    Blocked,
    /// The other side has closed, between two frames.
    Ended,
}

/// The frame that is being read.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    header: [u8; HEADER_BYTES],
    header_read: usize,
    body: Vec<u8>,
    body_read: usize,
    descriptors: Vec<OwnedFd>,
}

impl Incoming {
    /// Goes on reading. An error ends the connection: nobody knows where the next frame would begin.
    pub(crate) fn read(&mut self, socket: BorrowedFd<'_>) -> io::Result<FrameRead> {
        loop {
            let part = if self.header_read < HEADER_BYTES {
                &mut self.header[self.header_read..]
            } else {
                &mut self.body[self.body_read..]
            };
            let read = match receive(socket, part, &mut self.descriptors) {
                Ok(0) if self.header_read == 0 => return Ok(FrameRead::Ended),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(FrameRead::Blocked),
                Err(error) => return Err(error),
            };
            if self.header_read < HEADER_BYTES {
                self.header_read += read;
                if self.header_read == HEADER_BYTES {
                    self.body = vec![0; body_length(self.header)?];
                }
            } else {
                self.body_read += read;
            }
            if self.header_read == HEADER_BYTES && self.body_read == self.body.len() {
                let done = std::mem::take(self);
                return Ok(FrameRead::Frame(Frame { body: done.body, descriptors: done.descriptors }));
            }
        }
    }
}

fn body_length(header: [u8; HEADER_BYTES]) -> io::Result<usize> {
    let length = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
    // An empty body is no JSON.
    if length == 0 || length > FRAME_BYTES_MAX { Err(io::ErrorKind::InvalidData.into()) } else { Ok(length) }
}

/// The control data of the most descriptors that a frame may have.
type ControlSpace = [MaybeUninit<u8>; rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];

fn receive(socket: BorrowedFd<'_>, into: &mut [u8], descriptors: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut space: ControlSpace = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = rustix::io::retry_on_intr(|| recvmsg(socket, &mut [IoSliceMut::new(into)], &mut control, flags))?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        // Some did not fit or could not be opened here: what they were for is not known any more.
        return Err(io::Error::from(rustix::io::Errno::MFILE));
    }
    Ok(received.bytes)
}

/// Frames that are to be written.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    bytes: Vec<u8>,
    written: usize,
    descriptors: Vec<OwnedFd>,
}

impl Outgoing {
    /// Adds a frame, or says how long it would be if that is too long.
    pub(crate) fn push(&mut self, message: &impl Serialize, descriptors: Vec<OwnedFd>) -> Result<(), usize> {
        let mut bytes = vec![0; HEADER_BYTES];
        if serde_json::to_writer(&mut bytes, message).is_err() {
            return Err(0);
        }
        let length = bytes.len() - HEADER_BYTES;
        if length > FRAME_BYTES_MAX || descriptors.len() > DESCRIPTORS_MAX {
            return Err(length);
        }
        let header = u32::try_from(length).map_err(|_| length)?.to_be_bytes();
        bytes[..HEADER_BYTES].copy_from_slice(&header);
        self.bytes += bytes.len();
        self.waiting.push_back(Waiting { bytes, written: 0, descriptors });
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many bytes wait, those of a frame that has begun included.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes what the socket takes.
    pub(crate) fn write(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        while let Some(frame) = self.waiting.front_mut() {
            // Descriptors go with the first byte, and only with it.
            let descriptors: &[OwnedFd] = if frame.written == 0 { &frame.descriptors } else { &[] };
            match send(socket, &frame.bytes[frame.written..], descriptors) {
                Ok(written) => frame.written += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            if frame.written == frame.bytes.len() {
                self.bytes -= frame.bytes.len();
                self.waiting.pop_front();
            }
        }
        Ok(())
    }
}

fn send(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[OwnedFd]) -> io::Result<usize> {
    let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space: ControlSpace = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !borrowed.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&borrowed)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    Ok(rustix::io::retry_on_intr(|| sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags))?)
}

#[cfg(test)]
mod tests;
