//! Percentiles and distinct counts in bounded memory: exact while there are few values, close to it beyond.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Up to how many values percentiles are exact.
const EXACT_VALUES_MAX: usize = 4096;
/// How far a percentile of more values may be off, relative to itself.
const RELATIVE_ERROR: f64 = 0.005;
/// Up to how many distinct values their count is exact.
const EXACT_DISTINCT_MAX: usize = 4096;
/// Two to this power are the registers of the estimate beyond: with 2^14 its standard error is 0.8 %.
const REGISTER_BITS: u32 = 14;

/// The values of which a percentile is wanted.
#[derive(Debug, Default)]
pub(super) struct Percentiles {
    exact: Vec<f64>,
    /// How many values lie in each range of sizes: below 0 by the size's negative, at 0, above.
    ranges: BTreeMap<(i8, i32), u64>,
    count: u64,
}

impl Percentiles {
    /// Takes a value, and tells how many bytes of memory that took.
    pub(super) fn add(&mut self, value: f64) -> usize {
        self.count += 1;
        if self.ranges.is_empty() && self.exact.len() < EXACT_VALUES_MAX {
            self.exact.push(value);
            return size_of::<f64>();
        }
        let before = self.ranges.len();
        for value in self.exact.drain(..).chain([value]) {
            *self.ranges.entry(range(value)).or_default() += 1;
        }
        (self.ranges.len() - before) * 2 * size_of::<((i8, i32), u64)>()
    }

    /// The value at or below which so many percent lie; nothing if there are no values. Between two values of an exact
    /// result it lies in proportion.
    pub(super) fn at(&mut self, percent: f64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let position = percent / 100.0 * (self.count - 1) as f64;
        if self.ranges.is_empty() {
            self.exact.sort_by(f64::total_cmp);
            let low = *self.exact.get(position.floor() as usize)?;
            let high = *self.exact.get(position.ceil() as usize)?;
            return Some(low + (high - low) * position.fract());
        }
        let mut below = 0;
        for (range, count) in &self.ranges {
            below += count;
            if below as f64 > position {
                return Some(middle(*range));
            }
        }
        None
    }
}

/// The base of which the powers bound the ranges.
fn base() -> f64 {
    (1.0 + RELATIVE_ERROR) / (1.0 - RELATIVE_ERROR)
}

fn range(value: f64) -> (i8, i32) {
    let exponent = (value.abs().ln() / base().ln()).ceil() as i32;
    match value {
        0.0 => (0, 0),
        v if v < 0.0 => (-1, -exponent),
        _ => (1, exponent),
    }
}

fn middle((sign, exponent): (i8, i32)) -> f64 {
    let size = |exponent: i32| 2.0 * base().powi(exponent) / (base() + 1.0);
    match sign {
        0 => 0.0,
        -1 => -size(-exponent),
        _ => size(exponent),
    }
}

/// The values of which the number of different ones is wanted.
#[derive(Debug)]
pub(super) enum Distinct {
    /// Their hashes. That two of so few collide in 64 bits does not happen in practice.
    Exact(HashSet<u64>),
    /// HyperLogLog: for each register, the longest run of zero bits that began a hash (plus 1).
    Estimate(Box<[u8]>),
}

impl Default for Distinct {
    fn default() -> Distinct {
        Distinct::Exact(HashSet::new())
    }
}

impl Distinct {
    /// Takes a value, and tells how many bytes of memory that took.
    pub(super) fn add(&mut self, value: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        self.add_hash(hasher.finish())
    }

    fn add_hash(&mut self, hash: u64) -> usize {
        match self {
            Distinct::Exact(hashes) => {
                let new = hashes.insert(hash);
                if hashes.len() <= EXACT_DISTINCT_MAX {
                    return if new { 2 * size_of::<u64>() } else { 0 };
                }
                let mut registers = vec![0; 1 << REGISTER_BITS].into_boxed_slice();
                for hash in hashes.iter() {
                    register(&mut registers, *hash);
                }
                *self = Distinct::Estimate(registers);
                1 << REGISTER_BITS
            }
            Distinct::Estimate(registers) => {
                register(registers, hash);
                0
            }
        }
    }

    /// How many different ones there were, or about how many.
    pub(super) fn count(&self) -> i64 {
        match self {
            Distinct::Exact(hashes) => hashes.len() as i64,
            Distinct::Estimate(registers) => {
                let m = registers.len() as f64;
                let sum: f64 = registers.iter().map(|&run| 0.5_f64.powi(i32::from(run))).sum();
                let estimate = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
                let empty = registers.iter().filter(|&&run| run == 0).count();
                // While many registers are empty, counting those is closer.
                let counted = if empty > 0 && estimate <= 2.5 * m { m * (m / empty as f64).ln() } else { estimate };
                counted.round() as i64
            }
        }
    }
}

fn register(registers: &mut [u8], hash: u64) {
    let index = (hash >> (64 - REGISTER_BITS)) as usize;
    let run = (hash << REGISTER_BITS).leading_zeros().min(64 - REGISTER_BITS) + 1;
    registers[index] = registers[index].max(run as u8);
}
