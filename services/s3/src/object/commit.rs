//! Writing and deleting, as transactions: the versions of the key, the files that nobody needs any more, the events.

use base::{AccountId, Timestamp};
use platform::Attempts;
use store::{Tx, Versioned};

use super::beside;
use super::change::{Plan, Versions};
use super::find::{self, Selected};
use super::{Current, Object, Older, Order, Version, VersionId, What, current_id, older_id, refs};
use crate::bucket::{Bucket, Versioning};
use crate::condition::WriteCondition;
use crate::event::{Cause, Change};
use crate::reconcile::unused::Unused;
use crate::{Error, S3};

/// What is written to a key.
#[derive(Debug, Clone)]
pub(crate) struct Write<'a> {
    /// Where.
    pub(crate) bucket: &'a Versioned<Bucket>,
    /// The key.
    pub(crate) key: &'a str,
    /// What must hold.
    pub(crate) condition: WriteCondition,
    /// By whom, for the event, and when.
    pub(crate) cause: &'a Cause,
}

/// A version that was written or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    /// Its id.
    pub(crate) id: VersionId,
    /// Whether it is a delete marker.
    pub(crate) is_marker: bool,
    /// When it was written.
    pub(crate) modified: Timestamp,
}

impl Committed {
    /// The id as it is answered: not where the bucket has never had versioning.
    pub(crate) fn answered_id(&self, versioning: Versioning) -> Option<String> {
        (versioning != Versioning::Never).then(|| self.id.to_string())
    }
}

/// Writes an object that is made of what was read before: a conflict is the caller's, who reads it again.
///
/// # Errors
/// Also the store's conflict.
pub(crate) async fn once(
    write: &Write<'_>,
    s3: &S3,
    owner: AccountId,
    object: Object,
    add: &impl Fn(&mut Tx),
) -> Result<Committed, Error> {
    write.try_version(s3, write.bucket, owner, &What::Object(Box::new(object)), add).await
}

