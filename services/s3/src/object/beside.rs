//! The bytes of small objects, in records of their own beside those of the versions: a listing, which reads a thousand
//! versions at once, reads none of them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use store::{Op, Record, Tx, Versioned};

use super::{Order, Version, What, older_id, refs};
use crate::bucket::Bucket;
use crate::content::{Data, inline};
use crate::{Error, S3};

/// The largest content that lies in the version's own record, in bytes: no more than what else is said there.
const WITHIN_BYTES_MAX: usize = 512;

/// The bytes of a version. Its record's id is that of an older version of this order, whether it is the latest or not: it
/// stays where it is when that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Beside {
    /// The bytes.
    #[serde(rename = "b", with = "inline")]
    pub(crate) bytes: Bytes,
}

impl Record for Beside {
    const SERVICE: &'static str = "s3";
    const KIND: &'static str = "bytes";
}

/// Takes the bytes out of a version that is to be written, if they are to lie beside it.
pub(crate) fn take(version: &mut Version) -> Option<Beside> {
    let What::Object(object) = &mut version.what else { return None };
    let Data::Inline(bytes) = &mut object.data else { return None };
    if bytes.len() <= WITHIN_BYTES_MAX {
        return None;
    }
    let bytes = std::mem::take(bytes);
    object.data = Data::Beside(bytes.len() as u64);
    Some(Beside { bytes })
}

/// Writes the bytes of a version, in the transaction that writes it.
pub(crate) fn insert(tx: &mut Tx, bucket: &Versioned<Bucket>, key: &str, order: Order, beside: &Beside) {
    tx.insert(&bucket.scope, &refs(&older_id(&bucket.uid, key, order)), beside);
}

/// Removes the bytes of a version, in the transaction that removes it.
pub(crate) fn remove(tx: &mut Tx, bucket: &Versioned<Bucket>, key: &str, order: Order) {
    tx.op(Op::Delete { key: Beside::key(&bucket.scope, &refs(&older_id(&bucket.uid, key, order))) });
}

/// Where the bytes of a version are, those beside it included; none if they have gone since it was read.
pub(crate) async fn data_of(
    s3: &S3,
    bucket: &Versioned<Bucket>,
    key: &str,
    version: &Version,
) -> Result<Option<Data>, Error> {
    let Some(object) = version.object() else { return Ok(None) };
    if !matches!(object.data, Data::Beside(_)) {
        return Ok(Some(object.data.clone()));
    }
    let id = older_id(&bucket.uid, key, version.order);
    let found = s3.platform.store.read::<Beside>(&bucket.scope, &refs(&id)).await?;
    Ok(found.map(|beside| Data::Inline(beside.value.bytes)))
}
