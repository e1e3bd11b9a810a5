//! Percent-encoding as Signature Version 4 wants it: everything but RFC 3986's unreserved characters, upper-case digits.

use std::borrow::Cow;

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// What becomes of `/`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Slash {
    Keep,
    Encode,
}

/// Appends `bytes`, encoded.
pub(super) fn encode_into(out: &mut String, bytes: &[u8], slash: Slash) {
    out.reserve(bytes.len());
    for &byte in bytes {
        if is_unreserved(byte) || (byte == b'/' && slash == Slash::Keep) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

/// `bytes`, encoded, with `/` as `%2F`.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut out = String::new();
    encode_into(&mut out, bytes, Slash::Encode);
    out
}

/// A path's text, encoded but for its slashes.
pub(crate) fn encode_path(text: &str) -> String {
    let mut out = String::new();
    encode_into(&mut out, text.as_bytes(), Slash::Keep);
    out
}

/// A query's name or value, encoded.
pub(crate) fn encode_text(text: &str) -> String {
    encode(text.as_bytes())
}

/// A query's name or value as it was meant: `+` is a blank, `%XX` a byte, and a `%` that starts no such triple itself.
pub(crate) fn decode(text: &str) -> Cow<'_, [u8]> {
    let bytes = text.as_bytes();
    if !bytes.iter().any(|b| matches!(b, b'%' | b'+')) {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, escaped(tail)) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = &tail[2..];
            }
            (b'+', _) => out.push(b' '),
            (&other, _) => out.push(other),
        }
    }
    Cow::Owned(out)
}

fn escaped(tail: &[u8]) -> Option<u8> {
    let &[high, low, ..] = tail else { return None };
    let (high, low) = (char::from(high).to_digit(16)?, char::from(low).to_digit(16)?);
    u8::try_from(high * 16 + low).ok()
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay_as_they_are() {
        assert_eq!(encode(b"AZaz09-._~"), "AZaz09-._~");
        assert_eq!(encode("/ %+=&ü".as_bytes()), "%2F%20%25%2B%3D%26%C3%BC");
        let mut path = String::new();
        encode_into(&mut path, b"/a b/", Slash::Keep);
        assert_eq!(path, "/a%20b/");
    }

    #[test]
    fn a_percent_sign_that_escapes_nothing_is_itself() {
        for (text, meant) in [("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("%%41", "%A"), ("a+b", "a b"), ("%2b", "+")] {
            assert_eq!(decode(text).as_ref(), meant.as_bytes(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_was_encoded_decodes_to_itself(bytes: Vec<u8>) {
            let text = encode(&bytes);
            let decoded = decode(&text);
            proptest::prop_assert_eq!(decoded.as_ref(), bytes.as_slice());
        }
    }
}
