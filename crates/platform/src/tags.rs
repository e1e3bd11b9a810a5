//! AWS's rules for tags, which nearly all services share.
//!
//! A service says them in its own words and with its own error codes: what is wrong with a tag is a [`TagProblem`] here.
//! Services whose rules differ (IAM's keys of users and roles are compared without regard to case) say so by
//! [`TagRules`].
//!
//! Source: "Tagging your AWS resources", AWS Resource Tagging: 50 tags a resource, keys of 1 to 128 and values of 0 to 256
//! characters, which are letters, numbers, spaces and `_ . : / = + - @`; `aws:` begins AWS's own keys.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// The most tags of a resource.
pub const TAGS_MAX: usize = 50;
/// The longest key, in characters.
pub const KEY_CHARS_MAX: usize = 128;
/// The longest value, in characters.
pub const VALUE_CHARS_MAX: usize = 256;
/// What keys of AWS's own tags begin with, in any case.
pub const RESERVED_PREFIX: &str = "aws:";

/// The characters that keys and values may have.
static CHARACTERS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\A[\p{L}\p{Z}\p{N}_.:/=+\-@]*\z").expect("the pattern is a constant, and is tested"));

/// How tag keys are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyCase {
    /// `Team` and `team` are two keys.
    #[default]
    Kept,
    /// They are one; the case that was given last is kept.
    Ignored,
}

impl KeyCase {
    /// Whether two keys are one.
    pub fn are_one(self, one: &str, other: &str) -> bool {
        match self {
            Self::Kept => one == other,
            Self::Ignored => one == other || one.to_lowercase() == other.to_lowercase(),
        }
    }

    fn compared(self, key: &str) -> String {
        match self {
            Self::Kept => key.to_owned(),
            Self::Ignored => key.to_lowercase(),
        }
    }
}

/// Which rules hold for a resource's tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TagRules {
    /// The most tags.
    pub tags_max: usize,
    /// How keys are compared.
    pub case: KeyCase,
}

impl TagRules {
    /// Those of most services.
    pub const COMMON: Self = Self { tags_max: TAGS_MAX, case: KeyCase::Kept };
}

impl Default for TagRules {
    fn default() -> Self {
        Self::COMMON
    }
}

/// What is wrong with a tag. [`TagProblem::key`] tells with which.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagProblem {
    /// The key is empty.
    #[error("a tag key is empty")]
    KeyEmpty,
    /// The key is longer than [`KEY_CHARS_MAX`].
    #[error("the tag key {key} is longer than {KEY_CHARS_MAX} characters")]
    KeyTooLong {
        /// The key.
        key: String,
    },
    /// The key has a character that none may have.
    #[error("the tag key {key} has a character that is not allowed")]
    KeyCharacters {
        /// The key.
        key: String,
    },
    /// The key is AWS's own.
    #[error("the tag key {key} begins with {RESERVED_PREFIX}")]
    Reserved {
        /// The key.
        key: String,
    },
    /// The value is longer than [`VALUE_CHARS_MAX`].
    #[error("the value of the tag {key} is longer than {VALUE_CHARS_MAX} characters")]
    ValueTooLong {
        /// The key.
        key: String,
    },
    /// The value has a character that none may have.
    #[error("the value of the tag {key} has a character that is not allowed")]
    ValueCharacters {
        /// The key.
        key: String,
    },
    /// The request has the key twice.
    #[error("the tag key {key} is given twice")]
    Twice {
        /// The key, as it is given the second time.
        key: String,
    },
    /// The resource would have more tags than it may.
    #[error("a resource has {max} tags at most")]
    TooMany {
        /// How many it may have.
        max: usize,
    },
}

impl TagProblem {
    /// The key of the tag that is wrong; none if it is their number.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::KeyEmpty => Some(""),
            Self::KeyTooLong { key }
            | Self::KeyCharacters { key }
            | Self::Reserved { key }
            | Self::ValueTooLong { key }
            | Self::ValueCharacters { key }
            | Self::Twice { key } => Some(key),
            Self::TooMany { .. } => None,
        }
    }
}

/// What is wrong with a tag key, where an operation's model has checked lengths and characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// It is AWS's own.
    #[error("a tag key begins with {RESERVED_PREFIX}")]
    Reserved,
    /// It is given twice.
    #[error("a tag key is given twice")]
    Twice,
}

/// Checks what no model can say of the tag keys of a request: that none is AWS's own, and none is there twice.
///
/// # Errors
/// What is wrong with the first wrong key.
pub fn check_keys<'a>(keys: impl IntoIterator<Item = &'a str>, case: KeyCase) -> Result<(), KeyProblem> {
    let mut seen = BTreeSet::new();
    for key in keys {
        if is_reserved(key) {
            return Err(KeyProblem::Reserved);
        }
        if !seen.insert(case.compared(key)) {
            return Err(KeyProblem::Twice);
        }
    }
    Ok(())
}

