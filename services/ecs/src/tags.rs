//! Tags: their rules, and how they are kept.

use platform::tags::{self, KeyCase, KeyProblem, TagRules, check_keys};
use serde::{Deserialize, Serialize};
use wire::model::ErrorKind;

use crate::Error;
use crate::api;
use crate::error::TagProblem;

/// ECS's quota of tags on a resource.
pub const TAGS_MAX: usize = tags::TAGS_MAX;

/// A resource's tags: each key once, in the order in which they were first set. Keys differ by case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(tags::Tags);

impl Tags {
    /// Checks the tags of a request. Lengths and characters have been checked against the model.
    ///
    /// # Errors
    /// [`Error::Tag`] with `kind`: the same mistake is another error for a task definition than for a cluster.
    pub fn admit(tags: Option<Vec<api::Tag>>, kind: ErrorKind) -> Result<Self, Error> {
        let refuse = |problem| Error::Tag { problem, kind };
        let whole = tags.into_iter().flatten().map(|tag| {
            let key = tag.key.ok_or(refuse(TagProblem::KeyMissing))?;
            Ok((key, tag.value.ok_or(refuse(TagProblem::ValueMissing))?))
        });
        let pairs: Vec<(String, String)> = whole.collect::<Result<_, Error>>()?;
        check_keys(pairs.iter().map(|(key, _)| key.as_str()), KeyCase::Kept).map_err(|problem| match problem {
            KeyProblem::Reserved => refuse(TagProblem::Reserved),
            KeyProblem::Twice => refuse(TagProblem::Twice),
        })?;
        if pairs.len() > TAGS_MAX { Err(Error::TagsMax(TAGS_MAX)) } else { Ok(Self(pairs.into_iter().collect())) }
    }

    /// Adds tags; those of the same keys get new values.
    ///
    /// # Errors
    /// [`Error::TagsMax`] if there would be more than the quota.
    pub fn merge(&mut self, added: &Tags) -> Result<(), Error> {
        self.0.merge(&added.0, TagRules::COMMON).map_err(|_| Error::TagsMax(TAGS_MAX))
    }

    /// Removes the tags of these keys. Keys that are not there are passed over.
    pub fn remove(&mut self, keys: &[String]) {
        self.0.remove(keys, KeyCase::Kept);
    }

    /// The value of a tag.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)
    }

    /// Whether both have the same tags, in any order.
    pub fn same_as(&self, other: &Tags) -> bool {
        self.0.same_as(&other.0)
    }

    /// Keys and values.
    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.0.into_iter().collect()
    }

    /// The tags as operations answer them.
    pub fn into_api(self) -> Vec<api::Tag> {
        self.0.into_iter().map(|(key, value)| api::Tag { key: Some(key), value: Some(value) }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::errors;

    fn tag(key: Option<&str>, value: Option<&str>) -> api::Tag {
        api::Tag { key: key.map(str::to_owned), value: value.map(str::to_owned) }
    }

    fn admitted(tags: Vec<api::Tag>) -> Result<Tags, Error> {
        Tags::admit(Some(tags), errors::CLIENT)
    }

    #[test]
    fn a_tag_that_cannot_be_kept_is_refused_with_the_error_of_its_resource() {
        for (tags, message) in [
            (vec![tag(None, Some("v"))], "Tag key can not be null."),
            (vec![tag(Some("k"), None)], "Tag value can not be null."),
            (
                vec![tag(Some("AWS:k"), Some("v"))],
                "Tag keys that start with 'aws:' are reserved for AWS use. Specify a different key and try again.",
            ),
            (
                vec![tag(Some("k"), Some("1")), tag(Some("k"), Some("2"))],
                "Duplicate tag keys were specified. Specify each tag key once and try again.",
            ),
        ] {
            let error = wire::Error::from(admitted(tags).unwrap_err());
            assert_eq!((error.code.as_ref(), error.message.as_str()), ("ClientException", message));
        }
    }

    #[test]
    fn keys_differ_by_case_and_values_may_be_empty() {
        let tags = admitted(vec![tag(Some("Case"), Some("")), tag(Some("case"), Some("lower"))]).unwrap();
        assert_eq!((tags.get("Case"), tags.get("case")), (Some(""), Some("lower")));
    }

    #[test]
    fn merging_replaces_values_in_place_and_keeps_to_the_quota() {
        let mut tags = admitted(vec![tag(Some("a"), Some("1")), tag(Some("b"), Some("2"))]).unwrap();
        tags.merge(&admitted(vec![tag(Some("a"), Some("3")), tag(Some("c"), Some("4"))]).unwrap()).unwrap();
        assert_eq!(tags.0.iter().collect::<Vec<_>>(), [("a", "3"), ("b", "2"), ("c", "4")]);
        tags.remove(&["b".to_owned(), "missing".to_owned()]);
        assert_eq!(tags.get("b"), None);
        let many = (0..50).map(|n| tag(Some(&format!("k{n}")), Some(""))).collect();
        assert!(matches!(tags.merge(&admitted(many).unwrap()), Err(Error::TagsMax(50))));
    }
}
