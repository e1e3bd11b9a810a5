//! Listing what is in a bucket: objects, versions, uploads; by prefix, rolled up at a delimiter, page by page.
//!
//! Keys are read in their own order; past a prefix that is rolled up the listing seeks to the next one, so that its cost goes
//! with what it answers. Of keys that are deleted a page passes over so many at most, and is short then.

mod walk;

use base::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Range, StoreError, Versioned, first_beyond};

use crate::bucket::Bucket;
use crate::checksum::{Algorithm, Kind};
use crate::multipart::{Upload, key_of_upload, uploads_of};
use crate::names::{END, stored};
use crate::object::{Current, Older, Order, Version, VersionId, What, below, key_of_current, key_of_older};
use crate::{Error, S3};

use walk::Walk;

/// The most that one page has. (API reference, ListObjectsV2.)
pub const PAGE_MAX: usize = 1000;
/// How many delete markers a page passes over before it is answered as it is.
const PASSED_MAX: usize = 10_000;
/// How often the versions of a page are read whose past was forgotten before all had been.
const READS_MAX: u32 = 4;

/// What is listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query<'a> {
    /// What keys begin with.
    pub prefix: &'a str,
    /// At what they are rolled up; empty is nothing.
    pub delimiter: &'a str,
    /// Where to begin.
    pub after: After,
    /// How many objects and prefixes at most.
    pub limit: usize,
}

/// After what a page begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum After {
    /// Nothing: it is the first.
    #[default]
    Start,
    /// A key, or a prefix that was rolled up: what begins with one that ends with the delimiter does not come again.
    Key(String),
    /// A version of a key, by its place in the store; the empty one stands for all versions of the key.
    Version(String, String),
}

/// What a page has, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Item<T> {
    /// Something at a key.
    At(String, T),
    /// A prefix that keys were rolled up into.
    Prefix(String),
}

/// A page.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// What it has.
    pub items: Vec<Item<T>>,
    /// Whether there is more.
    pub more: bool,
    /// The key that was looked at last, where that is after all of the items.
    passed: Option<String>,
}

/// What a list says of a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where it stands among the versions of its key.
    pub order: Order,
    /// Its id.
    pub id: VersionId,
    /// When it was written.
    pub modified: Timestamp,
    /// By whom.
    pub writer: AccountId,
    /// What is said of an object; none of a delete marker.
    pub object: Option<ObjectEntry>,
}

/// What a list says of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectEntry {
    /// How many bytes it has.
    pub size: u64,
    /// Its tag, without quotes.
    pub etag: String,
    /// Its checksum's algorithm, and of what that is one.
    pub checksum: Option<(Algorithm, Kind)>,
    /// Its storage class; none is STANDARD.
    pub storage_class: Option<String>,
}

/// A version in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedVersion {
    /// It.
    pub version: Entry,
    /// Whether it is the latest of its key.
    pub is_latest: bool,
}

impl<T> Page<T> {
    /// Nothing, and nothing more: what is answered to whoever asks for none.
    pub fn empty() -> Self {
        Self { items: Vec::new(), more: false, passed: None }
    }

    /// The objects, without the prefixes.
    pub fn into_parts(self) -> (Vec<(String, T)>, Vec<String>) {
        let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
        for item in self.items {
            match item {
                Item::At(key, object) => objects.push((key, object)),
                Item::Prefix(prefix) => prefixes.push(prefix),
            }
        }
        (objects, prefixes)
    }

    /// The key or prefix at its end, after which the next page begins.
    pub fn last(&self) -> Option<&str> {
        let last = self.items.last().map(|item| match item {
            Item::At(key, _) | Item::Prefix(key) => key.as_str(),
        });
        self.passed.as_deref().or(last)
    }

    /// Whether it ends before it is full, at a key that it does not show.
    pub fn is_short(&self) -> bool {
        self.passed.is_some()
    }
}

/// The prefix that a key is rolled up into.
pub fn rolled_up<'k>(key: &'k str, prefix: &str, delimiter: &str) -> Option<&'k str> {
    if delimiter.is_empty() {
        return None;
    }
    let rest = key.get(prefix.len()..)?;
    let at = rest.find(delimiter)?;
    Some(&key[..prefix.len() + at + delimiter.len()])
}

