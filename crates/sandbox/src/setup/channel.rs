//! The socket between a shim and a process that makes something for it. Its messages are packets: a short word with
//! descriptors to the shim; one packet to the process, whose content is in a file in memory, as environments are long.

use std::io::{Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType,
};
use serde::{Deserialize, Serialize};

use super::failure::{Doing, failed};
use super::{Making, Report, SandboxParts};
use crate::plan::{LateParts, ProcessPlan};
use crate::protocol::{DESCRIPTORS_MAX, FRAME_BYTES_MAX, ShimFailure};

/// The longest word, in bytes: a failure's message is cut to fit.
const WORD_BYTES_MAX: usize = 4096;
/// The longest message of a failure, in bytes.
const MESSAGE_BYTES_MAX: usize = 1024;
/// The largest content of a start: what a frame from the node holds.
const START_BYTES_MAX: usize = FRAME_BYTES_MAX;

/// What a process of ours tells; who it is the kernel tells.
#[derive(Debug, Serialize, Deserialize)]
enum Word {
    Sandbox,
    Created,
    Executing,
    Failed(ShimFailure),
}

/// What a container is to execute.
#[derive(Serialize, Deserialize)]
pub(crate) struct Start {
    /// What.
    pub(crate) process: ProcessPlan,
    /// What it receives beside.
    pub(crate) late: Option<LateParts>,
    /// The descriptors of the late mounts.
    #[serde(skip)]
    pub(crate) mounts: Vec<OwnedFd>,
}

/// Two ends: the shim's, which does not block, and the process's, which does.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd), ShimFailure> {
    let flags = SocketFlags::CLOEXEC;
    let (ours, theirs) =
        rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).doing("making a socket")?;
    rustix::io::ioctl_fionbio(&ours, true).doing("making a socket")?;
    // Each packet then says who sent it, numbered as the shim sees it, which the sender in its own namespace does not know.
    rustix::net::sockopt::set_socket_passcred(&ours, true).doing("making a socket")?;
    Ok((ours, theirs))
}

/// The process's end.
#[derive(Debug)]
pub(crate) struct Inner(OwnedFd);

impl AsRawFd for Inner {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Inner {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self(socket)
    }

    /// The sandbox is there.
    pub(crate) fn tell_sandbox(&self, processes: Option<BorrowedFd<'_>>) -> Result<(), ShimFailure> {
        self.tell(&Word::Sandbox, processes)
    }

    /// The container is there.
    pub(crate) fn tell_created(&self, terminal: Option<BorrowedFd<'_>>) -> Result<(), ShimFailure> {
        self.tell(&Word::Created, terminal)
    }

    /// The program is about to be executed.
    pub(crate) fn tell_executing(&self, terminal: Option<BorrowedFd<'_>>) -> Result<(), ShimFailure> {
        self.tell(&Word::Executing, terminal)
    }

    /// It came to nothing.
    pub(crate) fn tell_failure(&self, failure: &ShimFailure) -> Result<(), ShimFailure> {
        let end = failure.message.floor_char_boundary(MESSAGE_BYTES_MAX);
        let message = failure.message[..end].to_owned();
        self.tell(&Word::Failed(ShimFailure { kind: failure.kind, message }), None)
    }

    fn tell(&self, word: &Word, descriptor: Option<BorrowedFd<'_>>) -> Result<(), ShimFailure> {
        let word = serde_json::to_vec(word).doing("telling the shim")?;
        let descriptors: Vec<BorrowedFd<'_>> = descriptor.into_iter().collect();
        send(self.0.as_fd(), &word, &descriptors)
    }

    /// Whether the shim has gone, or has given up what is being made.
    pub(crate) fn is_abandoned(&self) -> bool {
        let mut events = [rustix::event::PollFd::new(&self.0, rustix::event::PollFlags::empty())];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        match rustix::event::poll(&mut events, Some(&now)) {
            Ok(_) => events[0].revents().contains(rustix::event::PollFlags::HUP),
            Err(_) => true,
        }
    }

