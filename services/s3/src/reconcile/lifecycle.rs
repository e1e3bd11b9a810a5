//! Executes lifecycle rules: at the start, and every hour from then on. What expires does so at
//! midnight, UTC; AWS, too, takes its time with it.
//!
//! Buckets take turns, see [`turns`]: one with millions of objects holds up no other, and an execution that is broken off goes
//! on where it was. Rules are read anew for each turn, and what they say happens only to the bucket as it was then: a rule
//! that has been removed does nothing any more.

mod turns;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base::Timestamp;
use platform::{BoxFuture, Cause as Failure, Reconciler, Round, Wake};
use store::{ListOptions, StoreError, Versioned};

use crate::bucket::{self, Bucket};
use crate::condition::WriteCondition;
use crate::event::Cause;
use crate::lifecycle::{Lifecycle, Subject};
use crate::listing::Listable;
use crate::multipart::{self, Upload};
use crate::object::commit::Write;
use crate::object::{Current, Older, newest_older};
use crate::{Error, S3};

pub(crate) use turns::Turns;
use turns::{Phase, Place};

/// How often rules are executed.
const EVERY: Duration = Duration::from_secs(3600);
/// The longest round.
const LIMIT: Duration = Duration::from_secs(1800);
/// How many records a round looks at, before others that want to run may: what is left is the next one's.
const A_ROUND: usize = 50_000;

struct Execution {
    s3: S3,
    turns: Turns,
    /// When rules are executed next, in milliseconds since the epoch.
    due: AtomicI64,
}

impl Reconciler for Execution {
    fn name(&self) -> &str {
        "s3/lifecycle"
    }

    fn wakes(&self) -> Vec<Wake> {
        Vec::new()
    }

    fn limit(&self) -> Duration {
        LIMIT
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Failure>> {
        Box::pin(async {
            let now = self.s3.platform.clock.now();
            let due = Timestamp::from_millis(self.due.load(Ordering::Relaxed));
            if now < due {
                return Ok(Round { due: Some(due), ..Round::default() });
            }
            let done = self.turns.take(&self.s3, now, A_ROUND).await?;
            let next = if done.is_all { now.plus(EVERY) } else { now };
            if done.is_all {
                self.due.store(next.as_millis(), Ordering::Relaxed);
            }
            Ok(Round { due: Some(next), ..Round::did(done.changes, done.to_string()) })
        })
    }
}

/// Executes the rules of all buckets; answers how much has expired.
#[cfg(test)]
pub(crate) async fn execute_all(s3: &S3, now: Timestamp) -> Result<u64, Error> {
    Ok(Turns::default().take(s3, now, usize::MAX).await?.changes)
}

/// The rules of one bucket.
pub(crate) struct Rules<'a> {
    pub(crate) s3: &'a S3,
    pub(crate) bucket: &'a Versioned<Bucket>,
    pub(crate) rules: &'a Lifecycle,
    pub(crate) now: Timestamp,
}

