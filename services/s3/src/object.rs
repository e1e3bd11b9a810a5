//! Objects: their versions and delete markers, and how they lie in the store.
//!
//! What is latest at a key is a [`Current`], whatever it is; older versions are [`Older`] ones. Both lie below the bucket's id,
//! in the order of the keys, and the older ones of a key newest first. A [`Current`] is there as long as any version is, so that
//! every change of a key guards one record.

pub(crate) mod beside;
mod change;
pub(crate) mod commit;
mod find;
pub(crate) mod parts;
mod version;

use std::borrow::Cow;
use std::collections::BTreeMap;

use base::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Key, Record, Scope};

use crate::acl::Acl;
use crate::checksum::{Checksum, Kind};
use crate::condition::Seen;
use crate::content::Data;
use crate::names::{END, of_stored, stored};

#[cfg(test)]
pub(crate) use change::{Plan, Versions};
pub(crate) use find::{Selected, by_id, current, newest_older, parse, select};
pub use parts::{PartOfObject, Parts};
pub use version::{Order, VersionId};

/// The most metadata of a client's own, in bytes of names and values. (User guide: "User-defined object metadata".)
pub const USER_METADATA_BYTES_MAX: usize = 2048;
/// The most bytes of the headers that are kept beside it. (User guide: "The PUT request header is limited to 8 KB".)
pub const HEADERS_BYTES_MAX: usize = 8192;

/// One version of what is at a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// Where it stands among the versions of its key.
    #[serde(rename = "o")]
    pub order: Order,
    /// Its id.
    #[serde(rename = "v")]
    pub id: VersionId,
    /// When it was written.
    #[serde(rename = "t")]
    pub modified: Timestamp,
    /// Whose it is.
    #[serde(rename = "w")]
    pub owner: AccountId,
    /// What it is.
    #[serde(rename = "c")]
    pub what: What,
}

/// What a version is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum What {
    /// The object has been deleted.
    #[serde(rename = "m")]
    Marker,
    /// An object.
    #[serde(rename = "o")]
    Object(Box<Object>),
}

/// An object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// How many bytes it has.
    #[serde(rename = "s")]
    pub size: u64,
    /// Its tag, without quotes.
    #[serde(rename = "e")]
    pub etag: String,
    /// Its bytes.
    #[serde(rename = "d")]
    pub data: Data,
    /// Its checksum.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// The parts that it was uploaded in; none if it came in one piece.
    #[serde(rename = "p", default, skip_serializing_if = "Parts::is_none")]
    pub parts: Parts,
    /// The upload that it was made of, by which a client is known that completes it again.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<String>,
    /// What goes with it, as its writer has said.
    #[serde(rename = "h", default, skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
    /// Its tags.
    #[serde(rename = "g", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Its list of grants; none if that is its owner's full control.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub acl: Option<Acl>,
    /// Its storage class, which is a label here; none is STANDARD.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
}

/// What a writer says of an object and its readers are told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attributes {
    /// `Content-Type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `Cache-Control`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// `Expires`, as it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Where a website sends whoever asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website_redirect: Option<String>,
    /// `x-amz-meta-…`, by lower-case names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// What is latest at a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Current {
    /// That.
    #[serde(rename = "l")]
    pub latest: Version,
    /// Where the null version is among the older ones, if there is one.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub older_null: Option<Order>,
}

impl Record for Current {
    const SERVICE: &'static str = "s3";
    const KIND: &'static str = "object";
}

/// A version that is not the latest of its key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Older {
    /// That.
    #[serde(rename = "l")]
    pub past: Version,
    /// Since when there is a later one.
    #[serde(rename = "s")]
    pub since: Timestamp,
}

impl Record for Older {
    const SERVICE: &'static str = "s3";
    const KIND: &'static str = "version";
}

impl Version {
    /// The object, if it is one.
    pub fn object(&self) -> Option<&Object> {
        match &self.what {
            What::Object(object) => Some(object),
            What::Marker => None,
        }
    }

    /// What conditions see of it: nothing, of a delete marker.
    pub fn seen(&self) -> Option<Seen<'_>> {
        self.object().map(|object| Seen { etag: &object.etag, modified: self.modified })
    }
}

impl Object {
    /// What its checksum is a checksum of.
    pub fn checksum_kind(&self) -> Option<Kind> {
        self.checksum.as_ref().map(|checksum| checksum.kind)
    }

    /// The word for its storage class.
    pub fn storage_class(&self) -> &str {
        self.storage_class.as_deref().unwrap_or("STANDARD")
    }
}

impl Attributes {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The segments of the id of what is latest at a key.
pub(crate) fn current_id(bucket: &str, key: &str) -> Vec<String> {
    id_of(bucket, &stored(key))
}

/// The segments of the id of an older version: its key, which [`END`] ends, and its place among the versions.
pub(crate) fn older_id(bucket: &str, key: &str, order: Order) -> Vec<String> {
    id_of(bucket, &format!("{}{END}{}", stored(key), order.place()))
}

fn id_of(bucket: &str, text: &str) -> Vec<String> {
    std::iter::once(bucket).chain(text.split('/')).map(str::to_owned).collect()
}

/// Below what the records of a kind of a bucket lie.
pub(crate) fn below<R: Record>(scope: &Scope, bucket: &str) -> Key {
    R::key(scope, &[bucket])
}

/// The key that the id of what is latest tells.
pub(crate) fn key_of_current(id: &[String]) -> String {
    of_stored(&joined(id))
}

/// The key that the id of an older version tells.
pub(crate) fn key_of_older(id: &[String]) -> String {
    let text = joined(id);
    of_stored(text.rsplit_once(END).map_or(&*text, |(key, _)| key))
}

fn joined(id: &[String]) -> Cow<'_, str> {
    match id.get(1..) {
        Some([only]) => Cow::Borrowed(only),
        Some(segments) => Cow::Owned(segments.join("/")),
        None => Cow::Borrowed(""),
    }
}

/// The segments of an id as the store takes them.
pub(crate) fn refs(id: &[String]) -> Vec<&str> {
    id.iter().map(String::as_str).collect()
}

#[cfg(test)]
mod tests;
