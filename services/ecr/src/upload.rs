//! Uploads: blobs on their way into a repository.
//!
//! An upload is a record, which says that it exists and whose it is, and a file, which is what has been received (see
//! [`crate::content`]). The record is there before the file and is removed in the transaction that makes the blob the
//! repository's; a file without a record is swept away.
//!
//! The operations of the API and the routes of the registry both begin, continue, finish and cancel uploads here.

use std::time::Duration;

use base::{Timestamp, ids};
use platform::Attempts;
use serde::{Deserialize, Serialize};
use store::{ListOptions, Record, Store, Tx, Versioned};

use crate::content::{ContentError, Session};
use crate::digest::ContentDigest;
use crate::layer::{self, BlobReference};
use crate::repository::{self, Found};
use crate::{Ecr, Error};

/// The most uploads that a repository has at a time.
pub const UPLOADS_MAX: usize = 256;
/// How long an upload is kept that nobody continues.
pub const UPLOAD_KEPT: Duration = Duration::from_secs(24 * 3600);
/// How fresh [`Upload::active`] is kept.
const ACTIVE_EVERY: Duration = Duration::from_secs(900);

/// An upload. Its record's id is the repository's id and its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    /// When it was begun.
    pub begun: Timestamp,
    /// When it was last continued, to the quarter of an hour.
    pub active: Timestamp,
    /// Whether the last part is smaller than any but the last may be.
    pub has_small_end: bool,
    /// Whether another part came after one that is.
    pub has_small_part: bool,
}

impl Record for Upload {
    const SERVICE: &'static str = "ecr";
    const KIND: &'static str = "upload";
}

/// What has become of an upload that was finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// How many bytes the blob has.
    pub size: u64,
    /// Whether the repository had the blob already.
    pub existed: bool,
}

/// Begins an upload, and answers its id.
///
/// # Errors
/// [`Error::UploadsMax`], [`Error::RepositoryNotFound`] if the repository has gone.
pub async fn begin(ecr: &Ecr, repository: &Found, now: Timestamp) -> Result<String, Error> {
    let store = &ecr.platform.store;
    let options = ListOptions { id_prefix: &[repository.id()], limit: UPLOADS_MAX, ..ListOptions::default() };
    if store.list::<Upload>(&repository.record.scope, options).await?.items.len() >= UPLOADS_MAX {
        return Err(Error::UploadsMax(UPLOADS_MAX));
    }
    let id = ids::uuid(&*ecr.platform.rng);
    let upload = Upload { begun: now, active: now, has_small_end: false, has_small_part: false };
    let mut attempts = Attempts::new();
    loop {
        let outcome = insert(store, repository, &id, &upload).await;
        if !attempts.again(&outcome) {
            return outcome.map(|()| id);
        }
    }
}

async fn insert(store: &Store, repository: &Found, id: &str, upload: &Upload) -> Result<(), Error> {
    let repository = repository::find(store, repository.name.clone()).await?;
    let mut tx = Tx::new();
    tx.require(&repository.record);
    tx.insert(&repository.record.scope, &[repository.id(), id], upload);
    store.commit(tx).await?;
    Ok(())
}

/// An upload, held alone.
#[derive(Debug)]
pub struct Held {
    /// Its record, as it was when it was taken.
    pub record: Versioned<Upload>,
    /// Its bytes.
    pub session: Session,
}

/// Takes an upload, to continue it or to see how far it is. Whoever else wants it waits until it is dropped.
///
/// # Errors
/// [`Error::UploadNotFound`]
pub async fn hold(ecr: &Ecr, repository: &Found, id: &str) -> Result<Held, Error> {
    // Before its file is made, which it is by the first session.
    find(ecr, repository, id).await?;
    let session = ecr.content.session(id).await?;
    // It may have been finished while this waited.
    match find(ecr, repository, id).await {
        Ok(record) => Ok(Held { record, session }),
        Err(gone @ Error::UploadNotFound { .. }) => {
            drop(session);
            ecr.content.discard(id);
            Err(gone)
        }
        // It may be there still, with all that was received.
        Err(unknown) => Err(unknown),
    }
}

