//! Tags: their rules, and how they are kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Error;

/// CloudWatch Logs' quota of tags on a resource.
pub const TAGS_MAX: usize = 50;
/// The prefix of AWS's own tags, in any case.
const RESERVED_PREFIX: &str = "aws:";

/// A log group's tags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(BTreeMap<String, String>);

impl Tags {
    /// Checks the tags of a request. Lengths and characters have been checked against the model.
    ///
    /// # Errors
    /// [`Error::TagReserved`]
    pub fn admit(tags: Option<BTreeMap<String, String>>) -> Result<Self, Error> {
        let tags = tags.unwrap_or_default();
        let is_reserved =
            |key: &String| key.get(..RESERVED_PREFIX.len()).is_some_and(|it| it.eq_ignore_ascii_case(RESERVED_PREFIX));
        if tags.keys().any(is_reserved) { Err(Error::TagReserved) } else { Ok(Self(tags)) }
    }

    /// Adds tags; those of the same keys get new values.
    ///
    /// # Errors
    /// [`Error::TagsMax`] if there would be more than the quota.
    pub fn merge(&mut self, added: &Tags) -> Result<(), Error> {
        self.0.extend(added.0.clone());
        if self.0.len() > TAGS_MAX { Err(Error::TagsMax(TAGS_MAX)) } else { Ok(()) }
    }

    /// Removes the tags of these keys. Keys that are not there are passed over.
    pub fn remove(&mut self, keys: &[String]) {
        for key in keys {
            self.0.remove(key);
        }
    }

    /// The value of a tag.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The tags by their keys.
    pub fn into_map(self) -> BTreeMap<String, String> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn tags_are_merged_up_to_the_quota() {
        let mut mine = Tags::admit(Some(tags(&[("a", "1"), ("b", "2")]))).unwrap();
        mine.merge(&Tags::admit(Some(tags(&[("a", "3")]))).unwrap()).unwrap();
        mine.remove(&["b".to_owned(), "gone".to_owned()]);
        assert_eq!(mine.clone().into_map(), tags(&[("a", "3")]));
        let many = (0..50).map(|n| (format!("k{n}"), String::new())).collect();
        assert!(matches!(mine.merge(&Tags::admit(Some(many)).unwrap()), Err(Error::TagsMax(50))));
    }

    #[test]
    fn the_prefix_of_aws_is_reserved() {
        assert!(matches!(Tags::admit(Some(tags(&[("AWS:x", "")]))), Err(Error::TagReserved)));
    }
}
