//! A chunk: the slots of one window of a metric at one resolution, and how it is stored.
//!
//! The form is binary. A slot with one value takes about eleven bytes; one with many takes as many bytes as its
//! distribution needs, and when a chunk would become too large its distributions become coarser.

use std::collections::BTreeMap;

use super::aggregate::{Aggregate, Buckets, Distribution};
use super::unit::Unit;

/// The first byte of every chunk of this form. It is not `{`, by which the store knows records.
const FORM: u8 = 1;
/// The most bytes of a chunk; half of what the store takes.
pub const CHUNK_BYTES_MAX: usize = 512 * 1024;
/// To how many entries distributions are reduced, one after the other, until a chunk is small enough. Without any
/// distribution every chunk is.
const COARSER: [usize; 5] = [128, 64, 32, 8, 0];
/// How many entries a distribution can have that was written by [`Chunk::encode`].
const ENTRIES_MAX: u64 = 4096;

const ONE_VALUE: u8 = 0;
const UNKNOWN: u8 = 1;
const EXACT: u8 = 2;
const BUCKETS: u8 = 3;

/// Aggregates by slot (its number within the window) and unit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chunk(BTreeMap<(u16, Unit), Aggregate>);

/// Bytes that are no chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the metric data is damaged")]
pub struct DamagedChunk;

impl Chunk {
    /// Adds to a slot.
    pub fn add(&mut self, slot: u16, unit: Unit, aggregate: &Aggregate) {
        match self.0.get_mut(&(slot, unit)) {
            Some(present) => present.merge(aggregate),
            None => {
                self.0.insert((slot, unit), aggregate.clone());
            }
        }
    }

    /// Adds all that another chunk of the same window has.
    pub fn merge(&mut self, other: &Self) {
        other.iter().for_each(|(slot, unit, aggregate)| self.add(slot, unit, aggregate));
    }

    /// Every slot, in the order of time.
    pub fn iter(&self) -> impl Iterator<Item = (u16, Unit, &Aggregate)> {
        self.0.iter().map(|((slot, unit), aggregate)| (*slot, *unit, aggregate))
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes to store.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.written();
        let mut coarser = self.clone();
        for entries in COARSER {
            if bytes.len() <= CHUNK_BYTES_MAX {
                break;
            }
            coarser.0.values_mut().for_each(|aggregate| aggregate.coarsen(entries));
            bytes = coarser.written();
        }
        bytes
    }

    fn written(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + 12 * self.0.len());
        out.push(FORM);
        put_number(&mut out, self.0.len() as u64);
        for ((slot, unit), aggregate) in &self.0 {
            put_number(&mut out, u64::from(*slot));
            out.push(unit.number());
            put_aggregate(&mut out, aggregate);
        }
        out
    }

    /// What was stored.
    ///
    /// # Errors
    /// [`DamagedChunk`] for what [`Chunk::encode`] never writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DamagedChunk> {
        let mut input = Input(bytes);
        if input.byte()? != FORM {
            return Err(DamagedChunk);
        }
        let mut slots = BTreeMap::new();
        for _ in 0..input.number()? {
            let slot = u16::try_from(input.number()?).map_err(|_| DamagedChunk)?;
            let unit = Unit::numbered(input.byte()?).ok_or(DamagedChunk)?;
            slots.insert((slot, unit), input.aggregate()?);
        }
        if input.0.is_empty() { Ok(Self(slots)) } else { Err(DamagedChunk) }
    }
}

fn put_aggregate(out: &mut Vec<u8>, aggregate: &Aggregate) {
    if *aggregate == Aggregate::of(aggregate.min, 1.0) {
        out.push(ONE_VALUE);
        put_float(out, aggregate.min);
        return;
    }
    out.push(match &aggregate.distribution {
        Distribution::Unknown => UNKNOWN,
        Distribution::Exact(_) => EXACT,
        Distribution::Buckets(_) => BUCKETS,
    });
    put_weight(out, aggregate.count);
    [aggregate.sum, aggregate.min, aggregate.max].into_iter().for_each(|number| put_float(out, number));
    match &aggregate.distribution {
        Distribution::Unknown => {}
        Distribution::Exact(values) => {
            put_number(out, values.len() as u64);
            for (value, weight) in values {
                put_float(out, *value);
                put_weight(out, *weight);
            }
        }
        Distribution::Buckets(Buckets { level, zero, weights }) => {
            out.push(*level);
            put_weight(out, *zero);
            put_number(out, weights.len() as u64);
            let mut last = 0i64;
            for (index, weight) in weights {
                let step = i64::from(*index) - last;
                put_number(out, ((step << 1) ^ (step >> 63)) as u64);
                put_weight(out, *weight);
                last = i64::from(*index);
            }
        }
    }
}

fn put_float(out: &mut Vec<u8>, number: f64) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// Seven bits a byte, the lowest first; the eighth says that there are more.
fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A whole number is written as twice itself; anything else as 1 and its bits.
fn put_weight(out: &mut Vec<u8>, weight: f64) {
    const WHOLE_MAX: f64 = (1u64 << 53) as f64;
    if weight.fract() == 0.0 && (0.0..=WHOLE_MAX).contains(&weight) {
        put_number(out, (weight as u64) << 1);
    } else {
        put_number(out, 1);
        put_float(out, weight);
    }
}

