//! The statistics of a benchmark: quantiles of what was measured, medians over rounds.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Durations in nanoseconds, sorted. Never empty.
#[derive(Debug, Clone)]
pub(crate) struct Samples(Vec<u64>);

impl Samples {
    /// Sorts them; `None` when there are none.
    pub(crate) fn new(mut nanoseconds: Vec<u64>) -> Option<Self> {
        nanoseconds.sort_unstable();
        (!nanoseconds.is_empty()).then_some(Self(nanoseconds))
    }

    /// The same from durations.
    pub(crate) fn of(durations: impl IntoIterator<Item = Duration>) -> Option<Self> {
        Self::new(durations.into_iter().map(nanoseconds).collect())
    }

    /// The smallest value that `percent` per cent of all values do not exceed (nearest rank, never interpolated: each
    /// figure was really measured).
    pub(crate) fn percentile(&self, percent: usize) -> u64 {
        let rank = (self.0.len() * percent.min(100)).div_ceil(100).max(1);
        self.0[rank - 1]
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Median, tail and worst.
    pub(crate) fn latency(&self) -> Latency {
        Latency {
            samples: self.count(),
            p50_us: micros(self.percentile(50)),
            p99_us: micros(self.percentile(99)),
            max_us: micros(self.percentile(100)),
        }
    }
}

/// A distribution of times in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    /// How many times were measured. With fewer than a hundred `p99_us` is the maximum.
    pub(crate) samples: usize,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
}

impl Latency {
    /// One of several rounds: the median of their quantiles, the worst of their maxima.
    pub(crate) fn over_rounds(rounds: &[Self]) -> Option<Self> {
        let figures = |figure: fn(&Self) -> f64| rounds.iter().map(figure).collect::<Vec<_>>();
        Some(Self {
            samples: rounds.iter().map(|round| round.samples).sum(),
            p50_us: median(&figures(|round| round.p50_us))?,
            p99_us: median(&figures(|round| round.p99_us))?,
            max_us: figures(|round| round.max_us).into_iter().fold(0.0, f64::max),
        })
    }
}

/// The middle value, or the mean of the middle two; `None` of none.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// A duration in whole nanoseconds; what does not fit (584 years) is the most that does.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds as microseconds.
pub(crate) fn micros(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64() * 1e6
}

/// A count as a figure to calculate with. Exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^53")]
pub(crate) fn figure(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: impl IntoIterator<Item = u64>) -> Samples {
        Samples::new(values.into_iter().collect()).unwrap()
    }

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let hundred = samples((1..=100).rev());
        for (percent, value) in [(0, 1), (1, 1), (50, 50), (99, 99), (100, 100), (200, 100)] {
            assert_eq!(hundred.percentile(percent), value, "{percent}");
        }
        assert_eq!(samples([7]).percentile(99), 7);
        assert_eq!(samples([10, 30]).percentile(50), 10);
        assert_eq!(samples([10, 30]).percentile(51), 30);
    }

    #[test]
    fn the_tail_of_few_samples_is_the_worst_of_them() {
        let latency = samples((1..=50).map(|n| n * 1000)).latency();
        assert_eq!(latency, Latency { samples: 50, p50_us: 25.0, p99_us: 50.0, max_us: 50.0 });
    }

    #[test]
    fn there_are_no_statistics_of_nothing() {
        assert!(Samples::new(Vec::new()).is_none());
        assert_eq!(median(&[]), None);
        assert_eq!(Latency::over_rounds(&[]), None);
    }

    #[test]
    fn a_median_needs_no_order() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[f64::INFINITY, 1.0, 2.0]), Some(2.0));
    }

    #[test]
    fn rounds_become_one_by_their_medians_and_their_worst() {
        let round = |p50_us, p99_us, max_us| Latency { samples: 10, p50_us, p99_us, max_us };
        let all = [round(1.0, 9.0, 30.0), round(2.0, 5.0, 10.0), round(9.0, 7.0, 20.0)];
        assert_eq!(Latency::over_rounds(&all), Some(Latency { samples: 30, p50_us: 2.0, p99_us: 7.0, max_us: 30.0 }));
    }

    #[test]
    fn durations_are_counted_in_nanoseconds_and_shown_in_microseconds() {
        let samples = Samples::of([Duration::from_micros(1500), Duration::from_millis(2)]).unwrap();
        assert_eq!((samples.percentile(50), samples.count()), (1_500_000, 2));
        assert_eq!(nanoseconds(Duration::MAX), u64::MAX);
        assert!((micros(1_500) - 1.5).abs() < 1e-9);
    }
}
