//! How buckets take turns while their rules are executed.
//!
//! All that have rules stand in a line. Whose turn it is has its rules executed on some of its records and goes to the end of
//! the line, until there are no more of them; each time that all in the line have had a turn, some further buckets join it. One
//! whose rules cannot be executed leaves it, and is back an hour later.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::Timestamp;
use platform::MayConflict;
use serde::{Deserialize, Serialize};
use store::{MigrationError, Record, Scope, StoreError, Versioned};

use super::Rules;
use crate::bucket::Bucket;
use crate::lifecycle::Lifecycle;
use crate::{Error, S3};

/// How many records of a bucket are looked at in a turn. Its rules are read again for the next one.
const A_TURN: usize = 1000;
/// How many buckets join the line at once.
const A_PAGE: usize = 50;
/// How many turns in a row may be broken off because the bucket changes.
const CONFLICTS_MAX: u32 = 16;

/// The line.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<Line>);

#[derive(Debug, Default)]
struct Line {
    /// The last bucket that has joined; none before the first one.
    joined: Option<String>,
    /// Whether all have joined.
    is_complete: bool,
    /// How many turns there are until others join.
    turns: usize,
    waiting: VecDeque<Place>,
}

/// Where the execution of a bucket's rules goes on.
#[derive(Debug, Clone)]
pub(super) struct Place {
    scope: Scope,
    uid: String,
    pub(super) phase: Phase,
    /// After which record.
    pub(super) after: Option<String>,
    /// Whether there is nothing after what has been read.
    pub(super) is_last: bool,
    /// The key of the last of the older versions, …
    pub(super) of_key: Option<String>,
    /// … and how many newer ones of them it has.
    pub(super) newer: usize,
    conflicts: u32,
}

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Older,
    Latest,
    Uploads,
    Done,
}

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// How much has expired.
    pub(crate) changes: u64,
    /// Whether that was all.
    pub(crate) is_all: bool,
    failed: u64,
}

/// That a bucket has rules, whatever they say: where those of one cannot be read, all others can.
#[derive(Debug, Serialize, Deserialize)]
struct Ruled {}

impl Record for Ruled {
    const SERVICE: &'static str = Lifecycle::SERVICE;
    const KIND: &'static str = Lifecycle::KIND;
    const VERSION: u32 = Lifecycle::VERSION;

    fn migrate(_: u32, value: serde_json::Value) -> Result<serde_json::Value, MigrationError> {
        Ok(value)
    }
}

impl Turns {
    /// Has buckets take their turns until so many records have been looked at, or all buckets are done; then the next call
    /// begins anew.
    pub(crate) async fn take(&self, s3: &S3, now: Timestamp, records: usize) -> Result<Done, Error> {
        let (mut done, mut looked_at) = (Done::default(), 0);
        while looked_at < records {
            let Some(place) = self.next(s3).await? else {
                done.is_all = true;
                break;
            };
            let (scope, uid) = (place.scope.clone(), place.uid.clone());
            match turn(s3, place, now, &mut done.changes).await {
                Ok((place, count)) => {
                    // One that has nothing takes its time, too.
                    looked_at += count.max(1);
                    self.goes_on(Some(place).filter(|place| place.phase != Phase::Done));
                }
                Err(error @ Error::Store(StoreError::Closed)) => return Err(error),
                Err(error) => {
                    tracing::error!(?scope, uid, %error, "the lifecycle rules of a bucket cannot be executed; they are later");
                    done.failed += 1;
                    looked_at += 1;
                    self.goes_on(None);
                }
            }
        }
        Ok(done)
    }

    /// Whose turn it is; none if all are done, and the line is empty for the next time.
    async fn next(&self, s3: &S3) -> Result<Option<Place>, Error> {
        loop {
            let joined = {
                let mut line = self.line();
                if let Some(place) = line.take_turn() {
                    return Ok(Some(place));
                }
                if line.is_complete && line.waiting.is_empty() {
                    *line = Line::default();
                    return Ok(None);
                }
                line.joined.clone()
            };
            let page = s3.platform.store.list_everywhere::<Ruled>(joined.as_deref(), A_PAGE).await?;
            self.line().join(page.items.iter().map(Place::first), page.next);
        }
    }

