//! Tags of objects and buckets.
//!
//! Source: user guide, "Categorizing your objects using tags".

use std::collections::BTreeMap;

use platform::Access;
use platform::tags::{KEY_CHARS_MAX, RESERVED_PREFIX, VALUE_CHARS_MAX};

use crate::Error;

/// The most tags of an object.
pub const OBJECT_TAGS_MAX: usize = 10;
/// The most tags of a bucket.
pub const BUCKET_TAGS_MAX: usize = 50;

/// Checks tags.
///
/// # Errors
/// [`Error::InvalidTag`], [`Error::TooManyTags`]
pub fn check(tags: impl IntoIterator<Item = (String, String)>, max: usize) -> Result<BTreeMap<String, String>, Error> {
    let refused = |message: &str| Error::InvalidTag(message.to_owned());
    let mut checked = BTreeMap::new();
    for (key, value) in tags {
        let is_plain =
            |text: &str| text.chars().all(|it| it.is_alphanumeric() || it.is_whitespace() || "_.:/=+-@".contains(it));
        if key.is_empty() || key.chars().count() > KEY_CHARS_MAX || !is_plain(&key) {
            return Err(refused("The TagKey you have provided is invalid"));
        }
        if key.to_ascii_lowercase().starts_with(RESERVED_PREFIX) {
            return Err(refused("System tags cannot be added/updated by requester"));
        }
        if value.chars().count() > VALUE_CHARS_MAX || !is_plain(&value) {
            return Err(refused("The TagValue you have provided is invalid"));
        }
        if checked.insert(key, value).is_some() {
            return Err(refused("Cannot provide multiple Tags with the same key"));
        }
    }
    if checked.len() > max {
        return Err(Error::TooManyTags { max });
    }
    Ok(checked)
}

/// Reads the `x-amz-tagging` header: tags as a query string.
///
/// # Errors
/// Those of [`check`].
pub fn of_header(header: Option<&str>) -> Result<BTreeMap<String, String>, Error> {
    let header = header.unwrap_or_default();
    check(form_urlencoded::parse(header.as_bytes()).into_owned(), OBJECT_TAGS_MAX)
}

/// Who may set these tags with an action, and set tags at all: both are told which, as `s3:RequestObjectTag/<key>` and
/// `s3:RequestObjectTagKeys`.
pub(crate) fn access(access: Access, arn: &str, header: Option<&str>) -> Access {
    let Some(header) = header else { return access };
    let tags = || form_urlencoded::parse(header.as_bytes()).into_owned();
    told(access, tags()).and(told(Access::to("s3:PutObjectTagging").on(arn), tags()))
}

/// Tells policies which tags are to be set.
pub(crate) fn told(access: Access, tags: impl IntoIterator<Item = (String, String)>) -> Access {
    let (mut access, mut keys) = (access, Vec::new());
    for (key, value) in tags {
        access = access.key(&format!("s3:RequestObjectTag/{key}"), value);
        keys.push(key);
    }
    if keys.is_empty() { access } else { access.keys("s3:RequestObjectTagKeys", keys) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_a_header_are_those_of_a_query() {
        let tags = of_header(Some("team=blue%20sky&stage=")).unwrap();
        assert_eq!(tags.get("team").map(String::as_str), Some("blue sky"));
        assert_eq!(tags.get("stage").map(String::as_str), Some(""));
        assert!(of_header(None).unwrap().is_empty());
    }

    #[test]
    fn tags_that_cannot_be_are_refused() {
        let long = "k".repeat(129);
        for wrong in ["=x", "aws:x=y", "a=1&a=2", "a=%7C", &format!("{long}=x")] {
            assert!(matches!(of_header(Some(wrong)), Err(Error::InvalidTag(_))), "{wrong}");
        }
        let many: Vec<String> = (0..11).map(|n| format!("k{n}=v")).collect();
        assert!(matches!(of_header(Some(&many.join("&"))), Err(Error::TooManyTags { max: OBJECT_TAGS_MAX })));
    }
}
