//! What lies in records of its own beside that of a version: the bytes of small objects, the files of those that are in
//! several, and the parts. A listing, which reads a thousand versions at once, reads none of it.
//!
//! The ids begin with that of an older version of this order, whether it is the latest or not: it stays where it is when that
//! changes.

use std::ops::Range;

use blobs::files::FileId;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use store::{Key, Op, Record, Tx, Versioned};

use super::parts::{PAGE, PageOf, PartList, PartOfObject, Parts, PieceList};
use super::{Order, Version, What, older_id, refs};
use crate::bucket::Bucket;
use crate::content::{Data, Piece, inline};
use crate::{Error, S3};

/// The largest content that lies in the version's own record, in bytes: no more than what else is said there.
const WITHIN_BYTES_MAX: usize = 512;
/// How many files the version's own record names at most.
const WITHIN_PIECES_MAX: usize = 1;

/// The bytes of a version.
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

/// What is to lie beside a version that is written.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Taken {
    bytes: Option<Beside>,
    pieces: Vec<Piece>,
    parts: Vec<PartOfObject>,
}

/// What lies beside a version, as its record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aside {
    order: Order,
    has_bytes: bool,
    pieces: usize,
    parts: usize,
}

/// Takes out of a version that is to be written what is to lie beside it.
pub(crate) fn take(version: &mut Version) -> Taken {
    let mut taken = Taken::default();
    let What::Object(object) = &mut version.what else { return taken };
    match &mut object.data {
        Data::Inline(bytes) if bytes.len() > WITHIN_BYTES_MAX => {
            let bytes = std::mem::take(bytes);
            object.data = Data::Beside(bytes.len() as u64);
            taken.bytes = Some(Beside { bytes });
        }
        Data::Files(pieces) if pieces.len() > WITHIN_PIECES_MAX => {
            taken.pieces = std::mem::take(pieces);
            let size = taken.pieces.iter().map(|piece| piece.size).sum();
            object.data = Data::Pieces(counted(&taken.pieces), size);
        }
        _ => {}
    }
    if let Parts::Listed(parts) = &mut object.parts {
        taken.parts = std::mem::take(parts);
        object.parts = Parts::Beside(counted(&taken.parts));
    }
    taken
}

fn counted<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}

impl Taken {
    /// Writes it, in the transaction that writes the version.
    pub(crate) fn insert(&self, tx: &mut Tx, bucket: &Versioned<Bucket>, key: &str, order: Order) {
        if let Some(bytes) = &self.bytes {
            tx.insert(&bucket.scope, &refs(&older_id(&bucket.uid, key, order)), bytes);
        }
        insert_pages::<PieceList>(tx, bucket, key, order, &self.pieces);
        insert_pages::<PartList>(tx, bucket, key, order, &self.parts);
    }
}

fn insert_pages<R: PageOf>(tx: &mut Tx, bucket: &Versioned<Bucket>, key: &str, order: Order, items: &[R::Item])
where
    R::Item: Clone,
{
    for (page, some) in items.chunks(PAGE).enumerate() {
        tx.insert(&bucket.scope, &refs(&page_id(&bucket.uid, key, order, page)), &R::of(some.to_vec()));
    }
}

/// The segments of the id of a page.
fn page_id(bucket: &str, key: &str, order: Order, page: usize) -> Vec<String> {
    let mut id = older_id(bucket, key, order);
    id.push(page_name(page));
    id
}

fn page_name(page: usize) -> String {
    format!("{page:04}")
}

impl Aside {
    /// What lies beside a version; none if nothing does.
    pub(crate) fn of(version: &Version) -> Option<Self> {
        let object = version.object()?;
        let pieces = match object.data {
            Data::Pieces(count, _) => usize::try_from(count).unwrap_or(usize::MAX),
            _ => 0,
        };
        let parts = object.parts.count();
        let has_bytes = matches!(object.data, Data::Beside(_));
        (has_bytes || pieces + parts > 0).then_some(Self { order: version.order, has_bytes, pieces, parts })
    }

