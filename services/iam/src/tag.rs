//! Tags of users, roles, policies and instance profiles.
//!
//! The keys of a user's or role's tags are compared without regard to case, those of the others with it; case is kept
//! ("Rules for tagging in IAM and AWS STS").

use std::collections::BTreeMap;

use platform::Ctx;
use platform::tags::{KeyCase, KeyProblem, check_keys};

use crate::api::Tag;
use crate::entity::Entity;
use crate::limits::TAGS_MAX;
use crate::page::{Page, PageRequest};
use crate::{Error, Iam};

/// How tag keys are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TagKeys {
    /// Without regard to case.
    AnyCase,
    /// As they are.
    Exact,
}

impl TagKeys {
    fn case(self) -> KeyCase {
        match self {
            Self::AnyCase => KeyCase::Ignored,
            Self::Exact => KeyCase::Kept,
        }
    }

    fn are_one(self, one: &str, other: &str) -> bool {
        self.case().are_one(one, other)
    }

    /// The tags of a new entity.
    pub(crate) fn of_new(self, tags: Option<Vec<Tag>>) -> Result<Vec<Tag>, Error> {
        let mut all = Vec::new();
        self.add(&mut all, &tags.unwrap_or_default())?;
        Ok(all)
    }

    /// Adds tags; one whose key is there takes its place.
    fn add(self, tags: &mut Vec<Tag>, added: &[Tag]) -> Result<(), Error> {
        check_keys(added.iter().map(|tag| tag.key.as_str()), self.case()).map_err(|problem| match (problem, self) {
            (KeyProblem::Reserved, _) => Error::ReservedTag,
            (KeyProblem::Twice, Self::AnyCase) => Error::DuplicateTagsAnyCase,
            (KeyProblem::Twice, Self::Exact) => Error::DuplicateTags,
        })?;
        tags.retain(|tag| !added.iter().any(|new| self.are_one(&new.key, &tag.key)));
        tags.extend_from_slice(added);
        if tags.len() > TAGS_MAX { Err(Error::TooManyTags) } else { Ok(()) }
    }

    fn remove(self, tags: &mut Vec<Tag>, keys: &[String]) {
        tags.retain(|tag| !keys.iter().any(|key| self.are_one(key, &tag.key)));
    }
}

impl Iam {
    /// Adds tags to an entity.
    pub(crate) async fn tag<E: Entity>(&self, ctx: &Ctx, entity: &str, tags: &[Tag]) -> Result<(), Error> {
        self.change::<E>(ctx, entity, |entity| E::NOUN.tag_keys().add(&mut entity.identity_mut().tags, tags)).await?;
        Ok(())
    }

    /// Removes tags from an entity; keys that it does not have are passed over.
    pub(crate) async fn untag<E: Entity>(&self, ctx: &Ctx, entity: &str, keys: &[String]) -> Result<(), Error> {
        self.change::<E>(ctx, entity, |entity| {
            E::NOUN.tag_keys().remove(&mut entity.identity_mut().tags, keys);
            Ok(())
        })
        .await?;
        Ok(())
    }

    /// A page of an entity's tags, in the order of their keys.
    pub(crate) async fn tags_of<E: Entity>(
        &self,
        ctx: &Ctx,
        entity: &str,
        request: PageRequest<'_>,
    ) -> Result<Page<Tag>, Error> {
        let tags = self.find::<E>(ctx, entity).await?.value.identity().tags.clone();
        let sorted: BTreeMap<String, Tag> = tags.into_iter().map(|tag| (tag.key.clone(), tag)).collect();
        Ok(request.of(sorted))
    }
}

/// Keys and values, as the gate takes them.
pub(crate) fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str()))
}

/// Tags as a member that is left out when there are none.
pub(crate) fn present(tags: &[Tag]) -> Option<Vec<Tag>> {
    (!tags.is_empty()).then(|| tags.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> Tag {
        Tag { key: key.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn a_key_in_another_case_is_the_same_tag_of_a_user_and_another_one_of_a_policy() {
        let mut tags = vec![tag("Team", "a")];
        TagKeys::AnyCase.add(&mut tags, &[tag("team", "b")]).unwrap();
        assert_eq!(tags, [tag("team", "b")]);
        TagKeys::Exact.add(&mut tags, &[tag("Team", "c")]).unwrap();
        assert_eq!(tags, [tag("team", "b"), tag("Team", "c")]);
        TagKeys::Exact.remove(&mut tags, &["TEAM".to_owned()]);
        assert_eq!(tags.len(), 2);
        TagKeys::AnyCase.remove(&mut tags, &["TEAM".to_owned()]);
        assert_eq!(tags, []);
    }

    #[test]
    fn tags_are_refused_in_awss_words() {
        let twice = [tag("a", "1"), tag("A", "2")];
        let rows = [
            (
                TagKeys::AnyCase,
                twice.to_vec(),
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ),
            (TagKeys::Exact, vec![tag("a", "1"), tag("a", "2")], "Duplicate tag keys found."),
            (TagKeys::Exact, vec![tag("AWS:x", "")], "Tag keys that begin with aws: are reserved for AWS use."),
            (
                TagKeys::Exact,
                (0..51).map(|number| tag(&number.to_string(), "")).collect(),
                "The number of tags has reached the maximum limit.",
            ),
        ];
        for (keys, tags, message) in rows {
            assert_eq!(keys.of_new(Some(tags)).unwrap_err().to_string(), message);
        }
        assert_eq!(TagKeys::Exact.of_new(Some(twice.to_vec())).unwrap().len(), 2);
        assert_eq!(TagKeys::Exact.of_new(None).unwrap(), []);
    }
}