impl Entry {
    /// What of a version is listed. The rest of it may be large, and is not kept.
    fn of(version: Version) -> Self {
        let Version { order, id, modified, owner: writer, what } = version;
        let object = match what {
            What::Marker => None,
            What::Object(object) => Some(ObjectEntry {
                size: object.size,
                etag: object.etag,
                checksum: object.checksum.map(|checksum| (checksum.algorithm, checksum.kind)),
                storage_class: object.storage_class,
            }),
        };
        Self { order, id, modified, writer, object }
    }
}

/// A kind of record that lies in the order of keys.
pub(crate) trait Listable: store::Record {
    /// The key that the id of one tells.
    fn key_of(id: &[String]) -> String;
}

impl Listable for Current {
    fn key_of(id: &[String]) -> String {
        key_of_current(id)
    }
}

impl Listable for Older {
    fn key_of(id: &[String]) -> String {
        key_of_older(id)
    }
}

impl Listable for Upload {
    fn key_of(id: &[String]) -> String {
        key_of_upload(id)
    }
}

/// The objects of a bucket.
pub(crate) async fn objects(s3: &S3, bucket: &Bucket, query: &Query<'_>) -> Result<Page<Entry>, Error> {
    objects_within(s3, bucket, query, PASSED_MAX).await
}

async fn objects_within(s3: &S3, bucket: &Bucket, query: &Query<'_>, passed_max: usize) -> Result<Page<Entry>, Error> {
    let start = match &query.after {
        After::Start => None,
        After::Key(key) | After::Version(key, _) => Some(after_key(key, query)),
    };
    let below = below::<Current>(&bucket.scope(), &bucket.uid);
    let keep = |record: Versioned<Current>| {
        Some(record.value.latest).filter(|latest| latest.object().is_some()).map(Entry::of)
    };
    page_of(Walk::new(s3, &below, query.prefix, start, keep), query, passed_max).await
}

/// A page of what a way meets, which passes over what is none: `passed_max` at most, and those that it cannot end at.
async fn page_of<R: Listable, T>(
    mut walk: Walk<'_, R, Option<T>>,
    query: &Query<'_>,
    passed_max: usize,
) -> Result<Page<T>, Error> {
    let (mut page, mut passed) = (Page::empty(), 0);
    while let Some((key, item)) = walk.next().await? {
        // A page that ends at the key `a/` says that all of the prefix `a/` has come.
        let ends_there = |last: &String| {
            rolled_up(last, query.prefix, query.delimiter) != Some(last.as_str()) || !key.starts_with(last.as_str())
        };
        if passed >= passed_max && page.passed.as_ref().is_some_and(ends_there) {
            page.more = true;
            return Ok(page);
        }
        let Some(item) = item else {
            passed += 1;
            page.passed = Some(key);
            continue;
        };
        if page.items.len() >= query.limit {
            page.more = true;
            break;
        }
        page.passed = None;
        match rolled_up(&key, query.prefix, query.delimiter) {
            Some(prefix) => {
                walk.seek(first_beyond(&stored(prefix)));
                page.items.push(Item::Prefix(prefix.to_owned()));
            }
            None => page.items.push(Item::At(key, item)),
        }
    }
    page.passed = None;
    Ok(page)
}

/// The versions and delete markers of a bucket, as they were at one revision: a version that ceases to be the latest meanwhile
/// comes once, and one that becomes it is not missed.
pub(crate) async fn versions(s3: &S3, bucket: &Bucket, query: &Query<'_>) -> Result<Page<ListedVersion>, Error> {
    for _ in 0..READS_MAX {
        match versions_at(s3, bucket, query, s3.platform.store.revision()).await {
            Err(Error::Store(StoreError::Compacted { .. })) => {}
            done => return done,
        }
    }
    Err(Error::OperationAborted)
}

