//! Messages of an event stream, read as a client reads them.

use std::collections::BTreeMap;

/// A message: its headers, all of which are text here, and its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) payload: Vec<u8>,
}

impl Message {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// What it is, and its name.
    pub(crate) fn kind(&self) -> (&str, &str) {
        let name = match self.header(":message-type") {
            "event" => ":event-type",
            "exception" => ":exception-type",
            _ => ":error-code",
        };
        (self.header(":message-type"), self.header(name))
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.payload).unwrap()
    }

    /// Takes the first message off, if it is there as a whole. Both checksums must be right.
    pub(crate) fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().unwrap()));
        let (length, headers_length) = (number(0)? as usize, number(4)? as usize);
        let end = length.checked_sub(4).expect("a length that counts itself");
        assert_eq!(number(8)?, crc(&bytes[..8]), "the prelude's checksum");
        assert_eq!(number(end)?, crc(&bytes[..end]), "the message's checksum");
        let headers = text_headers(&bytes[12..12 + headers_length]);
        let payload = bytes[12 + headers_length..end].to_vec();
        bytes.drain(..length);
        Some(Self { headers, payload })
    }
}

fn text_headers(mut rest: &[u8]) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    while let [length, after @ ..] = rest {
        let (name, after) = after.split_at(usize::from(*length));
        let [7, high, low, after @ ..] = after else { panic!("a header that is no text") };
        let (value, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        assert!(headers.insert(text(name), text(value)).is_none(), "a header comes once");
        rest = after;
    }
    headers
}

/// The checksum bit by bit, as IEEE 802.3 has it.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
