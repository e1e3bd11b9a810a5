//! Queries against evaluators that are slow and obvious, and the parser against anything.

use proptest::prelude::*;

use super::glob::Glob;
use super::order::Sortable;
use super::value::{Number, Value};
use super::*;

/// Rows of a run over documents, one millisecond apart.
fn run(query: &str, documents: &[String]) -> Result<Vec<Vec<Field>>, ExecutionError> {
    let query = Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let mut execution = Execution::new(&query, Options::new(0, 0, i64::MAX));
    for (ms, message) in (0..).zip(documents) {
        execution.push(&Record { timestamp_ms: ms, ingestion_ms: ms, message, log_stream: "s", log: "l", ptr: "" })?;
    }
    execution.finish().map(|results| results.rows)
}

fn cell<'r>(row: &'r [Field], name: &str) -> Option<&'r str> {
    row.iter().find(|cell| cell.field == name).map(|cell| cell.value.as_str())
}

/// A document of the fields a, b and c, of which each may be missing.
type Fields = [Option<String>; 3];

fn fields() -> impl Strategy<Value = Fields> {
    let field = || prop::option::of(prop_oneof!["[0-2]", "[xy]{1,2}", "x/y", "é"]);
    [field(), field(), field()]
}

fn document(fields: &Fields, escaped: bool) -> String {
    let spelled = |text: &str| {
        if !escaped {
            return text.to_owned();
        }
        text.chars().map(|c| format!("\\u{:04x}", c as u32)).collect()
    };
    let members: Vec<String> = ["a", "b", "c"]
        .iter()
        .zip(fields)
        .filter_map(|(name, value)| Some(format!("\"{}\":\"{}\"", spelled(name), spelled(value.as_ref()?))))
        .collect();
    format!("{{{}}}", members.join(", "))
}

#[derive(Debug, Clone)]
enum Condition {
    Equal(usize, String, bool),
    Like(usize, String, bool),
    In(usize, Vec<String>),
    Present(usize),
    Not(Box<Condition>),
    And(Vec<Condition>),
    Or(Vec<Condition>),
}

impl Condition {
    fn written(&self) -> String {
        let name = |i: &usize| ["a", "b", "c"][*i];
        let join = |parts: &[Condition], word: &str| {
            parts.iter().map(|part| format!("({})", part.written())).collect::<Vec<_>>().join(word)
        };
        match self {
            Condition::Equal(i, text, true) => format!("{} = '{text}'", name(i)),
            Condition::Equal(i, text, false) => format!("'{text}' != {}", name(i)),
            Condition::Like(i, text, true) => format!("{} like \"{text}\"", name(i)),
            Condition::Like(i, text, false) => format!("{} not like \"{text}\"", name(i)),
            Condition::In(i, list) => format!(
                "{} in [{}]",
                name(i),
                list.iter().map(|text| format!("{text:?}")).collect::<Vec<_>>().join(", ")
            ),
            Condition::Present(i) => format!("ispresent({})", name(i)),
            Condition::Not(inner) => format!("not ({})", inner.written()),
            Condition::And(parts) => join(parts, " and "),
            Condition::Or(parts) => join(parts, " or "),
        }
    }

    fn holds(&self, fields: &Fields) -> Option<bool> {
        match self {
            Condition::Equal(i, text, equal) => Some((fields[*i].as_ref()? == text) == *equal),
            Condition::Like(i, text, like) => Some(fields[*i].as_ref()?.contains(text.as_str()) == *like),
            Condition::In(i, list) => Some(list.contains(fields[*i].as_ref()?)),
            Condition::Present(i) => Some(fields[*i].is_some()),
            Condition::Not(inner) => inner.holds(fields).map(|holds| !holds),
            Condition::And(parts) => {
                let parts: Vec<Option<bool>> = parts.iter().map(|part| part.holds(fields)).collect();
                if parts.contains(&Some(false)) {
                    Some(false)
                } else if parts.contains(&None) {
                    None
                } else {
                    Some(true)
                }
            }
            Condition::Or(parts) => {
                let parts: Vec<Option<bool>> = parts.iter().map(|part| part.holds(fields)).collect();
                if parts.contains(&Some(true)) {
                    Some(true)
                } else if parts.contains(&None) {
                    None
                } else {
                    Some(false)
                }
            }
        }
    }
}

