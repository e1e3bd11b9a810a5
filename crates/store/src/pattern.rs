//! Which keys a watch is about.

use crate::Key;

/// A set of keys that a watch can be woken for without looking at all watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// The key and all below it.
    At(Key),
    /// The records of one kind, of every account and region: `*/*/<service>/<kind>` and below.
    Kind {
        /// The third segment, as stored.
        service: String,
        /// The fourth segment, as stored.
        kind: String,
    },
}

impl Pattern {
    /// The records of a kind in all scopes.
    pub(crate) fn kind(service: &str, kind: &str) -> Self {
        let stored = |segment: &str| Key::new([segment]).as_str().to_owned();
        Self::Kind { service: stored(service), kind: stored(kind) }
    }

    /// Whether the key is one of them.
    pub(crate) fn matches(&self, key: &Key) -> bool {
        match self {
            Self::At(prefix) => prefix.covers(key),
            Self::Kind { service, kind } => kind_of(key) == Some((service, kind)),
        }
    }

    /// Whether a key at `prefix` or below it can be one of them.
    pub(crate) fn may_match_below(&self, prefix: &Key) -> bool {
        match self {
            Self::At(key) => key.covers(prefix) || prefix.covers(key),
            Self::Kind { service, kind } => {
                let mut segments = prefix.raw_segments().skip(2);
                segments.next().is_none_or(|it| it == service) && segments.next().is_none_or(|it| it == kind)
            }
        }
    }
}

/// The service and kind segments of a key, as stored.
pub(crate) fn kind_of(key: &Key) -> Option<(&str, &str)> {
    let mut segments = key.raw_segments().skip(2);
    Some((segments.next()?, segments.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_matched_in_every_account_and_region() {
        let tasks = Pattern::kind("ecs", "task");
        assert!(tasks.matches(&Key::new(["1", "eu-west-1", "ecs", "task", "a"])));
        assert!(!tasks.matches(&Key::new(["1", "eu-west-1", "ecs", "task@cluster", "a"])));
        assert!(!tasks.matches(&Key::new(["1", "eu-west-1"])));
        assert!(tasks.may_match_below(&Key::new(["2", "us-east-1"])));
        assert!(tasks.may_match_below(&Key::root()));
        assert!(!tasks.may_match_below(&Key::new(["2", "us-east-1", "eks"])));
    }
}
