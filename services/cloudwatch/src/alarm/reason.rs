//! Why a state is what it is, in AWS's words and in its JSON.

use base::Timestamp;
use serde::Serialize;

use super::evaluation::{Decision, Point};
use super::rule::{Missing, Rule};
use crate::api::StateValue;

/// How many points a reason shows.
const SHOWN_MAX: usize = 5;
/// The longest StateReasonData.
const DATA_MAX: usize = 4000;

/// What an evaluation was of.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject<'a> {
    /// When the data was read.
    pub queried_at: Timestamp,
    /// The statistic; none for an expression.
    pub statistic: Option<&'a str>,
    /// The unit, where the alarm has one.
    pub unit: Option<&'a str>,
    /// The length of a period in seconds.
    pub period_s: i64,
}

/// The reason of a state; none if the state is retained.
pub fn text(decision: &Decision, rule: &Rule) -> Option<String> {
    let Decision::State { state, evaluated, filled } = decision else { return None };
    let periods = rule.evaluation_periods;
    if *state == StateValue::InsufficientData {
        return Some(format!("Insufficient Data: {} unknown.", were(periods, "datapoint")));
    }
    let is_alarm = *state == StateValue::Alarm;
    let shown: Vec<&Point> =
        evaluated.iter().filter(|it| rule.comparison.is_breached(it.value, rule.threshold) == is_alarm).collect();
    let filled = filled_words(*filled, rule.missing);
    if shown.is_empty() {
        let received = match evaluated.len() {
            0 => format!("no datapoints were received for {}", counted(periods, "period")),
            some => format!("{} received for {}", were(some, "datapoint"), counted(periods, "period")),
        };
        return Some(format!("Threshold Crossed: {received}{filled}."));
    }
    let crossed = format!(
        "{}{} the threshold ({})",
        if is_alarm { "" } else { "not " },
        rule.comparison.words(),
        number(rule.threshold)
    );
    let minimum = minimum(is_alarm, rule);
    let subject = match rule.datapoints_to_alarm {
        Some(_) => format!("{} out of the last {}", shown.len(), counted_plural(periods)),
        None => counted(shown.len(), "datapoint"),
    };
    let verb = if shown.len() == 1 { "was" } else { "were" };
    if shown.len() > SHOWN_MAX {
        let recent = list(&shown[..SHOWN_MAX]);
        return Some(format!(
            "Threshold Crossed: {subject} {verb} {crossed}{filled}. The most recent datapoints which crossed the threshold: \
             [{recent}]{minimum}."
        ));
    }
    Some(format!("Threshold Crossed: {subject} [{}] {verb} {crossed}{filled}{minimum}.", list(&shown)))
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// AWS says "the last 1 datapoints".
fn counted_plural(count: usize) -> String {
    format!("{count} datapoints")
}

fn were(count: usize, noun: &str) -> String {
    format!("{} {}", counted(count, noun), if count == 1 { "was" } else { "were" })
}

fn filled_words(filled: usize, missing: Missing) -> String {
    let treated = match missing {
        _ if filled == 0 => return String::new(),
        Missing::Breaching => "Breaching",
        _ => "NonBreaching",
    };
    format!(" and {} treated as [{treated}]", were(filled, "missing datapoint"))
}

fn minimum(is_alarm: bool, rule: &Rule) -> String {
    let Some(m) = rule.datapoints_to_alarm else { return String::new() };
    let (least, transition) =
        if is_alarm { (m, "OK -> ALARM") } else { (rule.evaluation_periods - m + 1, "ALARM -> OK") };
    format!(" (minimum {} for {transition} transition)", counted(least, "datapoint"))
}

fn list(points: &[&Point]) -> String {
    let one = |point: &&Point| format!("{} ({})", number(point.value), day_first(point.at_s));
    points.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// `23/11/26 05:00:00`.
fn day_first(at_s: i64) -> String {
    let text = Timestamp::from_secs(at_s).iso8601();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    format!("{}/{}/{} {}", part(8, 10), part(5, 7), part(2, 4), part(11, 19))
}

/// `2026-11-23T05:00:00.000+0000`.
pub fn with_offset(at: Timestamp) -> String {
    let text = at.iso8601();
    let text = text.trim_end_matches('Z');
    if text.contains('.') { format!("{text}+0000") } else { format!("{text}.000+0000") }
}

/// A number as AWS writes one: with a decimal place, and an exponent for the very large and the very small.
pub fn number(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{number:?}");
    }
    let text = format!("{number:E}");
    match text.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => text,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReasonData<'a> {
    version: &'static str,
    query_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statistic: Option<&'a str>,
    period: i64,
    recent_datapoints: Vec<f64>,
    threshold: f64,
    evaluated_datapoints: Vec<EvaluatedDatapoint>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EvaluatedDatapoint {
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_count: Option<f64>,
    value: f64,
}

/// The reason as JSON. Of many points the newest are told, as many as fit.
pub fn data(decision: &Decision, rule: &Rule, subject: &Subject<'_>) -> Option<String> {
    let Decision::State { evaluated, .. } = decision else { return None };
    let instant = |at_s: i64| with_offset(Timestamp::from_secs(at_s));
    let mut told = evaluated.len();
    loop {
        let points = &evaluated[..told];
        let data = ReasonData {
            version: "1.0",
            query_date: with_offset(subject.queried_at),
            start_date: points.last().map(|it| instant(it.at_s)),
            unit: subject.unit,
            statistic: subject.statistic,
            period: subject.period_s,
            recent_datapoints: points.iter().rev().map(|it| it.value).collect(),
            threshold: rule.threshold,
            evaluated_datapoints: points
                .iter()
                .map(|it| EvaluatedDatapoint { timestamp: instant(it.at_s), sample_count: it.samples, value: it.value })
                .collect(),
        };
        let text = serde_json::to_string(&data).ok()?;
        if text.len() <= DATA_MAX || told == 0 {
            return Some(text);
        }
        told -= told.div_ceil(8);
    }
}

#[cfg(test)]
mod tests {
    use super::super::evaluation::decide;
    use super::super::rule::Comparison;
    use super::*;

    fn rule(n: usize, m: Option<usize>, missing: Missing) -> Rule {
        Rule {
            comparison: Comparison::Greater,
            threshold: 50.0,
            evaluation_periods: n,
            datapoints_to_alarm: m,
            missing,
            ignores_few_samples_of: None,
        }
    }

    /// The newest first, five minutes apart, from 2026-11-23T05:00:00Z.
    fn points(values: &[Option<f64>]) -> Vec<Option<Point>> {
        let point = |(index, value): (usize, &Option<f64>)| {
            let at_s = 1_795_410_000 - 300 * index as i64;
            value.map(|value| Point { at_s, value, samples: Some(2.0) })
        };
        values.iter().enumerate().map(point).collect()
    }

    fn reason(values: &[Option<f64>], rule: &Rule) -> String {
        text(&decide(&points(values), rule), rule).unwrap()
    }

    #[test]
    fn reasons_are_worded_as_cloudwatch_words_them() {
        let high = Some(99.0);
        let low = Some(0.5);
        for (values, rule, expected) in [
            (
                vec![high],
                rule(1, Some(1), Missing::Missing),
                "Threshold Crossed: 1 out of the last 1 datapoints [99.0 (23/11/26 05:00:00)] was greater than the \
                 threshold (50.0) (minimum 1 datapoint for OK -> ALARM transition).",
            ),
            (
                vec![high],
                rule(1, None, Missing::Missing),
                "Threshold Crossed: 1 datapoint [99.0 (23/11/26 05:00:00)] was greater than the threshold (50.0).",
            ),
            (
                vec![high, high],
                rule(2, None, Missing::Missing),
                "Threshold Crossed: 2 datapoints [99.0 (23/11/26 05:00:00), 99.0 (23/11/26 04:55:00)] were greater than the \
                 threshold (50.0).",
            ),
            (
                vec![low],
                rule(1, None, Missing::Missing),
                "Threshold Crossed: 1 datapoint [0.5 (23/11/26 05:00:00)] was not greater than the threshold (50.0).",
            ),
            (
                vec![high, low, low],
                rule(3, Some(3), Missing::Missing),
                "Threshold Crossed: 2 out of the last 3 datapoints [0.5 (23/11/26 04:55:00), 0.5 (23/11/26 04:50:00)] were \
                 not greater than the threshold (50.0) (minimum 1 datapoint for ALARM -> OK transition).",
            ),
            (
                vec![high, None, None],
                rule(20, Some(1), Missing::NotBreaching),
                "Threshold Crossed: 1 out of the last 20 datapoints [99.0 (23/11/26 05:00:00)] was greater than the \
                 threshold (50.0) and 19 missing datapoints were treated as [NonBreaching] (minimum 1 datapoint for OK -> \
                 ALARM transition).",
            ),
            (
                vec![None],
                rule(1, None, Missing::NotBreaching),
                "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as \
                 [NonBreaching].",
            ),
            (
                vec![None, None, low],
                rule(3, Some(2), Missing::Breaching),
                "Threshold Crossed: 1 datapoint was received for 3 periods and 2 missing datapoints were treated as \
                 [Breaching].",
            ),
            (vec![None], rule(1, None, Missing::Missing), "Insufficient Data: 1 datapoint was unknown."),
            (vec![None; 3], rule(3, None, Missing::Missing), "Insufficient Data: 3 datapoints were unknown."),
        ] {
            assert_eq!(reason(&values, &rule), expected);
        }
    }

    #[test]
    fn a_reason_of_many_points_shows_the_newest() {
        let text = reason(&vec![Some(99.0); 100], &rule(100, Some(100), Missing::Missing));
        assert!(text.starts_with("Threshold Crossed: 100 out of the last 100 datapoints were greater than the threshold (50.0). The most recent"));
        assert!(text.len() < 1023, "{}", text.len());
    }

    #[test]
    fn numbers_are_written_as_aws_writes_them() {
        for (value, expected) in [
            (0.0, "0.0"),
            (50.0, "50.0"),
            (-0.25, "-0.25"),
            (99.501_602_296_934_34, "99.50160229693434"),
            (12_345_678.0, "1.2345678E7"),
            (1e10, "1.0E10"),
            (0.0001, "1.0E-4"),
        ] {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn the_data_of_a_reason_has_cloudwatchs_members_and_fits() {
        let rule = rule(1, None, Missing::Missing);
        let subject = Subject {
            queried_at: Timestamp::from_millis(1_795_410_310_985),
            statistic: Some("Average"),
            unit: None,
            period_s: 300,
        };
        let decision = decide(&points(&[Some(99.0)]), &rule);
        assert_eq!(
            data(&decision, &rule, &subject).unwrap(),
            r#"{"version":"1.0","queryDate":"2026-11-23T05:05:10.985+0000","startDate":"2026-11-23T05:00:00.000+0000","statistic":"Average","period":300,"recentDatapoints":[99.0],"threshold":50.0,"evaluatedDatapoints":[{"timestamp":"2026-11-23T05:00:00.000+0000","sampleCount":2.0,"value":99.0}]}"#
        );
        let many = Rule { evaluation_periods: 300, ..rule };
        let decision = decide(&points(&vec![Some(99.0); 300]), &many);
        assert!(data(&decision, &many, &subject).unwrap().len() <= DATA_MAX);
    }
}
