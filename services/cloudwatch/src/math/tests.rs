use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// 2026-01-01T00:00:00Z, a Thursday.
const START: i64 = 1_767_225_600;

fn series(id: &str, values: &str) -> Series {
    let values = values.split(' ').enumerate().filter(|(_, it)| *it != "-");
    Series {
        id: id.to_owned(),
        label: id.to_owned(),
        period_s: 60,
        is_metric: true,
        values: values.map(|(n, it)| (START + 60 * n as i64, it.parse().unwrap())).collect(),
    }
}

/// Computes over metrics that are written as their values, `-` where there is none; five periods.
fn computed(text: &str, metrics: &[(&str, &str)]) -> Result<Vec<String>, MathError> {
    let results: BTreeMap<String, Vec<Series>> =
        metrics.iter().map(|(id, values)| ((*id).to_owned(), vec![series(id, values)])).collect();
    let ids: Vec<String> = metrics.iter().map(|(id, _)| (*id).to_owned()).collect();
    let (budget, end_s) = (Cell::new(1000), START + 300);
    let scope = Scope { id: "e1", results: &results, metrics: &ids, start_s: START, end_s, period_s: 60, budget };
    let found = evaluate(&parse(text)?, &scope)?;
    let line = |series: &Series| {
        let column = |n: i64| series.values.get(&(START + 60 * n)).map_or("-".to_owned(), |it| format!("{it}"));
        (0..5).map(column).collect::<Vec<_>>().join(" ")
    };
    Ok(found.iter().map(line).collect())
}

const A: (&str, &str) = ("a", "1 2 - 4 5");
const B: (&str, &str) = ("b", "10 - 30 0 50");

#[test]
fn arithmetic_takes_what_is_missing_for_0_and_drops_a_division_by_zero() {
    for (text, expected) in [
        ("a + b", "11 2 30 4 55"),
        ("a - b", "-9 2 -30 4 -45"),
        ("a * b", "10 0 0 0 250"),
        ("a / b", "0.1 - 0 - 0.1"),
        ("b / a", "10 0 - 0 10"),
        ("a ^ 2", "1 4 - 16 25"),
        ("-a", "-1 -2 - -4 -5"),
        ("5 * a", "5 10 - 20 25"),
        ("2 + 3 * a ^ 2", "5 14 - 50 77"),
        ("(2 + 3) * a", "5 10 - 20 25"),
        ("10 - 4 - a", "5 4 - 2 1"),
        ("2 ^ 3 ^ 0 * a", "2 4 - 8 10"),
        ("a * 1e1 + .5", "10.5 20.5 - 40.5 50.5"),
        ("a--1", "2 3 - 5 6"),
    ] {
        assert_eq!(computed(text, &[A, B]).unwrap(), [expected], "{text}");
    }
}

#[test]
fn comparisons_answer_as_the_user_guide_shows() {
    let metrics = [("metric1", "30 20 0 0 -"), ("metric2", "20 - 20 - -")];
    for (text, expected) in [
        ("(metric1 < metric2)", "0 0 1 0 -"),
        ("(metric1 >= 30)", "1 0 0 0 -"),
        ("(metric1 > 15 AND metric2 > 15)", "1 0 0 0 -"),
        ("metric1 > 15 && metric2 > 15", "1 0 0 0 -"),
        ("metric1 > 25 OR metric2 == 20", "1 0 1 0 -"),
        ("metric1 != 0 || metric2 <= 0", "1 1 0 0 -"),
    ] {
        assert_eq!(computed(text, &metrics).unwrap(), [expected], "{text}");
    }
}

#[test]
fn if_answers_as_the_user_guide_shows() {
    let metrics = [("metric1", "1 1 0 0 -"), ("metric2", "30 - 0 0 30"), ("metric3", "0 0 20 - 20")];
    for (text, expected) in [
        ("IF(metric1, metric2, metric3)", "30 0 20 - -"),
        ("IF(metric1, metric2)", "30 0 - - -"),
        ("IF(metric1, 5, metric3)", "5 5 20 - -"),
        ("IF(metric1, metric2, 5)", "30 0 5 5 -"),
        ("IF(metric2 > 10, 10, 2)", "10 - 2 2 10"),
        ("IF(1, metric2, metric3)", "30 - 0 0 30"),
        ("IF(0, metric2, metric3)", "0 0 20 - 20"),
        ("IF(0, metric2)", "- - - - -"),
    ] {
        assert_eq!(computed(text, &metrics).unwrap(), [expected], "{text}");
    }
}

