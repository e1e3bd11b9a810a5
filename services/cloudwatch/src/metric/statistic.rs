//! Statistics: how they are written, and what they are of an aggregate.

use super::aggregate::Aggregate;

/// What is asked of the values of a period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// How many there are.
    SampleCount,
    /// Their mean.
    Average,
    /// Their sum.
    Sum,
    /// The least.
    Minimum,
    /// The greatest.
    Maximum,
    /// `p99`: the value that so many percent do not exceed.
    Percentile(f64),
    /// `tm90`, `TM(10%:90%)`, `TM(150:1000)`: the mean of what lies within bounds.
    TrimmedMean(Bounds),
    /// `wm90`, `WM(…)`: the mean where what lies outside of the bounds counts as the bound.
    WinsorizedMean(Bounds),
    /// `tc90`, `TC(…)`: how many lie within bounds.
    TrimmedCount(Bounds),
    /// `ts90`, `TS(…)`: the sum of what lies within bounds.
    TrimmedSum(Bounds),
    /// `PR(100:2000)`: how many percent lie within absolute bounds.
    PercentileRank(Bounds),
    /// The mean of the middle half.
    InterquartileMean,
}

/// From where to where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bounds {
    /// Percent of the values, in ascending order.
    Percent(f64, f64),
    /// Values: above the first, up to the second.
    Absolute(f64, f64),
}

/// The longest text that is a statistic.
const TEXT_MAX: usize = 64;
/// The most decimal places of a number in a statistic.
const DECIMALS_MAX: usize = 10;

impl Statistic {
    /// Reads a statistic's name, simple or extended.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > TEXT_MAX || !text.is_ascii() {
            return None;
        }
        Self::simple(text).or_else(|| Self::extended(text))
    }

    /// One of the five that need no distribution.
    pub fn simple(text: &str) -> Option<Self> {
        Some(match text {
            "SampleCount" => Self::SampleCount,
            "Average" => Self::Average,
            "Sum" => Self::Sum,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            _ => return None,
        })
    }

    /// One of those that AWS calls extended.
    pub fn extended(text: &str) -> Option<Self> {
        if text.len() > TEXT_MAX || !text.is_ascii() {
            return None;
        }
        if text.eq_ignore_ascii_case("IQM") {
            return Some(Self::InterquartileMean);
        }
        if let Some(number) = text.strip_prefix('p').and_then(percent) {
            return Some(Self::Percentile(number));
        }
        let (kind, rest) = (text.get(..2)?, text.get(2..)?);
        let within = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
        let bounds = match within {
            Some(within) => bounds(within)?,
            None if kind == "pr" => Bounds::Absolute(f64::NEG_INFINITY, number(rest)?),
            None if kind.bytes().all(|it| it.is_ascii_lowercase()) => Bounds::Percent(0.0, percent(rest)?),
            None => return None,
        };
        Some(match kind.to_ascii_lowercase().as_str() {
            "tm" => Self::TrimmedMean(bounds),
            "wm" => Self::WinsorizedMean(bounds),
            "tc" => Self::TrimmedCount(bounds),
            "ts" => Self::TrimmedSum(bounds),
            "pr" if matches!(bounds, Bounds::Absolute(..)) => Self::PercentileRank(bounds),
            _ => return None,
        })
    }

    /// The percentile, where it is one.
    pub fn percentile(self) -> Option<f64> {
        if let Self::Percentile(percent) = self { Some(percent) } else { None }
    }

    /// Its value; none where the distribution is needed and not known, or nothing lies within the bounds.
    pub fn of(self, aggregate: &Aggregate) -> Option<f64> {
        match self {
            Self::SampleCount => Some(aggregate.count),
            Self::Average => Some(aggregate.average()),
            Self::Sum => Some(aggregate.sum),
            Self::Minimum => Some(aggregate.min),
            Self::Maximum => Some(aggregate.max),
            _ => self.of_weighted(&aggregate.weighted()?),
        }
    }

    fn of_weighted(self, values: &[(f64, f64)]) -> Option<f64> {
        match self {
            Self::Percentile(percent) => percentile(values, percent),
            Self::InterquartileMean => mean(&within(values, Bounds::Percent(25.0, 75.0))),
            Self::TrimmedMean(bounds) => mean(&within(values, bounds)),
            Self::TrimmedCount(bounds) => Some(weight(&within(values, bounds))),
            Self::TrimmedSum(bounds) => Some(sum(&within(values, bounds))),
            Self::PercentileRank(bounds) => Some(100.0 * weight(&within(values, bounds)) / weight(values)),
            Self::WinsorizedMean(bounds) => mean(&winsorized(values, bounds)?),
            _ => None,
        }
    }
}

