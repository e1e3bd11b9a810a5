//! Has images made ready to run as soon as they are pushed, by whoever has the rights for it ([`ImagePreparer`]).
//!
//! Whoever lets a tag name something else, or nothing any more, puts a message into a queue, in the same transaction. What
//! the message says is only that the name is to be looked at: what it means is read when its turn comes, and then that is
//! prepared, or the name forgotten. So a tag that moves ten times is prepared as often as there is time for it, and a kill
//! loses nothing.
//!
//! What is not there by its tag is prepared when it is run. Nor is anything prepared that cannot be run: signatures, charts
//! and other artifacts, and images in the archive.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use platform::ports::{ImagePreparer, PreparedReference};
use platform::{Backoff, BoxFuture, Cause, Reconciler, Round, Wake};
use serde::{Deserialize, Serialize};
use store::{Message, QueueCount, StoreError, Tx, Versioned};
use tokio::task::JoinSet;

use crate::digest::ContentDigest;
use crate::image::manifest::is_configuration_of_image;
use crate::image::{self, Kind, Manifest};
use crate::layer;
use crate::names::RepositoryName;
use crate::repository::{self, Found};
use crate::{Ecr, Error};

/// The names that are to be looked at.
const QUEUE: &str = "ecr/image-names";
/// How many images are prepared at a time. Whoever prepares them has bounds of its own.
const AT_ONCE_MAX: usize = 4;
/// How long an image may take.
const ONE_LIMIT: Duration = Duration::from_secs(1800);
/// How long a round takes up names before it ends, so that somebody sees that it goes on.
const ROUND: Duration = Duration::from_secs(600);
/// How often an image is tried that cannot be prepared; it is tried again when it is pushed again, or run.
const TRIES_MAX: u32 = 8;
/// How long an image waits that could not be prepared.
const RETRY: Backoff = Backoff { first: Duration::from_secs(2), longest: Duration::from_secs(600) };

/// A name that may mean something else than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Name {
    /// The repository's ARN.
    repository: String,
    tag: String,
}

/// Notes that a tag names another image now, or none.
pub(crate) fn changed(tx: &mut Tx, repository: &RepositoryName, tag: &str) {
    let name = Name { repository: repository.arn(), tag: tag.to_owned() };
    let body = serde_json::to_vec(&name).expect("a name has only string keys, so serde_json cannot refuse it");
    let id = blobs::Digest::of(&body).hex();
    // At once, whatever the time is.
    tx.enqueue(QUEUE, id, body, Timestamp::default());
}

/// What is to become of a name.
#[derive(Debug)]
enum Wanted {
    Prepared(Box<Versioned<Manifest>>, Box<Found>),
    Forgotten,
}

struct Prepare {
    ecr: Ecr,
    preparer: Option<Arc<dyn ImagePreparer>>,
}

impl Reconciler for Prepare {
    fn name(&self) -> &str {
        "ecr/image-preparation"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::Queue(QUEUE.to_owned())]
    }

    fn limit(&self) -> Duration {
        ROUND + 2 * ONE_LIMIT
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async {
            let done = self.take_up().await?;
            let QueueCount { visible, next_visible_at, .. } = self.ecr.platform.store.count(QUEUE).await?;
            let now = self.ecr.platform.clock.now();
            let due = if visible > 0 { Some(now) } else { next_visible_at };
            Ok(Round::did(done, format!("looked at {done} names of images")).due(due))
        })
    }
}

impl Prepare {
    /// Takes up names, a few at a time and new ones while others take long, until there is none left or the round has
    /// lasted. Answers how many are done with.
    async fn take_up(&self) -> Result<u64, Error> {
        let platform = &self.ecr.platform;
        let end = platform.clock.now().plus(ROUND);
        let mut signal = platform.store.queue_signal(QUEUE);
        let (mut working, mut done) = (JoinSet::new(), 0);
        loop {
            let places = if platform.clock.now() < end { AT_ONCE_MAX - working.len() } else { 0 };
            if places > 0 {
                for message in platform.store.receive(QUEUE, places, 2 * ONE_LIMIT).await? {
                    let (ecr, preparer) = (self.ecr.clone(), self.preparer.clone());
                    working.spawn(async move { work(&ecr, preparer.as_deref(), &message).await });
                }
            }
            if working.is_empty() {
                return Ok(done);
            }
            tokio::select! {
                Some(one) = working.join_next() => {
                    // A task that panicked has been told of; its message comes again.
                    if let Ok(outcome) = one {
                        done += u64::from(outcome?);
                    }
                }
                changed = signal.changed(), if places > working.len() => changed?,
            }
        }
    }
}

/// Does what a message is about. Answers whether that is done with.
async fn work(ecr: &Ecr, preparer: Option<&dyn ImagePreparer>, message: &Message) -> Result<bool, Error> {
    let platform = &ecr.platform;
    let outcome = match preparer {
        None => Ok(()),
        Some(preparer) => attempt(ecr, preparer, &message.body).await?,
    };
    let settled = match &outcome {
        Err(reason) if message.received < TRIES_MAX => {
            tracing::info!(reason, "an image could not be prepared; it is tried again");
            let wait = RETRY.delay(message.received, &*platform.rng);
            platform.store.extend(message, platform.clock.now().plus(wait)).await
        }
        Err(reason) => {
            tracing::warn!(reason, "an image could not be prepared; it is when it is run");
            platform.store.ack(message).await
        }
        Ok(()) => platform.store.ack(message).await,
    };
    match settled {
        // The name has changed meanwhile, and is looked at again.
        Err(StoreError::ReceiptLost { .. }) => Ok(true),
        settled => Ok(settled.map(|()| outcome.is_ok())?),
    }
}