impl Write<'_> {
    fn now(&self) -> Timestamp {
        self.cause.now
    }

    /// Writes an object. `add` puts into the transaction what must happen with it, each time that it is built.
    ///
    /// # Errors
    /// What the condition says; [`Error::NoSuchBucket`] if it has been deleted.
    pub(crate) async fn object(
        &self,
        s3: &S3,
        owner: AccountId,
        object: Object,
        add: impl Fn(&mut Tx),
    ) -> Result<Committed, Error> {
        self.version(s3, owner, What::Object(Box::new(object)), add).await
    }

    /// Deletes what is at the key: with versioning a delete marker is written. None if there was nothing, and nothing has
    /// changed.
    ///
    /// # Errors
    /// What the condition says; the store's conflict, if something was looked at and the bucket has changed since.
    pub(crate) async fn delete(&self, s3: &S3, owner: AccountId) -> Result<Option<Committed>, Error> {
        let mut attempts = Attempts::new();
        let mut bucket = self.bucket.clone();
        loop {
            // What a deletion is changes with the bucket: once that has versioning, nothing is lost.
            let outcome = match bucket.versioning {
                Versioning::Never => self.try_erase(s3, &bucket, &VersionId::Null).await,
                _ => self.try_version(s3, &bucket, owner, &What::Marker, &|_| ()).await.map(Some),
            };
            if !attempts.again(&outcome) {
                return outcome;
            }
            let Some(again) = self.bucket_again(s3, &bucket).await? else { return outcome };
            bucket = again;
        }
    }

    async fn version(&self, s3: &S3, owner: AccountId, what: What, add: impl Fn(&mut Tx)) -> Result<Committed, Error> {
        let mut attempts = Attempts::new();
        let mut bucket = self.bucket.clone();
        loop {
            let outcome = self.try_version(s3, &bucket, owner, &what, &add).await;
            if !attempts.again(&outcome) {
                return outcome;
            }
            bucket = crate::bucket::reread(s3, &bucket).await?;
        }
    }

    async fn try_version(
        &self,
        s3: &S3,
        bucket: &Versioned<Bucket>,
        owner: AccountId,
        what: &What,
        add: &impl Fn(&mut Tx),
    ) -> Result<Committed, Error> {
        let store = &s3.platform.store;
        let read = find::current(store, bucket, self.key).await?;
        let seen = read.as_ref().and_then(|current| current.value.latest.seen());
        self.condition.check(self.key, seen, read.as_ref().map(|current| current.modified))?;
        let order = Order::next(self.now(), store.revision().0, read.as_ref().map(|current| current.latest.order));
        let id = match bucket.versioning {
            Versioning::Enabled => VersionId::new(order, &*s3.platform.rng),
            Versioning::Never | Versioning::Suspended => VersionId::Null,
        };
        let mut versions = Versions { current: read.as_ref().map(|current| current.value.clone()), older: Vec::new() };
        let replaced = match versions.needed_to_write(&id) {
            Some(order) => find::older(store, bucket, self.key, order).await?,
            None => None,
        };
        versions.older.extend(replaced.iter().map(|older| older.past.clone()));
        let mut new = Version { order, id, modified: self.now(), owner, what: what.clone() };
        let committed = Committed { id: new.id.clone(), is_marker: new.object().is_none(), modified: new.modified };
        let change = Change::written(&new);
        let taken = beside::take(&mut new);
        let plan = self.with_files(s3, bucket, versions.write(new, self.now())).await?;
        let mut tx = Tx::new();
        add(&mut tx);
        taken.insert(&mut tx, bucket, self.key, order);
        self.apply(s3, &mut tx, bucket, read.as_ref(), replaced.as_slice(), plan);
        s3.note(&mut tx, bucket, self.key, self.cause, change).await?;
        store.commit(tx).await?;
        Ok(committed)
    }

    /// Deletes a version for good; none if there is none of this id.
    ///
    /// # Errors
    /// Those of [`Write::delete`].
    pub(crate) async fn erase(&self, s3: &S3, id: &VersionId) -> Result<Option<Committed>, Error> {
        let mut attempts = Attempts::new();
        let mut bucket = self.bucket.clone();
        loop {
            let outcome = self.try_erase(s3, &bucket, id).await;
            if !attempts.again(&outcome) {
                return outcome;
            }
            let Some(again) = self.bucket_again(s3, &bucket).await? else { return outcome };
            bucket = again;
        }
    }

    /// The bucket for another attempt. None where what is done follows from what was looked at, and the bucket, which says
    /// with its settings what follows, is another one now: whoever looked has to look again.
    async fn bucket_again(&self, s3: &S3, bucket: &Versioned<Bucket>) -> Result<Option<Versioned<Bucket>>, Error> {
        let again = crate::bucket::reread(s3, bucket).await?;
        let follows = matches!(self.condition, WriteCondition::Unchanged(_));
        Ok((!follows || again.modified == bucket.modified).then_some(again))
    }

    async fn try_erase(&self, s3: &S3, bucket: &Versioned<Bucket>, id: &VersionId) -> Result<Option<Committed>, Error> {
        let store = &s3.platform.store;
        let (current, older) = match find::by_id(store, bucket, self.key, id).await? {
            Some(Selected::Latest(current)) => (Some(current), find::newest_older(store, bucket, self.key).await?),
            // Should it be the latest by now, the transaction does not hold.
            Some(Selected::Older(older)) => (find::current(store, bucket, self.key).await?, Some(older)),
            None => (None, None),
        };
        let Some(current) = current else {
            self.condition.check(self.key, None, None)?;
            return Ok(None);
        };
        let versions = Versions {
            current: Some(current.value.clone()),
            older: older.iter().map(|older| older.past.clone()).collect(),
        };
        let is_latest = current.latest.id == *id;
        let (erased, revision) = match &older {
            _ if is_latest => (Some(&current.value.latest), Some(current.modified)),
            Some(older) => (Some(&older.value.past), Some(older.modified)),
            None => (None, None),
        };
        self.condition.check(self.key, erased.and_then(Version::seen), revision)?;
        let (Some(erased), Some(plan)) = (erased, versions.erase(id)) else { return Ok(None) };
        let plan = self.with_files(s3, bucket, plan).await?;
        // Files that are named beside a version are named there all the time, whatever the latest is.
        let promoted = plan.current.iter().filter(|_| is_latest).filter_map(|next| next.latest.object());
        let promotion = s3.promotions.begin(promoted.flat_map(|object| object.data.files()));
        let mut tx = Tx::new();
        self.apply(s3, &mut tx, bucket, Some(&current), older.as_slice(), plan);
        let order = Order::next(self.now(), store.revision().0, Some(current.latest.order));
        s3.note(&mut tx, bucket, self.key, self.cause, Change::erased(erased, order)).await?;
        store.commit(tx).await?;
        drop(promotion);
        let is_marker = erased.object().is_none();
        Ok(Some(Committed { id: erased.id.clone(), is_marker, modified: erased.modified }))
    }

    /// A plan with all files that nobody needs any more.
    async fn with_files(&self, s3: &S3, bucket: &Versioned<Bucket>, mut plan: Plan) -> Result<Plan, Error> {
        for aside in &plan.beside {
            plan.unused.extend(aside.files(s3, bucket, self.key).await?);
        }
        Ok(plan)
    }

    /// Puts a plan into a transaction, which holds only if nothing of what was read has changed.
    fn apply(
        &self,
        s3: &S3,
        tx: &mut Tx,
        bucket: &Versioned<Bucket>,
        read: Option<&Versioned<Current>>,
        older: &[Versioned<Older>],
        plan: Plan,
    ) {
        tx.require(bucket);
        let scope = &bucket.scope;
        match (read, &plan.current) {
            (Some(read), Some(current)) => tx.replace(read, current),
            (Some(read), None) => tx.remove(read),
            (None, Some(current)) => tx.insert(scope, &refs(&current_id(&bucket.uid, self.key)), current),
            (None, None) => tx,
        };
        if let Some(added) = &plan.added {
            tx.insert(scope, &refs(&older_id(&bucket.uid, self.key, added.past.order)), added);
        }
        for record in older.iter().filter(|record| plan.removed.contains(&record.past.order)) {
            tx.remove(record);
        }
        for aside in &plan.beside {
            aside.remove(tx, bucket, self.key);
        }
        Unused::leave(s3, tx, plan.unused, self.now());
    }
}
