//! Percent-encoding (RFC 3986), in which IAM answers policy documents.

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Everything but unreserved characters as `%XX`.
pub(crate) fn url_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay() {
        assert_eq!(url_encoded("aZ9-._~"), "aZ9-._~");
        assert_eq!(url_encoded("{\"a\": \"*+\"}"), "%7B%22a%22%3A%20%22%2A%2B%22%7D");
        assert_eq!(url_encoded("é\n"), "%C3%A9%0A");
    }
}
