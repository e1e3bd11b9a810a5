//! Tags of a session.

use std::collections::{BTreeMap, BTreeSet};

use platform::identity::Session;

use crate::Error;
use crate::api::Tag;

const RESERVED_PREFIX: &str = "aws:";

/// Checks the tags of a session and which of them are to be passed on.
pub(crate) fn check(
    tags: Vec<Tag>,
    transitive_keys: Vec<String>,
) -> Result<(BTreeMap<String, String>, Vec<String>), Error> {
    let mut keys = BTreeSet::new();
    for tag in &tags {
        let folded = tag.key.to_lowercase();
        if folded.starts_with(RESERVED_PREFIX) {
            return Err(Error::ReservedTag);
        }
        if !keys.insert(folded) {
            return Err(Error::DuplicateTags);
        }
    }
    if transitive_keys.iter().any(|key| !keys.contains(&key.to_lowercase())) {
        return Err(Error::TransitiveKey);
    }
    Ok((tags.into_iter().map(|tag| (tag.key, tag.value)).collect(), transitive_keys))
}

/// Adds the transitive tags of the caller's own session. None of them can be given anew.
pub(crate) fn inherit(
    session: Option<&Session>,
    tags: &mut BTreeMap<String, String>,
    transitive_keys: &mut Vec<String>,
) -> Result<(), Error> {
    let Some(session) = session else { return Ok(()) };
    for (key, value) in &session.tags {
        let is_same = |other: &String| other.eq_ignore_ascii_case(key);
        if !session.transitive_tag_keys.iter().any(is_same) {
            continue;
        }
        if tags.keys().any(is_same) {
            return Err(Error::DuplicateTags);
        }
        tags.insert(key.clone(), value.clone());
        transitive_keys.push(key.clone());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(keys: &[&str], transitive: &[&str]) -> String {
        let tag = |key: &&str| Tag { key: (*key).to_owned(), value: String::new() };
        let transitive = transitive.iter().map(|key| (*key).to_owned()).collect();
        check(keys.iter().map(tag).collect(), transitive).map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn session_tags_are_refused_in_awss_words() {
        assert_eq!(message(&["a", "b"], &["A"]), "");
        assert_eq!(
            message(&["a", "A"], &[]),
            "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        );
        assert_eq!(message(&["a"], &["b"]), "The specified transitive tag key must be included in the requested tags.");
        assert_eq!(message(&["aws:a"], &[]), "Tag keys that begin with aws: are reserved for AWS use.");
    }
}
