//! What a policy means for images: a pure function.
//!
//! Rules are applied in the order of their priorities. An image that a rule is about is that rule's: no later rule does
//! anything to it, whether the rule hit it or not. Later rules still see it when they count. An image that may not go
//! (an index has it) is seen, too, and stays. (User guide, "How lifecycle policies work".)

use std::time::Duration;

use base::Timestamp;

use super::document::{Action, Count, Document, Rule, StorageClass, TagSelection};
use crate::wildcard;

/// What a day is.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// An image as a policy sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its digest.
    pub digest: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// When it was pushed.
    pub pushed: Timestamp,
    /// When it was last pulled.
    pub pulled: Option<Timestamp>,
    /// Since when it is archived, if it is.
    pub archived: Option<Timestamp>,
    /// Whether it may not go: an index has it.
    pub is_kept: bool,
}

/// What a policy does to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The image's place among those that were given.
    pub image: usize,
    /// What becomes of it.
    pub action: Action,
    /// The priority of the rule that hit it.
    pub priority: i32,
}

/// What a policy does to images at an instant: by priority, and for each rule the oldest first.
pub fn evaluate(document: &Document, images: &[Image], now: Timestamp) -> Vec<Verdict> {
    let mut is_taken = vec![false; images.len()];
    let mut verdicts = Vec::new();
    for rule in &document.rules {
        let about = newest_first(rule, images);
        let hit = &about[first_hit(rule, &about, images, now)..];
        for &image in hit.iter().rev().filter(|&&image| !is_taken[image] && !images[image].is_kept) {
            verdicts.push(Verdict { image, action: rule.action, priority: rule.priority });
        }
        about.iter().for_each(|&image| is_taken[image] = true);
    }
    verdicts
}

/// The images that a rule is about, the newest first.
fn newest_first(rule: &Rule, images: &[Image]) -> Vec<usize> {
    let mut about: Vec<usize> = (0..images.len()).filter(|&image| is_about(rule, &images[image])).collect();
    about.sort_by(|&one, &other| {
        let (one, other) = (&images[one], &images[other]);
        // Of the same instant, the digest decides, so that each evaluation decides alike.
        instant(rule, other).cmp(&instant(rule, one)).then_with(|| one.digest.cmp(&other.digest))
    });
    about
}

/// Whether a rule is about an image.
fn is_about(rule: &Rule, image: &Image) -> bool {
    let class = if image.archived.is_some() { StorageClass::Archive } else { StorageClass::Standard };
    let each = |wanted: &[String], has: fn(&str, &str) -> bool| {
        !image.tags.is_empty() && wanted.iter().all(|wanted| image.tags.iter().any(|tag| has(wanted, tag)))
    };
    class == rule.storage
        && match &rule.tags {
            TagSelection::Any => true,
            TagSelection::Untagged => image.tags.is_empty(),
            TagSelection::Prefixes(prefixes) => each(prefixes, |prefix, tag| tag.starts_with(prefix)),
            TagSelection::Patterns(patterns) => each(patterns, wildcard::matches),
        }
}

/// The instant by which a rule takes an image for old.
fn instant(rule: &Rule, image: &Image) -> Timestamp {
    match rule.count {
        Count::MoreThan(_) | Count::DaysSincePushed(_) => image.pushed,
        Count::DaysSincePulled(_) => image.pulled.unwrap_or(image.pushed),
        Count::DaysSinceTransitioned(_) => image.archived.unwrap_or(image.pushed),
    }
}

/// From where on a rule hits the images that it is about: the first of them, or how many they are.
fn first_hit(rule: &Rule, newest_first: &[usize], images: &[Image], now: Timestamp) -> usize {
    let days = match rule.count {
        Count::MoreThan(kept) => return newest_first.len().min(usize::try_from(kept).unwrap_or(usize::MAX)),
        Count::DaysSincePushed(days) | Count::DaysSincePulled(days) | Count::DaysSinceTransitioned(days) => days,
    };
    newest_first.partition_point(|&image| now.since(instant(rule, &images[image])) <= DAY * days)
}

#[cfg(test)]
mod tests;
