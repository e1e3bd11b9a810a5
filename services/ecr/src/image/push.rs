//! Pushing an image: its manifest, and the tags that are to name it.

use base::Timestamp;
use platform::Attempts;
use store::{Entry, Guard, Key, Op, Scope, Store, StoreError, Tx, Versioned};

use super::manifest::{self, Kind, Parsed};
use super::{Manifest, Storage, TAGS_MAX, Tag, tag_id};
use crate::digest::{Algorithm, ContentDigest};
use crate::layer;
use crate::names::{RepositoryName, is_tag};
use crate::reconcile::prepare;
use crate::repository::{self, Found};
use crate::{Ecr, Error};

/// The most tags that one push gives: each may take its name from another image, in the same transaction.
pub const TAGS_A_PUSH_MAX: usize = 8;

/// What is pushed.
#[derive(Debug, Clone, Default)]
pub struct Push {
    /// The manifest.
    pub bytes: Vec<u8>,
    /// What the client says of its media type.
    pub media_type: Option<String>,
    /// The digest that the client says it has. Without one it is named by its SHA-256.
    pub digest: Option<ContentDigest>,
    /// The tags that it is to have.
    pub tags: Vec<String>,
}

/// An image that has been pushed.
#[derive(Debug, Clone)]
pub struct Pushed {
    /// Its digest.
    pub digest: ContentDigest,
    /// Its record, as it is now.
    pub manifest: Manifest,
    /// Whether the push changed anything: if not, the image was there with each of the tags.
    pub has_changed: bool,
}

/// Stores a manifest and lets the tags name it.
///
/// # Errors
/// [`Error::Manifest`], [`Error::LayersNotFound`], [`Error::ReferencedImagesNotFound`], [`Error::ImageDigestDoesNotMatch`],
/// [`Error::ImageTagExists`], [`Error::RepositoryNotFound`].
pub async fn push(ecr: &Ecr, name: &RepositoryName, push: Push, now: Timestamp) -> Result<Pushed, Error> {
    let Push { bytes, media_type, digest, tags } = push;
    let parsed = manifest::parse(&bytes, media_type.as_deref())?;
    check_tags(&tags)?;
    let algorithm = digest.as_ref().map_or(Algorithm::Sha256, ContentDigest::algorithm);
    let found = ContentDigest::of(algorithm, &bytes);
    if let Some(expected) = digest.filter(|expected| *expected != found) {
        return Err(Error::ImageDigestDoesNotMatch { found, expected });
    }
    let size = bytes.len() as u64;
    // Asked first, so that nobody without a repository has anything written.
    repository::find(&ecr.platform.store, name.clone()).await?;
    let content = ecr.content.put(bytes).await?;
    ecr.content.name(content, &found).await?;
    let image = Image { digest: found, parsed, content, size, tags, now };
    let mut attempts = Attempts::new();
    loop {
        let outcome = attempt(ecr, name, &image).await;
        if !attempts.again(&outcome) {
            return outcome;
        }
    }
}

/// What is to be stored, once it has been checked by itself.
struct Image {
    digest: ContentDigest,
    parsed: Parsed,
    content: blobs::Digest,
    size: u64,
    tags: Vec<String>,
    now: Timestamp,
}

fn check_tags(tags: &[String]) -> Result<(), Error> {
    if tags.len() > TAGS_A_PUSH_MAX {
        return Err(Error::parameter("imageTag", format!("An image can be given {TAGS_A_PUSH_MAX} tags at once")));
    }
    if tags.iter().all(|tag| is_tag(tag)) {
        return Ok(());
    }
    Err(Error::parameter("imageTag", "must satisfy regular expression '[a-zA-Z0-9-_.]+'"))
}

async fn attempt(ecr: &Ecr, name: &RepositoryName, image: &Image) -> Result<Pushed, Error> {
    let store = &ecr.platform.store;
    let repository = repository::find(store, name.clone()).await?;
    let swept = Mark::read(store, sweep_key(&repository.record.scope, repository.id())).await?;
    let mut tx = Tx::new();
    tx.require(&repository.record);
    swept.require(&mut tx);
    let present = super::manifest(store, &repository, &image.digest).await?;
    let image_size = match &image.parsed.kind {
        Kind::Image { .. } => require_blobs(store, &repository, image).await?,
        Kind::Index { children } => require_children(store, &repository, children, &mut tx).await?,
    };
    let mut manifest = match &present {
        Some(present) => present.value.clone(),
        None => image.record(&repository, image_size),
    };
    let is_tagged = give_tags(store, &repository, image, &mut manifest, &mut tx).await?;
    // Whoever pushes an image that is archived wants it back.
    let is_activated = manifest.storage.activate(image.now);
    let has_changed = is_tagged || is_activated || present.is_none();
    if !has_changed {
        return Ok(Pushed { digest: image.digest.clone(), manifest, has_changed });
    }
    match &present {
        Some(present) => tx.replace(present, &manifest),
        None => {
            let key = push_key(&repository.record.scope, repository.id());
            tx.op(Op::Put { key, value: image.digest.as_str().as_bytes().to_vec(), lease: None });
            tx.insert(&repository.record.scope, &[repository.id(), image.digest.as_str()], &manifest)
        }
    };
    store.commit(tx).await?;
    Ok(Pushed { digest: image.digest.clone(), manifest, has_changed })
}