async fn versions_at(
    s3: &S3,
    bucket: &Bucket,
    query: &Query<'_>,
    revision: store::Revision,
) -> Result<Page<ListedVersion>, Error> {
    let (latest_start, older_start) = match &query.after {
        After::Start => (None, None),
        After::Key(key) => (Some(after_key(key, query)), Some(after_key(key, query))),
        After::Version(key, place) if place.is_empty() => {
            (Some(beyond(key)), Some(format!("{}{}", stored(key), char::from(1))))
        }
        // The latest of that key has come; of the older ones those come that are after the place.
        After::Version(key, place) => (Some(beyond(key)), Some(format!("{}{END}{place}\0", stored(key)))),
    };
    let scope = bucket.scope();
    let of_latest = |record: Versioned<Current>| Entry::of(record.value.latest);
    let of_older = |record: Versioned<Older>| Entry::of(record.value.past);
    let (above_latest, above_older) = (below::<Current>(&scope, &bucket.uid), below::<Older>(&scope, &bucket.uid));
    let mut latest = Walk::new(s3, &above_latest, query.prefix, latest_start, of_latest).at(revision);
    let mut older = Walk::new(s3, &above_older, query.prefix, older_start, of_older).at(revision);
    let (mut next_latest, mut next_older) = (latest.next().await?, older.next().await?);
    let mut page = Page::empty();
    loop {
        // The latest of a key comes before its older ones.
        let is_latest = match (&next_latest, &next_older) {
            (None, None) => return Ok(page),
            (Some((one, _)), Some((other, _))) => one <= other,
            (Some(_), None) => true,
            (None, Some(_)) => false,
        };
        if page.items.len() >= query.limit {
            page.more = true;
            return Ok(page);
        }
        let (key, version) = if is_latest {
            let Some(next) = next_latest.take() else { return Ok(page) };
            next
        } else {
            let Some(next) = next_older.take() else { return Ok(page) };
            next
        };
        match rolled_up(&key, query.prefix, query.delimiter) {
            Some(prefix) => {
                let (beyond, prefix) = (first_beyond(&stored(prefix)), prefix.to_owned());
                latest.seek(beyond.clone());
                older.seek(beyond);
                if next_latest.as_ref().is_none_or(|(key, _)| key.starts_with(&prefix)) {
                    next_latest = latest.next().await?;
                }
                if next_older.as_ref().is_none_or(|(key, _)| key.starts_with(&prefix)) {
                    next_older = older.next().await?;
                }
                page.items.push(Item::Prefix(prefix));
                continue;
            }
            None => page.items.push(Item::At(key, ListedVersion { version, is_latest })),
        }
        if is_latest {
            next_latest = latest.next().await?;
        } else {
            next_older = older.next().await?;
        }
    }
}

/// The uploads of a bucket, of one key in the order in which they were begun.
pub(crate) async fn uploads(s3: &S3, bucket: &Bucket, query: &Query<'_>) -> Result<Page<Upload>, Error> {
    let start = match &query.after {
        After::Start => None,
        After::Key(key) => Some(after_key(key, query)),
        After::Version(key, upload) => Some(format!("{}{END}{upload}\0", stored(key))),
    };
    let keep = |record: Versioned<Upload>| Some(record.value);
    page_of(Walk::new(s3, &uploads_of(bucket), query.prefix, start, keep), query, PASSED_MAX).await
}

/// Where what comes after a key begins: if it is in a prefix that is rolled up, or is one, after all of that.
fn after_key(key: &str, query: &Query<'_>) -> String {
    let in_prefix = key.starts_with(query.prefix).then(|| rolled_up(key, query.prefix, query.delimiter)).flatten();
    match in_prefix {
        // A prefix that nothing comes after: no text is beyond it, and nothing is listed.
        Some(prefix) if prefix == key => first_beyond(&stored(prefix)).unwrap_or_else(|| beyond(key)),
        _ => beyond(key),
    }
}

/// Where what comes after a key and its versions begins.
fn beyond(key: &str) -> String {
    format!("{}{}", stored(key), char::from(1))
}

/// The range of the records below a key whose texts begin so, from a text on.
fn range(above: &store::Key, prefix: &str, start: Option<&str>) -> Range {
    let range = Range::beginning_with(above, &store::Key::stored(prefix));
    match start {
        Some(start) => range.not_before(format!("{above}/{}", store::Key::stored(start))),
        None => range,
    }
}

#[cfg(test)]
mod tests;
