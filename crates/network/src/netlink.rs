//! Netlink, spoken to the kernel from whatever thread and namespace one is in. A socket belongs to the namespace in which it was made.

use std::io;
use std::os::fd::OwnedFd;

use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// How much one answer of the kernel's can be; it keeps its own parts below 32 KiB.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Type of a message that says how a request went.
const NLMSG_ERROR: u16 = 2;
/// Bytes of a message's header.
const HEADER_BYTES: usize = 16;

/// A netlink socket. The kernel answers before a request's `send(2)` returns.
#[derive(Debug)]
pub(crate) struct Socket {
    descriptor: OwnedFd,
    sequence: u32,
    answer: Vec<u8>,
}

impl Socket {
    /// For links, addresses and routes of this thread's namespace.
    pub(crate) fn route() -> io::Result<Self> {
        // Netlink's first protocol is that of routes.
        Self::new(None)
    }

    /// For nf_tables of this thread's namespace.
    pub(crate) fn netfilter() -> io::Result<Self> {
        Self::new(Some(netlink::NETFILTER))
    }

    fn new(protocol: Option<rustix::net::Protocol>) -> io::Result<Self> {
        let descriptor =
            rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
        rustix::net::bind(&descriptor, &SocketAddrNetlink::new(0, 0))?;
        // Only the kernel is spoken to, and only it can answer a connected socket.
        rustix::net::connect(&descriptor, &SocketAddrNetlink::new(0, 0))?;
        Ok(Self { descriptor, sequence: 0, answer: vec![0; ANSWER_BYTES_MAX] })
    }

    /// Has something changed.
    pub(crate) fn change(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.send(message, NLM_F_REQUEST | NLM_F_ACK | flags)?;
        loop {
            let received = self.receive()?;
            for message in messages(&self.answer[..received])? {
                if let NetlinkPayload::Error(error) = message.payload {
                    return if error.code.is_none() { Ok(()) } else { Err(error.to_io()) };
                }
            }
        }
    }

    /// Asks for everything of a kind.
    pub(crate) fn list(&mut self, message: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.send(message, NLM_F_REQUEST | NLM_F_DUMP)?;
        let mut found = Vec::new();
        loop {
            let received = self.receive()?;
            for message in messages(&self.answer[..received])? {
                match message.payload {
                    NetlinkPayload::InnerMessage(one) => found.push(one),
                    NetlinkPayload::Done(_) => return Ok(found),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    _ => {}
                }
            }
        }
    }

    /// Asks for one thing.
    pub(crate) fn one(&mut self, message: RouteNetlinkMessage) -> io::Result<RouteNetlinkMessage> {
        self.send(message, NLM_F_REQUEST)?;
        let received = self.receive()?;
        for message in messages(&self.answer[..received])? {
            match message.payload {
                NetlinkPayload::InnerMessage(one) => return Ok(one),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                _ => {}
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    /// Has nf_tables make a batch true, all of it or nothing. Errors alone are answered.
    pub(crate) fn batch(&mut self, batch: &[u8]) -> io::Result<()> {
        rustix::net::send(&self.descriptor, batch, SendFlags::empty())?;
        let mut outcome = Ok(());
        loop {
            match rustix::net::recv(&self.descriptor, &mut *self.answer, RecvFlags::DONTWAIT) {
                Ok((received, _)) => first_error(&self.answer[..received]).map_or((), |error| {
                    if outcome.is_ok() {
                        outcome = Err(error);
                    }
                }),
                Err(rustix::io::Errno::AGAIN) => return outcome,
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut packet = NetlinkMessage::new(header, NetlinkPayload::from(message));
        packet.finalize();
        let mut bytes = vec![0; packet.buffer_len()];
        packet.serialize(&mut bytes);
        rustix::net::send(&self.descriptor, &bytes, SendFlags::empty())?;
        Ok(())
    }

    fn receive(&mut self) -> io::Result<usize> {
        let (received, _) = rustix::net::recv(&self.descriptor, &mut *self.answer, RecvFlags::empty())?;
        if received == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(received) }
    }
}

/// The messages of one answer.
fn messages(mut answer: &[u8]) -> io::Result<Vec<NetlinkMessage<RouteNetlinkMessage>>> {
    let mut found = Vec::new();
    while let Some(length) = length_of_first(answer) {
        let message = NetlinkMessage::deserialize(&answer[..length])
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        found.push(message);
        answer = answer.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(found)
}

/// The first error that an answer of nf_tables tells of.
fn first_error(mut answer: &[u8]) -> Option<io::Error> {
    while let Some(length) = length_of_first(answer) {
        let is_error = u16::from_ne_bytes([answer[4], answer[5]]) == NLMSG_ERROR;
        if let Some(code) = answer[..length].get(HEADER_BYTES..HEADER_BYTES + 4).filter(|_| is_error) {
            let code = i32::from_ne_bytes([code[0], code[1], code[2], code[3]]);
            if code != 0 {
                return Some(io::Error::from_raw_os_error(code.saturating_neg()));
            }
        }
        answer = answer.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    None
}

fn length_of_first(answer: &[u8]) -> Option<usize> {
    let length = answer.get(..HEADER_BYTES).map(|head| u32::from_ne_bytes([head[0], head[1], head[2], head[3]]))?;
    usize::try_from(length).ok().filter(|length| (HEADER_BYTES..=answer.len()).contains(length))
}
