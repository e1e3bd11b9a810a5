//! Patterns of tags: `*` stands for any number of characters, every other character for itself.

/// The character that stands for any number of others.
pub(crate) const WILDCARD: char = '*';

/// Whether a pattern matches a whole text. Takes time in proportion to the product of their lengths at most.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once(WILDCARD) else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = rest.split(WILDCARD).collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        // The earliest place of a piece leaves the most to those after it.
        match text.find(piece) {
            Some(at) => text = &text[at + piece.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

/// How many wildcards a pattern has.
pub(crate) fn count(pattern: &str) -> usize {
    pattern.matches(WILDCARD).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition.
    fn by_definition(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|skipped| by_definition(rest, &text[skipped..])),
            Some((byte, rest)) => text.first() == Some(byte) && by_definition(rest, &text[1..]),
        }
    }

    #[test]
    fn a_star_stands_for_any_number_of_characters() {
        for (pattern, text) in [("*", ""), ("v*", "v1"), ("*-rc", "1-rc"), ("a*b*c", "a-b-b-c"), ("x", "x")] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("v*", "w"), ("a*a", "a"), ("x", "xx"), ("*b*b", "b"), ("", "x")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn it_is_what_the_definition_says(pattern in "[ab*]{0,8}", text in "[ab]{0,8}") {
            prop_assert_eq!(matches(&pattern, &text), by_definition(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
