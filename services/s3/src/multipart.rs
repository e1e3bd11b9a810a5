//! Uploads in parts: their records, and how parts become an object.
//!
//! A part's bytes are a file of its own, which the object takes over: completing copies nothing. A part that is uploaded again
//! changes the upload's record, too, so that whoever completes meanwhile begins anew; and parts without an upload are removed by
//! [`crate::reconcile`].

mod complete;

use std::collections::BTreeMap;

use base::{AccountId, Timestamp};
use platform::Attempts;
use serde::{Deserialize, Serialize};
use store::{Guard, Key, Range, Record, Tx, Versioned};

use crate::acl::Acl;
use crate::bucket::Bucket;
use crate::checksum::{Algorithm, Kind};
use crate::content::{Data, Received};
use crate::etag::Md5Sum;
use crate::names::{END, of_stored, stored};
use crate::object::{Attributes, refs};
use crate::reconcile::gone::Gone;
use crate::reconcile::unused::Unused;
use crate::{Error, S3};

pub use complete::{Listed, Made, assemble};

/// The most parts of an upload. (User guide: "Amazon S3 multipart upload limits".)
pub const PARTS_MAX: i32 = 10_000;
/// The least bytes of a part that is not the last.
pub const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// The most bytes of a part, and of an object that is uploaded or copied at once.
pub const PART_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// The most bytes of an object. (User guide, since December 2025: 50 TB.)
pub const OBJECT_BYTES_MAX: u64 = 50 * 1024 * 1024 * 1024 * 1024;

/// An upload. Its record's id is the bucket's, the key, and the upload's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    /// Its id, which tells when it was begun, and cannot be guessed.
    pub id: String,
    /// Whose the object will be.
    pub owner: AccountId,
    /// The ARN and the canonical id of whoever began it.
    pub initiator: (String, String),
    /// When it was begun.
    pub initiated: Timestamp,
    /// What goes with the object.
    pub attributes: Attributes,
    /// The object's tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The object's list of grants.
    #[serde(default)]
    pub acl: Option<Acl>,
    /// The object's storage class.
    #[serde(default)]
    pub storage_class: Option<String>,
    /// The checksum that the object is to have.
    #[serde(default)]
    pub checksum: Option<(Algorithm, Kind)>,
}

impl Record for Upload {
    const SERVICE: &'static str = "s3";
    const KIND: &'static str = "upload";
}

/// A part of an upload. Its record's id is the upload's and its number, in five digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its bytes.
    pub data: Data,
    /// How many they are.
    pub size: u64,
    /// Their MD5, which is the part's tag.
    #[serde(with = "hex_bytes")]
    pub md5: Md5Sum,
    /// Their checksum.
    pub checksum: Option<(Algorithm, Vec<u8>)>,
    /// When it was uploaded.
    pub modified: Timestamp,
}

impl Record for Part {
    const SERVICE: &'static str = "s3";
    const KIND: &'static str = "part";
}

impl Part {
    /// A part of what has been received.
    pub fn new(received: Received, modified: Timestamp) -> Self {
        let Received { data, size, md5, checksum } = received;
        Self { data, size, md5, checksum, modified }
    }
}

impl Upload {
    /// Whether it has the checksum that an upload gets of which nothing is said.
    pub(crate) fn has_default_checksum(&self) -> bool {
        self.checksum == Some((Algorithm::Crc64Nvme, Kind::FullObject))
    }
}

/// Checks the number of a part.
///
/// # Errors
/// [`Error::InvalidArgument`]
pub(crate) fn check_number(number: i32) -> Result<(), Error> {
    if (1..=PARTS_MAX).contains(&number) {
        return Ok(());
    }
    let message = "Part number must be an integer between 1 and 10000, inclusive";
    Err(Error::argument("partNumber", number.to_string(), message))
}

/// What an upload's part needs: the checksum of which the object's is made. If the client has had another one verified, it is
/// answered that, and the upload's own is computed.
///
/// # Errors
/// [`Error::Files`]
pub(crate) async fn for_upload(
    s3: &S3,
    upload: &Upload,
    mut received: Received,
) -> Result<(Option<(Algorithm, Vec<u8>)>, Received), Error> {
    let answered = received.checksum.clone();
    if let Some((wanted, _)) = upload.checksum
        && answered.as_ref().is_none_or(|(algorithm, _)| *algorithm != wanted)
    {
        received.checksum = Some((wanted, s3.content.sum(&received.data, wanted).await?));
    }
    Ok((answered, received))
}

/// The number that the id of a part's record tells.
pub(crate) fn number_of(part: &Versioned<Part>) -> i32 {
    part.name().parse().unwrap_or_default()
}

