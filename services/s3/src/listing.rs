//! Listing what is in a bucket: objects, versions, uploads; by prefix, rolled up at a delimiter, page by page.
//!
//! Keys are read in their own order; past a prefix that is rolled up the listing seeks to the next one, so that its cost goes
//! with what it answers and not with what is there.

mod walk;

use serde::{Deserialize, Serialize};
use store::{Range, Versioned, first_beyond};

use crate::bucket::Bucket;
use crate::multipart::{Upload, key_of_upload, uploads_of};
use crate::names::{END, stored};
use crate::object::{Current, Older, Version, below, key_of_current, key_of_older};
use crate::{Error, S3};

pub(crate) use walk::Walk;

/// The most that one page has. (API reference, ListObjectsV2.)
pub const PAGE_MAX: usize = 1000;

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
}

/// A version in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedVersion {
    /// It.
    pub version: Version,
    /// Whether it is the latest of its key.
    pub is_latest: bool,
}

impl<T> Page<T> {
    /// Nothing, and nothing more: what is answered to whoever asks for none.
    pub fn empty() -> Self {
        Self { items: Vec::new(), more: false }
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

    /// The key or prefix at its end.
    pub fn last(&self) -> Option<&str> {
        self.items.last().map(|item| match item {
            Item::At(key, _) | Item::Prefix(key) => key.as_str(),
        })
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

/// A way through the keys of a kind of record: where they are, and what a record is in a list.
pub(crate) trait Listable: store::Record {
    /// What one is in a list.
    type Item;
    /// The key that the id of one tells.
    fn key_of(id: &[String]) -> String;
    /// What it is in a list; none if it is passed over.
    fn item(record: Versioned<Self>) -> Option<Self::Item>;
}

impl Listable for Current {
    type Item = Version;

    fn key_of(id: &[String]) -> String {
        key_of_current(id)
    }

    fn item(record: Versioned<Self>) -> Option<Version> {
        record.value.latest.object().is_some().then_some(record.value.latest)
    }
}

/// The objects of a bucket.
pub(crate) async fn objects(s3: &S3, bucket: &Bucket, query: &Query<'_>) -> Result<Page<Version>, Error> {
    let start = match &query.after {
        After::Start => None,
        After::Key(key) | After::Version(key, _) => Some(after_key(key, query)),
    };
    let below = below::<Current>(&bucket.scope(), &bucket.uid);
    page_of(Walk::<Current>::new(s3, &below, query.prefix, start), query).await
}

/// A page of what a way meets.
async fn page_of<R: Listable>(mut walk: Walk<'_, R>, query: &Query<'_>) -> Result<Page<R::Item>, Error> {
    let mut page = Page { items: Vec::new(), more: false };
    while let Some((key, record)) = walk.next().await? {
        let Some(item) = R::item(record) else { continue };
        if page.items.len() >= query.limit {
            page.more = true;
            break;
        }
        match rolled_up(&key, query.prefix, query.delimiter) {
            Some(prefix) => {
                walk.seek(first_beyond(&stored(prefix)));
                page.items.push(Item::Prefix(prefix.to_owned()));
            }
            None => page.items.push(Item::At(key, item)),
        }
    }
    Ok(page)
}

/// The versions and delete markers of a bucket.
pub(crate) async fn versions(s3: &S3, bucket: &Bucket, query: &Query<'_>) -> Result<Page<ListedVersion>, Error> {
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
    let mut latest = Walk::<Current>::new(s3, &below::<Current>(&scope, &bucket.uid), query.prefix, latest_start);
    let mut older = Walk::<Older>::new(s3, &below::<Older>(&scope, &bucket.uid), query.prefix, older_start);
    let (mut next_latest, mut next_older) = (latest.next().await?, older.next().await?);
    let mut page = Page { items: Vec::new(), more: false };
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
            let Some((key, record)) = next_latest.take() else { return Ok(page) };
            (key, record.value.latest)
        } else {
            let Some((key, record)) = next_older.take() else { return Ok(page) };
            (key, record.value.past)
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
    page_of(Walk::<Upload>::new(s3, &uploads_of(bucket), query.prefix, start), query).await
}

impl Listable for Older {
    type Item = Version;

    fn key_of(id: &[String]) -> String {
        key_of_older(id)
    }

    fn item(record: Versioned<Self>) -> Option<Version> {
        Some(record.value.past)
    }
}

impl Listable for Upload {
    type Item = Self;

    fn key_of(id: &[String]) -> String {
        key_of_upload(id)
    }

    fn item(record: Versioned<Self>) -> Option<Self> {
        Some(record.value)
    }
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
