//! One message of an event stream: prelude, headers, payload, each part under a CRC-32.
//!
//! Source: Smithy 2.0, "Amazon Event Stream Specification".

use flate2::Crc;

/// The content type of an answer that is a stream.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";
/// The largest payload, in bytes. The specification allows 24 MiB; clients read up to 16 MiB.
pub const PAYLOAD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most bytes of an error's message, well below the 32 KiB that a header's value may have.
const ERROR_MESSAGE_BYTES_MAX: usize = 1024;
/// Two lengths and their checksum.
const PRELUDE_BYTES: usize = 12;
/// The message's checksum.
const TRAILER_BYTES: usize = 4;
/// The type of a header whose value is text.
const TEXT: u8 = 7;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'m> {
    /// An event of this name.
    Event(&'m str),
    /// An exception of the model, of this name; the last message.
    Exception(&'m str),
}

/// Writes an event or an exception with a payload of at most [`PAYLOAD_BYTES_MAX`].
pub fn encode(kind: Kind<'_>, content_type: &str, payload: &[u8]) -> Vec<u8> {
    let (message_type, name_header, name) = match kind {
        Kind::Event(name) => ("event", ":event-type", name),
        Kind::Exception(name) => ("exception", ":exception-type", name),
    };
    let headers = [(name_header, name), (":content-type", content_type), (":message-type", message_type)];
    frame(&headers, payload)
}

/// Writes an error that the model does not have; the last message.
pub fn encode_error(code: &str, message: &str) -> Vec<u8> {
    let end = message.floor_char_boundary(ERROR_MESSAGE_BYTES_MAX);
    frame(&[(":error-code", code), (":error-message", &message[..end]), (":message-type", "error")], &[])
}

fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let headers_length: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    let length = PRELUDE_BYTES + headers_length + payload.len() + TRAILER_BYTES;
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(&length_of(length));
    out.extend_from_slice(&length_of(headers_length));
    out.extend_from_slice(&checksum(&out));
    for (name, value) in headers {
        out.push(u8::try_from(name.len()).expect("the names of headers are ours, and short"));
        out.extend_from_slice(name.as_bytes());
        out.push(TEXT);
        let length = u16::try_from(value.len()).expect("values are names of the model, or cut to their limit");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(value.as_bytes());
    }
    out.extend_from_slice(payload);
    out.extend_from_slice(&checksum(&out));
    out
}

fn length_of(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("payloads are bounded by PAYLOAD_BYTES_MAX").to_be_bytes()
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum().to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_framed_as_the_published_examples_are() {
        assert_eq!(hex::encode(frame(&[], b"")), "000000100000000005c248eb7d98c8ff");
        let payload = [&b"\0\0\0\x1d\0\0\0\0\xfd\x52\x8c\x5a"[..], b"{'foo':'bar'}", b"\xc3\x65\x39\x36"].concat();
        assert_eq!(frame(&[], b"{'foo':'bar'}"), payload);
    }

    #[test]
    fn an_exception_names_itself_in_its_headers() {
        let message = encode(Kind::Exception("Gone"), "application/json", b"{}");
        let headers = b"\x0f:exception-type\x07\0\x04Gone\x0d:content-type\x07\0\x10application/json\
            \x0d:message-type\x07\0\x09exception";
        assert_eq!(&message[12..12 + headers.len()], headers);
        assert_eq!(message[4..8], u32::try_from(headers.len()).unwrap().to_be_bytes());
        assert_eq!(message[..4], u32::try_from(message.len()).unwrap().to_be_bytes());
        assert_eq!(&message[12 + headers.len()..message.len() - 4], b"{}");
    }

    #[test]
    fn the_message_of_an_error_is_cut_between_characters() {
        let long = "ä".repeat(ERROR_MESSAGE_BYTES_MAX);
        assert!(encode_error("InternalFailure", &format!("x{long}")).len() < ERROR_MESSAGE_BYTES_MAX + 100);
    }
}
