//! Settings: what a bucket may have beside its record, because it is large or seldom read. The bucket's record says which are
//! there, so that whoever needs one reads nothing in vain.

use store::{Record, Store, Tx, Versioned};

use super::{Bucket, expected};
use crate::{Absent, Error, S3};
use platform::Attempts;

/// A setting of a bucket. Its record's id is the bucket's.
pub trait Setting: Record + Clone + PartialEq {}

/// A bucket's setting, if there is one.
pub(crate) async fn setting<S: Setting>(store: &Store, bucket: &Versioned<Bucket>) -> Result<Option<S>, Error> {
    if !bucket.settings.contains(S::KIND) {
        return Ok(None);
    }
    Ok(store.read::<S>(&bucket.scope, &[&bucket.uid]).await?.map(|record| record.value))
}

/// A bucket's setting.
///
/// # Errors
/// That it is missing.
pub(crate) async fn required<S: Setting>(
    store: &Store,
    bucket: &Versioned<Bucket>,
    absent: Absent,
) -> Result<S, Error> {
    setting(store, bucket).await?.ok_or_else(|| Error::NoConfiguration(absent, bucket.name.clone()))
}

/// Gives a bucket a setting in place of the one that it has.
///
/// # Errors
/// [`Error::NoSuchBucket`]
pub(crate) async fn store_setting<S: Setting>(
    s3: &S3,
    name: &str,
    owner: Option<&str>,
    setting: &S,
) -> Result<(), Error> {
    change(s3, name, owner, Some(setting)).await
}

/// Takes a setting from a bucket, if it has it.
///
/// # Errors
/// [`Error::NoSuchBucket`]
pub(crate) async fn clear<S: Setting>(s3: &S3, name: &str, owner: Option<&str>) -> Result<(), Error> {
    change::<S>(s3, name, owner, None).await
}

async fn change<S: Setting>(s3: &S3, name: &str, owner: Option<&str>, new: Option<&S>) -> Result<(), Error> {
    let mut attempts = Attempts::new();
    loop {
        let outcome = try_change(s3, name, owner, new).await;
        if !attempts.again(&outcome) {
            return outcome;
        }
    }
}

async fn try_change<S: Setting>(s3: &S3, name: &str, owner: Option<&str>, new: Option<&S>) -> Result<(), Error> {
    let store = &s3.platform.store;
    let bucket = expected(s3, name, owner).await?;
    let old = store.read::<S>(&bucket.scope, &[&bucket.uid]).await?;
    let mut changed = bucket.value.clone();
    let mut tx = Tx::new();
    match (&old, new) {
        (None, None) => return Ok(()),
        (Some(old), Some(new)) => tx.replace(old, new),
        (None, Some(new)) => tx.insert(&bucket.scope, &[&bucket.uid], new),
        (Some(old), None) => tx.remove(old),
    };
    match new {
        Some(_) => changed.settings.insert(S::KIND.to_owned()),
        None => changed.settings.remove(S::KIND),
    };
    // Written though it may be the same: whoever depends on the setting depends on the bucket's record.
    tx.replace(&bucket, &changed);
    store.commit(tx).await?;
    Ok(())
}
