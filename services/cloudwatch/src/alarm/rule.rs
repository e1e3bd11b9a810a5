//! When an alarm's points mean what.

use crate::api::{ComparisonOperator, PutMetricAlarmInput};
use crate::metric::statistic::Statistic;

/// A metric alarm's rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// How a point is compared with the threshold.
    pub comparison: Comparison,
    /// The threshold.
    pub threshold: f64,
    /// N: how many points are looked at.
    pub evaluation_periods: usize,
    /// M: how many of them must be breaching, where the alarm says it.
    pub datapoints_to_alarm: Option<usize>,
    /// What a point is that is not there.
    pub missing: Missing,
    /// The percentile whose state is kept while there are few samples.
    pub ignores_few_samples_of: Option<f64>,
}

/// How a point is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are what they are called")]
pub enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// What a point is that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Nothing; without any point the alarm has insufficient data.
    Missing,
    /// Nothing; without enough points the alarm stays as it is.
    Ignore,
    /// One that is breaching.
    Breaching,
    /// One that is not.
    NotBreaching,
}

impl Missing {
    /// The word of TreatMissingData; none stands for `missing`.
    pub fn named(name: Option<&str>) -> Option<Self> {
        Some(match name {
            None | Some("missing") => Self::Missing,
            Some("ignore") => Self::Ignore,
            Some("breaching") => Self::Breaching,
            Some("notBreaching") => Self::NotBreaching,
            Some(_) => return None,
        })
    }
}

impl Comparison {
    /// That of an operator; none for those of anomaly detection.
    pub fn of(operator: ComparisonOperator) -> Option<Self> {
        Some(match operator {
            ComparisonOperator::GreaterThanThreshold => Self::Greater,
            ComparisonOperator::GreaterThanOrEqualToThreshold => Self::GreaterOrEqual,
            ComparisonOperator::LessThanThreshold => Self::Less,
            ComparisonOperator::LessThanOrEqualToThreshold => Self::LessOrEqual,
            _ => return None,
        })
    }

    /// Whether a value is beyond the threshold.
    pub fn is_breached(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Greater => value > threshold,
            Self::GreaterOrEqual => value >= threshold,
            Self::Less => value < threshold,
            Self::LessOrEqual => value <= threshold,
        }
    }

    /// As a reason says it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Greater => "greater than",
            Self::GreaterOrEqual => "greater than or equal to",
            Self::Less => "less than",
            Self::LessOrEqual => "less than or equal to",
        }
    }
}

impl Rule {
    /// The rule of an alarm that has been admitted.
    pub fn of(alarm: &PutMetricAlarmInput) -> Option<Self> {
        let positive = |number: i32| usize::try_from(number).ok().filter(|it| *it > 0);
        let ignores = alarm.evaluate_low_sample_count_percentile.as_deref() == Some("ignore");
        let statistic = alarm.extended_statistic.as_deref().and_then(Statistic::extended);
        Some(Self {
            comparison: Comparison::of(alarm.comparison_operator?)?,
            threshold: alarm.threshold?,
            evaluation_periods: positive(alarm.evaluation_periods?)?,
            datapoints_to_alarm: alarm.datapoints_to_alarm.and_then(positive),
            missing: Missing::named(alarm.treat_missing_data.as_deref())?,
            ignores_few_samples_of: statistic.filter(|_| ignores).and_then(Statistic::percentile),
        })
    }

    /// How many points must be breaching.
    pub fn needed(&self) -> usize {
        self.datapoints_to_alarm.unwrap_or(self.evaluation_periods)
    }
}