/// Makes what a name says true, once. The inner error is a reason to try again.
async fn attempt(ecr: &Ecr, preparer: &dyn ImagePreparer, body: &[u8]) -> Result<Result<(), String>, Error> {
    let Some((repository, tag)) = read(body) else { return Ok(Ok(())) };
    let reference = repository.reference(&tag);
    let work = async {
        match wanted(ecr, repository, &tag).await? {
            Wanted::Forgotten => Ok::<_, Error>(preparer.forget(&reference).await),
            Wanted::Prepared(manifest, repository) => {
                name_blobs(ecr, &repository, &manifest).await?;
                let image = PreparedReference {
                    reference: &reference,
                    digest: manifest.name(),
                    media_type: &manifest.media_type,
                    size: manifest.size,
                };
                Ok(preparer.prepare(image).await)
            }
        }
    };
    match tokio::time::timeout(ONE_LIMIT, work).await {
        Ok(outcome) => Ok(outcome?.map_err(|reason| format!("{reference}: {reason}"))),
        Err(_) => Ok(Err(format!("{reference}: it was not done within {} s", ONE_LIMIT.as_secs()))),
    }
}

/// What a message says; none if it is of a form that is not written any more.
fn read(body: &[u8]) -> Option<(RepositoryName, String)> {
    let name: Name = serde_json::from_slice(body).ok()?;
    Some((RepositoryName::of_arn(&name.repository)?, name.tag))
}

/// What is to become of a name, as things are now.
async fn wanted(ecr: &Ecr, name: RepositoryName, tag: &str) -> Result<Wanted, Error> {
    let store = &ecr.platform.store;
    let repository = match repository::find(store, name).await {
        Ok(repository) => repository,
        Err(Error::RepositoryNotFound(_)) => return Ok(Wanted::Forgotten),
        Err(error) => return Err(error),
    };
    let Some(tag) = image::tag(store, &repository, tag).await? else { return Ok(Wanted::Forgotten) };
    let manifest = image::manifest(store, &repository, &tag.digest).await?;
    match manifest.filter(|manifest| !manifest.storage.is_archived) {
        Some(manifest) if can_run(ecr, &repository, &manifest).await? => {
            Ok(Wanted::Prepared(Box::new(manifest), Box::new(repository)))
        }
        _ => Ok(Wanted::Forgotten),
    }
}

/// Whether an image can be run, or one of those that an index has.
async fn can_run(ecr: &Ecr, repository: &Found, manifest: &Manifest) -> Result<bool, Error> {
    let is_image = |manifest: &Manifest| manifest.artifact_type.as_deref().is_some_and(is_configuration_of_image);
    match &manifest.kind {
        Kind::Image { .. } => Ok(is_image(manifest)),
        Kind::Index { .. } => Ok(children(ecr, repository, manifest).await?.iter().any(|child| is_image(child))),
    }
}

/// The images of an index.
async fn children(ecr: &Ecr, repository: &Found, index: &Manifest) -> Result<Vec<Versioned<Manifest>>, Error> {
    let children = index.kind.children();
    let ids: Vec<[&str; 2]> = children.iter().map(|child| [repository.id(), child.as_str()]).collect();
    let ids: Vec<&[&str]> = ids.iter().map(<[&str; 2]>::as_slice).collect();
    let found = ecr.platform.store.read_many(&repository.record.scope, &ids).await?;
    Ok(found.into_iter().flatten().collect())
}

/// Makes sure that an image's blobs are found by the digests that it names them by: files that came from a backup have
/// their own alone.
async fn name_blobs(ecr: &Ecr, repository: &Found, manifest: &Versioned<Manifest>) -> Result<(), Error> {
    let mut images = children(ecr, repository, manifest).await?;
    images.push(manifest.clone());
    for image in images {
        if let Ok(digest) = image.name().parse() {
            ecr.content.name(image.content, &digest).await?;
        }
        let long = image.kind.blobs().iter().map(|blob| &blob.digest).filter(|digest| digest.long().is_some());
        let long: Vec<ContentDigest> = long.cloned().collect();
        for (digest, reference) in long.iter().zip(layer::read_many(&ecr.platform.store, repository, &long).await?) {
            if let Some(reference) = reference {
                ecr.content.name(reference.content, digest).await?;
            }
        }
    }
    Ok(())
}

/// The reconciler, to be started once. Without a preparer it takes the names out of the queue and does nothing with them.
pub fn reconciler(ecr: &Ecr, preparer: Option<Arc<dyn ImagePreparer>>) -> Arc<dyn Reconciler> {
    Arc::new(Prepare { ecr: ecr.clone(), preparer })
}