impl Rules<'_> {
    /// Executes them on the next records of a phase, so many at most, and moves the place on; answers how many they were.
    ///
    /// # Errors
    /// Also the store's conflict, if the bucket has changed: then the place is of no more use.
    async fn execute(&self, place: &mut Place, limit: usize, changes: &mut u64) -> Result<usize, Error> {
        match place.phase {
            Phase::Older => self.older(place, limit, changes).await,
            Phase::Latest => self.latest(place, limit, changes).await,
            Phase::Uploads => self.uploads(place, limit, changes).await,
            Phase::Done => Ok(0),
        }
    }

    fn cause(&self) -> Cause {
        Cause::lifecycle(self.now, base::ids::uuid(&*self.s3.platform.rng))
    }

    async fn page<R: store::Record>(&self, place: &mut Place, limit: usize) -> Result<Vec<Versioned<R>>, Error> {
        let options =
            ListOptions { id_prefix: &[&self.bucket.uid], after: place.after.as_deref(), limit, ..Default::default() };
        let page = self.s3.platform.store.list::<R>(&self.bucket.scope, options).await?;
        place.is_last = page.next.is_none();
        place.after = page.next;
        Ok(page.items)
    }

    /// Objects that have expired, and delete markers that nothing is left under.
    async fn latest(&self, place: &mut Place, limit: usize, changes: &mut u64) -> Result<usize, Error> {
        let page = self.page::<Current>(place, limit).await?;
        for current in &page {
            *changes += self.expire(&Current::key_of(&current.id), current).await?;
        }
        place.pass_on();
        Ok(page.len())
    }

    /// Does what the rules say with what was latest at a key when it was looked at: what has changed since stays.
    pub(crate) async fn expire(&self, key: &str, current: &Versioned<Current>) -> Result<u64, Error> {
        let version = &current.latest;
        let cause = self.cause();
        let write = Write { bucket: self.bucket, key, condition: unchanged(current), cause: &cause };
        let Some(object) = version.object() else {
            if !self.rules.removes_marker(key, version.modified, self.now) {
                return Ok(0);
            }
            let is_alone = newest_older(&self.s3.platform.store, self.bucket, key).await?.is_none();
            return if is_alone { counted(write.erase(self.s3, &version.id).await) } else { Ok(0) };
        };
        let subject = Subject { key, size: object.size, tags: &object.tags };
        if !self.rules.is_expired(subject, version.modified, self.now) {
            return Ok(0);
        }
        counted(write.delete(self.s3, self.bucket.owner).await)
    }

    /// Older versions whose time has come.
    async fn older(&self, place: &mut Place, limit: usize, changes: &mut u64) -> Result<usize, Error> {
        let page = self.page::<Older>(place, limit).await?;
        for older in &page {
            let key = Older::key_of(&older.id);
            place.newer = if place.of_key.as_ref() == Some(&key) { place.newer + 1 } else { 0 };
            *changes += self.expire_older(&key, older, place.newer).await?;
            place.of_key = Some(key);
        }
        place.pass_on();
        Ok(page.len())
    }

    /// Does what the rules say with an older version as it was looked at, when so many newer ones of its key were older ones,
    /// too: what has changed since, or is the latest now, stays.
    pub(crate) async fn expire_older(&self, key: &str, older: &Versioned<Older>, newer: usize) -> Result<u64, Error> {
        let none = std::collections::BTreeMap::new();
        let (size, tags) = older.past.object().map_or((0, &none), |object| (object.size, &object.tags));
        let subject = Subject { key, size, tags };
        if !self.rules.removes_noncurrent(subject, older.since, newer, self.now) {
            return Ok(0);
        }
        let cause = self.cause();
        let write = Write { bucket: self.bucket, key, condition: unchanged(older), cause: &cause };
        counted(write.erase(self.s3, &older.past.id).await)
    }

    /// Uploads that nobody has completed.
    async fn uploads(&self, place: &mut Place, limit: usize, changes: &mut u64) -> Result<usize, Error> {
        let page = self.page::<Upload>(place, limit).await?;
        for upload in &page {
            let due = self.rules.abort_due(&Upload::key_of(&upload.id), upload.initiated);
            if due.is_some_and(|(due, _)| due <= self.now) {
                // An upload is not its bucket's, whose rules may be others by now.
                self.check_bucket().await?;
                *changes += counted(multipart::abort(self.s3, upload, self.now).await.map(Some))?;
            }
        }
        place.pass_on();
        Ok(page.len())
    }

    /// Whether the bucket is as it was read.
    async fn check_bucket(&self) -> Result<(), Error> {
        match bucket::reread(self.s3, self.bucket).await {
            Ok(bucket) if bucket.modified == self.bucket.modified => Ok(()),
            Ok(_) => Err(Error::Store(StoreError::Conflict { key: self.bucket.key.clone() })),
            Err(error) => Err(error),
        }
    }
}

/// That a record is the one that was looked at: since then its id may be another version's, and its tag is that of the same
/// bytes whenever they are written.
fn unchanged<R>(looked_at: &Versioned<R>) -> WriteCondition {
    WriteCondition::Unchanged(looked_at.modified)
}

/// Whether something has changed. Who was faster has had a reason.
fn counted<T>(outcome: Result<Option<T>, Error>) -> Result<u64, Error> {
    match outcome {
        Ok(changed) => Ok(u64::from(changed.is_some())),
        Err(
            Error::PreconditionFailed(_) | Error::NoSuchKey { .. } | Error::NoSuchUpload(_) | Error::NoSuchBucket(_),
        ) => Ok(0),
        Err(error) => Err(error),
    }
}

/// The reconciler, to be started.
pub fn reconciler(s3: &S3) -> Arc<dyn Reconciler> {
    Arc::new(Execution { s3: s3.clone(), turns: Turns::default(), due: AtomicI64::new(0) })
}
