//! A repository's images as a policy sees them.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use base::Timestamp;
use store::{Scope, Store, Versioned};

use super::document::Document;
use super::evaluate::{Image, Verdict, evaluate};
use crate::Error;
use crate::image::{self, Manifest};

/// How long an artifact outlives its subject. (User guide: "within 24 hours".)
const ORPHANS_KEPT: Duration = Duration::from_secs(24 * 3600);

/// The images of a repository at one time.
pub(crate) struct Snapshot {
    manifests: Vec<Versioned<Manifest>>,
}

impl Snapshot {
    /// Reads them, without their blobs.
    pub(crate) async fn read(store: &Store, scope: &Scope, repository_id: &str) -> Result<Self, Error> {
        let mut manifests = Vec::new();
        let look = |mut manifest: Versioned<Manifest>| {
            // No rule asks what an image is made of, and it may be much.
            manifest.value.forget_blobs();
            manifests.push(manifest);
            ControlFlow::Continue(())
        };
        image::each(store, scope, repository_id, look).await?;
        Ok(Self { manifests })
    }

    /// What a policy does to them, with the images that it is done to.
    pub(crate) fn evaluate(&self, document: &Document, now: Timestamp) -> Vec<(Verdict, &Versioned<Manifest>)> {
        let digests = self.digests();
        let children: BTreeSet<&str> =
            self.manifests.iter().flat_map(|it| it.kind.children()).map(|child| child.as_str()).collect();
        // An artifact goes with its subject, not by itself.
        let has_subject =
            |it: &&Versioned<Manifest>| it.subject.as_ref().is_some_and(|it| digests.contains(it.as_str()));
        let seen: Vec<&Versioned<Manifest>> = self.manifests.iter().filter(|it| !has_subject(it)).collect();
        let images: Vec<Image> = seen.iter().map(|it| as_seen(it, children.contains(it.name()))).collect();
        evaluate(document, &images, now).into_iter().map(|verdict| (verdict, seen[verdict.image])).collect()
    }

    /// The artifacts that have outlived their subjects.
    pub(crate) fn orphans(&self, now: Timestamp) -> impl Iterator<Item = &Versioned<Manifest>> {
        let digests = self.digests();
        self.manifests.iter().filter(move |it| {
            let is_orphan = it.subject.as_ref().is_some_and(|subject| !digests.contains(subject.as_str()));
            is_orphan && now.since(it.pushed) > ORPHANS_KEPT
        })
    }

    fn digests(&self) -> BTreeSet<&str> {
        self.manifests.iter().map(Versioned::name).collect()
    }
}

fn as_seen(manifest: &Versioned<Manifest>, is_kept: bool) -> Image {
    let storage = manifest.storage;
    Image {
        digest: manifest.name().to_owned(),
        tags: manifest.tags.clone(),
        pushed: manifest.pushed,
        pulled: manifest.last_pulled,
        archived: storage.is_archived.then(|| storage.archived.unwrap_or(manifest.pushed)),
        is_kept,
    }
}