fn condition() -> impl Strategy<Value = Condition> {
    let text = || prop_oneof!["[0-2]", "[xy]{1,2}", "x/y", "é"];
    let leaf = prop_oneof![
        (0usize..3, text(), any::<bool>()).prop_map(|(i, text, equal)| Condition::Equal(i, text, equal)),
        (0usize..3, text(), any::<bool>()).prop_map(|(i, text, like)| Condition::Like(i, text, like)),
        (0usize..3, prop::collection::vec(text(), 0..3)).prop_map(|(i, list)| Condition::In(i, list)),
        (0usize..3).prop_map(Condition::Present),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Condition::Not(Box::new(inner))),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Condition::And),
            prop::collection::vec(inner, 1..3).prop_map(Condition::Or),
        ]
    })
}

/// Words and signs of the language, in any order.
fn soup() -> impl Strategy<Value = String> {
    const WORDS: [&str; 65] = [
        "fields",
        "filter",
        "stats",
        "parse",
        "sort",
        "limit",
        "dedup",
        "display",
        "head",
        "tail",
        "|",
        "|",
        "|",
        ",",
        "(",
        ")",
        "(",
        ")",
        "[",
        "]",
        "as",
        "by",
        "and",
        "or",
        "not",
        "in",
        "like",
        "=~",
        "=",
        "!=",
        "<",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "%",
        "^",
        "count(*)",
        "sum(a)",
        "bin(5m)",
        "pct(a, 9)",
        "abs(a)",
        "concat(a, b)",
        "jsonParse(@message)",
        "substr(a, 1)",
        "a",
        "b.c",
        "@timestamp",
        "@message",
        "`x y`",
        "\"t*\"",
        "'*'",
        "/(?<g>a)/",
        "1",
        "2.5",
        "#",
        "desc",
        "true",
        "é",
        "unnest",
        "into",
        "where",
        "any",
        "jsonParse(a)",
    ];
    prop::collection::vec((0..WORDS.len()).prop_map(|i| WORDS[i]), 0..24).prop_map(|words| words.join(" "))
}

fn try_everything(text: &str, message: &str) {
    match Query::parse(text) {
        Ok(query) => {
            let mut execution =
                Execution::new(&query, Options { memory_bytes_max: 100_000, ..Options::new(0, 0, i64::MAX) });
            for ms in 0..3 {
                let record =
                    Record { timestamp_ms: ms, ingestion_ms: ms, message, log_stream: "s", log: "l", ptr: "p" };
                if execution.push(&record).is_err() {
                    return;
                }
            }
            let _ = execution.finish();
        }
        Err(error) => assert!(error.start <= error.end && error.end <= text.chars().count(), "{text}: {error:?}"),
    }
}