#[test]
fn functions_of_one_series() {
    for (text, expected) in [
        ("ABS(0 - a)", "1 2 - 4 5"),
        ("CEIL(a / 2)", "1 1 - 2 3"),
        ("FLOOR(a / 2)", "0 1 - 2 2"),
        ("LOG10(a * 0 + 1000)", "3 3 - 3 3"),
        ("LOG(a * 0)", "- - - - -"),
        ("DIFF(a)", "- 1 - 2 1"),
        ("DIFF_TIME(a)", "- 60 - 120 60"),
        ("RATE(a * 60)", "- 1 - 1 1"),
        ("RUNNING_SUM(a)", "1 3 - 7 12"),
        ("FILL(a, 0)", "1 2 0 4 5"),
        ("FILL(a, b)", "1 2 30 4 5"),
        ("FILL(a, MIN(a))", "1 2 1 4 5"),
        ("FILL(a, REPEAT)", "1 2 2 4 5"),
        ("FILL(a, LINEAR)", "1 2 3 4 5"),
        ("FILL(DIFF(a), REPEAT)", "- 1 1 2 1"),
        ("a - AVG(a)", "-2 -1 - 1 2"),
        ("a / MAX(a)", "0.2 0.4 - 0.8 1"),
        ("a * 0 + SUM(a)", "12 12 - 12 12"),
        ("a * 0 + STDDEV(a) ^ 2", "2.5000000000000004 2.5000000000000004 - 2.5000000000000004 2.5000000000000004"),
        ("SUM(a) / DATAPOINT_COUNT(a) * TIME_SERIES(1)", "3 3 3 3 3"),
        ("a / PERIOD(a) * 60", "1 2 - 4 5"),
        ("TIME_SERIES(MAX(a))", "5 5 5 5 5"),
        ("MINUTE(a)", "0 1 2 3 4"),
        ("HOUR(a)", "0 0 0 0 0"),
        ("DAY(a)", "4 4 4 4 4"),
        ("DATE(a) + MONTH(a) * 100 + YEAR(a) * 10000", "20260101 20260101 20260101 20260101 20260101"),
        ("EPOCH(a) - 1767225600", "0 60 120 180 240"),
    ] {
        assert_eq!(computed(text, &[A, B]).unwrap(), [expected], "{text}");
    }
}

#[test]
fn functions_of_arrays() {
    let metrics = [A, B, ("c", "- - - - -")];
    for (text, expected) in [
        ("SUM([a, b])", &["11 2 30 4 55"][..]),
        ("SUM(METRICS())", &["11 2 30 4 55"]),
        ("AVG([a, b])", &["5.5 1 15 2 27.5"]),
        ("MIN([a, b])", &["1 2 30 0 5"]),
        ("MAX([a, b])", &["10 2 30 4 50"]),
        ("STDDEV([a, b])", &["4.5 0 0 2 22.5"]),
        ("DATAPOINT_COUNT([a, b])", &["2 1 1 2 2"]),
        ("[a, b] * 2", &["2 4 - 8 10", "20 - 60 0 100"]),
        ("SUM(100 / [a, b])", &["110 50 3.3333333333333335 25 22"]),
        ("[a, b] / a", &["1 1 - 1 1", "10 0 - 0 10"]),
        ("METRICS(\"a\")", &["1 2 - 4 5"]),
        ("a / METRIC_COUNT(METRICS()) * 3", &["1 2 - 4 5"]),
        ("REMOVE_EMPTY(METRICS())", &["1 2 - 4 5", "10 - 30 0 50"]),
        ("SORT(METRICS(), AVG, DESC)", &["10 - 30 0 50", "1 2 - 4 5", "- - - - -"]),
        ("SORT(METRICS(), MAX, ASC)", &["1 2 - 4 5", "10 - 30 0 50", "- - - - -"]),
        ("SORT(METRICS(), SUM, DESC, 1)", &["10 - 30 0 50"]),
        ("FIRST(SORT(METRICS(), SUM, DESC))", &["10 - 30 0 50"]),
        ("LAST([a, b])", &["10 - 30 0 50"]),
        ("SLICE(METRICS(), 1, 2)", &["10 - 30 0 50"]),
        ("SLICE(METRICS(), 1)", &["10 - 30 0 50", "- - - - -"]),
        ("ABS([a, b] * -1)", &["1 2 - 4 5", "10 - 30 0 50"]),
    ] {
        assert_eq!(computed(text, &metrics).unwrap(), expected, "{text}");
    }
}