/// A number without sign or exponent.
fn number(text: &str) -> Option<f64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|it| it.is_ascii_digit());
    let is_number = !whole.is_empty() && digits(whole) && digits(decimals) && decimals.len() <= DECIMALS_MAX;
    if is_number { text.parse().ok() } else { None }
}

fn percent(text: &str) -> Option<f64> {
    number(text).filter(|percent| (0.0..=100.0).contains(percent))
}

/// `10%:90%`, `:90%`, `150:1000`, `150:`.
fn bounds(text: &str) -> Option<Bounds> {
    let (lower, upper) = text.split_once(':')?;
    if lower.is_empty() && upper.is_empty() {
        return None;
    }
    let is_percent = |side: &str| side.ends_with('%');
    if is_percent(lower) || is_percent(upper) {
        let side = |side: &str, open: f64| match side.strip_suffix('%') {
            Some(number) => percent(number),
            None if side.is_empty() => Some(open),
            None => None,
        };
        let (lower, upper) = (side(lower, 0.0)?, side(upper, 100.0)?);
        return (lower < upper).then_some(Bounds::Percent(lower, upper));
    }
    let side = |side: &str, open: f64| if side.is_empty() { Some(open) } else { number(side) };
    let (lower, upper) = (side(lower, f64::NEG_INFINITY)?, side(upper, f64::INFINITY)?);
    (lower < upper).then_some(Bounds::Absolute(lower, upper))
}

fn weight(values: &[(f64, f64)]) -> f64 {
    values.iter().map(|(_, weight)| weight).sum()
}

fn sum(values: &[(f64, f64)]) -> f64 {
    values.iter().map(|(value, weight)| value * weight).sum()
}

fn mean(values: &[(f64, f64)]) -> Option<f64> {
    let weight = weight(values);
    (weight > 0.0).then(|| sum(values) / weight)
}

/// The least value that so many percent of the weight do not exceed.
fn percentile(values: &[(f64, f64)], percent: f64) -> Option<f64> {
    let rank = weight(values) * percent / 100.0;
    let mut seen = 0.0;
    for (value, weight) in values {
        seen += weight;
        // Weights are added in floating point: what is as good as reached counts as reached.
        if seen >= rank * (1.0 - 1e-12) {
            return Some(*value);
        }
    }
    values.last().map(|(value, _)| *value)
}

/// What lies within bounds; a value that lies on a bound in percent, with the part of its weight that does.
fn within(values: &[(f64, f64)], bounds: Bounds) -> Vec<(f64, f64)> {
    match bounds {
        Bounds::Absolute(lower, upper) => {
            values.iter().copied().filter(|(value, _)| *value > lower && *value <= upper).collect()
        }
        Bounds::Percent(lower, upper) => {
            let total = weight(values);
            let (from, to) = (total * lower / 100.0, total * upper / 100.0);
            let mut seen = 0.0;
            let part = |(value, weight): &(f64, f64)| {
                let (start, end) = (seen, seen + weight);
                seen = end;
                let part = end.min(to) - start.max(from);
                (part > 0.0).then_some((*value, part))
            };
            values.iter().filter_map(part).collect()
        }
    }
}

