//! What is kept of the values of one stretch of time: count, sum, least and greatest, and how they are distributed.
//!
//! Merging loses nothing of the first four, whatever the order. The distribution is exact for few different values; for
//! more it is a sparse histogram of logarithmic buckets, which become wider when there would be too many.

/// How many different values are kept as they are.
const EXACT_MAX: usize = 64;
/// How many buckets a histogram has at most.
pub const BUCKETS_MAX: usize = 256;
/// The ratio of a bucket's bounds at level 0: whatever falls into it is known to within half a percent. Each further level
/// squares the ratio.
const RATIO: f64 = 1.01;

/// What is known of some values.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// How many there were (SampleCount). A client may count in fractions.
    pub count: f64,
    /// What they add up to.
    pub sum: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// How they are distributed.
    pub distribution: Distribution,
}

/// How values are distributed.
#[derive(Debug, Clone, PartialEq)]
pub enum Distribution {
    /// Every value with its weight, in ascending order.
    Exact(Vec<(f64, f64)>),
    /// Weights by bucket.
    Buckets(Buckets),
    /// It is not known, since a client sent sums only; or there are negative values, for which CloudWatch has no
    /// percentiles.
    Unknown,
}

/// A histogram. The bucket with index `i` has what is above `ratio^(i-1)` and not above `ratio^i`.
#[derive(Debug, Clone, PartialEq)]
pub struct Buckets {
    /// How often the ratio has been squared.
    pub level: u8,
    /// The weight of zero.
    pub zero: f64,
    /// Index and weight, in ascending order.
    pub weights: Vec<(i32, f64)>,
}

impl Aggregate {
    /// A value that was seen `count` times.
    pub fn of(value: f64, count: f64) -> Self {
        // Negative zero is zero: the two would count as two values.
        let value = if value == 0.0 { 0.0 } else { value };
        let distribution = if value < 0.0 { Distribution::Unknown } else { Distribution::Exact(vec![(value, count)]) };
        Self { count, sum: value * count, min: value, max: value, distribution }
    }

    /// A statistic set. Its distribution is known when all of its values are the same.
    pub fn of_set(count: f64, sum: f64, min: f64, max: f64) -> Self {
        if min == max && (sum == min * count || count == 1.0) {
            return Self { sum, ..Self::of(min, count) };
        }
        Self { count, sum, min, max, distribution: Distribution::Unknown }
    }

    /// Adds what is known of further values.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        let own = std::mem::replace(&mut self.distribution, Distribution::Unknown);
        self.distribution = own.merged(&other.distribution);
    }

    /// The mean.
    pub fn average(&self) -> f64 {
        self.sum / self.count
    }

    /// Values with their weights in ascending order, as exactly as they are known; none where they are not.
    pub fn weighted(&self) -> Option<Vec<(f64, f64)>> {
        match &self.distribution {
            Distribution::Exact(values) => Some(values.clone()),
            Distribution::Buckets(buckets) => {
                let clamp = |value: f64| value.clamp(self.min, self.max);
                let zero = (buckets.zero > 0.0).then_some((0.0, buckets.zero));
                let rest = buckets.weights.iter().map(|(index, weight)| (clamp(buckets.middle(*index)), *weight));
                Some(zero.into_iter().chain(rest).collect())
            }
            Distribution::Unknown => None,
        }
    }

    /// Gives up detail until the distribution has no more than `buckets_max` entries; with none allowed it is not known.
    pub fn coarsen(&mut self, buckets_max: usize) {
        let own = std::mem::replace(&mut self.distribution, Distribution::Unknown);
        self.distribution = match own {
            _ if buckets_max == 0 => Distribution::Unknown,
            Distribution::Exact(values) if values.len() > buckets_max => {
                Distribution::Buckets(Buckets::of(&values).limited(buckets_max))
            }
            Distribution::Buckets(buckets) => Distribution::Buckets(buckets.limited(buckets_max)),
            other => other,
        };
    }
}

impl Distribution {
    fn merged(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Exact(own), Self::Exact(theirs)) => {
                let values = added(&own, theirs, f64::total_cmp);
                if values.len() <= EXACT_MAX {
                    Self::Exact(values)
                } else {
                    Self::Buckets(Buckets::of(&values).limited(BUCKETS_MAX))
                }
            }
            (Self::Exact(own), Self::Buckets(theirs)) => Self::Buckets(Buckets::of(&own).merged(theirs)),
            (Self::Buckets(own), Self::Exact(theirs)) => Self::Buckets(own.merged(&Buckets::of(theirs))),
            (Self::Buckets(own), Self::Buckets(theirs)) => Self::Buckets(own.merged(theirs)),
        }
    }
}

impl Buckets {
    /// The histogram of weighted values, none of them negative, in ascending order.
    fn of(values: &[(f64, f64)]) -> Self {
        let mut buckets = Self { level: 0, zero: 0.0, weights: Vec::new() };
        for (value, weight) in values {
            if *value == 0.0 {
                buckets.zero += weight;
                continue;
            }
            // The logarithm of a finite positive number divided by 0.00995 is within ±75,000.
            let index = (value.ln() / RATIO.ln()).ceil() as i32;
            match buckets.weights.last_mut() {
                Some((last, sum)) if *last == index => *sum += weight,
                _ => buckets.weights.push((index, *weight)),
            }
        }
        buckets
    }

