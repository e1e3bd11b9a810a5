//! Deleting images and taking tags away.

use std::borrow::Cow;

use platform::Attempts;
use store::{Guard, Key, Revision, Store, StoreError, Tx, Versioned};

use super::{Manifest, Tag, parents, parents_key, tag_id, tag_of};
use crate::Error;
use crate::digest::ContentDigest;
use crate::reconcile::prepare;
use crate::repository::Found;

/// How many tags are removed in one transaction; beside them it has the manifest, its index of images and its subject.
const TAGS_A_STEP: usize = 16;
/// How many of the indexes that keep an image are named.
const PARENTS_NAMED_MAX: usize = 10;

/// What became of an image that was to be deleted.
#[derive(Debug, Clone, PartialEq)]
pub enum Deleted {
    /// It has gone, with these tags.
    Image {
        /// Its digest.
        digest: ContentDigest,
        /// The tags that it had.
        tags: Vec<String>,
    },
    /// It has lost a tag and has others.
    Tag {
        /// Its digest.
        digest: ContentDigest,
    },
    /// There was none.
    NotFound,
    /// These indexes have it.
    Referenced(Vec<String>),
}

/// Deletes an image with all its tags, unless an index has it.
///
/// # Errors
/// What the store answers.
pub async fn image(store: &Store, repository: &Found, digest: &ContentDigest) -> Result<Deleted, Error> {
    image_if(store, repository, digest, Condition { is_still: |_: &Manifest| true, reason: None }).await
}

/// What has to hold for an image to be deleted that nobody asked to delete by its digest.
pub(crate) struct Condition<F> {
    /// It is what whoever decided on it has seen.
    pub(crate) is_still: F,
    /// The record for whose sake it is deleted has not been written since this revision.
    pub(crate) reason: Option<(Key, Revision)>,
}

/// The same under a condition. An image for which it does not hold counts as not found.
///
/// # Errors
/// What the store answers.
pub(crate) async fn image_if<F: Fn(&Manifest) -> bool>(
    store: &Store,
    repository: &Found,
    digest: &ContentDigest,
    condition: Condition<F>,
) -> Result<Deleted, Error> {
    let mut attempts = Attempts::new();
    let mut gone = Vec::new();
    loop {
        let outcome = step(store, repository, digest, &condition, &mut gone).await;
        if let (Err(Error::Store(StoreError::Conflict { key })), Some((reason, _))) = (&outcome, &condition.reason)
            && key == reason
        {
            return Ok(Deleted::NotFound);
        }
        if attempts.again(&outcome) {
            continue;
        }
        if let Some(done) = outcome? {
            return Ok(done);
        }
    }
}

/// Removes the image, or, if it has too many tags for one transaction, some of these. None when there is more to do.
async fn step<F: Fn(&Manifest) -> bool>(
    store: &Store,
    repository: &Found,
    digest: &ContentDigest,
    condition: &Condition<F>,
    gone: &mut Vec<String>,
) -> Result<Option<Deleted>, Error> {
    let found = super::manifest(store, repository, digest).await?;
    let Some(manifest) = found.filter(|manifest| !gone.is_empty() || (condition.is_still)(manifest)) else {
        return Ok(Some(Deleted::NotFound));
    };
    let referenced = parents(store, repository, digest, PARENTS_NAMED_MAX).await?;
    if !referenced.is_empty() {
        return Ok(Some(Deleted::Referenced(referenced)));
    }
    let scope = &repository.record.scope;
    let now: Vec<String> = manifest.tags.iter().take(TAGS_A_STEP).cloned().collect();
    let mut tx = Tx::new();
    if let Some((reason, revision)) = &condition.reason {
        tx.guard(Guard::Modified(reason.clone(), *revision));
    }
    for tag in tags(store, repository, &now).await? {
        tx.remove(&tag);
        prepare::changed(&mut tx, &repository.name, tag_of(&tag));
    }
    tx.guard(Guard::NoneBelow(parents_key(scope, repository.id(), digest)));
    let is_last = now.len() == manifest.tags.len();
    if is_last {
        tx.remove(&manifest);
    } else {
        let left = manifest.tags[now.len()..].to_vec();
        tx.replace(&manifest, &Manifest { tags: left, ..manifest.value.clone() });
    }
    store.commit(tx).await?;
    gone.extend(now);
    Ok(is_last.then(|| Deleted::Image { digest: digest.clone(), tags: std::mem::take(gone) }))
}

async fn tags(store: &Store, repository: &Found, names: &[String]) -> Result<Vec<Versioned<Tag>>, Error> {
    let names: Vec<Cow<'_, str>> = names.iter().map(|name| tag_id(name)).collect();
    let ids: Vec<[&str; 2]> = names.iter().map(|name| [repository.id(), name]).collect();
    let ids: Vec<&[&str]> = ids.iter().map(<[&str; 2]>::as_slice).collect();
    let found: Vec<Option<Versioned<Tag>>> = store.read_many(&repository.record.scope, &ids).await?;
    Ok(found.into_iter().flatten().collect())
}

/// Takes a tag away; its image goes with its last one, unless `keeps_image`, as the registry's routes want it.
///
/// # Errors
/// What the store answers.
pub async fn tag(store: &Store, repository: &Found, name: &str, keeps_image: bool) -> Result<Deleted, Error> {
    let mut attempts = Attempts::new();
    loop {
        let outcome = untag(store, repository, name, keeps_image).await;
        if attempts.again(&outcome) {
            continue;
        }
        return match outcome? {
            Untagged::Last(digest) => {
                // Should it have got another tag in between, it stays.
                let last = [name.to_owned()];
                let condition = Condition { is_still: |manifest: &Manifest| manifest.tags == last, reason: None };
                match image_if(store, repository, &digest, condition).await? {
                    Deleted::NotFound => continue,
                    done => Ok(done),
                }
            }
            Untagged::Done(done) => Ok(done),
        };
    }
}

enum Untagged {
    /// The tag is the last one of its image.
    Last(ContentDigest),
    Done(Deleted),
}

async fn untag(store: &Store, repository: &Found, name: &str, keeps_image: bool) -> Result<Untagged, Error> {
    let Some(tag) = super::tag(store, repository, name).await? else { return Ok(Untagged::Done(Deleted::NotFound)) };
    let Some(manifest) = super::manifest(store, repository, &tag.digest).await? else {
        return Err(StoreError::Conflict { key: tag.key.clone() }.into());
    };
    if manifest.tags.len() == 1 && !keeps_image {
        return Ok(Untagged::Last(tag.value.digest));
    }
    let left = manifest.tags.iter().filter(|other| *other != name).cloned().collect();
    let mut tx = Tx::new();
    tx.remove(&tag).replace(&manifest, &Manifest { tags: left, ..manifest.value.clone() });
    prepare::changed(&mut tx, &repository.name, name);
    store.commit(tx).await?;
    Ok(Untagged::Done(Deleted::Tag { digest: tag.value.digest }))
}