    /// Waits for what is to be executed. None if it never will be.
    pub(crate) fn wait_for_start(&self) -> Result<Option<Start>, ShimFailure> {
        let mut byte = [0; 1];
        let packet = loop {
            match take(self.0.as_fd(), &mut byte, RecvFlags::CMSG_CLOEXEC) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other.doing("waiting for what is to be executed")?,
            }
        };
        if packet.bytes == 0 {
            return Ok(None);
        }
        let mut descriptors = packet.descriptors.into_iter();
        let content = descriptors.next().ok_or_else(|| failed("what is to be executed came without its content"))?;
        let mut file = std::fs::File::from(content);
        let mut content = Vec::new();
        file.rewind().doing("reading what is to be executed")?;
        file.take(START_BYTES_MAX as u64 + 1).read_to_end(&mut content).doing("reading what is to be executed")?;
        let mut start: Start = serde_json::from_slice(&content).doing("reading what is to be executed")?;
        start.mounts = descriptors.collect();
        Ok(Some(start))
    }
}

/// Tells a container what to execute.
pub(crate) fn send_start(
    making: &Making,
    process: &ProcessPlan,
    late: Option<&LateParts>,
    mounts: &[BorrowedFd<'_>],
) -> Result<(), ShimFailure> {
    #[derive(Serialize)]
    struct StartRef<'a> {
        process: &'a ProcessPlan,
        late: Option<&'a LateParts>,
    }
    let content = serde_json::to_vec(&StartRef { process, late }).doing("telling a container what to execute")?;
    if content.len() > START_BYTES_MAX {
        return Err(super::failure::refused(format!("what is to be executed is longer than {START_BYTES_MAX} bytes")));
    }
    let file = rustix::fs::memfd_create("start", rustix::fs::MemfdFlags::CLOEXEC)
        .doing("telling a container what to execute")?;
    let mut file = std::fs::File::from(file);
    file.write_all(&content).doing("telling a container what to execute")?;
    let descriptors: Vec<BorrowedFd<'_>> = std::iter::once(file.as_fd()).chain(mounts.iter().copied()).collect();
    send(making.control.as_fd(), b"s", &descriptors)
}

/// The next report.
pub(crate) fn receive(making: &Making) -> Result<Option<Report>, ShimFailure> {
    let mut word = [0; WORD_BYTES_MAX];
    let packet = match take(making.control.as_fd(), &mut word, RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT) {
        Ok(packet) => packet,
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(None),
        Err(rustix::io::Errno::CONNRESET) => return Ok(Some(Report::Ended)),
        Err(error) => return Err(failed(format!("hearing of what is being made: {error}"))),
    };
    if packet.bytes == 0 {
        return Ok(Some(Report::Ended));
    }
    let said: Word = serde_json::from_slice(&word[..packet.bytes]).doing("hearing of what is being made")?;
    let pid = packet.sender.ok_or_else(|| failed("a report came from nobody"))?;
    let descriptor = packet.descriptors.into_iter().next();
    Ok(Some(match said {
        Word::Sandbox => Report::Sandbox { pid, parts: SandboxParts { processes: descriptor } },
        Word::Created => Report::Created { pid, terminal: descriptor },
        Word::Executing => Report::Executing { pid, terminal: descriptor },
        Word::Failed(failure) => Report::Failed(failure),
    }))
}

struct Packet {
    bytes: usize,
    descriptors: Vec<OwnedFd>,
    sender: Option<i32>,
}

fn send(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), ShimFailure> {
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX + 1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(super::failure::refused(format!("more than {DESCRIPTORS_MAX} descriptors")));
    }
    let bytes = [std::io::IoSlice::new(bytes)];
    rustix::net::sendmsg(socket, &bytes, &mut ancillary, SendFlags::NOSIGNAL).doing("sending a message")?;
    Ok(())
}

fn take(socket: BorrowedFd<'_>, bytes: &mut [u8], flags: RecvFlags) -> rustix::io::Result<Packet> {
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX + 1), ScmCredentials(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut slices = [std::io::IoSliceMut::new(bytes)];
    let message = rustix::net::recvmsg(socket, &mut slices, &mut ancillary, flags)?;
    let mut packet = Packet { bytes: message.bytes, descriptors: Vec::new(), sender: None };
    for part in ancillary.drain() {
        match part {
            RecvAncillaryMessage::ScmRights(descriptors) => packet.descriptors.extend(descriptors),
            RecvAncillaryMessage::ScmCredentials(who) => packet.sender = Some(who.pid.as_raw_nonzero().get()),
            _ => {}
        }
    }
    Ok(packet)
}