/// Whether a key is AWS's own.
pub fn is_reserved(key: &str) -> bool {
    key.get(..RESERVED_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED_PREFIX))
}

/// Checks the tags of a request, one after the other, and answers the first thing that is wrong. How many there are is not
/// checked: that is a matter of the resource.
///
/// # Errors
/// What is wrong with the first wrong tag.
pub fn check<'a>(tags: impl IntoIterator<Item = (&'a str, &'a str)>, case: KeyCase) -> Result<(), TagProblem> {
    let mut keys = BTreeSet::new();
    for (key, value) in tags {
        check_one(key, value)?;
        if !keys.insert(case.compared(key)) {
            return Err(TagProblem::Twice { key: key.to_owned() });
        }
    }
    Ok(())
}

fn check_one(key: &str, value: &str) -> Result<(), TagProblem> {
    let owned = || key.to_owned();
    if key.is_empty() {
        return Err(TagProblem::KeyEmpty);
    }
    if key.chars().nth(KEY_CHARS_MAX).is_some() {
        return Err(TagProblem::KeyTooLong { key: owned() });
    }
    if is_reserved(key) {
        return Err(TagProblem::Reserved { key: owned() });
    }
    if !CHARACTERS.is_match(key) {
        return Err(TagProblem::KeyCharacters { key: owned() });
    }
    if value.chars().nth(VALUE_CHARS_MAX).is_some() {
        return Err(TagProblem::ValueTooLong { key: owned() });
    }
    if !CHARACTERS.is_match(value) {
        return Err(TagProblem::ValueCharacters { key: owned() });
    }
    Ok(())
}

/// A resource's tags: each key once, in the order in which they were first set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(Vec<(String, String)>);

impl Tags {
    /// The tags of a request, checked.
    ///
    /// # Errors
    /// What is wrong with the first wrong tag, or that there are too many.
    pub fn admit<K, V>(tags: impl IntoIterator<Item = (K, V)>, rules: TagRules) -> Result<Self, TagProblem>
    where
        K: Into<String>,
        V: Into<String>,
    {
        let tags: Vec<(String, String)> = tags.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        check(tags.iter().map(|(key, value)| (key.as_str(), value.as_str())), rules.case)?;
        if tags.len() > rules.tags_max { Err(TagProblem::TooMany { max: rules.tags_max }) } else { Ok(Self(tags)) }
    }

    /// Adds tags; one whose key is there takes its place.
    ///
    /// # Errors
    /// [`TagProblem::TooMany`], and nothing is added, if there would be too many.
    pub fn merge(&mut self, added: &Tags, rules: TagRules) -> Result<(), TagProblem> {
        let mut merged = self.clone();
        added.0.iter().for_each(|tag| merged.set(tag.clone(), rules.case));
        if merged.len() > rules.tags_max {
            return Err(TagProblem::TooMany { max: rules.tags_max });
        }
        *self = merged;
        Ok(())
    }

    fn set(&mut self, tag: (String, String), case: KeyCase) {
        match self.0.iter_mut().find(|(present, _)| case.are_one(present, &tag.0)) {
            Some(old) => *old = tag,
            None => self.0.push(tag),
        }
    }

    /// Removes the tags of these keys. Keys that are not there are passed over.
    pub fn remove<K: AsRef<str>>(&mut self, keys: &[K], case: KeyCase) {
        self.0.retain(|(present, _)| !keys.iter().any(|key| case.are_one(key.as_ref(), present)));
    }

    /// The value of a tag; the key's case matters.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(present, _)| *present == key).map(|(_, value)| value)
    }

    /// Whether both have the same tags, in any order.
    pub fn same_as(&self, other: &Tags) -> bool {
        self.len() == other.len() && self.iter().all(|(key, value)| other.get(key) == Some(value))
    }

    /// The keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Tags that have been checked. Of two with one key the later one counts.
impl FromIterator<(String, String)> for Tags {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(tags: I) -> Self {
        let mut all = Self::default();
        tags.into_iter().for_each(|tag| all.set(tag, KeyCase::Kept));
        all
    }
}

