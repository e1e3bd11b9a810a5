//! Creating and deleting.

use std::time::Duration;

use base::{AccountId, Region};
use platform::Attempts;
use store::{HistoryPolicy, ListOptions, Record, Scope, Tx, Versioned};

use super::{BUCKETS_MAX, Bucket, BucketName, look_up};
use crate::multipart::Part;
use crate::object::beside::Beside;
use crate::object::parts::{PartList, PieceList};
use crate::object::{Current, Older};
use crate::reconcile::gone::Gone;
use crate::{Error, S3};

/// For as long as somebody lists versions, who reads what is latest and what is older as both were at one revision.
const HISTORY_OF_VERSIONS: HistoryPolicy = HistoryPolicy { keep: Duration::from_secs(10), events_max: 10_000 };
/// Nobody watches objects: what was written over is of no use to anybody, and would fill the disk.
const HISTORY: HistoryPolicy = HistoryPolicy { keep: Duration::from_secs(1), events_max: 1024 };

/// Creates a bucket.
///
/// # Errors
/// [`Error::BucketAlreadyOwnedByYou`], [`Error::BucketAlreadyExists`], [`Error::TooManyBuckets`]
pub(crate) async fn create(s3: &S3, bucket: Bucket) -> Result<(), Error> {
    let scope = bucket.scope();
    let store = &s3.platform.store;
    for versions in [Current::key(&scope, &[]), Older::key(&scope, &[])] {
        store.set_history(&versions, HISTORY_OF_VERSIONS).await?;
    }
    let content = [PieceList::key(&scope, &[]), PartList::key(&scope, &[]), Beside::key(&scope, &[])];
    for kind in content.into_iter().chain([Part::key(&scope, &[])]) {
        store.set_history(&kind, HISTORY).await?;
    }
    let mut attempts = Attempts::new();
    loop {
        let outcome = try_create(s3, &bucket).await;
        if !attempts.again(&outcome) {
            return outcome;
        }
    }
}

async fn try_create(s3: &S3, bucket: &Bucket) -> Result<(), Error> {
    if let Some(there) = look_up(s3, &bucket.name).await? {
        return Err(taken(&there, bucket.owner));
    }
    if count(s3, bucket.owner, &bucket.region).await? >= BUCKETS_MAX {
        return Err(Error::TooManyBuckets);
    }
    let name = BucketName { account: bucket.owner, region: bucket.region.clone(), uid: bucket.uid.clone() };
    let mut tx = Tx::new();
    tx.insert(&Scope::system(), &[&bucket.name], &name);
    tx.insert(&bucket.scope(), &[&bucket.uid], bucket);
    s3.platform.store.commit(tx).await?;
    Ok(())
}

fn taken(there: &Bucket, by: AccountId) -> Error {
    if there.owner == by {
        Error::BucketAlreadyOwnedByYou(there.name.clone())
    } else {
        Error::BucketAlreadyExists(there.name.clone())
    }
}

/// How many buckets an account has in a region; no more are counted than it may have.
async fn count(s3: &S3, owner: AccountId, region: &Region) -> Result<usize, Error> {
    let scope = Scope::new(owner, region.clone());
    let (mut counted, mut after) = (0, None);
    loop {
        let options = ListOptions { after: after.as_deref(), ..ListOptions::default() };
        let page = s3.platform.store.list::<Bucket>(&scope, options).await?;
        counted += page.items.len();
        after = page.next;
        if after.is_none() || counted >= BUCKETS_MAX {
            return Ok(counted);
        }
    }
}

/// Deletes a bucket that has no objects. What else lies below it goes later.
///
/// # Errors
/// [`Error::BucketNotEmpty`]
pub(crate) async fn delete(s3: &S3, bucket: Versioned<Bucket>) -> Result<(), Error> {
    let mut attempts = Attempts::new();
    let mut bucket = bucket;
    loop {
        let outcome = try_delete(s3, &bucket).await;
        if !attempts.again(&outcome) {
            return outcome;
        }
        bucket = super::reread(s3, &bucket).await?;
    }
}

async fn try_delete(s3: &S3, bucket: &Versioned<Bucket>) -> Result<(), Error> {
    let store = &s3.platform.store;
    let id_prefix: &[&str] = &[&bucket.uid];
    let options = ListOptions { id_prefix, limit: 1, ..ListOptions::default() };
    let has_objects = !store.list::<Current>(&bucket.scope, options).await?.items.is_empty();
    if has_objects {
        let has_versions = bucket.versioning != super::Versioning::Never;
        return Err(Error::BucketNotEmpty { bucket: bucket.name.clone(), has_versions });
    }
    let name = store.read::<BucketName>(&Scope::system(), &[&bucket.name]).await?;
    let Some(name) = name.filter(|name| name.uid == bucket.uid) else {
        return Err(Error::NoSuchBucket(bucket.name.clone()));
    };
    let mut tx = Tx::new();
    tx.require_none::<Current>(&bucket.scope, id_prefix);
    tx.require_none::<Older>(&bucket.scope, id_prefix);
    tx.remove(bucket);
    tx.remove(&name);
    Gone::leave(&mut tx, bucket, s3.platform.clock.now());
    store.commit(tx).await?;
    Ok(())
}
