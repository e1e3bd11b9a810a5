//! Matching by bits: slower to begin with than trying from the left, but as fast for a pattern that was made to be slow.

use std::collections::HashMap;

/// What a pattern is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit<'a> {
    Literal(&'a str),
    AnyOne,
    AnyRun,
}

/// How many places a word has.
const BITS: usize = u64::BITS as usize;

/// A pattern as an automaton: place `n` is reached when the first `n` characters of the pattern have been met.
#[derive(Default)]
struct Places {
    /// None for any character.
    characters: Vec<Option<char>>,
    /// The places that a run keeps.
    runs: Vec<u64>,
}

impl Places {
    fn new<'a>(units: impl Iterator<Item = Unit<'a>>) -> Self {
        let mut places = Self::default();
        let mut at_runs = Vec::new();
        for unit in units {
            match unit {
                Unit::Literal(text) => places.characters.extend(text.chars().map(Some)),
                Unit::AnyOne => places.characters.push(None),
                Unit::AnyRun => at_runs.push(places.characters.len()),
            }
        }
        places.runs = places.none();
        at_runs.into_iter().for_each(|at| set(&mut places.runs, at));
        places
    }

    fn none(&self) -> Vec<u64> {
        vec![0; self.characters.len() / BITS + 1]
    }

    /// The places from which a character that is not in the pattern, or this one, leads on.
    fn leading_on(&self, character: Option<char>) -> Vec<u64> {
        let mut places = self.none();
        let leads = |own: &Option<char>| own.is_none() || *own == character;
        self.characters.iter().enumerate().filter(|(_, own)| leads(own)).for_each(|(at, _)| set(&mut places, at));
        places
    }
}

/// Whether a text is like a pattern. The time grows with the product of their lengths, by 64.
pub(crate) fn is_like<'a>(pattern: impl Iterator<Item = Unit<'a>>, text: &str) -> bool {
    let places = Places::new(pattern);
    // What leads on by which character; first, by those that the pattern has not.
    let mut leading_on = vec![places.leading_on(None)];
    let (mut of_ascii, mut of_others) = ([None; 128], HashMap::<char, Option<usize>>::new());
    let mut reached = places.none();
    set(&mut reached, 0);
    for character in text.chars() {
        let known = match of_ascii.get_mut(character as usize) {
            Some(known) => known,
            None => of_others.entry(character).or_default(),
        };
        let number = *known.get_or_insert_with(|| {
            if !places.characters.contains(&Some(character)) {
                return 0;
            }
            leading_on.push(places.leading_on(Some(character)));
            leading_on.len() - 1
        });
        let mut carried = 0;
        for ((reached, runs), leading_on) in reached.iter_mut().zip(&places.runs).zip(&leading_on[number]) {
            let on = *reached & leading_on;
            let kept = *reached & runs;
            *reached = on << 1 | carried | kept;
            carried = on >> (BITS - 1);
        }
    }
    is_set(&reached, places.characters.len())
}

fn set(places: &mut [u64], at: usize) {
    places[at / BITS] |= 1 << (at % BITS);
}

fn is_set(places: &[u64], at: usize) -> bool {
    places[at / BITS] >> (at % BITS) & 1 == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn units(pattern: &str) -> Vec<Unit<'_>> {
        let unit = |(at, character): (usize, char)| match character {
            '*' => Unit::AnyRun,
            '?' => Unit::AnyOne,
            other => Unit::Literal(&pattern[at..at + other.len_utf8()]),
        };
        pattern.char_indices().map(unit).collect()
    }

    fn is_match(pattern: &str, text: &str) -> bool {
        is_like(units(pattern).into_iter(), text)
    }

    /// The definition.
    fn reference(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|taken| reference(rest, &text[taken..])),
            Some((own, rest)) => {
                text.split_first().is_some_and(|(first, after)| (*own == '?' || own == first) && reference(rest, after))
            }
        }
    }

    #[test]
    fn long_patterns_go_beyond_one_word() {
        let long = "ab".repeat(200);
        assert!(is_match(&format!("*{long}"), &format!("ab{long}")));
        assert!(!is_match(&format!("*{long}"), &format!("{long}a")));
        assert!(is_match(&"?".repeat(128), &"é".repeat(128)));
        assert!(!is_match(&"?".repeat(128), &"é".repeat(127)));
        assert!(is_match("", "") && is_match("*", "") && !is_match("", "a"));
    }

    proptest! {
        #[test]
        fn it_is_what_the_definition_says(pattern in "[abé*?]{0,10}", text in "[abcé]{0,12}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(is_match(&pattern, &text), reference(&chars(&pattern), &chars(&text)));
        }
    }
}