/// What is still to be read.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Result<u8, DamagedChunk> {
        let (first, rest) = self.0.split_first().ok_or(DamagedChunk)?;
        self.0 = rest;
        Ok(*first)
    }

    fn number(&mut self) -> Result<u64, DamagedChunk> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(DamagedChunk)
    }

    fn float(&mut self) -> Result<f64, DamagedChunk> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(DamagedChunk)?;
        self.0 = rest;
        Ok(f64::from_le_bytes(*bytes))
    }

    fn weight(&mut self) -> Result<f64, DamagedChunk> {
        match self.number()? {
            1 => self.float(),
            twice if twice & 1 == 0 => Ok((twice >> 1) as f64),
            _ => Err(DamagedChunk),
        }
    }

    fn length(&mut self) -> Result<u64, DamagedChunk> {
        let length = self.number()?;
        if length <= ENTRIES_MAX { Ok(length) } else { Err(DamagedChunk) }
    }

    fn aggregate(&mut self) -> Result<Aggregate, DamagedChunk> {
        let form = self.byte()?;
        if form == ONE_VALUE {
            return Ok(Aggregate::of(self.float()?, 1.0));
        }
        let (count, sum, min, max) = (self.weight()?, self.float()?, self.float()?, self.float()?);
        let distribution = match form {
            UNKNOWN => Distribution::Unknown,
            EXACT => {
                let values = (0..self.length()?).map(|_| Ok((self.float()?, self.weight()?)));
                Distribution::Exact(values.collect::<Result<_, _>>()?)
            }
            BUCKETS => Distribution::Buckets(self.buckets()?),
            _ => return Err(DamagedChunk),
        };
        Ok(Aggregate { count, sum, min, max, distribution })
    }

    fn buckets(&mut self) -> Result<Buckets, DamagedChunk> {
        let (level, zero) = (self.byte()?, self.weight()?);
        let mut last = 0i64;
        let mut weights = Vec::new();
        for _ in 0..self.length()? {
            let step = self.number()?;
            last = last.wrapping_add((step >> 1) as i64 ^ -((step & 1) as i64));
            weights.push((i32::try_from(last).map_err(|_| DamagedChunk)?, self.weight()?));
        }
        Ok(Buckets { level, zero, weights })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn aggregate() -> impl Strategy<Value = Aggregate> {
        let many = prop::collection::vec((0.0..1e6f64, prop_oneof![1.0..50f64, (1u32..9).prop_map(f64::from)]), 1..200);
        prop_oneof![
            (-1e9..1e9f64).prop_map(|value| Aggregate::of(value, 1.0)),
            (1.0..9f64, 0.0..9f64).prop_map(|(count, sum)| Aggregate::of_set(count, sum, 0.0, 9.0)),
            many.prop_map(|values| {
                let mut all = Aggregate::of(values[0].0, values[0].1);
                values[1..].iter().for_each(|(value, count)| all.merge(&Aggregate::of(*value, *count)));
                all
            }),
        ]
    }

    fn chunk() -> impl Strategy<Value = Chunk> {
        prop::collection::vec((0u16..300, 0u8..27, aggregate()), 0..40).prop_map(|slots| {
            let mut chunk = Chunk::default();
            slots.iter().for_each(|(slot, unit, it)| chunk.add(*slot, Unit::numbered(*unit).unwrap(), it));
            chunk
        })
    }

    proptest! {
        #[test]
        fn a_chunk_is_read_back_as_it_was_written(chunk in chunk()) {
            prop_assert_eq!(Chunk::decode(&chunk.encode()), Ok(chunk));
        }

        #[test]
        fn damaged_bytes_are_told_apart_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Chunk::decode(&bytes);
        }

        #[test]
        fn a_chunk_that_is_cut_short_is_damaged(chunk in chunk(), cut in 1usize..40) {
            let bytes = chunk.encode();
            let cut = cut.min(bytes.len());
            prop_assert_eq!(Chunk::decode(&bytes[..bytes.len() - cut]), Err(DamagedChunk));
        }
    }

    #[test]
    fn a_slot_with_one_value_is_small() {
        let mut chunk = Chunk::default();
        (0..60).for_each(|slot| chunk.add(slot, Unit::NONE, &Aggregate::of(f64::from(slot), 1.0)));
        assert!(chunk.encode().len() <= 2 + 60 * 11);
    }

    #[test]
    fn a_chunk_that_would_be_too_large_becomes_coarser_and_loses_no_count() {
        let mut busy = Aggregate::of(0.0, 0.5);
        (1..2000).for_each(|value| busy.merge(&Aggregate::of(f64::from(value) * 1.7, 0.5)));
        let mut chunk = Chunk::default();
        for slot in 0..300 {
            (0..27).for_each(|unit| chunk.add(slot, Unit::numbered(unit).unwrap(), &busy));
        }
        let bytes = chunk.encode();
        assert!(bytes.len() <= CHUNK_BYTES_MAX, "{}", bytes.len());
        let read = Chunk::decode(&bytes).unwrap();
        assert_eq!(read.iter().map(|(_, _, it)| it.count).sum::<f64>(), 300.0 * 27.0 * 1000.0);
    }
}
