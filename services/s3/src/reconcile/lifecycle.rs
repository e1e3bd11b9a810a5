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
struct Rules<'a> {
    s3: &'a S3,
    bucket: &'a Versioned<Bucket>,
    rules: &'a Lifecycle,
    now: Timestamp,
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
            let version = &current.latest;
            let cause = self.cause();
            let write = |condition| Write { bucket: self.bucket, key: &key, condition, cause: &cause };
            let Some(object) = version.object() else {
                let is_alone = newest_older(&self.s3.platform.store, self.bucket, &key).await?.is_none();
                if is_alone && self.rules.removes_marker(&key, version.modified, self.now) {
                    changes += counted(write(WriteCondition::None).erase(self.s3, &version.id).await)?;
                }
                continue;
            };
            let subject = Subject { key: &key, size: object.size, tags: &object.tags };
            if self.rules.is_expired(subject, version.modified, self.now) {
                // What has been written in the meantime stays.
                let condition = WriteCondition::Matches(object.etag.clone());
                changes += counted(write(condition).delete(self.s3, self.bucket.owner).await)?;
            }
        }
        Ok(changes)
    }

    /// Older versions whose time has come.
    async fn older(&self) -> Result<u64, Error> {
        let (mut changes, mut of_key, mut newer) = (0, String::new(), 0);
        let mut walk = Walk::<Older>::new(self.s3, &below::<Older>(&self.bucket.scope, &self.bucket.uid), "", None);
        let none = std::collections::BTreeMap::new();
        while let Some((key, older)) = walk.next().await? {
            newer = if key == of_key { newer + 1 } else { 0 };
            let (size, tags) = older.past.object().map_or((0, &none), |object| (object.size, &object.tags));
            let subject = Subject { key: &key, size, tags };
            if self.rules.removes_noncurrent(subject, older.since, newer, self.now) {
                let cause = self.cause();
                let write = Write { bucket: self.bucket, key: &key, condition: WriteCondition::None, cause: &cause };
                changes += counted(write.erase(self.s3, &older.past.id).await)?;
            }
            of_key = key;
        }
        Ok(changes)
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