/// The segments of the id of an upload.
pub(crate) fn upload_id(bucket: &str, key: &str, upload: &str) -> Vec<String> {
    let text = format!("{}{END}{upload}", stored(key));
    std::iter::once(bucket).chain(text.split('/')).map(str::to_owned).collect()
}

/// The key that the id of an upload tells.
pub(crate) fn key_of_upload(id: &[String]) -> String {
    let text = id.get(1..).unwrap_or_default().join("/");
    of_stored(text.rsplit_once(END).map_or(&*text, |(key, _)| key))
}

/// Finds an upload.
///
/// # Errors
/// [`Error::NoSuchUpload`]
pub(crate) async fn find(s3: &S3, bucket: &Bucket, key: &str, upload: &str) -> Result<Versioned<Upload>, Error> {
    // What could not be an id of ours must not lead to another key.
    let is_id =
        !upload.is_empty() && upload.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'));
    let refused = || Error::NoSuchUpload(upload.to_owned());
    if !is_id {
        return Err(refused());
    }
    let id = upload_id(&bucket.uid, key, upload);
    s3.platform.store.read(&bucket.scope(), &refs(&id)).await?.ok_or_else(refused)
}

/// The parts of an upload whose numbers are greater than `after`.
pub(crate) async fn parts(
    s3: &S3,
    upload: &Versioned<Upload>,
    after: i32,
    limit: usize,
) -> Result<(Vec<Versioned<Part>>, bool), Error> {
    let below = Part::key(&upload.scope, &[&upload.value.id]);
    let range = Range::prefix(&below).after(&below.child(&part_name(after))).limit(limit);
    let page = s3.platform.store.list_range::<Part>(range).await?;
    Ok((page.items, page.more))
}

/// All parts of an upload, by their numbers.
pub(crate) async fn all_parts(s3: &S3, upload: &Versioned<Upload>) -> Result<BTreeMap<i32, Versioned<Part>>, Error> {
    let (mut found, mut after) = (BTreeMap::new(), 0);
    loop {
        let (page, more) = parts(s3, upload, after, usize::MAX).await?;
        found.extend(page.into_iter().map(|part| (number_of(&part), part)));
        match found.last_key_value().filter(|_| more) {
            Some((last, _)) => after = *last,
            None => return Ok(found),
        }
    }
}

fn part_name(number: i32) -> String {
    format!("{number:05}")
}

/// Adds a part to an upload, in place of one that has its number.
///
/// # Errors
/// [`Error::NoSuchUpload`] if it has been completed or aborted.
pub(crate) async fn put_part(
    s3: &S3,
    bucket: &Bucket,
    key: &str,
    upload: &str,
    number: i32,
    part: &Part,
) -> Result<(), Error> {
    let mut attempts = Attempts::new();
    loop {
        let outcome = try_put_part(s3, bucket, key, upload, number, part).await;
        if !attempts.again(&outcome) {
            return outcome;
        }
    }
}

async fn try_put_part(
    s3: &S3,
    bucket: &Bucket,
    key: &str,
    upload: &str,
    number: i32,
    part: &Part,
) -> Result<(), Error> {
    let upload = find(s3, bucket, key, upload).await?;
    let id: &[&str] = &[&upload.value.id, &part_name(number)];
    let mut tx = Tx::new();
    match s3.platform.store.read::<Part>(&upload.scope, id).await? {
        Some(old) => {
            tx.replace(&upload, &upload.value);
            tx.replace(&old, part);
            Unused::leave(s3, &mut tx, old.data.files().collect(), part.modified);
        }
        None => {
            tx.guard(Guard::Exists(upload.key.clone()));
            tx.insert(&upload.scope, id, part);
        }
    }
    s3.platform.store.commit(tx).await?;
    Ok(())
}

/// Ends an upload without an object.
///
/// # Errors
/// [`Error::NoSuchUpload`]
pub(crate) async fn abort(s3: &S3, upload: &Versioned<Upload>, now: Timestamp) -> Result<(), Error> {
    let mut tx = Tx::new();
    tx.guard(Guard::Exists(upload.key.clone()));
    tx.op(store::Op::Delete { key: upload.key.clone() });
    Gone::leave_upload(&mut tx, upload, Vec::new(), now);
    match s3.platform.store.commit(tx).await {
        Err(error) if error.is_conflict() => Err(Error::NoSuchUpload(upload.value.id.clone())),
        other => Ok(other.map(drop)?),
    }
}

/// Below what the uploads of a bucket lie.
pub(crate) fn uploads_of(bucket: &Bucket) -> Key {
    Upload::key(&bucket.scope(), &[&bucket.uid])
}

/// An MD5 as hexadecimal digits.
mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::etag::Md5Sum;

    pub(super) fn serialize<S: Serializer>(md5: &Md5Sum, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(md5))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Md5Sum, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        crate::etag::md5_of(&text).ok_or_else(|| serde::de::Error::custom("no MD5"))
    }
}
