//! From points to a state: M out of N, and what CloudWatch documents of missing data ("Configuring how CloudWatch alarms
//! treat missing data", "Avoiding premature transitions to alarm state").

use super::rule::{Missing, Rule};
use crate::api::StateValue;

/// How many more points are read than are evaluated, so that recent ones which are late or missing can be made up for by
/// older ones. CloudWatch's examples have 5 for an alarm that evaluates 3.
pub const EXTRA: usize = 2;

/// What an alarm saw of one period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The period's beginning, in seconds since the epoch.
    pub at_s: i64,
    /// The statistic's value.
    pub value: f64,
    /// How many samples it is of, where that is known.
    pub samples: Option<f64>,
}

/// What an evaluation comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// The state stays as it is.
    Retain,
    /// The state is this.
    State {
        /// Which.
        state: StateValue,
        /// The points that were looked at, the newest first.
        evaluated: Vec<Point>,
        /// How many that are missing were counted for breaching or not breaching.
        filled: usize,
    },
}

/// Evaluates the points of the evaluation range, the newest first; none where there is no data.
pub fn decide(points: &[Option<Point>], rule: &Rule) -> Decision {
    let (n, m) = (rule.evaluation_periods, rule.needed());
    // The points that are there, each with its age: the newest period is 1 old.
    let real: Vec<(usize, Point)> =
        points.iter().enumerate().filter_map(|(index, point)| point.map(|point| (index + 1, point))).take(n).collect();
    let evaluated: Vec<Point> = real.iter().map(|(_, point)| *point).collect();
    if has_few_samples(&evaluated, rule) {
        return Decision::Retain;
    }
    let missing = n - evaluated.len();
    let breaching = evaluated.iter().filter(|it| rule.comparison.is_breached(it.value, rule.threshold)).count();
    let is = |state, filled| Decision::State { state, evaluated: evaluated.clone(), filled };
    match rule.missing {
        _ if breaching >= m && rule.missing != Missing::NotBreaching => {
            is(StateValue::Alarm, if rule.missing == Missing::Breaching { missing } else { 0 })
        }
        Missing::Breaching if breaching + missing >= m => is(StateValue::Alarm, missing),
        Missing::NotBreaching if breaching >= m => is(StateValue::Alarm, missing),
        Missing::Breaching | Missing::NotBreaching => is(StateValue::Ok, missing),
        // Too few are breaching, and one is not.
        _ if evaluated.len() > breaching => is(StateValue::Ok, 0),
        Missing::Ignore => Decision::Retain,
        // All that there are breach, but they are too few: the first of them has been waited for long enough, or not.
        Missing::Missing if real.last().is_some_and(|(age, _)| *age >= m) => is(StateValue::Alarm, 0),
        Missing::Missing => is(StateValue::InsufficientData, 0),
    }
}

/// Whether a percentile is of too few samples to mean anything: fewer than 10 beyond it.
fn has_few_samples(evaluated: &[Point], rule: &Rule) -> bool {
    let Some(percent) = rule.ignores_few_samples_of else { return false };
    if evaluated.is_empty() {
        return false;
    }
    let part = percent / 100.0;
    let beyond = if part >= 0.5 { 1.0 - part } else { part };
    let samples: f64 = evaluated.iter().filter_map(|it| it.samples).sum();
    samples * beyond < 10.0
}

#[cfg(test)]
mod tests {
    use super::super::rule::Comparison;
    use super::*;

    fn rule(n: usize, m: usize, missing: Missing) -> Rule {
        Rule {
            comparison: Comparison::Greater,
            threshold: 5.0,
            evaluation_periods: n,
            datapoints_to_alarm: Some(m),
            missing,
            ignores_few_samples_of: None,
        }
    }

    /// Points as the user guide draws them, the oldest first: `0` is fine, `X` is breaching, `-` is missing.
    fn points(drawn: &str) -> Vec<Option<Point>> {
        let point = |(index, word): (usize, &str)| {
            let value = match word {
                "0" => 0.0,
                "X" => 9.0,
                _ => return None,
            };
            Some(Point { at_s: 60 * index as i64, value, samples: Some(1.0) })
        };
        let mut points: Vec<Option<Point>> = drawn.split(' ').enumerate().map(point).collect();
        points.reverse();
        points
    }

    fn state(drawn: &str, rule: &Rule) -> &'static str {
        match decide(&points(drawn), rule) {
            Decision::Retain => "retain",
            Decision::State { state, .. } => state.as_str(),
        }
    }

    fn expect_table(n: usize, m: usize, table: &[(&str, [&str; 4])]) {
        for (drawn, expected) in table {
            let treatments = [Missing::Missing, Missing::Ignore, Missing::Breaching, Missing::NotBreaching];
            for (missing, expected) in treatments.into_iter().zip(expected) {
                assert_eq!(state(drawn, &rule(n, m, missing)), *expected, "{drawn} with {missing:?}, {m} of {n}");
            }
        }
    }

    #[test]
    fn the_user_guides_examples_of_three_out_of_three() {
        expect_table(
            3,
            3,
            &[
                ("0 - X - X", ["OK", "OK", "OK", "OK"]),
                ("- - - - 0", ["OK", "OK", "OK", "OK"]),
                ("- - - - -", ["INSUFFICIENT_DATA", "retain", "ALARM", "OK"]),
                ("0 X X - X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
                ("- - X - -", ["ALARM", "retain", "ALARM", "OK"]),
                ("- - - - X", ["INSUFFICIENT_DATA", "retain", "ALARM", "OK"]),
            ],
        );
    }

    #[test]
    fn the_user_guides_examples_of_two_out_of_three() {
        expect_table(
            3,
            2,
            &[
                ("0 - X - X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
                ("0 0 X 0 X", ["ALARM", "ALARM", "ALARM", "ALARM"]),
                ("0 - X - -", ["OK", "OK", "ALARM", "OK"]),
                ("- - - - 0", ["OK", "OK", "ALARM", "OK"]),
                ("- - - X -", ["ALARM", "retain", "ALARM", "OK"]),
            ],
        );
    }

    #[test]
    fn every_comparison_is_what_it_is_called() {
        for (comparison, below, at, above) in [
            (Comparison::Greater, "OK", "OK", "ALARM"),
            (Comparison::GreaterOrEqual, "OK", "ALARM", "ALARM"),
            (Comparison::Less, "ALARM", "OK", "OK"),
            (Comparison::LessOrEqual, "ALARM", "ALARM", "OK"),
        ] {
            for (value, expected) in [(4.0, below), (5.0, at), (6.0, above)] {
                let rule = Rule { comparison, ..rule(1, 1, Missing::Missing) };
                let point = Point { at_s: 0, value, samples: None };
                let Decision::State { state, .. } = decide(&[Some(point)], &rule) else { panic!("retained") };
                assert_eq!(state.as_str(), expected, "{comparison:?} {value}");
            }
        }
    }

    #[test]
    fn a_percentile_of_few_samples_can_be_ignored() {
        let rule = Rule { ignores_few_samples_of: Some(99.0), ..rule(1, 1, Missing::Missing) };
        let with = |samples| decide(&[Some(Point { at_s: 0, value: 9.0, samples: Some(samples) })], &rule);
        assert_eq!(with(999.0), Decision::Retain);
        assert!(matches!(with(1000.1), Decision::State { state: StateValue::Alarm, .. }));
    }
}
