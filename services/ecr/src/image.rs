//! Images: manifests, the tags that name them, and what ties them to each other and to blobs.
//!
//! A manifest's bytes are a blob; its record tells what is in it, so that nothing has to be read again to list images, to
//! find who refers to whom, or to know what may be deleted. A tag is a record of its own that names one manifest, which
//! knows its tags, too: both are written together.
//!
//! What may happen at the same time is settled in the store. An index requires its children at its commit; a child is
//! deleted only while no index has it. How a push and the removal of unused blobs keep out of each other's way is told in
//! [`crate::reconcile::references`].

pub mod delete;
pub(crate) mod identifier;
pub(crate) mod list;
pub mod manifest;
pub mod pull;
pub mod push;
pub(crate) mod room;

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

use base::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Key, ListOptions, Record, Scope, SecondaryKey, Store, Versioned};

use crate::digest::ContentDigest;
use crate::kept::Look;
use crate::names::RepositoryName;
use crate::repository::{self, Found};
use crate::{Ecr, Error};

pub use manifest::{BlobDescriptor, Kind};

/// The index by which an image's referrers are found.
const BY_SUBJECT: &str = "subject";
/// The index by which the indexes that have an image are found.
const BY_CHILD: &str = "child";
/// The most tags of one image. (Quotas: "Tags per image".)
pub const TAGS_MAX: usize = 1000;

/// A manifest. Its record's id is the repository's id and the digest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The repository that it is in, by id; told again here for the sake of the indexes.
    pub repository_id: String,
    /// Where its bytes are.
    pub content: blobs::Digest,
    /// How many bytes it has itself.
    pub size: u64,
    /// Its media type.
    pub media_type: String,
    /// What it is of, if it says so: its own artifact type, else its configuration's media type.
    pub artifact_type: Option<String>,
    /// What it refers to.
    pub subject: Option<ContentDigest>,
    /// What it is made of.
    pub kind: Kind,
    /// The size that is told of the image: what its blobs have together, or the largest image of an index.
    pub image_size: u64,
    /// When it was pushed.
    pub pushed: Timestamp,
    /// Its tags, in the order in which they were given.
    pub tags: Vec<String>,
    /// When it was last pulled, to the day.
    pub last_pulled: Option<Timestamp>,
    /// Where it is kept, and since when.
    pub storage: Storage,
}

/// Where an image is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Whether it is archived: kept, but not to be pulled.
    pub is_archived: bool,
    /// When it was last archived.
    pub archived: Option<Timestamp>,
    /// When it was last taken out of the archive.
    pub activated: Option<Timestamp>,
}

impl Storage {
    /// Archives an image. Answers false if it is archived.
    pub(crate) fn archive(&mut self, now: Timestamp) -> bool {
        let changes = !self.is_archived;
        if changes {
            *self = Self { is_archived: true, archived: Some(now), ..*self };
        }
        changes
    }

    /// Takes an image out of the archive. Answers false if it is not there.
    pub(crate) fn activate(&mut self, now: Timestamp) -> bool {
        let changes = self.is_archived;
        if changes {
            *self = Self { is_archived: false, activated: Some(now), ..*self };
        }
        changes
    }
}

impl Manifest {
    /// Forgets what it is made of, for those who look at many and do not ask for that.
    pub(crate) fn forget_blobs(&mut self) {
        if let Kind::Image { blobs } = &mut self.kind {
            *blobs = Vec::new();
        }
    }
}

impl Record for Manifest {
    const SERVICE: &'static str = "ecr";
    const KIND: &'static str = "manifest";

    fn secondary_keys(&self) -> Vec<SecondaryKey> {
        let key = |index, digest: &ContentDigest| SecondaryKey::new(index, reference(&self.repository_id, digest));
        let children = self.kind.children().iter().map(|child| key(BY_CHILD, child));
        self.subject.iter().map(|subject| key(BY_SUBJECT, subject)).chain(children).collect()
    }

    fn blobs(&self) -> Vec<blobs::Digest> {
        vec![self.content]
    }
}

/// A tag. Its record's id is the repository's id and [its place](tag_id) among the tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tag {
    /// The manifest that it names.
    pub digest: ContentDigest,
    /// Since when.
    pub tagged: Timestamp,
}

/// What keeps tags in the order in which the registry lists them, which is that of their letters, whatever their case (OCI
/// Distribution, "Listing Tags"): the tag in lower case, and itself behind a sign that comes before all that a tag can
/// have, if that is something else.
pub(crate) fn tag_id(tag: &str) -> Cow<'_, str> {
    if tag.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Owned(format!("{}!{tag}", tag.to_ascii_lowercase()));
    }
    Cow::Borrowed(tag)
}

/// The tag of a record.
pub(crate) fn tag_of(record: &Versioned<Tag>) -> &str {
    record.name().rsplit('!').next().unwrap_or_default()
}

impl Record for Tag {
    const SERVICE: &'static str = "ecr";
    const KIND: &'static str = "tag";
}

/// A value of an index: a digest within a repository.
fn reference(repository_id: &str, digest: &ContentDigest) -> String {
    format!("{repository_id}/{digest}")
}

/// The key below which the store notes the indexes that have an image.
pub(crate) fn parents_key(scope: &Scope, repository_id: &str, child: &ContentDigest) -> Key {
    let index = format!("{}@{BY_CHILD}", Manifest::KIND);
    scope.key().child(Manifest::SERVICE).child(&index).child(&reference(repository_id, child))
}