/// Finds the blobs of an image in its repository, and answers how many bytes they have together.
async fn require_blobs(store: &Store, repository: &Found, image: &Image) -> Result<u64, Error> {
    let digests: Vec<ContentDigest> = image.parsed.kind.blobs().iter().map(|blob| blob.digest.clone()).collect();
    let found = layer::read_many(store, repository, &digests).await?;
    let missing: Vec<ContentDigest> =
        digests.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(digest, _)| digest.clone()).collect();
    if missing.is_empty() {
        return Ok(found.iter().flatten().map(|reference| reference.size).sum());
    }
    Err(Error::LayersNotFound { name: repository.name.clone(), digests: missing })
}

/// Finds the images of an index in its repository and requires that they stay until the commit. Answers the size of the
/// largest.
async fn require_children(
    store: &Store,
    repository: &Found,
    children: &[ContentDigest],
    tx: &mut Tx,
) -> Result<u64, Error> {
    let ids: Vec<[&str; 2]> = children.iter().map(|child| [repository.id(), child.as_str()]).collect();
    let ids: Vec<&[&str]> = ids.iter().map(<[&str; 2]>::as_slice).collect();
    let found: Vec<Option<Versioned<Manifest>>> = store.read_many(&repository.record.scope, &ids).await?;
    let (mut missing, mut largest) = (Vec::new(), 0);
    for (child, found) in children.iter().zip(&found) {
        match found {
            Some(found) => {
                tx.guard(Guard::Exists(found.key.clone()));
                largest = largest.max(found.image_size);
            }
            None => missing.push(child.clone()),
        }
    }
    if missing.is_empty() {
        return Ok(largest);
    }
    Err(Error::ReferencedImagesNotFound { name: repository.name.clone(), digests: missing })
}

/// Lets the tags name the image; an image that one of them named before loses it. Answers whether one of them is new to it.
async fn give_tags(
    store: &Store,
    repository: &Found,
    image: &Image,
    manifest: &mut Manifest,
    tx: &mut Tx,
) -> Result<bool, Error> {
    let scope = &repository.record.scope;
    let tagged = Tag { digest: image.digest.clone(), tagged: image.now };
    let mut losers: Vec<Versioned<Manifest>> = Vec::new();
    let mut is_tagged = false;
    for (at, name) in image.tags.iter().enumerate() {
        if image.tags[..at].contains(name) {
            continue;
        }
        match super::tag(store, repository, name).await? {
            Some(present) if present.digest == image.digest => continue,
            Some(_) if !repository.record.mutability.may_move(name) => {
                return Err(Error::ImageTagExists { name: repository.name.clone(), tag: name.clone() });
            }
            Some(present) => {
                lose(store, repository, &present.digest, name, &mut losers).await?;
                tx.replace(&present, &tagged);
            }
            None => {
                tx.insert(scope, &[repository.id(), &tag_id(name)], &tagged);
            }
        }
        is_tagged = true;
        prepare::changed(tx, &repository.name, name);
        manifest.tags.push(name.clone());
    }
    if manifest.tags.len() > TAGS_MAX {
        return Err(Error::ImageTagsMax(TAGS_MAX));
    }
    for loser in &losers {
        let tags = loser.tags.iter().filter(|tag| !image.tags.contains(tag)).cloned().collect();
        tx.replace(loser, &Manifest { tags, ..loser.value.clone() });
    }
    Ok(is_tagged)
}

/// Notes the image that loses a tag, once.
async fn lose(
    store: &Store,
    repository: &Found,
    digest: &ContentDigest,
    tag: &str,
    losers: &mut Vec<Versioned<Manifest>>,
) -> Result<(), Error> {
    if losers.iter().any(|loser| loser.name() == digest.as_str()) {
        return Ok(());
    }
    match super::manifest(store, repository, digest).await? {
        Some(loser) => losers.push(loser),
        // The tag is removed with its image: whoever finds one without the other has read in between.
        None => {
            let key = repository.record.scope.key().child(tag);
            return Err(StoreError::Conflict { key }.into());
        }
    }
    Ok(())
}

impl Image {
    fn record(&self, repository: &Found, image_size: u64) -> Manifest {
        Manifest {
            repository_id: repository.id().to_owned(),
            content: self.content,
            size: self.size,
            media_type: self.parsed.media_type.clone(),
            artifact_type: self.parsed.artifact_type.clone(),
            subject: self.parsed.subject.clone(),
            kind: self.parsed.kind.clone(),
            image_size,
            pushed: self.now,
            tags: Vec::new(),
            last_pulled: None,
            storage: Storage::default(),
        }
    }
}

/// A key that is written to tell others that something happened; when was it last?
pub(crate) struct Mark {
    key: Key,
    entry: Option<Entry>,
}

impl Mark {
    /// Reads a mark.
    pub(crate) async fn read(store: &Store, key: Key) -> Result<Self, StoreError> {
        let entry = store.get(&key).await?;
        Ok(Self { key, entry })
    }

    /// Requires that it has not been written since.
    pub(crate) fn require(&self, tx: &mut Tx) {
        tx.guard(match &self.entry {
            Some(entry) => Guard::Modified(self.key.clone(), entry.modified),
            None => Guard::Absent(self.key.clone()),
        });
    }
}

/// Written whenever a manifest comes into a repository.
pub(crate) fn push_key(scope: &Scope, repository_id: &str) -> Key {
    scope.key().child("ecr").child("last-push").child(repository_id)
}

/// Written whenever unused blobs are taken from a repository.
pub(crate) fn sweep_key(scope: &Scope, repository_id: &str) -> Key {
    scope.key().child("ecr").child("last-sweep").child(repository_id)
}
