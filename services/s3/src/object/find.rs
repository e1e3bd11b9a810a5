//! Finding a version.

use store::{Range, Store, Versioned};

use super::{Current, Older, Order, Version, VersionId, below, current_id, older_id, refs};
use crate::Error;
use crate::bucket::Bucket;
use crate::names::{END, stored};

/// How often a version is looked for while others change its key.
const LOOKS_MAX: u32 = 1024;

/// A version as it was found.
#[derive(Debug, Clone)]
pub(crate) enum Selected {
    /// The latest of its key.
    Latest(Versioned<Current>),
    /// An older one.
    Older(Versioned<Older>),
}

impl Selected {
    /// It.
    pub(crate) fn version(&self) -> &Version {
        match self {
            Self::Latest(current) => &current.value.latest,
            Self::Older(older) => &older.value.past,
        }
    }
}

/// The version of a key that was asked for: the latest, or one by its id.
///
/// # Errors
/// [`Error::NoSuchKey`], also where the latest is a delete marker; [`Error::NoSuchVersion`]; for a delete marker that is
/// asked for by its id [`Error::MethodNotAllowedOnMarker`].
pub(crate) async fn select(
    store: &Store,
    bucket: &Bucket,
    key: &str,
    version_id: Option<&str>,
    method: &'static str,
) -> Result<Selected, Error> {
    let Some(asked) = version_id else {
        let found = current(store, bucket, key).await?;
        let found = found.ok_or_else(|| Error::NoSuchKey { key: key.to_owned(), marker: None })?;
        if found.latest.object().is_none() {
            let marker = Some(found.latest.id.to_string());
            return Err(Error::NoSuchKey { key: key.to_owned(), marker });
        }
        return Ok(Selected::Latest(found));
    };
    let found = by_id(store, bucket, key, &parse(asked)?).await?;
    let found = found.ok_or_else(|| Error::NoSuchVersion { key: key.to_owned(), version_id: asked.to_owned() })?;
    let version = found.version();
    if version.object().is_none() {
        return Err(Error::MethodNotAllowedOnMarker {
            version_id: version.id.to_string(),
            modified: version.modified,
            method,
        });
    }
    Ok(found)
}

/// Reads the id of a version.
///
/// # Errors
/// [`Error::InvalidVersionId`]
pub(crate) fn parse(version_id: &str) -> Result<VersionId, Error> {
    version_id.parse().map_err(|_| Error::InvalidVersionId(version_id.to_owned()))
}

/// What is latest at a key.
pub(crate) async fn current(store: &Store, bucket: &Bucket, key: &str) -> Result<Option<Versioned<Current>>, Error> {
    Ok(store.read(&bucket.scope(), &refs(&current_id(&bucket.uid, key))).await?)
}

/// A version by its id, a delete marker, too.
pub(crate) async fn by_id(
    store: &Store,
    bucket: &Bucket,
    key: &str,
    id: &VersionId,
) -> Result<Option<Selected>, Error> {
    let mut seen = None;
    for _ in 0..LOOKS_MAX {
        let Some(latest) = current(store, bucket, key).await? else { return Ok(None) };
        if latest.latest.id == *id {
            return Ok(Some(Selected::Latest(latest)));
        }
        let Some(order) = id.order().or(latest.older_null.filter(|_| id.is_null())) else { return Ok(None) };
        let found = older(store, bucket, key, order).await?.filter(|found| found.past.id == *id);
        // It may have become the latest meanwhile, since what was has been deleted. Then that record has changed.
        if found.is_some() || seen == Some(latest.modified) {
            return Ok(found.map(Selected::Older));
        }
        seen = Some(latest.modified);
    }
    Err(Error::OperationAborted)
}

/// An older version by its place.
pub(crate) async fn older(
    store: &Store,
    bucket: &Bucket,
    key: &str,
    order: Order,
) -> Result<Option<Versioned<Older>>, Error> {
    Ok(store.read(&bucket.scope(), &refs(&older_id(&bucket.uid, key, order))).await?)
}

/// The newest of the older versions of a key.
pub(crate) async fn newest_older(store: &Store, bucket: &Bucket, key: &str) -> Result<Option<Versioned<Older>>, Error> {
    let versions = below::<Older>(&bucket.scope(), &bucket.uid);
    let beginning = store::Key::stored(&format!("{}{END}", stored(key)));
    Ok(store.list_range(Range::beginning_with(&versions, &beginning).limit(1)).await?.items.pop())
}
