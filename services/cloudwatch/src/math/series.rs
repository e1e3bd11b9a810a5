//! Time series, and what can be done with one or two of them.

use std::collections::{BTreeMap, BTreeSet};

use super::parse::Operator;

/// Values by instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The id of the query that it is the result of; of a computed one, that of what it was computed from.
    pub id: String,
    /// What a person reads.
    pub label: String,
    /// The length of a period in seconds.
    pub period_s: i64,
    /// Whether it is a metric as it was stored.
    pub is_metric: bool,
    /// By the beginning of the period, in seconds since the epoch.
    pub values: BTreeMap<i64, f64>,
}

/// How many bytes of a label take as much memory as a data point.
pub const LABEL_BYTES_PER_POINT: usize = 16;

impl Series {
    /// What it counts among the data points that are computed.
    pub fn weight(&self) -> usize {
        1 + self.values.len() + (self.id.len() + self.label.len()) / LABEL_BYTES_PER_POINT
    }

    /// A series with other values.
    pub(super) fn with(&self, values: impl IntoIterator<Item = (i64, f64)>) -> Self {
        let values = values.into_iter().filter(|(_, value)| value.is_finite()).collect();
        Self { id: self.id.clone(), label: self.label.clone(), period_s: self.period_s, is_metric: false, values }
    }

    /// Each value changed.
    pub(super) fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        self.with(self.values.iter().map(|(at, value)| (*at, change(*value))))
    }

    /// Both, instant by instant; a value that one of them lacks is 0.
    pub(super) fn zip(&self, other: &Self, operator: Operator) -> Self {
        let coarser = if self.period_s >= other.period_s { self } else { other };
        let instants: BTreeSet<i64> = if self.period_s == other.period_s {
            self.values.keys().chain(other.values.keys()).copied().collect()
        } else {
            // Where periods differ, only the longer ones have both.
            coarser.values.keys().copied().collect()
        };
        let value = |series: &Self, at: i64| series.values.get(&at).copied().unwrap_or(0.0);
        coarser.with(instants.into_iter().map(|at| (at, operate(operator, value(self, at), value(other, at)))))
    }

    /// A value for each pair of neighbours, at the later one's instant.
    pub(super) fn steps(&self, step: impl Fn((i64, f64), (i64, f64)) -> f64) -> Self {
        let pairs = self.values.iter().zip(self.values.iter().skip(1));
        self.with(pairs.map(|((a_at, a), (b_at, b))| (*b_at, step((*a_at, *a), (*b_at, *b)))))
    }
}

/// One number and another. What cannot be computed is no number.
pub(super) fn operate(operator: Operator, a: f64, b: f64) -> f64 {
    let truth = |is_true: bool| f64::from(u8::from(is_true));
    match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide if b == 0.0 => f64::NAN,
        Operator::Divide => a / b,
        Operator::Power => a.powf(b),
        Operator::Equal => truth(a == b),
        Operator::NotEqual => truth(a != b),
        Operator::Less => truth(a < b),
        Operator::LessOrEqual => truth(a <= b),
        Operator::Greater => truth(a > b),
        Operator::GreaterOrEqual => truth(a >= b),
        Operator::And => truth(a != 0.0 && b != 0.0),
        Operator::Or => truth(a != 0.0 || b != 0.0),
    }
}

/// What a list of numbers comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    Average,
    Count,
    Maximum,
    Minimum,
    StandardDeviation,
    Sum,
}

impl Fold {
    /// The function of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "AVG" => Self::Average,
            "DATAPOINT_COUNT" => Self::Count,
            "MAX" => Self::Maximum,
            "MIN" => Self::Minimum,
            "STDDEV" => Self::StandardDeviation,
            "SUM" => Self::Sum,
            _ => return None,
        })
    }

    /// Of numbers, `of` of which there could be: an average takes those that are missing for 0.
    pub(super) fn fold(self, values: &[f64], of: usize) -> f64 {
        let sum: f64 = values.iter().sum();
        match self {
            Self::Sum => sum,
            Self::Count => values.len() as f64,
            Self::Average => sum / of as f64,
            Self::Maximum => values.iter().copied().fold(f64::NAN, f64::max),
            Self::Minimum => values.iter().copied().fold(f64::NAN, f64::min),
            Self::StandardDeviation => {
                let mean = sum / values.len() as f64;
                let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
                (squares / values.len() as f64).sqrt()
            }
        }
    }

    /// Of one series: a number.
    pub(super) fn of_series(self, series: &Series) -> f64 {
        let values: Vec<f64> = series.values.values().copied().collect();
        self.fold(&values, values.len())
    }

    /// Of several: a series.
    pub(super) fn of_array(self, all: &[Series], like: &Series) -> Series {
        let mut columns: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for series in all {
            for (at, value) in &series.values {
                columns.entry(*at).or_default().push(*value);
            }
        }
        like.with(columns.into_iter().map(|(at, values)| (at, self.fold(&values, all.len()))))
    }
}
