//! What a lifecycle policy says: from text to rules, or to the sentence with which ECR refuses the text.
//!
//! The form is checked before the meaning, as the service does: it validates against a JSON schema first, whose sentences
//! name no place. Source of the rules: user guide, "Lifecycle policy properties".

mod schema;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::wildcard;
use schema::{Object, array, integer_from_one, one_of, texts};

/// The most rules of a policy. (Quotas: "Rules per lifecycle policy".)
pub const RULES_MAX: usize = 50;
/// The most wildcards in one pattern.
pub const PATTERN_WILDCARDS_MAX: usize = 4;

/// A policy: its rules, in the order of their priorities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// One or more.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its place: the lowest is applied first. No two rules have the same.
    pub priority: i32,
    /// Which images it is about.
    pub tags: TagSelection,
    /// Of which storage class these are.
    pub storage: StorageClass,
    /// Which of them it hits.
    pub count: Count,
    /// What becomes of those.
    pub action: Action,
}

/// Which images a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagSelection {
    /// Those for which each of the prefixes begins one of their tags.
    Prefixes(Vec<String>),
    /// Those for which each of the patterns matches one of their tags.
    Patterns(Vec<String>),
    /// Those without tags.
    Untagged,
    /// All.
    Any,
}

/// Where images are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StorageClass {
    /// To be pulled at any time.
    Standard,
    /// In the archive.
    Archive,
}

/// Which of the images that a rule is about it hits. Days are of 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// All but the so many that were pushed last.
    MoreThan(u32),
    /// Those that were pushed more than so many days ago.
    DaysSincePushed(u32),
    /// Those that were last pulled more than so many days ago, or pushed, if they never were.
    DaysSincePulled(u32),
    /// Those that were archived more than so many days ago.
    DaysSinceTransitioned(u32),
}

/// What becomes of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is deleted.
    Expire,
    /// It goes into the archive.
    Archive,
}

/// Why a text is no lifecycle policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// It is no JSON object.
    #[error("Could not map policyString into LifecyclePolicy.")]
    NotAnObject,
    /// It is no JSON of a policy's form.
    #[error("{0}")]
    Schema(String),
    /// Two rules have one priority.
    #[error("Rule priorities must be unique, but {0} is used more than once")]
    PriorityTwice(i32),
    /// A rule about tagged images says not which.
    #[error("Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED")]
    TagsMissing,
    /// A rule says it both ways.
    #[error("Must specify only one of tagPrefixList and tagPatternList")]
    TagsBothWays,
    /// A rule about other images names tags.
    #[error("tagPrefixList and tagPatternList can only be specified when tagStatus=TAGGED")]
    TagsUnwanted,
    /// A pattern has too many wildcards.
    #[error("A tagPatternList entry can have up to {PATTERN_WILDCARDS_MAX} wildcards (*)")]
    PatternWildcards,
    /// Two rules about untagged images.
    #[error("Only one rule can select Untagged images per storage class")]
    UntaggedTwice,
    /// The rule about all images is not the last one.
    #[error("Rule for tagStatus=ANY must have the lowest priority per storage class")]
    AnyNotLast,
    /// A way to count that the storage class has not.
    #[error("countType {0} cannot be used with storageClass {1}")]
    CountOfClass(&'static str, &'static str),
    /// An action that goes elsewhere than it can.
    #[error(
        "An action of type transition needs targetStorageClass archive and selects images of storageClass standard"
    )]
    Transition,
    /// A target for an action that has none.
    #[error("An action of type expire has no targetStorageClass")]
    ExpireTarget,
}

/// Reads a policy.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn parse(text: &str) -> Result<Document, InvalidPolicy> {
    let json: Value = serde_json::from_str(text).map_err(|_| InvalidPolicy::NotAnObject)?;
    if !json.is_object() {
        return Err(InvalidPolicy::NotAnObject);
    }
    let document = Object::read(&json, &["rules"], &[])?;
    let rules = array(document.required("rules"), 1, RULES_MAX)?;
    let mut rules: Vec<Rule> = rules.iter().map(rule).collect::<Result<_, _>>()?;
    rules.sort_by_key(|rule| rule.priority);
    check_together(&rules)?;
    Ok(Document { rules })
}

