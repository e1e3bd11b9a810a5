//! Patterns against evaluators that are slow and obvious, and parsers against anything.

use proptest::prelude::*;

use super::glob::Glob;
use super::*;

/// `*` by trying everything.
fn naive_glob(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        (['*', rest @ ..], _) => naive_glob(rest, text) || (!text.is_empty() && naive_glob(pattern, &text[1..])),
        ([p, pattern @ ..], [t, text @ ..]) => p == t && naive_glob(pattern, text),
        _ => false,
    }
}

#[derive(Debug, Clone)]
enum Expression {
    Compare(usize, bool, u8),
    Exists(usize),
    Not(usize),
    All(Vec<Expression>),
    Any(Vec<Expression>),
}

impl Expression {
    fn written(&self, subject: &dyn Fn(usize) -> String) -> String {
        let join = |inner: &[Expression], by: &str| {
            let written: Vec<String> = inner.iter().map(|inner| format!("({})", inner.written(subject))).collect();
            written.join(by)
        };
        match self {
            Expression::Compare(i, equal, n) => format!("{} {} {n}", subject(*i), if *equal { "=" } else { "!=" }),
            Expression::Exists(i) => format!("{} = *", subject(*i)),
            Expression::Not(i) => format!("{} NOT EXISTS", subject(*i)),
            Expression::All(inner) => join(inner, "&&"),
            Expression::Any(inner) => join(inner, " || "),
        }
    }

    fn holds(&self, values: &[Option<u8>]) -> bool {
        match self {
            Expression::Compare(i, equal, n) => values[*i].is_some_and(|value| (value == *n) == *equal),
            Expression::Exists(i) => values[*i].is_some(),
            Expression::Not(i) => values[*i].is_none(),
            Expression::All(inner) => inner.iter().all(|inner| inner.holds(values)),
            Expression::Any(inner) => inner.iter().any(|inner| inner.holds(values)),
        }
    }
}

fn expression() -> impl Strategy<Value = Expression> {
    let leaf = prop_oneof![
        (0usize..4, any::<bool>(), 0u8..3).prop_map(|(i, equal, n)| Expression::Compare(i, equal, n)),
        (0usize..4).prop_map(Expression::Exists),
        (0usize..4).prop_map(Expression::Not),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Expression::All),
            prop::collection::vec(inner, 1..3).prop_map(Expression::Any),
        ]
    })
}

proptest! {
    #[test]
    fn a_glob_matches_as_trying_everything_does(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
        let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
        prop_assert_eq!(Glob::bare(&pattern).matches(&text), naive_glob(&p, &t));
        prop_assert_eq!(Glob::quoted(&pattern).matches(&text), naive_glob(&p, &t));
    }

    #[test]
    fn compounds_hold_as_their_parts_say(
        expression in expression(),
        values in prop::collection::vec(prop::option::of(0u8..3), 4),
        nested in any::<bool>(),
    ) {
        let subject = |i: usize| if nested { format!("$.o.k{i}") } else { format!("$['k{i}']") };
        let pattern = format!("{{{}}}", expression.written(&subject));
        prop_assume!(pattern.len() <= PATTERN_LENGTH_MAX);
        let members: Vec<String> =
            values.iter().enumerate().filter_map(|(i, value)| value.map(|value| format!("\"k{i}\":{value}"))).collect();
        let object = format!("{{{}}}", members.join(","));
        let message = if nested { format!("{{\"o\":{object}}}") } else { object };
        prop_assert_eq!(Pattern::parse(&pattern).unwrap().matches(&message), expression.holds(&values), "{} on {}", pattern, message);
    }

    #[test]
    fn terms_are_found_as_substrings(terms in prop::collection::vec(("[-?]?", "[ab]{1,3}"), 1..5), message in "[ab ]{0,12}") {
        let pattern: Vec<String> = terms.iter().map(|(kind, term)| format!("{kind}{term}")).collect();
        let found = |wanted: &str| -> Vec<bool> {
            terms.iter().filter(|(kind, _)| kind == wanted).map(|(_, term)| message.contains(term.as_str())).collect()
        };
        let (included, excluded, optional) = (found(""), found("-"), found("?"));
        let expected = if included.is_empty() && excluded.is_empty() {
            optional.contains(&true)
        } else {
            !included.contains(&false) && !excluded.contains(&true)
        };
        prop_assert_eq!(Pattern::parse(&pattern.join(" ")).unwrap().matches(&message), expected);
    }

    #[test]
    fn fields_are_the_words(words in prop::collection::vec("[a-z0-9]{1,4}", 1..8), head in 0usize..4, tail in 0usize..4) {
        let columns: Vec<String> = (0..head).map(|i| format!("h{i}")).chain(["...".to_owned()]).chain((0..tail).map(|i| format!("t{i}"))).collect();
        let extracted = Pattern::parse(&format!("[{}]", columns.join(", "))).unwrap().extract(&words.join("  "));
        prop_assert_eq!(extracted.is_some(), words.len() >= head + tail);
        for (name, value) in extracted.into_iter().flatten() {
            let index = match name.as_bytes()[1] {
                b'h' => name[2..].parse::<usize>().unwrap(),
                b't' => words.len() - tail + name[2..].parse::<usize>().unwrap(),
                _ => name[1..].parse::<usize>().unwrap() - 1,
            };
            prop_assert_eq!(&value, &words[index]);
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,64}", message in "\\PC{0,64}") {
        if let Ok(pattern) = Pattern::parse(&text) {
            pattern.extract(&message);
        }
        let _ = (Reference::parse(&text), MetricValue::parse(&text), Selector::parse(&text));
    }

    #[test]
    fn no_text_of_the_languages_own_characters_makes_it_panic(
        text in "[{\\[]?([$.a1\\[\\]()*\"'%\\\\=!<>&|, -]|\\.\\.\\.|IS|NULL|NOT|EXISTS|\\$\\.a = 1){0,24}[}\\]]?",
        message in "[{}\\[\\]\":,a1 \\\\]{0,24}",
    ) {
        if let Ok(pattern) = Pattern::parse(&text) {
            pattern.extract(&message);
        }
    }

    #[test]
    fn whatever_the_regular_expressions_are_they_do_not_make_it_panic(source in "[a1\\[\\]{}|\\\\*+.?^$,dDsSwWx-]{1,24}", message in "\\PC{0,32}") {
        if let Ok(pattern) = Pattern::parse(&format!("%{source}%")) {
            pattern.matches(&message);
        }
    }
}
