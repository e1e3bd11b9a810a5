//! Questions and answers as RFC 1035 writes them: as much of it as is needed to know whose name is asked for.

use std::net::Ipv4Addr;

use crate::limits;

const HEADER_BYTES: usize = 12;
const LABEL_BYTES_MAX: usize = 63;
/// With the lengths of its labels and the byte that ends it (RFC 1035, 2.3.4).
const NAME_BYTES_MAX: usize = 255;

const TYPE_A: u16 = 1;
/// Transfers of whole zones (RFC 1995, RFC 5936), and `ANY` (RFC 8482), which is for amplification alone.
const TYPES_NOT_PASSED_ON: [u16; 5] = [251, 252, 253, 254, 255];
const CLASS_IN: u16 = 1;

const FORMAT_ERROR: u8 = 1;
const SERVER_FAILURE: u8 = 2;
const NOT_IMPLEMENTED: u8 = 4;
const REFUSED: u8 = 5;

/// A question. Whoever runs in a workload writes it, so it is read without trust in a byte of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Question {
    /// Which answer belongs to it.
    pub id: u16,
    /// The name in lower case, without the last dot. Bytes that are no letters, digits, `-`, `_` are `?`: nobody here has such a name.
    pub name: String,
    kind: u16,
    class: u16,
    recursion: bool,
    /// Name, type and class as they came.
    raw: Vec<u8>,
}

impl Question {
    /// Reads a question.
    ///
    /// # Errors
    /// What is to be answered instead; nothing to what is no question at all.
    pub fn parse(packet: &[u8]) -> Result<Self, Option<Vec<u8>>> {
        let Some(header) = packet.get(..HEADER_BYTES) else { return Err(None) };
        let is_answer = header[2] & 0x80 != 0;
        if is_answer {
            // Two resolvers that answer each other's answers would never stop.
            return Err(None);
        }
        let refuse = |code: u8| Err(Some(head(u16_at(header, 0), header[2] & 0x79 | 0x80, 0x80 | code, 0, 0)));
        if header[2] & 0x78 != 0 {
            return refuse(NOT_IMPLEMENTED);
        }
        if u16_at(header, 4) != 1 || u16_at(header, 6) != 0 {
            return refuse(FORMAT_ERROR);
        }
        let Some((name, end)) = name_at(packet, HEADER_BYTES) else { return refuse(FORMAT_ERROR) };
        let Some(kind_and_class) = packet.get(end..end + 4) else { return refuse(FORMAT_ERROR) };
        Ok(Self {
            id: u16_at(header, 0),
            name,
            kind: u16_at(kind_and_class, 0),
            class: u16_at(kind_and_class, 2),
            recursion: header[2] & 1 != 0,
            raw: packet[HEADER_BYTES..end + 4].to_vec(),
        })
    }

    /// The answer that a name has these addresses. To a question for anything else about it the answer is that there is nothing.
    pub fn answer(&self, addresses: &[Ipv4Addr]) -> Vec<u8> {
        let wants_addresses = self.kind == TYPE_A && self.class == CLASS_IN;
        let addresses = if wants_addresses { addresses } else { &[] };
        // Whoever takes the first alone is led to another one each time, as questions' ids differ.
        let first = usize::from(self.id).checked_rem(addresses.len()).unwrap_or(0);
        let chosen = addresses.iter().cycle().skip(first).take(addresses.len().min(limits::ANSWERS_MAX));
        let count = u16::try_from(chosen.clone().count()).expect("at most so many answers are given");
        let mut packet = head(self.id, 0x84 | u8::from(self.recursion), 0x80, 1, count);
        packet.extend(&self.raw);
        for address in chosen {
            // The name is the question's, which begins behind the header.
            packet.extend([0xc0, 12]);
            packet.extend(TYPE_A.to_be_bytes());
            packet.extend(CLASS_IN.to_be_bytes());
            packet.extend(limits::ANSWER_TTL_S.to_be_bytes());
            packet.extend(4_u16.to_be_bytes());
            packet.extend(address.octets());
        }
        packet
    }

    /// The answer that it is not answered.
    pub fn refuse(&self) -> Vec<u8> {
        self.only(REFUSED)
    }

    /// The answer that nobody could be asked.
    pub fn fail(&self) -> Vec<u8> {
        self.only(SERVER_FAILURE)
    }

    fn only(&self, code: u8) -> Vec<u8> {
        let mut packet = head(self.id, 0x80 | u8::from(self.recursion), 0x80 | code, 1, 0);
        packet.extend(&self.raw);
        packet
    }

    /// Whether it is one that programs ask: about the internet, and not for whole zones or what a server is.
    pub fn may_be_passed_on(&self) -> bool {
        self.class == CLASS_IN && !TYPES_NOT_PASSED_ON.contains(&self.kind)
    }

    /// Whether an answer is one to it. The name may have come back in other letters' case.
    pub fn is_answered_by(&self, packet: &[u8], id: u16) -> bool {
        let Some(header) = packet.get(..HEADER_BYTES) else { return false };
        let is_answer = header[2] & 0x80 != 0 && u16_at(header, 0) == id;
        // A server that cannot read a question need not repeat it (RFC 1035, 4.1.1).
        let repeats = u16_at(header, 4) == 1
            && packet
                .get(HEADER_BYTES..HEADER_BYTES + self.raw.len())
                .is_some_and(|question| question.eq_ignore_ascii_case(&self.raw));
        is_answer && (repeats || (u16_at(header, 4) == 0 && header[3] & 0x0f != 0))
    }
}

fn head(id: u16, flags: u8, code: u8, questions: u16, answers: u16) -> Vec<u8> {
    let mut packet = Vec::with_capacity(512);
    packet.extend(id.to_be_bytes());
    packet.extend([flags, code]);
    packet.extend(questions.to_be_bytes());
    packet.extend(answers.to_be_bytes());
    packet.extend([0; 4]);
    packet
}

/// The name that begins somewhere, and where it ends. A question's name is written out: nothing stands before it that it could point to.
fn name_at(packet: &[u8], start: usize) -> Option<(String, usize)> {
    let (mut name, mut at) = (String::new(), start);
    loop {
        let length = usize::from(*packet.get(at)?);
        if length == 0 {
            return Some((name, at + 1));
        }
        // Behind it comes one byte at least, which ends the name.
        if length > LABEL_BYTES_MAX || at + 1 + length + 1 - start > NAME_BYTES_MAX {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.extend(packet.get(at + 1..at + 1 + length)?.iter().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte.to_ascii_lowercase()),
            _ => '?',
        }));
        at += 1 + length;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}
