//! Text in headers that ASCII does not have: encoded words of RFC 2047, as S3 sends and takes them for metadata.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// A header's text: as it is where a header can carry it, otherwise one encoded word.
pub(super) fn encode(text: &str) -> Cow<'_, str> {
    match text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(format!("=?UTF-8?B?{}?=", BASE64.encode(text))),
    }
}

/// What a header's text means: encoded words in it decoded, where they are in UTF-8; anything else as it stands.
pub(super) fn decode(text: &str) -> String {
    let words: Option<Vec<String>> = text.split_ascii_whitespace().map(word).collect();
    match words {
        Some(words) if !words.is_empty() => words.concat(),
        _ => text.to_owned(),
    }
}

fn word(text: &str) -> Option<String> {
    let inner = text.strip_prefix("=?")?.strip_suffix("?=")?;
    let (charset, rest) = inner.split_once('?')?;
    let (encoding, encoded) = rest.split_once('?')?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let bytes = match encoding {
        "B" | "b" => BASE64.decode(encoded).ok()?,
        "Q" | "q" => quoted(encoded)?,
        _ => return None,
    };
    String::from_utf8(bytes).ok()
}

/// RFC 2047, section 4.2.
fn quoted(encoded: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'_' => out.push(b' '),
            b'=' => {
                let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
                out.push(u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?);
                rest = &tail[2..];
            }
            other => out.push(*other),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_beyond_ascii_is_one_encoded_word_and_comes_back() {
        for (text, sent) in [("plain text", "plain text"), ("ä", "=?UTF-8?B?w6Q=?="), ("a\u{1}", "=?UTF-8?B?YQE=?=")] {
            assert_eq!(encode(text), sent);
            assert_eq!(decode(sent), text);
        }
    }

    #[test]
    fn words_of_either_encoding_are_read_and_anything_else_is_itself() {
        assert_eq!(decode("=?utf-8?q?a_b=C3=A4?="), "a bä");
        assert_eq!(decode("=?UTF-8?B?w6Q=?= =?UTF-8?B?w7Y=?="), "äö");
        for text in ["", " ", "=?", "=?UTF-8?B?w6Q=?= x", "=?latin1?B?w6Q=?=", "=?UTF-8?B?!?=", "=?UTF-8?B?/w==?=", "ä"]
        {
            assert_eq!(decode(text), text);
        }
    }
}
