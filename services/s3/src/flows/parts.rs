//! Objects of very many parts, whose lists are longer than a record.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blobs::files::FileId;
use store::{Scope, Tx};

use super::*;
use crate::checksum::{self, Algorithm};
use crate::condition::WriteCondition;
use crate::content::{Data, Piece};
use crate::event::{By, Cause};
use crate::multipart::{PART_BYTES_MIN, PARTS_MAX, Part};
use crate::object::commit::Write;
use crate::object::parts::{PartList, PieceList};
use crate::object::{Attributes, Object, PartOfObject, Parts};
use crate::{bucket, etag};

const LAST: &[u8] = b"the end";

impl House {
    fn file(&self, bytes: &[u8]) -> FileId {
        let mut writer = self.s3.content.files().writer(u64::MAX).unwrap();
        writer.append(bytes).unwrap();
        writer.finish().unwrap()
    }

    /// So many files of the same bytes.
    fn same_files(&self, bytes: &[u8], count: usize) -> Vec<FileId> {
        let first = self.file(bytes);
        let files = self.s3.content.files().duplicate_all(&vec![first; count - 1]).unwrap().unwrap();
        std::iter::once(first).chain(files).collect()
    }

    /// The parts of an upload as they are after they have come: all as large as they must be but the last, and all the same.
    async fn parts_of(&self, upload: &str, algorithm: Algorithm) -> Vec<CompletedPart> {
        let bytes = vec![5; usize::try_from(PART_BYTES_MIN).unwrap()];
        let mut files = self.same_files(&bytes, usize::try_from(PARTS_MAX - 1).unwrap());
        files.push(self.file(LAST));
        let part = |file, bytes: &[u8]| Part {
            data: Data::Files(vec![Piece { file, size: bytes.len() as u64 }]),
            size: bytes.len() as u64,
            md5: checksum::md5_of(bytes),
            checksum: Some((algorithm, checksum::of(algorithm, bytes))),
            modified: self.ctx.now,
        };
        let (most, last) = (part(files[0], &bytes), part(files[0], LAST));
        let scope = Scope::new(self.ctx.account(), base::Region::default());
        let mut said = Vec::new();
        for some in files.chunks(100) {
            let mut tx = Tx::new();
            for file in some {
                let number = said.len() as i32 + 1;
                let of = if number == PARTS_MAX { &last } else { &most };
                let data = Data::Files(vec![Piece { file: *file, size: of.size }]);
                tx.insert(&scope, &[upload, &format!("{number:05}")], &Part { data, ..of.clone() });
                let e_tag = Some(etag::of_content(&of.md5));
                said.push(CompletedPart { part_number: Some(number), e_tag, ..Default::default() });
            }
            self.s3.platform.store.commit(tx).await.unwrap();
        }
        said
    }

    /// How many records list files or parts of objects.
    async fn lists(&self) -> (usize, usize) {
        let store = &self.s3.platform.store;
        let pieces = store.list_everywhere::<PieceList>(None, 1000).await.unwrap().items.len();
        (pieces, store.list_everywhere::<PartList>(None, 1000).await.unwrap().items.len())
    }

    async fn attributes(&self, key: &str, after: i32) -> GetObjectAttributesParts {
        let input = GetObjectAttributesRequest {
            bucket: "photos".to_owned(),
            key: key.to_owned(),
            object_attributes: vec![ObjectAttributes::ObjectParts],
            part_number_marker: Some(after),
            ..Default::default()
        };
        let output = ops::get_object_attributes::get_object_attributes(&self.s3, &self.ctx, input).await.unwrap();
        output.object_parts.unwrap()
    }
}

async fn an_upload_of_ten_thousand_parts(house: &House, algorithm: Algorithm) {
    let input = CreateMultipartUploadRequest {
        bucket: "photos".to_owned(),
        key: "large".to_owned(),
        checksum_algorithm: Some(algorithm.as_str().parse().unwrap()),
        ..Default::default()
    };
    let begun = ops::create_multipart_upload::create_multipart_upload(&house.s3, &house.ctx, input).await.unwrap();
    let upload = begun.upload_id.unwrap();
    let parts = house.parts_of(&upload, algorithm).await;
    let done = house.complete("large", &upload, parts).await.unwrap();
    assert!(done.e_tag.unwrap().ends_with("-10000\""));
    house.settle().await;
    assert_eq!((house.files(), house.lists().await), (10_000, (4, 4)));
}

/// What is told of its parts, page by page.
async fn is_told(house: &House, algorithm: Algorithm) {
    let (mut told, mut after) = (Vec::new(), 0);
    loop {
        let page = house.attributes("large", after).await;
        assert_eq!((page.total_parts_count, page.max_parts), (Some(PARTS_MAX), Some(1000)));
        told.extend(page.parts.unwrap_or_default());
        after = page.next_part_number_marker.unwrap();
        if page.is_truncated == Some(false) {
            break;
        }
    }
    assert!(told.iter().map(|part| part.part_number.unwrap()).eq(1..=PARTS_MAX));
    let sum = |part: &ObjectPart| match algorithm {
        Algorithm::Sha512 => part.checksum_sha512.clone(),
        _ => part.checksum_sha256.clone(),
    };
    assert_eq!(sum(&told[9999]), Some(STANDARD.encode(checksum::of(algorithm, LAST))));
    assert!(told[..9999].iter().all(|part| sum(part) == sum(&told[0]) && part.size == Some(PART_BYTES_MIN as i64)));
    assert_eq!(house.attributes("large", i32::MAX).await.parts, None);
}