    /// The files that are named there, which go when the version does.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub(crate) async fn files(&self, s3: &S3, bucket: &Versioned<Bucket>, key: &str) -> Result<Vec<FileId>, Error> {
        // Without the list the version has gone, too, and the transaction does not hold.
        let pieces = items::<PieceList>(s3, bucket, key, self.order, 0..self.pieces).await?.unwrap_or_default();
        Ok(pieces.into_iter().map(|piece| piece.file).collect())
    }

    /// Removes it, in the transaction that removes the version.
    pub(crate) fn remove(&self, tx: &mut Tx, bucket: &Versioned<Bucket>, key: &str) {
        let mut delete = |key: Key| {
            tx.op(Op::Delete { key });
        };
        if self.has_bytes {
            delete(Beside::key(&bucket.scope, &refs(&older_id(&bucket.uid, key, self.order))));
        }
        for page in 0..self.pieces.div_ceil(PAGE) {
            delete(PieceList::key(&bucket.scope, &refs(&page_id(&bucket.uid, key, self.order, page))));
        }
        for page in 0..self.parts.div_ceil(PAGE) {
            delete(PartList::key(&bucket.scope, &refs(&page_id(&bucket.uid, key, self.order, page))));
        }
    }
}

/// Where the bytes of a version are, those beside it included; none if they have gone since it was read.
pub(crate) async fn data_of(
    s3: &S3,
    bucket: &Versioned<Bucket>,
    key: &str,
    version: &Version,
) -> Result<Option<Data>, Error> {
    let Some(object) = version.object() else { return Ok(None) };
    match &object.data {
        Data::Inline(_) | Data::Files(_) => Ok(Some(object.data.clone())),
        Data::Beside(_) => {
            let id = older_id(&bucket.uid, key, version.order);
            let found = s3.platform.store.read::<Beside>(&bucket.scope, &refs(&id)).await?;
            Ok(found.map(|beside| Data::Inline(beside.value.bytes)))
        }
        Data::Pieces(count, _) => {
            let all = 0..usize::try_from(*count).unwrap_or(usize::MAX);
            let pieces = items::<PieceList>(s3, bucket, key, version.order, all).await?;
            Ok(pieces.map(Data::Files))
        }
    }
}

/// Some of the parts of a version, counted from 0; fewer if there are not so many, and none if they have gone since it was read.
pub(crate) async fn parts_of(
    s3: &S3,
    bucket: &Versioned<Bucket>,
    key: &str,
    version: &Version,
    wanted: Range<usize>,
) -> Result<Option<Vec<PartOfObject>>, Error> {
    let count = version.object().map_or(0, |object| object.parts.count());
    let wanted = wanted.start.min(count)..wanted.end.min(count);
    items::<PartList>(s3, bucket, key, version.order, wanted).await
}

/// Entries of a list beside a version; none if it is not there.
async fn items<R: PageOf>(
    s3: &S3,
    bucket: &Versioned<Bucket>,
    key: &str,
    order: Order,
    wanted: Range<usize>,
) -> Result<Option<Vec<R::Item>>, Error> {
    if wanted.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let list = R::key(&bucket.scope, &refs(&older_id(&bucket.uid, key, order)));
    let (first, beyond) = (wanted.start / PAGE, wanted.end.div_ceil(PAGE));
    let at = |page: usize| format!("{list}/{}", Key::stored(&page_name(page)));
    // All pages of the longest list are fewer bytes than one of the store's pages has.
    let range = store::Range::prefix(&list).not_before(at(first)).before(at(beyond));
    let found = s3.platform.store.list_range::<R>(range).await?.items;
    let read = found.into_iter().flat_map(|page| page.value.items());
    let items: Vec<R::Item> = read.skip(wanted.start - first * PAGE).take(wanted.len()).collect();
    Ok((items.len() == wanted.len()).then_some(items))
}
