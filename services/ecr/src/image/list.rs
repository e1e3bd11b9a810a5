//! Lists of a repository's images, page by page.

use platform::Ctx;
use store::{ListOptions, Versioned};

use super::Manifest;
use crate::api::{ImageStatusFilter, TagStatus};
use crate::repository::Found;
use crate::{Ecr, Error, page};

/// From how many tags on, of all its images together, a page has no further image.
const TAGS_A_PAGE: usize = 10_000;
/// How many manifests are read at once.
const READ_AT_ONCE: usize = 200;

/// Which images a list has.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Filter {
    /// With tags, without, or both.
    pub(crate) tags: Option<TagStatus>,
    /// To be pulled, archived, or both.
    pub(crate) status: Option<ImageStatusFilter>,
}

impl Filter {
    fn has(self, manifest: &Manifest) -> bool {
        let is_tagged = !manifest.tags.is_empty();
        let by_tags = match self.tags.unwrap_or(TagStatus::Any) {
            TagStatus::Any => true,
            TagStatus::Tagged => is_tagged,
            TagStatus::Untagged => !is_tagged,
        };
        let by_status = match self.status.unwrap_or(ImageStatusFilter::Any) {
            ImageStatusFilter::Any => true,
            ImageStatusFilter::Active => !manifest.storage.is_archived,
            ImageStatusFilter::Archived => manifest.storage.is_archived,
            // Nothing takes time to come out of the archive.
            ImageStatusFilter::Activating => false,
        };
        by_tags && by_status
    }
}

/// Reads through a repository's images in the order of their digests.
pub(crate) struct Reader<'a> {
    ecr: &'a Ecr,
    repository: &'a Found,
    filter: Filter,
    /// What was read and not handed out yet, the next one last.
    read: Vec<Versioned<Manifest>>,
    after: Option<String>,
    has_ended: bool,
}

impl<'a> Reader<'a> {
    /// Begins after a digest.
    pub(crate) fn new(ecr: &'a Ecr, repository: &'a Found, filter: Filter, after: Option<&str>) -> Self {
        let after = after.map(|digest| format!("{}/{digest}", repository.id()));
        Self { ecr, repository, filter, read: Vec::new(), after, has_ended: false }
    }

    /// The next image.
    pub(crate) async fn next(&mut self) -> Result<Option<Versioned<Manifest>>, Error> {
        while self.read.is_empty() && !self.has_ended {
            let options = ListOptions {
                id_prefix: &[self.repository.id()],
                after: self.after.as_deref(),
                limit: READ_AT_ONCE,
                at: None,
            };
            let page = self.ecr.platform.store.list::<Manifest>(&self.repository.record.scope, options).await?;
            self.has_ended = page.next.is_none();
            self.after = page.next;
            let wanted = page.items.into_iter().rev().filter(|manifest| self.filter.has(manifest));
            // No list tells them, and they may be much.
            self.read = wanted.map(without_blobs).collect();
        }
        Ok(self.read.pop())
    }
}

fn without_blobs(mut manifest: Versioned<Manifest>) -> Versioned<Manifest> {
    manifest.value.forget_blobs();
    manifest
}

/// A page of images, and the token that continues it.
pub(crate) async fn images(
    ecr: &Ecr,
    ctx: &Ctx,
    repository: &Found,
    filter: Filter,
    (token, limit): (Option<&str>, usize),
) -> Result<(Vec<Versioned<Manifest>>, Option<String>), Error> {
    let list = format!("DescribeImages/{}", repository.id());
    let after = page::open(&ecr.platform, ctx, &list, token)?;
    let mut reader = Reader::new(ecr, repository, filter, after.as_deref());
    let (mut images, mut tags) = (Vec::new(), 0);
    while let Some(manifest) = reader.next().await? {
        if images.len() == limit || tags >= TAGS_A_PAGE {
            let last = images.last().map(Versioned::name);
            let next = page::next(&ecr.platform, ctx, &list, last);
            return Ok((images, next));
        }
        tags += manifest.tags.len();
        images.push(manifest);
    }
    Ok((images, None))
}

/// A page of digests and tags, an image once for each of its tags; and the token that continues it.
pub(crate) async fn names(
    ecr: &Ecr,
    ctx: &Ctx,
    repository: &Found,
    filter: Filter,
    (token, limit): (Option<&str>, usize),
) -> Result<(Vec<(String, Option<String>)>, Option<String>), Error> {
    let list = format!("ListImages/{}", repository.id());
    let after = page::open(&ecr.platform, ctx, &list, token)?;
    // The last digest and tag: its image may have further tags.
    let (digest, tag) = after.as_deref().and_then(|after| after.split_once(' ')).unzip();
    let mut reader = Reader::new(ecr, repository, filter, digest);
    if let (Some(digest), Some(_)) = (digest, tag) {
        let id = [repository.id(), digest];
        let again: Option<Versioned<Manifest>> = ecr.platform.store.read(&repository.record.scope, &id).await?;
        reader.read.extend(again.filter(|manifest| filter.has(manifest)));
    }
    let mut names: Vec<(String, Option<String>)> = Vec::new();
    while let Some(manifest) = reader.next().await? {
        for name in names_of(&manifest, digest.zip(tag)) {
            if names.len() == limit {
                let last = names.last().map(|(digest, tag)| format!("{digest} {}", tag.as_deref().unwrap_or_default()));
                let next = page::next(&ecr.platform, ctx, &list, last.as_deref());
                return Ok((names, next));
            }
            names.push(name);
        }
    }
    Ok((names, None))
}

/// The names of an image, those after the last one that was listed.
fn names_of(manifest: &Versioned<Manifest>, last: Option<(&str, &str)>) -> Vec<(String, Option<String>)> {
    let after = last.filter(|(digest, _)| *digest == manifest.name()).map(|(_, tag)| tag);
    let mut tags: Vec<&String> = manifest.tags.iter().collect();
    tags.sort_unstable();
    if tags.is_empty() && after.is_none() {
        return vec![(manifest.name().to_owned(), None)];
    }
    let rest = tags.into_iter().filter(|tag| after.is_none_or(|after| tag.as_str() > after));
    rest.map(|tag| (manifest.name().to_owned(), Some(tag.clone()))).collect()
}
