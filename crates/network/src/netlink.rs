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
/// Type of a message that ends a list.
const NLMSG_DONE: u16 = 3;
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

    /// Asks for everything of a kind, message by message, without their headers.
    pub(crate) fn list_raw(&mut self, kind: u16, body: &[u8], mut each: impl FnMut(&[u8])) -> io::Result<()> {
        self.send_raw(kind, NLM_F_REQUEST | NLM_F_DUMP, body)?;
        loop {
            let received = self.receive()?;
            for (kind, body) in raw_messages(&self.answer[..received]) {
                match kind {
                    NLMSG_ERROR => return error_of(body).map_or(Ok(()), Err),
                    NLMSG_DONE => return Ok(()),
                    _ => each(body),
                }
            }
        }
    }

    /// Asks for one thing, without its header.
    pub(crate) fn one_raw(&mut self, kind: u16, body: &[u8]) -> io::Result<Vec<u8>> {
        self.send_raw(kind, NLM_F_REQUEST, body)?;
        let received = self.receive()?;
        match raw_messages(&self.answer[..received]).next() {
            Some((NLMSG_ERROR, body)) => Err(error_of(body).unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into())),
            Some((_, body)) => Ok(body.to_vec()),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Has something changed.
    pub(crate) fn change_raw(&mut self, kind: u16, body: &[u8]) -> io::Result<()> {
        self.send_raw(kind, NLM_F_REQUEST | NLM_F_ACK, body)?;
        loop {
            let received = self.receive()?;
            for (kind, body) in raw_messages(&self.answer[..received]) {
                if kind == NLMSG_ERROR {
                    return error_of(body).map_or(Ok(()), Err);
                }
            }
        }
    }

    fn send_raw(&mut self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let length = u32::try_from(HEADER_BYTES + body.len()).map_err(io::Error::other)?;
        let packet = [
            &length.to_ne_bytes()[..],
            &kind.to_ne_bytes(),
            &flags.to_ne_bytes(),
            &self.sequence.to_ne_bytes(),
            &[0; 4],
            body,
        ];
        rustix::net::send(&self.descriptor, &packet.concat(), SendFlags::empty())?;
        Ok(())
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
fn first_error(answer: &[u8]) -> Option<io::Error> {
    raw_messages(answer).filter(|(kind, _)| *kind == NLMSG_ERROR).find_map(|(_, body)| error_of(body))
}

/// What a message of type [`NLMSG_ERROR`] says; nothing, if all went well.
fn error_of(body: &[u8]) -> Option<io::Error> {
    let code = body.get(..4).map_or(i32::MIN, |code| i32::from_ne_bytes([code[0], code[1], code[2], code[3]]));
    (code != 0).then(|| io::Error::from_raw_os_error(code.saturating_neg()))
}

/// Types and bodies of an answer's messages.
fn raw_messages(mut answer: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = length_of_first(answer)?;
        let (message, rest) = (&answer[..length], answer.get(length.next_multiple_of(4)..).unwrap_or_default());
        answer = rest;
        Some((u16::from_ne_bytes([message[4], message[5]]), &message[HEADER_BYTES..]))
    })
}

/// Kinds, values and whole bytes of attributes, padding included, up to the first that is none.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8], &[u8])> {
    const KIND: u16 = 0x3fff;
    std::iter::from_fn(move || {
        let head = bytes.get(..4)?;
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let value = bytes.get(4..length)?;
        let whole = &bytes[..length.next_multiple_of(4).min(bytes.len())];
        bytes = &bytes[whole.len()..];
        Some((u16::from_ne_bytes([head[2], head[3]]) & KIND, value, whole))
    })
}

fn length_of_first(answer: &[u8]) -> Option<usize> {
    let length = answer.get(..HEADER_BYTES).map(|head| u32::from_ne_bytes([head[0], head[1], head[2], head[3]]))?;
    usize::try_from(length).ok().filter(|length| (HEADER_BYTES..=answer.len()).contains(length))
}
