//! The tags of repositories.

use platform::tags::{self, TagProblem, TagRules};

use crate::Error;
use crate::api::Tag;

pub(crate) use platform::tags::Tags;

/// Checks the tags of a request.
///
/// # Errors
/// [`Error::Tag`], [`Error::TagsMax`]
pub(crate) fn admit(tags: Option<Vec<Tag>>) -> Result<Tags, Error> {
    let pairs = tags.into_iter().flatten().map(|tag| (tag.key, tag.value));
    Tags::admit(pairs, TagRules::COMMON).map_err(refusal)
}

/// Adds tags to those that a repository has.
///
/// # Errors
/// [`Error::TagsMax`]
pub(crate) fn merge(present: &mut Tags, added: &Tags) -> Result<(), Error> {
    present.merge(added, TagRules::COMMON).map_err(refusal)
}

/// The tags as operations answer them.
pub(crate) fn into_api(tags: Tags) -> Vec<Tag> {
    tags.into_iter().map(|(key, value)| Tag { key, value }).collect()
}

/// The keys and values of a request, for a decision.
pub(crate) fn pairs(tags: Option<&[Tag]>) -> Vec<(&str, &str)> {
    tags.unwrap_or_default().iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect()
}

fn refusal(problem: TagProblem) -> Error {
    match problem {
        TagProblem::TooMany { .. } => Error::TagsMax(tags::TAGS_MAX),
        other => Error::Tag(other),
    }
}