    fn merged(mut self, other: &Self) -> Self {
        let mut other = other.clone();
        let level = self.level.max(other.level);
        self.widen_to(level);
        other.widen_to(level);
        self.zero += other.zero;
        self.weights = added(&self.weights, &other.weights, i32::cmp);
        self.limited(BUCKETS_MAX)
    }

    /// Widens the buckets until there are no more than `max`, one at the least.
    fn limited(mut self, max: usize) -> Self {
        while self.weights.len() > max.max(1) {
            self.widen_to(self.level + 1);
        }
        self
    }

    fn widen_to(&mut self, level: u8) {
        while self.level < level {
            let mut wider: Vec<(i32, f64)> = Vec::with_capacity(self.weights.len() / 2 + 1);
            for (index, weight) in &self.weights {
                let index = (index + 1).div_euclid(2);
                match wider.last_mut() {
                    Some((last, sum)) if *last == index => *sum += weight,
                    _ => wider.push((index, *weight)),
                }
            }
            self.weights = wider;
            self.level += 1;
        }
    }

    /// The value that stands for a bucket: as far from both bounds, as a ratio.
    fn middle(&self, index: i32) -> f64 {
        let ratio_ln = RATIO.ln() * 2f64.powi(i32::from(self.level));
        let upper = (f64::from(index) * ratio_ln).exp();
        2.0 * upper / (ratio_ln.exp() + 1.0)
    }
}

/// The union of two ascending lists; weights of one key are added.
fn added<K: Copy>(a: &[(K, f64)], b: &[(K, f64)], compare: impl Fn(&K, &K) -> std::cmp::Ordering) -> Vec<(K, f64)> {
    let mut sum = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    loop {
        let order = match (a.peek(), b.peek()) {
            (Some((one, _)), Some((other, _))) => compare(one, other),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => return sum,
        };
        match order {
            std::cmp::Ordering::Less => sum.extend(a.next()),
            std::cmp::Ordering::Greater => sum.extend(b.next()),
            std::cmp::Ordering::Equal => {
                sum.extend(a.next().zip(b.next()).map(|((key, one), (_, other))| (*key, one + other)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn merged(values: &[f64]) -> Aggregate {
        let mut all = Aggregate::of(values[0], 1.0);
        values[1..].iter().for_each(|value| all.merge(&Aggregate::of(*value, 1.0)));
        all
    }

    #[test]
    fn few_different_values_are_kept_as_they_are() {
        let all = merged(&[3.0, 1.0, 3.0, 0.0, -0.0]);
        assert_eq!(all.weighted().unwrap(), [(0.0, 2.0), (1.0, 1.0), (3.0, 2.0)]);
        assert_eq!((all.count, all.sum, all.min, all.max), (5.0, 7.0, 0.0, 3.0));
    }

    #[test]
    fn a_statistic_set_tells_its_distribution_only_when_all_values_are_the_same() {
        assert_eq!(Aggregate::of_set(4.0, 20.0, 5.0, 5.0).weighted().unwrap(), [(5.0, 4.0)]);
        assert_eq!(Aggregate::of_set(4.0, 20.0, 1.0, 9.0).weighted(), None);
        assert_eq!(Aggregate::of(-1.0, 1.0).weighted(), None);
    }

    proptest! {
        #[test]
        fn no_weight_is_lost_and_every_value_is_within_its_bucket(
            values in prop::collection::vec(prop_oneof![Just(0.0), 1e-9..1e9f64, 1.0..1000f64], 1..800)
        ) {
            let all = merged(&values);
            let weighted = all.weighted().unwrap();
            prop_assert!(weighted.len() <= BUCKETS_MAX + 1);
            prop_assert_eq!(weighted.iter().map(|(_, weight)| weight).sum::<f64>(), values.len() as f64);
            prop_assert!(weighted.is_sorted_by(|a, b| a.0 <= b.0));
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            // The widest buckets that so many decades can need have a ratio of 1.01^16.
            let mut seen = 0.0;
            for (value, weight) in weighted {
                seen += weight;
                let exact = sorted[seen as usize - 1];
                prop_assert!((value - exact).abs() <= exact * 0.16 + 1e-12, "{} for {}", value, exact);
            }
        }

        #[test]
        fn merging_in_parts_adds_up_to_merging_at_once(
            values in prop::collection::vec(0.001..1e6f64, 2..300), cut in 1usize..299
        ) {
            let cut = cut.min(values.len() - 1);
            let mut parts = merged(&values[..cut]);
            parts.merge(&merged(&values[cut..]));
            let whole = merged(&values);
            prop_assert_eq!((parts.count, parts.min, parts.max), (whole.count, whole.min, whole.max));
            prop_assert!((parts.sum - whole.sum).abs() <= whole.sum * 1e-12);
        }

        #[test]
        fn coarsening_keeps_every_weight(values in prop::collection::vec(0.0..1e6f64, 1..500), max in 1usize..100) {
            let mut all = merged(&values);
            all.coarsen(max);
            let weighted = all.weighted().unwrap();
            prop_assert!(weighted.len() <= max + 1);
            prop_assert_eq!(weighted.iter().map(|(_, weight)| weight).sum::<f64>(), values.len() as f64);
            all.coarsen(0);
            prop_assert!(all.weighted().is_none());
        }
    }
}
