//! Keys: paths of escaped segments.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::Arc;

/// A key: segments joined by `/`, each with `%` written as `%25` and `/` as `%2F`, so that no segment can pretend to be
/// two. Records have `<account>/<region>/<service>/<kind>/<id segments…>`.
///
/// Keys are ordered by their bytes. Escaping `%` keeps the order of segments; a `/` inside of a segment sorts as `%2F`
/// does, so a service whose ids must come in their own byte order (S3's object keys) splits them at `/` into segments.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// The key of these segments. Its length is checked by the transaction that writes it.
    pub fn new<S: AsRef<str>>(segments: impl IntoIterator<Item = S>) -> Self {
        let mut text = String::new();
        for (position, segment) in segments.into_iter().enumerate() {
            if position > 0 {
                text.push('/');
            }
            escape_into(&mut text, segment.as_ref());
        }
        Self(text.into())
    }

    /// What every key lies below. It is a prefix to list and to watch; nothing can be stored at it.
    pub fn root() -> Self {
        Self("".into())
    }

    /// This key with one more segment.
    pub fn child(&self, segment: &str) -> Self {
        let mut text = String::with_capacity(self.0.len() + 1 + segment.len());
        text.push_str(&self.0);
        if !self.is_root() {
            text.push('/');
        }
        escape_into(&mut text, segment);
        Self(text.into())
    }

    /// This key with all of these segments added.
    pub fn join<S: AsRef<str>>(&self, segments: impl IntoIterator<Item = S>) -> Self {
        segments.into_iter().fold(self.clone(), |key, segment| key.child(segment.as_ref()))
    }

    /// How a text is written that is split at `/` into segments, each of which is escaped. The order of such texts is
    /// their own, byte by byte.
    pub fn stored(text: &str) -> String {
        text.replace('%', "%25")
    }

    /// A key as it was stored, already escaped.
    pub(crate) fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// The escaped text, as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments, unescaped.
    pub fn segments(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.0.split('/').filter(|_| !self.is_root()).map(unescape)
    }

    /// The segments as they are stored.
    pub(crate) fn raw_segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|_| !self.is_root())
    }

    /// Whether this is [`Key::root`].
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `other` lies below this key: has all of its segments and more.
    pub fn is_above(&self, other: &Key) -> bool {
        match other.0.strip_prefix(&*self.0) {
            Some(rest) if self.is_root() => !rest.is_empty(),
            Some(rest) => rest.starts_with('/'),
            None => false,
        }
    }

    /// Whether `other` is this key or lies below it.
    pub fn covers(&self, other: &Key) -> bool {
        self == other || self.is_above(other)
    }

    /// The bounds of the keys below this one: the first is within, the second is not; none is no bound.
    pub(crate) fn bounds_below(&self) -> (String, Option<String>) {
        if self.is_root() {
            return (String::new(), None);
        }
        // '0' is the character after '/'.
        (format!("{}/", self.0), Some(format!("{}0", self.0)))
    }

    /// This key and every key above it, the longest first, the root last.
    pub(crate) fn and_above(&self) -> impl Iterator<Item = &str> {
        let mut rest = Some(&*self.0);
        std::iter::from_fn(move || {
            let here = rest?;
            rest = match here.rfind('/') {
                Some(slash) => Some(&here[..slash]),
                None if here.is_empty() => None,
                None => Some(""),
            };
            Some(here)
        })
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

fn escape_into(text: &mut String, segment: &str) {
    for character in segment.chars() {
        match character {
            '/' => text.push_str("%2F"),
            '%' => text.push_str("%25"),
            other => text.push(other),
        }
    }
}

fn unescape(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    // `%25` last: the other way round, the `%252F` of a literal `%2F` would become a slash.
    Cow::Owned(segment.replace("%2F", "/").replace("%25", "%"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn segments_come_back_as_they_were_given(segments in prop::collection::vec("[a-z/%25F.-]{1,6}", 1..5)) {
            let key = Key::new(&segments);
            prop_assert_eq!(key.segments().map(Cow::into_owned).collect::<Vec<_>>(), segments);
        }

        #[test]
        fn below_agrees_with_the_bounds(prefix in "[a-c/%]{0,4}", other in "[a-c/%]{0,6}") {
            let (prefix, other) = (Key::new(prefix.split('/')), Key::new(other.split('/')));
            let (start, end) = prefix.bounds_below();
            let within = other.as_str() >= start.as_str()
                && end.is_none_or(|end| other.as_str() < end.as_str())
                && !other.is_root();
            prop_assert_eq!(prefix.is_above(&other), within);
        }
    }

    proptest! {
        #[test]
        fn texts_that_are_split_at_the_separator_keep_their_order(a in "[a/%!0.\u{1}-]{0,6}", b in "[a/%!0.\u{1}-]{0,6}") {
            let key = |text: &str| Key::new(["p"]).join(text.split('/'));
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
            prop_assert_eq!(key(&a).to_string(), format!("p/{}", Key::stored(&a)));
        }
    }

    #[test]
    fn a_separator_inside_of_a_segment_does_not_make_two() {
        let key = Key::new(["team/a", "b"]);
        assert_eq!(key.as_str(), "team%2Fa/b");
        assert!(!Key::new(["team"]).is_above(&key));
    }

    #[test]
    fn the_keys_above_end_with_the_root() {
        assert_eq!(Key::new(["a", "b"]).and_above().collect::<Vec<_>>(), ["a/b", "a", ""]);
        assert_eq!(Key::root().and_above().collect::<Vec<_>>(), [""]);
    }
}
