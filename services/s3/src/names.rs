//! Names of buckets and keys of objects: what they may be, and how keys lie in the store.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use crate::Error;

/// The longest key, in bytes of UTF-8. (User guide: "Creating object key names".)
pub const KEY_BYTES_MAX: usize = 1024;

const BUCKET_LENGTH: std::ops::RangeInclusive<usize> = 3..=63;
/// Beginnings that AWS keeps for itself. (User guide: "General purpose bucket naming rules".)
const RESERVED_PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
/// Endings that AWS keeps for access points and other kinds of buckets.
const RESERVED_SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/// Checks the name of a bucket that is to be created.
///
/// # Errors
/// [`Error::InvalidBucketName`]
pub fn check_new_bucket(name: &str) -> Result<(), Error> {
    if is_bucket(name) && !is_reserved(name) { Ok(()) } else { Err(Error::InvalidBucketName(name.to_owned())) }
}

/// Whether a name is one that a bucket can have.
pub fn is_bucket(name: &str) -> bool {
    let may_end = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [name.as_bytes().first(), name.as_bytes().last()];
    BUCKET_LENGTH.contains(&name.len())
        && name.bytes().all(|byte| may_end(&byte) || matches!(byte, b'.' | b'-'))
        && ends.into_iter().flatten().all(may_end)
        && !name.contains("..")
        && name.parse::<Ipv4Addr>().is_err()
}

fn is_reserved(name: &str) -> bool {
    RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || RESERVED_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// Checks an object's key.
///
/// # Errors
/// [`Error::KeyTooLong`]
pub fn check_key(key: &str) -> Result<(), Error> {
    if key.len() > KEY_BYTES_MAX { Err(Error::KeyTooLong { size: key.len() }) } else { Ok(()) }
}

/// The ARN of a bucket.
pub fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

/// The ARN of an object.
pub fn object_arn(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}

/// The bucket and, if it has one, the key of an ARN.
pub fn of_arn(arn: &str) -> Option<(&str, Option<&str>)> {
    let rest = arn.strip_prefix("arn:aws:s3:::")?;
    Some(match rest.split_once('/') {
        Some((bucket, key)) => (bucket, Some(key)),
        None => (rest, None),
    })
}

/// What ends a key in the store where something follows it: no key contains it there.
pub(crate) const END: char = '\0';

/// A key as it stands in the store's ids: U+0000 and U+0001, which are left for [`END`], written as two characters. The
/// order of keys stays what it is.
pub(crate) fn stored(key: &str) -> Cow<'_, str> {
    if !key.contains(['\0', '\u{1}']) {
        return Cow::Borrowed(key);
    }
    Cow::Owned(key.replace('\u{1}', "\u{1}\u{2}").replace('\0', "\u{1}\u{1}"))
}

/// The key that was stored so.
pub(crate) fn of_stored(text: &str) -> String {
    if !text.contains('\u{1}') {
        return text.to_owned();
    }
    let mut key = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1}' if characters.next() == Some('\u{1}') => key.push('\0'),
            other => key.push(other),
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_are_named_as_the_rules_say() {
        for right in ["abc", "my-bucket.example.com", "1a-", "a--b", &"a".repeat(63), "192.168.0.256"] {
            assert_eq!(is_bucket(right), !right.ends_with('-'), "{right}");
        }
        for wrong in ["", "ab", "Abc", "a_b", "-abc", "abc.", "a..b", "192.168.0.1", "a/b", "é-bucket", &"a".repeat(64)]
        {
            assert!(!is_bucket(wrong), "{wrong}");
        }
        for reserved in ["xn--abc", "sthree-abc", "amzn-s3-demo-x", "abc-s3alias", "abc--ol-s3", "abc--x-s3"] {
            assert!(is_bucket(reserved) && check_new_bucket(reserved).is_err(), "{reserved}");
        }
    }

    #[test]
    fn a_key_has_1024_bytes_at_most() {
        assert!(check_key(&"é".repeat(512)).is_ok());
        assert!(check_key(&"é".repeat(513)).is_err());
    }

    #[test]
    fn arns_are_told_apart() {
        assert_eq!(of_arn(&object_arn("b", "a/b")), Some(("b", Some("a/b"))));
        assert_eq!(of_arn(&bucket_arn("b")), Some(("b", None)));
        assert_eq!(of_arn("arn:aws:sqs:us-east-1:1:q"), None);
    }

    proptest! {
        #[test]
        fn keys_come_back_from_the_store_and_keep_their_order(
            a in "[\\x00-\\x03/%ab]{0,5}",
            b in "[\\x00-\\x03/%ab]{0,5}",
        ) {
            prop_assert_eq!(of_stored(&stored(&a)), a.clone());
            prop_assert_eq!(stored(&a).cmp(&stored(&b)), a.cmp(&b));
            prop_assert!(!stored(&a).contains(END));
        }
    }
}