/// The manifest of a digest.
///
/// # Errors
/// What the store answers.
pub async fn manifest(
    store: &Store,
    repository: &Found,
    digest: &ContentDigest,
) -> Result<Option<Versioned<Manifest>>, Error> {
    Ok(store.read(&repository.record.scope, &[repository.id(), digest.as_str()]).await?)
}

/// What a tag names.
///
/// # Errors
/// What the store answers.
pub async fn tag(store: &Store, repository: &Found, tag: &str) -> Result<Option<Versioned<Tag>>, Error> {
    Ok(store.read(&repository.record.scope, &[repository.id(), &tag_id(tag)]).await?)
}

/// What a tag or digest names: from memory, if nothing has changed.
///
/// # Errors
/// [`Error::RepositoryNotFound`]
pub async fn look_up(
    ecr: &Ecr,
    name: &RepositoryName,
    reference: &str,
) -> Result<Option<Arc<Versioned<Manifest>>>, Error> {
    let store = &ecr.platform.store;
    let ticket = match ecr.kept.image(store, name, reference) {
        Look::Found(image) => return Ok(Some(image)),
        Look::Missing(ticket) => ticket,
    };
    let repository = repository::look_up(ecr, name).await?;
    // No tag has a colon.
    let digest = match reference.parse() {
        Ok(digest) => Some(digest),
        Err(_) => tag(store, &repository, reference).await?.map(|tag| tag.value.digest),
    };
    let Some(digest) = digest else { return Ok(None) };
    let found = manifest(store, &repository, &digest).await?.map(Arc::new);
    if let Some(found) = &found {
        ecr.kept.keep_image(name, ticket, reference, found.clone());
    }
    Ok(found)
}

/// The tags of a repository in the order of their letters, after one that need not be there; and whether there are more.
///
/// # Errors
/// What the store answers.
pub async fn tags(
    store: &Store,
    repository: &Found,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<String>, bool), Error> {
    let after = after.map(|tag| format!("{}/{}", repository.id(), tag_id(tag)));
    let options =
        ListOptions { id_prefix: &[repository.id()], after: after.as_deref(), limit, ..ListOptions::default() };
    let found = store.list::<Tag>(&repository.record.scope, options).await?;
    Ok((found.items.iter().map(|tag| tag_of(tag).to_owned()).collect(), found.more))
}

/// The digests of the indexes that have an image, up to `limit`.
///
/// # Errors
/// What the store answers.
pub async fn parents(
    store: &Store,
    repository: &Found,
    child: &ContentDigest,
    limit: usize,
) -> Result<Vec<String>, Error> {
    let value = reference(repository.id(), child);
    let found = store.list_by::<Manifest>(&repository.record.scope, BY_CHILD, &value, None, limit).await?;
    Ok(found.items.iter().map(|parent| parent.name().to_owned()).collect())
}

/// The manifests that refer to a subject, which need not be there, in the order of their digests; and where to go on.
///
/// # Errors
/// What the store answers.
pub async fn referrers(
    store: &Store,
    repository: &Found,
    subject: &ContentDigest,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<Versioned<Manifest>>, Option<String>), Error> {
    let value = reference(repository.id(), subject);
    let found = store.list_by::<Manifest>(&repository.record.scope, BY_SUBJECT, &value, after, limit).await?;
    Ok((found.items, found.next))
}

/// The same as a page of which the bytes can be read: as many as have so many together, but one at least. Few are in memory
/// at a time, and their blobs are forgotten.
///
/// # Errors
/// What the store answers.
pub(crate) async fn readable_referrers(
    store: &Store,
    repository: &Found,
    subject: &ContentDigest,
    after: Option<&str>,
    (limit, bytes_max): (usize, u64),
) -> Result<(Vec<Versioned<Manifest>>, Option<String>), Error> {
    let mut found = referrers(store, repository, subject, after, limit).await?;
    let mut bytes = 0;
    let fits = |manifest: &&Versioned<Manifest>| {
        bytes += manifest.size;
        bytes <= bytes_max
    };
    let fitting = found.0.iter().take_while(fits).count().max(1);
    if fitting < found.0.len() {
        found = referrers(store, repository, subject, after, fitting).await?;
    }
    found.0.iter_mut().for_each(|manifest| manifest.value.forget_blobs());
    Ok(found)
}

/// Looks at the manifests of a repository one by one, in the order of their digests, until `look` has seen enough. Few are in
/// memory at a time: whoever pushes may make each of them large, and there may be many.
///
/// # Errors
/// What the store answers.
pub(crate) async fn each(
    store: &Store,
    scope: &Scope,
    repository_id: &str,
    mut look: impl FnMut(Versioned<Manifest>) -> ControlFlow<()>,
) -> Result<(), Error> {
    let mut after: Option<String> = None;
    loop {
        let options = ListOptions { id_prefix: &[repository_id], after: after.as_deref(), ..ListOptions::default() };
        let page = store.list::<Manifest>(scope, options).await?;
        if page.items.into_iter().try_for_each(&mut look).is_break() {
            return Ok(());
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Whether an image of a repository has a blob.
///
/// # Errors
/// What the store answers.
pub(crate) async fn is_blob_used(
    store: &Store,
    scope: &Scope,
    repository_id: &str,
    digest: &ContentDigest,
) -> Result<bool, Error> {
    let mut is_used = false;
    let look = |manifest: Versioned<Manifest>| {
        is_used = manifest.kind.blobs().iter().any(|blob| blob.digest == *digest);
        if is_used { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    each(store, scope, repository_id, look).await?;
    Ok(is_used)
}
