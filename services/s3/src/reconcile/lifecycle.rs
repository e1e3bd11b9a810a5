//! Executes lifecycle rules: at the start, and every hour from then on. What expires does so at
//! midnight, UTC; AWS, too, takes its time with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base::Timestamp;
use platform::{BoxFuture, Cause as Failure, Reconciler, Round, Wake};
use store::Versioned;

use crate::bucket::Bucket;
use crate::condition::WriteCondition;
use crate::event::Cause;
use crate::lifecycle::{Lifecycle, Subject};
use crate::listing::Walk;
use crate::multipart::{self, Upload, uploads_of};
use crate::object::commit::Write;
use crate::object::{Current, Older, below, newest_older};
use crate::{Error, S3};

/// How often rules are executed.
const EVERY: Duration = Duration::from_secs(3600);
/// The longest execution.
const LIMIT: Duration = Duration::from_secs(1800);
/// How many buckets' rules are read at once.
const A_PAGE: usize = 50;

struct Execution {
    s3: S3,
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
            let changes = execute_all(&self.s3, now).await?;
            let next = now.plus(EVERY);
            self.due.store(next.as_millis(), Ordering::Relaxed);
            Ok(Round { due: Some(next), ..Round::did(changes, format!("{changes} objects and uploads expired")) })
        })
    }
}

/// Executes the rules of all buckets; answers how much has expired.
pub(crate) async fn execute_all(s3: &S3, now: Timestamp) -> Result<u64, Error> {
    let (mut changes, mut after) = (0, None);
    loop {
        let page = s3.platform.store.list_everywhere::<Lifecycle>(after.as_deref(), A_PAGE).await?;
        for lifecycle in &page.items {
            // One whose bucket has gone goes soon.
            let bucket = s3.platform.store.read::<Bucket>(&lifecycle.scope, &[lifecycle.name()]).await?;
            if let Some(bucket) = bucket {
                let execution = Rules { s3, bucket: &bucket, rules: &lifecycle.value, now };
                changes += execution.execute().await?;
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(changes);
        }
    }
}

/// The rules of one bucket.
pub(crate) struct Rules<'a> {
    pub(crate) s3: &'a S3,
    pub(crate) bucket: &'a Versioned<Bucket>,
    pub(crate) rules: &'a Lifecycle,
    pub(crate) now: Timestamp,
}

impl Rules<'_> {
    async fn execute(&self) -> Result<u64, Error> {
        Ok(self.older().await? + self.latest().await? + self.uploads().await?)
    }

    fn cause(&self) -> Cause {
        Cause::lifecycle(self.now, base::ids::uuid(&*self.s3.platform.rng))
    }

    /// Objects that have expired, and delete markers that nothing is left under.
    async fn latest(&self) -> Result<u64, Error> {
        let mut changes = 0;
        let mut walk = Walk::<Current>::new(self.s3, &below::<Current>(&self.bucket.scope, &self.bucket.uid), "", None);
        while let Some((key, current)) = walk.next().await? {
            changes += self.expire(&key, &current).await?;
        }
        Ok(changes)
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
    async fn older(&self) -> Result<u64, Error> {
        let (mut changes, mut of_key, mut newer) = (0, String::new(), 0);
        let mut walk = Walk::<Older>::new(self.s3, &below::<Older>(&self.bucket.scope, &self.bucket.uid), "", None);
        while let Some((key, older)) = walk.next().await? {
            newer = if key == of_key { newer + 1 } else { 0 };
            changes += self.expire_older(&key, &older, newer).await?;
            of_key = key;
        }
        Ok(changes)
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
    async fn uploads(&self) -> Result<u64, Error> {
        let mut changes = 0;
        let mut walk = Walk::<Upload>::new(self.s3, &uploads_of(self.bucket), "", None);
        while let Some((key, upload)) = walk.next().await? {
            let due = self.rules.abort_due(&key, upload.initiated);
            if due.is_some_and(|(due, _)| due <= self.now) {
                changes += counted(multipart::abort(self.s3, &upload, self.now).await.map(Some))?;
            }
        }
        Ok(changes)
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
    Arc::new(Execution { s3: s3.clone(), due: AtomicI64::new(0) })
}
