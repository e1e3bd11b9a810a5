//! The tags of functions.

use std::collections::BTreeMap;

use platform::tags::{TagProblem, TagRules};

use crate::Error;

pub(crate) use platform::tags::Tags;

/// Checks the tags of a request.
///
/// # Errors
/// [`Error::Parameter`]
pub(crate) fn admit(tags: Option<BTreeMap<String, String>>) -> Result<Tags, Error> {
    Tags::admit(tags.unwrap_or_default(), TagRules::COMMON).map_err(refusal)
}

/// Adds tags to those that a function has.
///
/// # Errors
/// [`Error::Parameter`]
pub(crate) fn merge(present: &mut Tags, added: &Tags) -> Result<(), Error> {
    present.merge(added, TagRules::COMMON).map_err(refusal)
}

/// The keys and values of a request, for a decision.
pub(crate) fn pairs(tags: Option<&BTreeMap<String, String>>) -> impl Iterator<Item = (&str, &str)> {
    tags.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()))
}

fn refusal(problem: TagProblem) -> Error {
    Error::Parameter(match problem {
        TagProblem::TooMany { .. } => "Number of tags exceeds resource tag limit.".to_owned(),
        TagProblem::Reserved { .. } => "System tags cannot be added/updated by requester.".to_owned(),
        other => format!("{other}."),
    })
}