#[test]
fn what_cannot_be_computed_says_why() {
    for (text, expected) in [
        ("a +", "The expression ends too early"),
        ("a b", "Unexpected input at position 2"),
        ("(a", "`)` is expected at the end"),
        ("a # b", "Unexpected `# b` at position 2"),
        ("missing + 1", "Unresolved identifier: missing"),
        ("AVG(1)", "The function AVG cannot be applied to a scalar"),
        ("PERIOD(a + b)", "The function PERIOD cannot be applied to a time series"),
        ("NOTHING(a)", "There is no function NOTHING"),
        ("SEARCH('{a}', 'Sum', 60)", "The function SEARCH is not served by Pilvi."),
        ("SELECT AVG(x) FROM y", "Metrics Insights (SELECT) is not served by Pilvi."),
        (
            "AVG(a)",
            "The final result of a math expression must be a single time series or an array of time series, not a scalar",
        ),
    ] {
        assert_eq!(computed(text, &[A, B]).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn what_an_expression_may_compute_has_an_end() {
    let copies = vec!["METRICS()"; 100].join(",");
    assert_eq!(computed(&format!("[{copies}]"), &[A, B]), Err(MathError::TooLarge));
}

#[test]
fn nesting_has_an_end() {
    for text in [format!("{}a", "(".repeat(2000)), format!("a{}", "^a".repeat(1000)), "-".repeat(2000)] {
        assert!(matches!(parse(&text), Err(MathError::Syntax(_))));
    }
    assert!(parse(&"+a".repeat(1025)).is_err(), "too long");
}

#[test]
fn an_expression_tells_what_it_refers_to() {
    let expression = parse("IF(a > AVG([b, c]), -d)").unwrap();
    assert_eq!(expression.ids(), ["a", "b", "c", "d"]);
    assert!(expression.calls("AVG") && !expression.calls("SUM"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_without_panic(text in ".{0,80}") {
        let _ = parse(&text);
    }

    #[test]
    fn whatever_can_be_read_is_computed_or_refused_without_panic(
        text in "(a|b|AVG|IF|FILL|SORT|METRICS|[0-9]|\\(|\\)|,|\\[|\\]|\\+|-|\\*|/|\\^|<| ){1,24}"
    ) {
        let _ = computed(&text, &[A, B]);
    }
}

/// Computes over some empty metrics, with a label each, at a period of a minute.
fn computed_of_empty(text: &str, count: usize, label: &str, periods: i64, budget: usize) -> Result<usize, MathError> {
    let empty = |id: &String| Series { label: label.to_owned(), values: BTreeMap::new(), ..series(id, "-") };
    let ids: Vec<String> = (0..count).map(|n| format!("m{n}")).collect();
    let results: BTreeMap<String, Vec<Series>> = ids.iter().map(|id| (id.clone(), vec![empty(id)])).collect();
    let (budget, end_s) = (Cell::new(budget), START + 60 * periods);
    let scope = Scope { id: "e1", results: &results, metrics: &ids, start_s: START, end_s, period_s: 60, budget };
    evaluate(&parse(text)?, &scope).map(|found| found.iter().map(|it| it.values.len()).sum())
}

#[test]
fn what_fills_many_series_is_refused_before_it_takes_memory() {
    for text in ["FILL(METRICS(), 0)", "EPOCH(METRICS())", "MINUTE(METRICS())"] {
        assert_eq!(computed_of_empty(text, 10, "", 100, 2000).unwrap(), 1000, "{text}");
        // So many that they would not fit into the memory of any machine.
        assert_eq!(computed_of_empty(text, 400, "", 1 << 40, 2_000_000), Err(MathError::TooLarge), "{text}");
    }
    assert_eq!(computed_of_empty("TIME_SERIES(1)", 0, "", 1 << 40, 2_000_000), Err(MathError::TooLarge));
}

#[test]
fn labels_count_as_data_points_do() {
    assert!(computed_of_empty("METRICS()", 10, &"x".repeat(100), 1, 1000).is_ok());
    assert_eq!(computed_of_empty("METRICS()", 10, &"x".repeat(2000), 1, 1000), Err(MathError::TooLarge));
}

#[test]
fn the_longest_row_of_operators_fits_onto_the_stack() {
    let row = format!("a*({})", ["1"; 1022].join("+"));
    assert_eq!(computed(&row, &[("a", "1")]).unwrap(), ["1022 - - - -"]);
}