fn winsorized(values: &[(f64, f64)], bounds: Bounds) -> Option<Vec<(f64, f64)>> {
    let (lower, upper) = match bounds {
        Bounds::Absolute(lower, upper) => (lower, upper),
        Bounds::Percent(lower, upper) => (percentile(values, lower)?, percentile(values, upper)?),
    };
    Some(values.iter().map(|(value, weight)| (value.clamp(lower, upper), *weight)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str, values: &[f64]) -> Option<f64> {
        let mut all = Aggregate::of(values[0], 1.0);
        values[1..].iter().for_each(|value| all.merge(&Aggregate::of(*value, 1.0)));
        Statistic::parse(text).unwrap().of(&all)
    }

    #[test]
    fn the_statistics_of_ten_values_are_what_a_hand_computes() {
        let values: Vec<f64> = (1..=10).map(f64::from).collect();
        for (text, expected) in [
            ("SampleCount", 10.0),
            ("Average", 5.5),
            ("Sum", 55.0),
            ("Minimum", 1.0),
            ("Maximum", 10.0),
            ("p0", 1.0),
            ("p50", 5.0),
            ("p90", 9.0),
            ("p99.9", 10.0),
            ("p100", 10.0),
            ("tm90", 5.0),
            ("TM(10%:90%)", 5.5),
            ("TM(:90%)", 5.0),
            ("TM(2:4)", 3.5),
            ("tc90", 9.0),
            ("TC(10%:)", 9.0),
            ("ts90", 45.0),
            ("TS(8:)", 19.0),
            ("PR(:5)", 50.0),
            ("PR(2:4)", 20.0),
            ("pr3", 30.0),
            ("WM(10%:80%)", (1.0 + 2.0 + 3.0 + 4.0 + 5.0 + 6.0 + 7.0 + 8.0 * 3.0) / 10.0),
            ("WM(3:8)", (3.0 * 3.0 + 4.0 + 5.0 + 6.0 + 7.0 + 8.0 * 3.0) / 10.0),
            ("IQM", (3.0 * 0.5 + 4.0 + 5.0 + 6.0 + 7.0 + 8.0 * 0.5) / 5.0),
        ] {
            let found = of(text, &values).unwrap();
            assert!((found - expected).abs() < 1e-9, "{text}: {found}, not {expected}");
        }
        assert_eq!(of("TM(20:30)", &values), None);
        assert_eq!(of("p50", &[-1.0, 2.0]), None);
    }

    #[test]
    fn what_is_no_statistic_is_not_read_as_one() {
        for text in [
            "",
            "p",
            "p101",
            "p-1",
            "P99",
            "p1e1",
            "tm",
            "tm101",
            "TM90",
            "TM()",
            "TM(:)",
            "TM(90%:10%)",
            "TM(1%:5)",
            "PR(1%:2%)",
            "average",
            "xx50",
            "p99.12345678901",
            "TM(1:2",
            "é",
            "tmé",
        ] {
            assert_eq!(Statistic::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_percentile_is_that_of_the_sorted_values(
            values in prop::collection::vec(0.01..1e5f64, 1..400), percent in 0.0..100f64
        ) {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let rank = (percent / 100.0 * values.len() as f64).ceil().max(1.0) as usize;
            let naive = sorted[rank - 1];
            let found = of(&format!("p{percent:.6}"), &values).unwrap();
            let rank = (format!("{percent:.6}").parse::<f64>().unwrap() / 100.0 * values.len() as f64).ceil();
            let naive = if rank.max(1.0) as usize - 1 < sorted.len() { sorted[rank.max(1.0) as usize - 1] } else { naive };
            // Seven decades in 256 buckets: a ratio of 1.01^8 at the most.
            let tolerance = if values.len() <= 64 { 1e-9 } else { 0.05 };
            prop_assert!((found - naive).abs() <= naive * tolerance, "{} for {}", found, naive);
        }
    }
}
