//! Entity tags: the MD5 of what was uploaded; of parts, the MD5 of their MD5s and how many there are.

use md5::{Digest, Md5};

/// An MD5.
pub type Md5Sum = [u8; 16];

/// The tag of content that came in one piece, without quotes.
pub fn of_content(md5: &Md5Sum) -> String {
    hex::encode(md5)
}

/// The tag of an object that was made of parts.
pub fn of_parts<'a>(parts: impl ExactSizeIterator<Item = &'a Md5Sum>) -> String {
    let count = parts.len();
    let mut all = Md5::new();
    for part in parts {
        all.update(part);
    }
    format!("{}-{count}", hex::encode(all.finalize()))
}

/// A tag as headers and documents have it.
pub fn quoted(tag: &str) -> String {
    format!("\"{tag}\"")
}

/// A tag as clients give it: with or without quotes, as a weak one, too.
pub fn unquoted(tag: &str) -> &str {
    let tag = tag.trim();
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(tag)
}

/// The MD5 in a part's tag; none if it is no such tag.
pub fn md5_of(tag: &str) -> Option<Md5Sum> {
    let mut md5 = [0; 16];
    hex::decode_to_slice(unquoted(tag), &mut md5).ok().map(|()| md5)
}

/// Whether a list of tags, or `*`, has this one.
pub fn is_among(list: &str, tag: &str) -> bool {
    list.split(',').map(unquoted).any(|listed| listed == "*" || listed == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_parts_is_made_of_their_tags() {
        let parts = [[1_u8; 16], [2; 16]];
        let expected = hex::encode(Md5::digest(parts.concat()));
        assert_eq!(of_parts(parts.iter()), format!("{expected}-2"));
        assert_eq!(of_content(&Md5::digest(b"").into()), "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[test]
    fn quotes_and_weakness_make_no_difference() {
        for given in ["abc", "\"abc\"", " W/\"abc\" "] {
            assert_eq!(unquoted(given), "abc");
        }
        assert!(is_among("\"x\", \"abc\"", "abc") && is_among("*", "abc") && !is_among("\"ab\"", "abc"));
        assert_eq!(md5_of("\"00112233445566778899aabbccddeeff\"").map(|md5| md5[15]), Some(0xff));
        assert_eq!(md5_of("\"00112233445566778899aabbccddeeff-2\""), None);
    }
}