fn rule(json: &Value) -> Result<Rule, InvalidPolicy> {
    let rule = Object::read(json, &["action", "rulePriority", "selection"], &["description"])?;
    let priority = integer_from_one(rule.required("rulePriority"))?;
    if let Some(description) = rule.optional("description") {
        schema::text(description)?;
    }
    const OPTIONAL: &[&str] = &["countUnit", "storageClass", "tagPatternList", "tagPrefixList"];
    let selection = Object::read(rule.required("selection"), &["countNumber", "countType", "tagStatus"], OPTIONAL)?;
    let tags = tags(&selection)?;
    let storage = match selection.optional("storageClass") {
        Some(class) => [StorageClass::Archive, StorageClass::Standard][one_of(class, &["archive", "standard"])?],
        None => StorageClass::Standard,
    };
    let count = count(&selection, storage)?;
    let action = action(rule.required("action"), storage)?;
    Ok(Rule { priority, tags, storage, count, action })
}

fn tags(selection: &Object<'_>) -> Result<TagSelection, InvalidPolicy> {
    let status = one_of(selection.required("tagStatus"), &["any", "tagged", "untagged"])?;
    let list = |name| selection.optional(name).map(texts).transpose();
    let (prefixes, patterns) = (list("tagPrefixList")?, list("tagPatternList")?);
    match (status, prefixes, patterns) {
        (1, None, None) => Err(InvalidPolicy::TagsMissing),
        (1, Some(_), Some(_)) => Err(InvalidPolicy::TagsBothWays),
        (1, Some(prefixes), None) => Ok(TagSelection::Prefixes(prefixes)),
        (1, None, Some(patterns)) => {
            let is_wild = |pattern: &String| wildcard::count(pattern) > PATTERN_WILDCARDS_MAX;
            if patterns.iter().any(is_wild) {
                return Err(InvalidPolicy::PatternWildcards);
            }
            Ok(TagSelection::Patterns(patterns))
        }
        (0, None, None) => Ok(TagSelection::Any),
        (_, None, None) => Ok(TagSelection::Untagged),
        _ => Err(InvalidPolicy::TagsUnwanted),
    }
}

fn count(selection: &Object<'_>, storage: StorageClass) -> Result<Count, InvalidPolicy> {
    const TYPES: [&str; 4] = ["imageCountMoreThan", "sinceImagePulled", "sinceImagePushed", "sinceImageTransitioned"];
    let kind = one_of(selection.required("countType"), &TYPES)?;
    let number = integer_from_one(selection.required("countNumber"))?.unsigned_abs();
    let unit = selection.optional("countUnit").map(|unit| one_of(unit, &["days"])).transpose()?;
    if unit.is_some() != (kind > 0) {
        return Err(InvalidPolicy::Schema(
            "instance failed to match exactly one schema (matched 0 out of 2)".to_owned(),
        ));
    }
    match (storage, kind) {
        (StorageClass::Archive, 3) => Ok(Count::DaysSinceTransitioned(number)),
        (StorageClass::Archive, kind) => Err(InvalidPolicy::CountOfClass(TYPES[kind], "archive")),
        (StorageClass::Standard, 0) => Ok(Count::MoreThan(number)),
        (StorageClass::Standard, 1) => Ok(Count::DaysSincePulled(number)),
        (StorageClass::Standard, 2) => Ok(Count::DaysSincePushed(number)),
        (StorageClass::Standard, kind) => Err(InvalidPolicy::CountOfClass(TYPES[kind], "standard")),
    }
}

fn action(json: &Value, storage: StorageClass) -> Result<Action, InvalidPolicy> {
    let action = Object::read(json, &["type"], &["targetStorageClass"])?;
    let kind = one_of(action.required("type"), &["expire", "transition"])?;
    let target = action.optional("targetStorageClass").map(|class| one_of(class, &["archive"])).transpose()?;
    match (kind, target, storage) {
        (0, None, _) => Ok(Action::Expire),
        (0, Some(_), _) => Err(InvalidPolicy::ExpireTarget),
        (_, Some(_), StorageClass::Standard) => Ok(Action::Archive),
        _ => Err(InvalidPolicy::Transition),
    }
}

/// What rules must not be together. They come in the order of their priorities.
fn check_together(rules: &[Rule]) -> Result<(), InvalidPolicy> {
    let mut priorities = BTreeSet::new();
    if let Some(twice) = rules.iter().find(|rule| !priorities.insert(rule.priority)) {
        return Err(InvalidPolicy::PriorityTwice(twice.priority));
    }
    for class in [StorageClass::Standard, StorageClass::Archive] {
        let of_class: Vec<&Rule> = rules.iter().filter(|rule| rule.storage == class).collect();
        if of_class.iter().filter(|rule| rule.tags == TagSelection::Untagged).count() > 1 {
            return Err(InvalidPolicy::UntaggedTwice);
        }
        let any = of_class.iter().position(|rule| rule.tags == TagSelection::Any);
        if any.is_some_and(|at| at + 1 < of_class.len()) {
            return Err(InvalidPolicy::AnyNotLast);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