proptest! {
    #[test]
    fn filters_hold_as_their_parts_say(condition in condition(), rows in prop::collection::vec((fields(), any::<bool>()), 1..6)) {
        let documents: Vec<String> = rows.iter().map(|(fields, escaped)| document(fields, *escaped)).collect();
        let query = format!("filter {} | fields @timestamp | sort @timestamp asc", condition.written());
        let found: Vec<String> = run(&query, &documents).unwrap().iter().map(|row| row[0].value.clone()).collect();
        let expected: Vec<String> = (0..)
            .zip(&rows)
            .filter(|(_, (fields, _))| condition.holds(fields) == Some(true))
            .map(|(ms, _)| time::shown(ms))
            .collect();
        prop_assert_eq!(found, expected, "{}", query);
    }

    #[test]
    fn groups_are_what_counting_by_hand_gives(rows in prop::collection::vec((prop::option::of("[xy]"), prop::option::of(-5i64..5)), 0..30)) {
        let documents: Vec<String> = rows
            .iter()
            .map(|(k, v)| {
                let members = k.iter().map(|k| format!("\"k\":\"{k}\"")).chain(v.iter().map(|v| format!("\"v\":{v}")));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            })
            .collect();
        let query = "stats count(*) as n, count(v) as c, sum(v) as s, min(v) as low, max(v) as high, count_distinct(v) as d, pct(v, 50) as p by k";
        let groups = run(query, &documents).unwrap();
        let mut keys: Vec<Option<String>> = rows.iter().map(|(k, _)| k.clone()).collect();
        keys.sort();
        keys.dedup();
        prop_assert_eq!(groups.len(), keys.len());
        for group in &groups {
            let of_group = rows.iter().filter(|(k, _)| k.as_deref() == cell(group, "k"));
            let count = of_group.clone().count();
            let mut values: Vec<i64> = of_group.filter_map(|(_, v)| *v).collect();
            values.sort_unstable();
            let number = |name| cell(group, name).and_then(|text| text.parse::<f64>().ok());
            prop_assert_eq!(number("n"), Some(count as f64));
            prop_assert_eq!(number("c"), Some(values.len() as f64));
            prop_assert_eq!(number("s"), Some(values.iter().sum::<i64>() as f64));
            prop_assert_eq!(number("low"), values.first().map(|v| *v as f64));
            prop_assert_eq!(number("high"), values.last().map(|v| *v as f64));
            let middle = (!values.is_empty()).then(|| (values[(values.len() - 1) / 2] + values[values.len() / 2]) as f64 / 2.0);
            prop_assert_eq!(number("p"), middle);
            values.dedup();
            prop_assert_eq!(number("d"), Some(values.len() as f64));
        }
    }

    #[test]
    fn sorted_rows_are_those_of_a_whole_sort(values in prop::collection::vec("[0-9a]{0,3}", 0..40), limit in 1usize..50, descending in any::<bool>()) {
        let documents: Vec<String> = values.iter().map(|value| format!("{{\"v\":{value:?}}}")).collect();
        let query = format!("fields v | sort v {} | limit {limit}", if descending { "desc" } else { "asc" });
        let found: Vec<String> = run(&query, &documents).unwrap().iter().map(|row| cell(row, "v").unwrap().to_owned()).collect();
        let mut expected = values.clone();
        let by = |text: &String| Sortable::of(&Value::text(text.clone()));
        // Stable: rows alike stay in their order, in either direction.
        expected.sort_by(|a, b| if descending { by(b).cmp(&by(a)) } else { by(a).cmp(&by(b)) });
        expected.truncate(limit);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn the_natural_order_has_no_contradictions(a in "[0-9aB.]{0,4}", b in "[0-9aB.]{0,4}", c in "[0-9aB.]{0,4}") {
        let [a, b, c] = [a, b, c].map(|text| Sortable::of(&Value::text(text)));
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
    }

    #[test]
    fn the_order_of_numbers_has_no_contradictions(wholes in prop::collection::vec(any::<i64>(), 3), pick in 0usize..3, near in -2i64..3) {
        let whole = wholes[pick];
        let numbers = [Number::Whole(whole), Number::Double(whole as f64), Number::Whole(whole.saturating_add(near)), Number::Double(wholes[0] as f64)];
        for (i, j, k) in (0..64).map(|n| (n / 16, n / 4 % 4, n % 4)) {
            let (a, b, c) = (numbers[i], numbers[j], numbers[k]);
            prop_assert_eq!(a.compare(b), b.compare(a).reverse());
            if a.compare(b).is_le() && b.compare(c).is_le() {
                prop_assert!(a.compare(c).is_le(), "{:?} {:?} {:?}", a, b, c);
            }
        }
    }

    #[test]
    fn what_a_glob_extracts_stands_there(parts in prop::collection::vec("[ab]{1,2}", 1..4), ends_open in any::<bool>(), text in "[ab]{0,12}") {
        let mut pattern = parts.join("*");
        if ends_open || parts.len() == 1 {
            pattern.push('*');
        }
        let found = Glob::parse(&pattern).unwrap().extract(&text);
        let regex = regex::Regex::new(&format!("{}{}", parts.join("(.*?)"), if pattern.ends_with('*') { "(.*)" } else { "" })).unwrap();
        let expected = regex.captures(&text).map(|captures| captures.iter().skip(1).map(|group| group.unwrap().as_str()).collect::<Vec<_>>());
        prop_assert_eq!(found, expected, "{} in {}", pattern, text);
    }

    #[test]
    fn rounding_down_and_up_encloses_the_instant(ms in -10_000_000_000_000i64..10_000_000_000_000, count in 1u32..50, unit in 0usize..9) {
        let period = time::Period::new(count, ["ms", "s", "m", "h", "d", "w", "mo", "q", "y"][unit]).unwrap();
        let (down, up) = (period.floor(ms).unwrap(), period.ceil(ms).unwrap());
        prop_assert!(down <= ms && ms <= up);
        prop_assert_eq!(period.floor(down), Some(down));
        prop_assert_eq!(period.floor(up), Some(up));
        prop_assert_eq!(down == up, ms == down);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,80}", message in "\\PC{0,40}") {
        try_everything(&text, &message);
        try_everything(&format!("filter {text}"), &message);
    }

    #[test]
    fn no_words_of_the_language_make_it_panic(text in soup(), message in "[{}\\[\\]\":,a1b\\\\ ]{0,24}") {
        try_everything(&text, &message);
        try_everything(&format!("fields a | filter {text}"), &message);
        try_everything(&format!("stats count(*) as b, max(a) by a | {text}"), r#"{"a":"1","b":{"c":[2]}}"#);
    }
}