/// Its parts, as they are read.
async fn is_read(house: &House) {
    let size = 9999 * PART_BYTES_MIN + LAST.len() as u64;
    let numbered = |number| GetObjectRequest { part_number: Some(number), ..get_request("large") };
    let (got, bytes) = house.get_as(numbered(10_000)).await.unwrap();
    assert_eq!((bytes.as_slice(), got.parts_count), (LAST, Some(PARTS_MAX)));
    let (got, _) = house.get_as(numbered(5001)).await.unwrap();
    let range = format!("bytes {}-{}/{size}", 5000 * PART_BYTES_MIN, 5001 * PART_BYTES_MIN - 1);
    assert_eq!(got.content_range, Some(range));
    assert_eq!(code(house.get_as(numbered(10_001)).await), ("InvalidArgument", 400));
    let end = GetObjectRequest { range: Some("bytes=-9".to_owned()), ..get_request("large") };
    assert_eq!(house.get_as(end).await.unwrap().1, [&[5, 5], LAST].concat());
    let input = ListObjectsV2Request { bucket: "photos".to_owned(), ..Default::default() };
    let listed = ops::list_objects_v2::list_objects_v2(&house.s3, &house.ctx, input).await.unwrap();
    assert_eq!(listed.contents.unwrap()[0].size, Some(size as i64));
    // A part of it becomes a part of another.
    let upload = house.begin("other").await;
    let input = UploadPartCopyRequest {
        bucket: "photos".to_owned(),
        key: "other".to_owned(),
        upload_id: upload.clone(),
        part_number: 1,
        copy_source: "photos/large".to_owned(),
        copy_source_range: Some(format!("bytes={}-{}", size - 9, size - 1)),
        ..Default::default()
    };
    let copied = ops::upload_part_copy::upload_part_copy(&house.s3, &house.ctx, input).await.unwrap();
    let e_tag = copied.copy_part_result.unwrap().e_tag;
    let part = CompletedPart { part_number: Some(1), e_tag, ..Default::default() };
    house.complete("other", &upload, vec![part]).await.unwrap();
    assert_eq!(house.get("other").await.unwrap(), [&[5, 5], LAST].concat());
    house.delete("other", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_ten_thousand_parts_is_made_told_of_read_and_deleted_whatever_its_checksums() {
    let house = House::new().await;
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        an_upload_of_ten_thousand_parts(&house, algorithm).await;
        is_told(&house, algorithm).await;
        is_read(&house).await;
        house.delete("large", None).await;
        house.settle().await;
        assert_eq!((house.files(), house.lists().await), (0, (0, 0)), "{algorithm:?}");
    }
}

/// Writes an object of many pieces of three bytes.
async fn of_pieces(house: &House, key: &str, count: usize) {
    let pieces = house.same_files(b"abc", count).into_iter().map(|file| Piece { file, size: 3 }).collect();
    let object = Object {
        size: 3 * count as u64,
        etag: format!("{}-{count}", "0".repeat(32)),
        data: Data::Files(pieces),
        checksum: None,
        parts: Parts::Listed(vec![PartOfObject { size: 3, checksum: None }; count]),
        upload: None,
        attributes: Attributes::default(),
        tags: Default::default(),
        acl: None,
        storage_class: None,
    };
    let bucket = bucket::find(&house.s3, "photos").await.unwrap();
    let cause = Cause::of(&house.ctx, By::CompleteMultipartUpload);
    let write = Write { bucket: &bucket, key, condition: WriteCondition::None, cause: &cause };
    write.object(&house.s3, house.ctx.account(), object, |_| ()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_beside_a_version_stay_with_it_and_go_with_it() {
    const COUNT: usize = 5001;
    let house = House::new().await;
    let whole = b"abc".repeat(COUNT);
    of_pieces(&house, "k", COUNT).await;
    let copy = CopyObjectRequest {
        bucket: "photos".to_owned(),
        key: "copy".to_owned(),
        copy_source: "photos/k".to_owned(),
        ..Default::default()
    };
    ops::copy_object::copy_object(&house.s3, &house.ctx, copy).await.unwrap();
    assert_eq!((house.files(), house.lists().await), (2 * COUNT, (6, 3)), "a copy has no parts, but files");
    of_pieces(&house, "k", COUNT).await;
    house.settle().await;
    assert_eq!((house.files(), house.lists().await), (2 * COUNT, (6, 3)), "what was written over has gone");
    house.set_versioning(BucketVersioningStatus::Enabled).await;
    let above = house.put("k", b"above").await.version_id.unwrap();
    let named = |id: &str| GetObjectRequest { version_id: Some(id.to_owned()), ..get_request("k") };
    assert_eq!(house.get_as(named("null")).await.unwrap().1, whole);
    house.delete("k", Some(&above)).await;
    assert_eq!(sweep::sweep(&house.s3, std::time::Duration::ZERO, 1000).await.unwrap(), 0);
    let part = GetObjectRequest { part_number: Some(COUNT as i32), ..get_request("k") };
    assert_eq!((house.get("k").await.unwrap(), house.get_as(part).await.unwrap().1), (whole.clone(), b"abc".to_vec()));
    house.delete("k", Some("null")).await;
    house.settle().await;
    assert_eq!((house.files(), house.lists().await), (COUNT, (3, 0)));
    assert_eq!(house.get("copy").await.unwrap(), whole);
    house.delete("copy", Some("null")).await;
    house.settle().await;
    assert_eq!((house.files(), house.lists().await), (0, (0, 0)));
}
