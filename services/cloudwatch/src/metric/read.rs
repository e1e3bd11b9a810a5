//! Reading: the slots of a metric between two instants, put together to periods.

use std::collections::BTreeMap;

use base::Timestamp;
use store::{Range, Scope, Store, StoreError};

use super::aggregate::Aggregate;
use super::chunk::Chunk;
use super::resolution::Resolution;
use super::unit::Unit;
use super::{chunk_key, chunk_of, data_key};

/// Which stretch of time is asked for, in periods of which length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The beginning, in seconds since the epoch; periods are counted from here.
    pub start_s: i64,
    /// The end, which is not within.
    pub end_s: i64,
    /// The length of a period.
    pub period_s: i64,
}

impl Window {
    /// Where the period begins that an instant is in.
    pub fn period_of(&self, at_s: i64) -> i64 {
        at_s - (at_s - self.start_s).rem_euclid(self.period_s)
    }

    /// How many periods begin within.
    pub fn periods(&self) -> i64 {
        let length = (self.end_s - self.start_s).max(0);
        length / self.period_s + i64::from(length % self.period_s > 0)
    }
}

/// What came in during each period, by its beginning and unit.
pub type Periods = BTreeMap<(i64, Unit), Aggregate>;

/// Reads a metric. Data that has grown older than its resolution is kept for is seen as if it had been rolled up already:
/// in periods that are made of whole slots of the coarser resolution, and in no others.
///
/// # Errors
/// [`StoreError::Record`] for a chunk that is damaged.
pub async fn periods(
    store: &Store,
    scope: &Scope,
    series: &str,
    window: Window,
    now: Timestamp,
) -> Result<Periods, StoreError> {
    let mut periods = Periods::new();
    if window.start_s >= window.end_s {
        return Ok(periods);
    }
    let series = data_key(scope).child(series);
    for resolution in Resolution::ALL.into_iter().filter(|it| window.period_s % it.seconds() == 0) {
        let first = chunk_key(&series, resolution, resolution.window_of(window.start_s).max(0));
        let end = chunk_key(&series, resolution, resolution.window_of(window.end_s - 1).max(0) + resolution.window_s());
        let mut range = Range::prefix(&series.child(resolution.name()));
        range.start = first.as_str().to_owned();
        range.end = Some(end.as_str().to_owned());
        loop {
            let page = store.range(range.clone()).await?;
            for entry in &page.entries {
                let damaged = |reason: &str| StoreError::Record { key: entry.key.clone(), reason: reason.to_owned() };
                let chunk = Chunk::decode(&entry.value).map_err(|error| damaged(&error.to_string()))?;
                let (_, at_s) = chunk_of(&entry.key).ok_or_else(|| damaged("its key names no window"))?;
                add(&mut periods, &chunk, (resolution, at_s), window, now);
            }
            match page.entries.last().filter(|_| page.more) {
                Some(last) => range = range.after(&last.key),
                None => break,
            }
        }
    }
    Ok(periods)
}

fn add(periods: &mut Periods, chunk: &Chunk, place: (Resolution, i64), window: Window, now: Timestamp) {
    let (resolution, chunk_s) = place;
    for (slot, unit, aggregate) in chunk.iter() {
        let at_s = chunk_s + i64::from(slot) * resolution.seconds();
        let seen = resolution.at_age(now.as_secs() - at_s);
        let is_within = (window.start_s..window.end_s).contains(&at_s);
        if is_within && seen.is_some_and(|seen| window.period_s % seen.seconds() == 0) {
            let period = (window.period_of(at_s), unit);
            periods.entry(period).and_modify(|sum| sum.merge(aggregate)).or_insert_with(|| aggregate.clone());
        }
    }
}

/// The periods, whatever the unit, or in one unit alone.
pub fn in_unit(periods: Periods, unit: Option<Unit>) -> BTreeMap<i64, Aggregate> {
    let mut all: BTreeMap<i64, Aggregate> = BTreeMap::new();
    for ((at_s, own), aggregate) in periods {
        if unit.is_none_or(|unit| unit == own) {
            all.entry(at_s).and_modify(|sum| sum.merge(&aggregate)).or_insert(aggregate);
        }
    }
    all
}