    /// Where the bucket goes on whose turn it was.
    fn goes_on(&self, place: Option<Place>) {
        let mut line = self.line();
        line.waiting.pop_back();
        line.waiting.extend(place);
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // No change of it stops half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Who is first is last from here on, even should their turn be broken off.
    fn take_turn(&mut self) -> Option<Place> {
        if self.turns == 0 && !self.is_complete {
            return None;
        }
        self.turns = self.turns.saturating_sub(1);
        let place = self.waiting.pop_front()?;
        self.waiting.push_back(place.clone());
        Some(place)
    }

    fn join(&mut self, places: impl Iterator<Item = Place>, last: Option<String>) {
        self.waiting.extend(places);
        self.turns = self.waiting.len();
        self.is_complete = last.is_none();
        self.joined = last;
    }
}

impl Place {
    fn first(ruled: &Versioned<Ruled>) -> Self {
        Self::of(ruled.scope.clone(), ruled.name().to_owned())
    }

    fn of(scope: Scope, uid: String) -> Self {
        Self { scope, uid, phase: Phase::Older, after: None, is_last: false, of_key: None, newer: 0, conflicts: 0 }
    }

    /// What has been read is done.
    pub(super) fn pass_on(&mut self) {
        if self.is_last {
            self.phase = match self.phase {
                Phase::Older => Phase::Latest,
                Phase::Latest => Phase::Uploads,
                Phase::Uploads | Phase::Done => Phase::Done,
            };
            (self.after, self.is_last, self.of_key) = (None, false, None);
        }
    }
}

/// A bucket's turn; answers where it goes on, and how many records have been looked at.
async fn turn(s3: &S3, place: Place, now: Timestamp, changes: &mut u64) -> Result<(Place, usize), Error> {
    let (mut place, mut looked_at) = (place, 0);
    let store = &s3.platform.store;
    // In this order: what the rules say is done to this bucket only if it is still the same, and it changes with its rules.
    let bucket = store.read::<Bucket>(&place.scope, &[&place.uid]).await?;
    let rules = store.read::<Lifecycle>(&place.scope, &[&place.uid]).await?;
    // A bucket that has gone, or has no rules any more.
    let (Some(bucket), Some(rules)) = (bucket, rules) else {
        place.phase = Phase::Done;
        return Ok((place, looked_at));
    };
    let rules = Rules { s3, bucket: &bucket, rules: &rules.value, now };
    while place.phase != Phase::Done && looked_at < A_TURN {
        let mut next = place.clone();
        match rules.execute(&mut next, A_TURN - looked_at, changes).await {
            Ok(count) => {
                next.conflicts = 0;
                place = next;
                looked_at += count;
            }
            Err(error) if error.is_conflict() && place.conflicts < CONFLICTS_MAX => {
                place.conflicts += 1;
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok((place, looked_at))
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} objects and uploads expired", self.changes)?;
        match self.failed {
            0 => Ok(()),
            failed => write!(f, "; the rules of {failed} buckets could not be executed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use base::{AccountId, Region};

    use super::*;

    fn places(from: usize, count: usize) -> impl Iterator<Item = Place> {
        let scope = Scope::new(AccountId::DEFAULT, Region::default());
        (from..from + count).map(move |uid| Place::of(scope.clone(), uid.to_string()))
    }

    fn lap(line: &mut Line) -> Vec<String> {
        std::iter::from_fn(|| line.take_turn()).take(10).map(|place| place.uid).collect()
    }

    #[test]
    fn others_join_when_all_have_had_a_turn_and_whoever_goes_on_waits_for_them() {
        let mut line = Line::default();
        assert!(lap(&mut line).is_empty());
        line.join(places(0, 3), Some("2".to_owned()));
        assert_eq!(lap(&mut line), ["0", "1", "2"]);
        // The last one is done.
        line.waiting.pop_back();
        line.join(places(3, 1), None);
        assert_eq!(lap(&mut line), ["0", "1", "3", "0", "1", "3", "0", "1", "3", "0"], "nobody else is to come");
    }

    #[test]
    fn a_place_goes_from_older_versions_to_latest_ones_and_to_uploads() {
        let mut place = places(0, 1).next().unwrap();
        place.after = Some("a".to_owned());
        place.pass_on();
        assert_eq!((place.phase, place.after.as_deref()), (Phase::Older, Some("a")));
        for next in [Phase::Latest, Phase::Uploads, Phase::Done] {
            place.is_last = true;
            place.pass_on();
            assert_eq!((place.phase, place.after.as_deref(), place.is_last), (next, None, false));
        }
    }
}