impl IntoIterator for Tags {
    type Item = (String, String);
    type IntoIter = std::vec::IntoIter<(String, String)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        Tags::admit(pairs.iter().copied(), TagRules::COMMON).unwrap()
    }

    #[test]
    fn a_wrong_tag_is_told_by_its_key() {
        let long = |length| "é".repeat(length);
        let owned = |key: &str| key.to_owned();
        for (tags, problem) in [
            (vec![(owned(""), owned("v"))], TagProblem::KeyEmpty),
            (vec![(long(129), owned("v"))], TagProblem::KeyTooLong { key: long(129) }),
            (vec![(owned("a\tb"), owned("v"))], TagProblem::KeyCharacters { key: owned("a\tb") }),
            (vec![(owned("a\n"), owned("v"))], TagProblem::KeyCharacters { key: owned("a\n") }),
            (vec![(owned("AwS:x"), owned("v"))], TagProblem::Reserved { key: owned("AwS:x") }),
            (vec![(owned("k"), long(257))], TagProblem::ValueTooLong { key: owned("k") }),
            (vec![(owned("k"), owned("a*"))], TagProblem::ValueCharacters { key: owned("k") }),
            (vec![(owned("k"), owned("")), (owned("k"), owned(""))], TagProblem::Twice { key: owned("k") }),
            ((0..51).map(|n| (n.to_string(), owned(""))).collect(), TagProblem::TooMany { max: 50 }),
        ] {
            assert_eq!(Tags::admit(tags, TagRules::COMMON).unwrap_err(), problem);
        }
        let admitted = [(long(128), long(256)), (owned("a b_.:/=+-@9ß漢"), owned("")), (owned("aws"), owned("aws:"))];
        assert_eq!(Tags::admit(admitted, TagRules::COMMON).unwrap().len(), 3);
    }

    #[test]
    fn a_key_in_another_case_is_another_tag_unless_case_is_ignored() {
        let rules = TagRules { case: KeyCase::Ignored, ..TagRules::COMMON };
        assert_eq!(
            Tags::admit([("Team", "a"), ("team", "b")], rules).unwrap_err(),
            TagProblem::Twice { key: "team".to_owned() }
        );
        let mut kept = tags(&[("Team", "a"), ("x", "")]);
        let mut ignored = kept.clone();
        kept.merge(&tags(&[("team", "b")]), TagRules::COMMON).unwrap();
        ignored.merge(&tags(&[("team", "b")]), rules).unwrap();
        assert_eq!((kept.get("Team"), kept.get("team")), (Some("a"), Some("b")));
        assert_eq!(ignored.iter().collect::<Vec<_>>(), [("team", "b"), ("x", "")]);
        ignored.remove(&["TEAM"], KeyCase::Ignored);
        kept.remove(&["TEAM"], KeyCase::Kept);
        assert_eq!((ignored.len(), kept.len()), (1, 3));
    }

    #[test]
    fn a_merge_that_is_too_much_changes_nothing() {
        let mut some = tags(&[("a", "1"), ("b", "2")]);
        let many = Tags::admit((0..49).map(|n| (n.to_string(), "")), TagRules::COMMON).unwrap();
        assert_eq!(some.merge(&many, TagRules::COMMON), Err(TagProblem::TooMany { max: 50 }));
        assert_eq!(some, tags(&[("a", "1"), ("b", "2")]));
    }

    #[test]
    fn keys_alone_are_checked_where_a_model_has_checked_the_rest() {
        assert_eq!(check_keys(["a", "A"], KeyCase::Kept), Ok(()));
        assert_eq!(check_keys(["a", "A"], KeyCase::Ignored), Err(KeyProblem::Twice));
        assert_eq!(check_keys(["a", "aWs:a"], KeyCase::Kept), Err(KeyProblem::Reserved));
        let collected: Tags =
            [("a", "1"), ("b", ""), ("a", "2")].map(|(k, v)| (k.to_owned(), v.to_owned())).into_iter().collect();
        assert_eq!(collected, tags(&[("a", "2"), ("b", "")]));
    }

    proptest! {
        #[test]
        fn tags_are_a_map(
            first in prop::collection::btree_map("[a-e]", "[x-z]", 0..5),
            second in prop::collection::btree_map("[a-e]", "[x-z]", 0..5),
            gone in prop::collection::vec("[a-e]", 0..3),
        ) {
            let mut merged = Tags::admit(first.clone(), TagRules::COMMON).unwrap();
            merged.merge(&Tags::admit(second.clone(), TagRules::COMMON).unwrap(), TagRules::COMMON).unwrap();
            merged.remove(&gone, KeyCase::Kept);
            let mut model: BTreeMap<String, String> = first.into_iter().chain(second).collect();
            model.retain(|key, _| !gone.contains(key));
            prop_assert!(merged.same_as(&Tags::admit(model.clone(), TagRules::COMMON).unwrap()));
            prop_assert_eq!(merged.into_iter().collect::<BTreeMap<_, _>>(), model);
        }
    }
}