async fn find(ecr: &Ecr, repository: &Found, id: &str) -> Result<Versioned<Upload>, Error> {
    let found = ecr.platform.store.read(&repository.record.scope, &[repository.id(), id]).await?;
    found.ok_or_else(|| Error::UploadNotFound { name: repository.name.clone(), upload: id.to_owned() })
}

/// Notes that an upload goes on, and whether a part of it is too small to be followed by another.
///
/// # Errors
/// [`Error::UploadNotFound`] if it has been cancelled.
pub async fn note_part(
    ecr: &Ecr,
    repository: &Found,
    upload: &Versioned<Upload>,
    is_small: bool,
    now: Timestamp,
) -> Result<(), Error> {
    let Upload { begun, active, has_small_end, has_small_part } = upload.value;
    let active = if now.since(active) > ACTIVE_EVERY { now } else { active };
    let noted = Upload { begun, active, has_small_end: is_small, has_small_part: has_small_part || has_small_end };
    if noted == upload.value {
        return Ok(());
    }
    let change = |present: &mut Upload| {
        *present = noted.clone();
        Ok(())
    };
    ecr.platform.store.update(&upload.scope, &[repository.id(), upload.name()], change).await.map(drop).map_err(
        |error: Error| match error {
            Error::Store(store::StoreError::NotFound { .. }) => {
                Error::UploadNotFound { name: repository.name.clone(), upload: upload.name().to_owned() }
            }
            other => other,
        },
    )
}

/// Makes an upload a blob of its repository. One that is not what it was announced to be is cancelled.
///
/// # Errors
/// [`Error::InvalidLayer`], [`Error::RepositoryNotFound`] and [`Error::UploadNotFound`] if they have gone.
pub async fn finish(
    ecr: &Ecr,
    repository: &Found,
    held: Held,
    digest: &ContentDigest,
    now: Timestamp,
) -> Result<Finished, Error> {
    let (id, size) = (held.record.name().to_owned(), held.session.length());
    let published = match held.session.publish(digest.clone()).await {
        Ok(published) => published,
        Err(ContentError::Mismatch { found }) => {
            cancel(ecr, repository, &id).await?;
            return Err(Error::InvalidLayer { found, expected: digest.clone() });
        }
        Err(error) => return Err(error.into()),
    };
    let reference = BlobReference::new(published.content, size, now);
    let mut attempts = Attempts::new();
    let existed = loop {
        let outcome = settle(ecr, repository, &id, digest, &reference).await;
        if !attempts.again(&outcome) {
            break outcome?;
        }
    };
    drop(published);
    ecr.content.discard(&id);
    Ok(Finished { size, existed })
}

/// Removes the upload's record and adds the reference in one transaction. Answers whether there was one.
async fn settle(
    ecr: &Ecr,
    repository: &Found,
    id: &str,
    digest: &ContentDigest,
    reference: &BlobReference,
) -> Result<bool, Error> {
    let store = &ecr.platform.store;
    let repository = repository::find(store, repository.name.clone()).await?;
    let upload = find(ecr, &repository, id).await?;
    let present = layer::read(store, &repository, digest).await?;
    let mut tx = Tx::new();
    tx.require(&repository.record).remove(&upload);
    match &present {
        Some(present) => tx.replace(present, &BlobReference { seen: reference.seen, ..present.value.clone() }),
        None => tx.insert(&repository.record.scope, &[repository.id(), digest.as_str()], reference),
    };
    store.commit(tx).await?;
    Ok(present.is_some())
}

/// Gives an upload up.
///
/// # Errors
/// [`Error::UploadNotFound`]
pub async fn cancel(ecr: &Ecr, repository: &Found, id: &str) -> Result<(), Error> {
    let mut attempts = Attempts::new();
    loop {
        let outcome = remove(ecr, repository, id).await;
        if !attempts.again(&outcome) {
            outcome?;
            ecr.content.discard(id);
            return Ok(());
        }
    }
}

async fn remove(ecr: &Ecr, repository: &Found, id: &str) -> Result<(), Error> {
    let upload = find(ecr, repository, id).await?;
    let mut tx = Tx::new();
    tx.remove(&upload);
    ecr.platform.store.commit(tx).await?;
    Ok(())
}
