//! Which blobs a repository has. Blobs are files that all repositories share; a repository has those that it refers to, and
//! nobody sees others through it.

use std::time::Duration;

use base::Timestamp;
use platform::Attempts;
use serde::{Deserialize, Serialize};
use store::{Record, Store, StoreError, Tx, Versioned};

use crate::digest::ContentDigest;
use crate::repository::{self, Found};
use crate::{Ecr, Error};

/// How fresh [`BlobReference::seen`] is kept: pushes that ask for many blobs again and again need not write each time.
const SEEN_EVERY: Duration = Duration::from_secs(3600);

/// A repository's reference to a blob. Its record's id is the repository's id and the digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlobReference {
    /// Which file it is.
    pub content: blobs::Digest,
    /// How many bytes it has.
    pub size: u64,
    /// When it came.
    pub added: Timestamp,
    /// When somebody who may be about to push was last told that it is here, to the hour.
    pub seen: Timestamp,
}

impl Record for BlobReference {
    const SERVICE: &'static str = "ecr";
    const KIND: &'static str = "blob-reference";

    fn blobs(&self) -> Vec<blobs::Digest> {
        vec![self.content]
    }
}

impl BlobReference {
    /// A reference that is made now.
    pub(crate) fn new(content: blobs::Digest, size: u64, now: Timestamp) -> Self {
        Self { content, size, added: now, seen: now }
    }
}

/// The blobs of these digests that a repository has; the answers are in the order of the digests.
///
/// # Errors
/// What the store answers.
pub async fn read_many(
    store: &Store,
    repository: &Found,
    digests: &[ContentDigest],
) -> Result<Vec<Option<Versioned<BlobReference>>>, Error> {
    let ids: Vec<[&str; 2]> = digests.iter().map(|digest| [repository.id(), digest.as_str()]).collect();
    let ids: Vec<&[&str]> = ids.iter().map(<[&str; 2]>::as_slice).collect();
    Ok(store.read_many(&repository.record.scope, &ids).await?)
}

/// The blob of a digest that a repository has.
///
/// # Errors
/// What the store answers.
pub async fn read(
    store: &Store,
    repository: &Found,
    digest: &ContentDigest,
) -> Result<Option<Versioned<BlobReference>>, Error> {
    Ok(store.read(&repository.record.scope, &[repository.id(), digest.as_str()]).await?)
}

/// Notes that somebody was told of blobs: they are kept for a while, though no image has them, for the image that may come.
///
/// # Errors
/// What the store answers. That a reference has gone or changed meanwhile is none.
pub async fn note_seen(
    store: &Store,
    references: impl IntoIterator<Item = &Versioned<BlobReference>>,
    now: Timestamp,
) -> Result<(), Error> {
    for reference in references.into_iter().filter(|reference| now.since(reference.seen) > SEEN_EVERY) {
        let mut tx = Tx::new();
        tx.replace(reference, &BlobReference { seen: now, ..reference.value.clone() });
        match store.commit(tx).await {
            Ok(_) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Lets a repository have a blob that another one of the registry has. Answers false if that one has it not.
///
/// # Errors
/// [`Error::RepositoryNotFound`] if the repository has gone.
pub async fn mount(ecr: &Ecr, from: &Found, to: &Found, digest: &ContentDigest, now: Timestamp) -> Result<bool, Error> {
    let store = &ecr.platform.store;
    let Some(source) = read(store, from, digest).await? else { return Ok(false) };
    // Should the other repository lose it now, the file stays until the reference is there.
    if !ecr.content.refresh(source.content).await? {
        return Ok(false);
    }
    let reference = BlobReference::new(source.content, source.size, now);
    let mut attempts = Attempts::new();
    loop {
        let outcome = link(store, to, digest, &reference).await;
        if !attempts.again(&outcome) {
            return outcome.map(|()| true);
        }
    }
}

async fn link(store: &Store, to: &Found, digest: &ContentDigest, reference: &BlobReference) -> Result<(), Error> {
    let to = repository::find(store, to.name.clone()).await?;
    let mut tx = Tx::new();
    tx.require(&to.record);
    match read(store, &to, digest).await? {
        Some(present) => tx.replace(&present, &BlobReference { seen: reference.seen, ..present.value.clone() }),
        None => tx.insert(&to.record.scope, &[to.id(), digest.as_str()], reference),
    };
    store.commit(tx).await?;
    Ok(())
}
