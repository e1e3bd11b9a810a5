//! Operations one after the other, as clients call them, without the wire.

use std::sync::Arc;

use base::{Principal, SeededRng};
use blobs::files::Files;
use platform::{Ctx, Platform, Reconciler};
use tempfile::TempDir;

use crate::api::*;
use crate::content::Content;
use crate::notification::{Destinations, NoDestinations};
use crate::object::beside::Beside;
use crate::reconcile::{gone, sweep, unused};
use crate::{Error, S3, ops};

mod background;
mod buckets;
mod expiry;
mod neighbours;
mod parts;
mod permissions;
mod races;
mod versions;
mod websites;

struct House {
    _directory: TempDir,
    s3: S3,
    ctx: Ctx,
}

impl House {
    async fn new() -> Self {
        Self::telling(Arc::new(NoDestinations)).await
    }

    /// One whose events go there.
    async fn telling(destinations: Arc<dyn Destinations>) -> Self {
        let directory = TempDir::new().unwrap();
        let files = Files::open_root(directory.path(), Arc::new(SeededRng::new(9))).unwrap();
        let s3 = S3::new(Platform::in_memory(), Content::new(files), destinations);
        let ctx = Ctx::new(
            Principal::root(base::AccountId::DEFAULT),
            base::Region::default(),
            s3.platform.clock.now(),
            "request",
        );
        let house = Self { _directory: directory, s3, ctx };
        house.create("photos").await.unwrap();
        house
    }

    async fn create(&self, bucket: &str) -> Result<CreateBucketOutput, Error> {
        let input = CreateBucketRequest { bucket: bucket.to_owned(), ..Default::default() };
        ops::create_bucket::create_bucket(&self.s3, &self.ctx, input).await
    }

    async fn put_as(&self, request: PutObjectRequest, bytes: &[u8]) -> Result<PutObjectOutput, Error> {
        let body = Some(wire::Content::bytes(bytes.to_vec()));
        ops::put_object::put_object(&self.s3, &self.ctx, PutObjectRequest { body, ..request }).await
    }

    async fn put(&self, key: &str, bytes: &[u8]) -> PutObjectOutput {
        self.put_as(put_request(key), bytes).await.unwrap()
    }

    async fn get_as(&self, request: GetObjectRequest) -> Result<(GetObjectOutput, Vec<u8>), Error> {
        let mut output = ops::get_object::get_object(&self.s3, &self.ctx, request).await?;
        let body = output.body.take().unwrap_or_default();
        let bytes = body.into_reader().read_to_end(usize::MAX).await.unwrap().to_vec();
        assert_eq!(output.content_length, Some(bytes.len() as i64));
        Ok((output, bytes))
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>, Error> {
        self.get_as(get_request(key)).await.map(|(_, bytes)| bytes)
    }

    async fn delete(&self, key: &str, version_id: Option<&str>) -> DeleteObjectOutput {
        let input = DeleteObjectRequest {
            bucket: "photos".to_owned(),
            key: key.to_owned(),
            version_id: version_id.map(str::to_owned),
            ..Default::default()
        };
        ops::delete_object::delete_object(&self.s3, &self.ctx, input).await.unwrap()
    }

    async fn set_versioning(&self, status: BucketVersioningStatus) {
        let input = PutBucketVersioningRequest {
            bucket: "photos".to_owned(),
            versioning_configuration: VersioningConfiguration { status: Some(status), mfa_delete: None },
            ..Default::default()
        };
        ops::put_bucket_versioning::put_bucket_versioning(&self.s3, &self.ctx, input).await.unwrap();
    }

    async fn versions(&self) -> ListObjectVersionsOutput {
        let input = ListObjectVersionsRequest { bucket: "photos".to_owned(), ..Default::default() };
        ops::list_object_versions::list_object_versions(&self.s3, &self.ctx, input).await.unwrap()
    }

    async fn begin(&self, key: &str) -> String {
        let input =
            CreateMultipartUploadRequest { bucket: "photos".to_owned(), key: key.to_owned(), ..Default::default() };
        let begun = ops::create_multipart_upload::create_multipart_upload(&self.s3, &self.ctx, input).await.unwrap();
        begun.upload_id.unwrap()
    }

    async fn part(&self, key: &str, upload: &str, number: i32, bytes: &[u8]) -> CompletedPart {
        let input = UploadPartRequest {
            bucket: "photos".to_owned(),
            key: key.to_owned(),
            upload_id: upload.to_owned(),
            part_number: number,
            body: Some(wire::Content::bytes(bytes.to_vec())),
            ..Default::default()
        };
        let output = ops::upload_part::upload_part(&self.s3, &self.ctx, input).await.unwrap();
        CompletedPart { part_number: Some(number), e_tag: output.e_tag, ..Default::default() }
    }

    async fn complete(
        &self,
        key: &str,
        upload: &str,
        parts: Vec<CompletedPart>,
    ) -> Result<CompleteMultipartUploadOutput, Error> {
        let input = CompleteMultipartUploadRequest {
            bucket: "photos".to_owned(),
            key: key.to_owned(),
            upload_id: upload.to_owned(),
            multipart_upload: Some(CompletedMultipartUpload { parts: Some(parts) }),
            ..Default::default()
        };
        ops::complete_multipart_upload::complete_multipart_upload(&self.s3, &self.ctx, input).await
    }

    /// Lets what goes on without a request go on until it has nothing to do.
    async fn settle(&self) {
        let all: [Arc<dyn Reconciler>; 2] = [gone::reconciler(&self.s3), unused::reconciler(&self.s3)];
        loop {
            let mut changes = 0;
            for reconciler in &all {
                changes += reconciler.round().await.unwrap().changes;
            }
            if changes == 0 {
                return;
            }
        }
    }

    /// How many records have bytes of small objects.
    async fn besides(&self) -> usize {
        self.s3.platform.store.list_everywhere::<Beside>(None, 1000).await.unwrap().items.len()
    }

    fn files(&self) -> usize {
        let older = |directory| self.s3.content.files().settled(directory, std::time::Duration::ZERO).unwrap().len();
        (0..=255).map(older).sum()
    }
}

fn put_request(key: &str) -> PutObjectRequest {
    PutObjectRequest { bucket: "photos".to_owned(), key: key.to_owned(), ..Default::default() }
}

fn get_request(key: &str) -> GetObjectRequest {
    GetObjectRequest { bucket: "photos".to_owned(), key: key.to_owned(), ..Default::default() }
}

fn code<T: std::fmt::Debug>(outcome: Result<T, Error>) -> (&'static str, u16) {
    outcome.unwrap_err().kind()
}

fn large(fill: u8) -> Vec<u8> {
    vec![fill; 5 * 1024 * 1024]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_written_read_and_deleted() {
    let house = House::new().await;
    let request = PutObjectRequest {
        content_type: Some("image/jpeg".to_owned()),
        metadata: Some([("author".to_owned(), "ann".to_owned())].into()),
        tagging: Some("stage=test".to_owned()),
        ..put_request("a b/é.jpg")
    };
    let put = house.put_as(request, b"hello").await.unwrap();
    assert_eq!(put.e_tag.as_deref(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    assert!(put.checksum_crc64_nvme.is_some() && put.version_id.is_none());
    let whole = GetObjectRequest { checksum_mode: Some(ChecksumMode::Enabled), ..get_request("a b/é.jpg") };
    let (got, bytes) = house.get_as(whole).await.unwrap();
    assert_eq!((bytes.as_slice(), got.content_type.as_deref()), (&b"hello"[..], Some("image/jpeg")));
    assert_eq!((got.tag_count, got.checksum_crc64_nvme), (Some(1), put.checksum_crc64_nvme));
    let part = GetObjectRequest { range: Some("bytes=1-2".to_owned()), ..get_request("a b/é.jpg") };
    let (got, bytes) = house.get_as(part).await.unwrap();
    assert_eq!((bytes.as_slice(), got.content_range.as_deref()), (&b"el"[..], Some("bytes 1-2/5")));
    house.delete("a b/é.jpg", None).await;
    assert_eq!(code(house.get("a b/é.jpg").await), ("NoSuchKey", 404));
    house.delete("a b/é.jpg", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_over_and_deleted_leaves_no_file() {
    let house = House::new().await;
    let bytes = vec![7; 100_000];
    for _ in 0..3 {
        house.put("a", &bytes).await;
    }
    house.settle().await;
    assert_eq!((house.files(), house.get("a").await.unwrap()), (1, bytes.clone()));
    house.delete("a", None).await;
    house.settle().await;
    assert_eq!(house.files(), 0);
    let refused = PutObjectRequest { if_match: Some("x".to_owned()), ..put_request("a") };
    assert_eq!(code(house.put_as(refused, &bytes).await), ("NoSuchKey", 404));
    assert_eq!(house.files(), 0, "what is refused leaves nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_of_a_small_object_lie_beside_its_record_and_go_with_it() {
    let house = House::new().await;
    let bytes = |fill: u8| vec![fill; 5000];
    house.put("tiny", b"x").await;
    house.put("empty", b"").await;
    assert_eq!(house.besides().await, 0, "what is smaller than its record lies in it");
    for fill in 0..3 {
        house.put("a", &bytes(fill)).await;
        assert_eq!((house.besides().await, house.get("a").await.unwrap()), (1, bytes(fill)));
    }
    let part = GetObjectRequest { range: Some("bytes=10-12".to_owned()), ..get_request("a") };
    assert_eq!(house.get_as(part).await.unwrap().1, [2, 2, 2]);
    let copy = CopyObjectRequest {
        bucket: "photos".to_owned(),
        key: "copy".to_owned(),
        copy_source: "photos/a".to_owned(),
        ..Default::default()
    };
    ops::copy_object::copy_object(&house.s3, &house.ctx, copy).await.unwrap();
    house.set_versioning(BucketVersioningStatus::Enabled).await;
    let versions =
        [house.put("a", &bytes(7)).await, house.put("a", &bytes(8)).await].map(|put| put.version_id.unwrap());
    house.delete("a", None).await;
    assert_eq!((house.besides().await, house.get("copy").await.unwrap()), (4, bytes(2)));
    for (version, fill) in [("null", 2), (versions[0].as_str(), 7), (versions[1].as_str(), 8)] {
        let named = GetObjectRequest { version_id: Some(version.to_owned()), ..get_request("a") };
        assert_eq!(house.get_as(named).await.unwrap().1, bytes(fill), "{version}");
        house.delete("a", Some(version)).await;
    }
    assert_eq!(house.besides().await, 1);
    house.delete("copy", Some("null")).await;
    assert_eq!((house.besides().await, house.files()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_decide_at_the_moment_of_the_write() {
    let house = House::new().await;
    let only_new = || PutObjectRequest { if_none_match: Some("*".to_owned()), ..put_request("lock") };
    let writers: Vec<_> = (0..8)
        .map(|n| {
            let (s3, ctx) = (house.s3.clone(), house.ctx.clone());
            let request = PutObjectRequest { body: Some(wire::Content::bytes(vec![n; 9000])), ..only_new() };
            tokio::spawn(async move { ops::put_object::put_object(&s3, &ctx, request).await.is_ok() })
        })
        .collect();
    let mut winners = 0;
    for writer in writers {
        winners += usize::from(writer.await.unwrap());
    }
    assert_eq!(winners, 1);
    house.settle().await;
    assert_eq!(house.files(), 1);
    assert_eq!(code(house.put_as(only_new(), b"x").await), ("PreconditionFailed", 412));
    let stale = PutObjectRequest { if_match: Some("\"stale\"".to_owned()), ..put_request("lock") };
    assert_eq!(code(house.put_as(stale, b"x").await), ("PreconditionFailed", 412));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_of_one_key_do_not_mix() {
    let house = House::new().await;
    let writers: Vec<_> = (0..16_u8)
        .map(|n| {
            let (s3, ctx) = (house.s3.clone(), house.ctx.clone());
            let body = Some(wire::Content::bytes(vec![n; 50_000]));
            tokio::spawn(async move {
                ops::put_object::put_object(&s3, &ctx, PutObjectRequest { body, ..put_request("k") }).await.unwrap();
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let bytes = house.get("k").await.unwrap();
    assert!(bytes.len() == 50_000 && bytes.iter().all(|byte| *byte == bytes[0]));
    house.settle().await;
    assert_eq!(house.files(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_kept_hidden_by_markers_and_erased_by_their_ids() {
    let house = House::new().await;
    house.put("k", b"null").await;
    house.set_versioning(BucketVersioningStatus::Enabled).await;
    let first = house.put("k", b"one").await.version_id.unwrap();
    let marker = house.delete("k", None).await;
    assert_eq!(marker.delete_marker, Some(true));
    assert_eq!(code(house.get("k").await), ("NoSuchKey", 404));
    let of = |version_id: &str| GetObjectRequest { version_id: Some(version_id.to_owned()), ..get_request("k") };
    assert_eq!(house.get_as(of(&first)).await.unwrap().1, b"one");
    assert_eq!(house.get_as(of("null")).await.unwrap().1, b"null");
    assert_eq!(code(house.get_as(of(marker.version_id.as_deref().unwrap())).await), ("MethodNotAllowed", 405));
    assert_eq!(code(house.get_as(of("nonsense")).await), ("InvalidArgument", 400));
    let listed = house.versions().await;
    assert_eq!(listed.versions.as_ref().map(Vec::len), Some(2));
    assert_eq!(listed.delete_markers.unwrap()[0].is_latest, Some(true));
    let gone = house.delete("k", marker.version_id.as_deref()).await;
    assert_eq!(gone.delete_marker, Some(true));
    assert_eq!(house.get("k").await.unwrap(), b"one");
    house.set_versioning(BucketVersioningStatus::Suspended).await;
    assert_eq!(house.put("k", b"again").await.version_id.as_deref(), Some("null"));
    assert_eq!(house.versions().await.versions.map(|it| it.len()), Some(2), "the null version was replaced");
    house.delete("k", Some("null")).await;
    assert_eq!(house.get("k").await.unwrap(), b"one");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_become_an_object_and_what_is_not_listed_goes() {
    let house = House::new().await;
    let upload = house.begin("big").await;
    let first = house.part("big", &upload, 1, &large(0)).await;
    let first_again = house.part("big", &upload, 1, &large(1)).await;
    let unlisted = house.part("big", &upload, 2, &large(2)).await;
    let last = house.part("big", &upload, 7, b"the end").await;
    assert_eq!(code(house.complete("big", &upload, vec![first, last.clone()]).await), ("InvalidPart", 400));
    let reversed = vec![last.clone(), unlisted.clone()];
    assert_eq!(code(house.complete("big", &upload, reversed).await), ("InvalidPartOrder", 400));
    assert_eq!(code(house.get("big").await), ("NoSuchKey", 404));
    let done = house.complete("big", &upload, vec![first_again.clone(), last.clone()]).await.unwrap();
    let again = house.complete("big", &upload, vec![first_again, last]).await.unwrap();
    assert_eq!(done, again, "whoever has not got the answer gets it again");
    assert!(done.e_tag.unwrap().ends_with("-2\"") && done.checksum_crc64_nvme.is_some());
    house.settle().await;
    assert_eq!(house.files(), 2);
    let whole = [large(1), b"the end".to_vec()].concat();
    assert_eq!(house.get("big").await.unwrap(), whole);
    let second = GetObjectRequest { part_number: Some(2), ..get_request("big") };
    let (got, bytes) = house.get_as(second).await.unwrap();
    assert_eq!((bytes.as_slice(), got.parts_count), (&b"the end"[..], Some(2)));
    let across = GetObjectRequest { range: Some("bytes=5242878-5242883".to_owned()), ..get_request("big") };
    assert_eq!(house.get_as(across).await.unwrap().1, whole[5_242_878..5_242_884]);
    assert_eq!(code(house.complete("big", &upload, Vec::new()).await), ("NoSuchUpload", 404));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aborted_upload_and_a_deleted_bucket_leave_nothing() {
    let house = House::new().await;
    let upload = house.begin("big").await;
    house.part("big", &upload, 1, &large(1)).await;
    let input = AbortMultipartUploadRequest {
        bucket: "photos".to_owned(),
        key: "big".to_owned(),
        upload_id: upload.clone(),
        ..Default::default()
    };
    ops::abort_multipart_upload::abort_multipart_upload(&house.s3, &house.ctx, input.clone()).await.unwrap();
    let again = ops::abort_multipart_upload::abort_multipart_upload(&house.s3, &house.ctx, input).await;
    assert_eq!(code(again), ("NoSuchUpload", 404));
    house.settle().await;
    assert_eq!(house.files(), 0);
    let upload = house.begin("big").await;
    house.part("big", &upload, 1, &large(1)).await;
    house.put("k", b"x").await;
    let delete = || {
        let input = DeleteBucketRequest { bucket: "photos".to_owned(), ..Default::default() };
        ops::delete_bucket::delete_bucket(&house.s3, &house.ctx, input)
    };
    assert_eq!(code(delete().await), ("BucketNotEmpty", 409));
    house.delete("k", None).await;
    delete().await.unwrap();
    assert_eq!(code(delete().await), ("NoSuchBucket", 404));
    house.settle().await;
    assert_eq!(house.files(), 0);
    house.create("photos").await.unwrap();
    assert_eq!(code(house.complete("big", &upload, Vec::new()).await), ("NoSuchUpload", 404));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_shares_bytes_and_outlives_its_source() {
    let house = House::new().await;
    let upload = house.begin("big").await;
    let parts = vec![house.part("big", &upload, 1, &large(1)).await, house.part("big", &upload, 2, b"x").await];
    house.complete("big", &upload, parts).await.unwrap();
    let request = |key: &str, source: &str| CopyObjectRequest {
        bucket: "photos".to_owned(),
        key: key.to_owned(),
        copy_source: source.to_owned(),
        ..Default::default()
    };
    let copy = |request| ops::copy_object::copy_object(&house.s3, &house.ctx, request);
    let copied = copy(request("copy", "photos/big")).await.unwrap().copy_object_result.unwrap();
    let whole = [large(1), b"x".to_vec()].concat();
    assert_eq!(copied.e_tag, crate::describe::quoted(&hex::encode(crate::checksum::md5_of(&whole))));
    house.delete("big", None).await;
    house.settle().await;
    assert_eq!((house.files(), house.get("copy").await.unwrap()), (2, whole));
    assert_eq!(code(copy(request("copy", "photos/copy")).await), ("InvalidRequest", 400));
    assert_eq!(code(copy(request("x", "photos/missing")).await), ("NoSuchKey", 404));
    let replaced = CopyObjectRequest {
        metadata_directive: Some(MetadataDirective::Replace),
        content_type: Some("text/plain".to_owned()),
        ..request("copy", "/photos/copy")
    };
    copy(replaced).await.unwrap();
    assert_eq!(house.get_as(get_request("copy")).await.unwrap().0.content_type.as_deref(), Some("text/plain"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_finds_the_files_that_no_record_names_and_no_others() {
    let house = House::new().await;
    house.put("kept", &[1; 20_000]).await;
    let upload = house.begin("big").await;
    house.part("big", &upload, 1, b"kept, too").await;
    for n in 0..20_u8 {
        // A process that dies between the file and its record leaves this.
        let mut writer = house.s3.content.files().writer(10).unwrap();
        writer.append(&[n]).unwrap();
        writer.finish().unwrap();
    }
    assert_eq!(house.files(), 22);
    let removed = sweep::sweep(&house.s3, std::time::Duration::ZERO, 1).await.unwrap();
    assert_eq!((removed, house.files()), (20, 2));
    assert_eq!(house.get("kept").await.unwrap(), [1; 20_000]);
    let day = std::time::Duration::from_secs(24 * 3600);
    assert_eq!(sweep::sweep(&house.s3, day, 1000).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_keys_are_deleted_at_once_and_each_tells_what_became_of_it() {
    let house = House::new().await;
    for n in 0..40 {
        house.put(&format!("k{n}"), b"x").await;
    }
    let objects = (0..40).map(|n| ObjectIdentifier { key: format!("k{n}"), ..Default::default() });
    let stale = ObjectIdentifier { key: "missing".to_owned(), e_tag: Some("x".to_owned()), ..Default::default() };
    let input = DeleteObjectsRequest {
        bucket: "photos".to_owned(),
        delete: Delete { objects: objects.chain([stale]).collect(), quiet: None },
        ..Default::default()
    };
    let output = ops::delete_objects::delete_objects(&house.s3, &house.ctx, input).await.unwrap();
    let deleted: Vec<_> = output.deleted.unwrap().into_iter().filter_map(|it| it.key).collect();
    assert_eq!(deleted, (0..40).map(|n| format!("k{n}")).collect::<Vec<_>>());
    assert_eq!(output.errors.unwrap()[0].code.as_deref(), Some("NoSuchKey"));
    let input = ListObjectsV2Request { bucket: "photos".to_owned(), ..Default::default() };
    let listed = ops::list_objects_v2::list_objects_v2(&house.s3, &house.ctx, input).await.unwrap();
    assert_eq!((listed.key_count, listed.contents), (Some(0), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_are_told_what_the_buckets_rules_say() {
    use platform::ports::CrossOriginRules;
    use wire::serve::CrossOrigin;

    let house = House::new().await;
    let asked = |path: &'static str, method: &'static str, is_preflight| {
        let asked = CrossOrigin { service: 0, path, origin: "https://a.example", method, headers: None, is_preflight };
        house.s3.cross_origin(&MODEL, asked)
    };
    let refused = asked("/photos/k", "GET", true).await.unwrap_err();
    assert_eq!((refused.code.as_ref(), refused.status), ("AccessForbidden", 403));
    let rule = CORSRule {
        allowed_methods: vec!["GET".to_owned()],
        allowed_origins: vec!["https://*.example".to_owned()],
        ..Default::default()
    };
    let input = PutBucketCorsRequest {
        bucket: "photos".to_owned(),
        cors_configuration: CORSConfiguration { cors_rules: vec![rule] },
        ..Default::default()
    };
    ops::put_bucket_cors::put_bucket_cors(&house.s3, &house.ctx, input).await.unwrap();
    let allowed = asked("/photos/k?x-id=GetObject", "GET", false).await.unwrap();
    assert!(allowed.contains(&("access-control-allow-origin", "https://a.example".to_owned())));
    assert!(asked("/photos/k", "PUT", false).await.unwrap().is_empty());
    assert!(asked("/photos", "PUT", true).await.is_err() && asked("/other", "GET", true).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_found_by_its_own_key_and_bucket_alone() {
    let house = House::new().await;
    house.create("others").await.unwrap();
    let upload = house.begin("big").await;
    let part = |bucket: &str, key: &str, upload_id: &str| UploadPartRequest {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        upload_id: upload_id.to_owned(),
        part_number: 1,
        ..Default::default()
    };
    let crooked = format!("{upload}/../x");
    for (bucket, key, id) in [
        ("others", "big", upload.as_str()),
        ("photos", "bi", upload.as_str()),
        ("photos", "big/x", upload.as_str()),
        ("photos", "big", ""),
        ("photos", "big", crooked.as_str()),
        ("photos", "big", "%00"),
    ] {
        let outcome = ops::upload_part::upload_part(&house.s3, &house.ctx, part(bucket, key, id)).await;
        assert_eq!(code(outcome), ("NoSuchUpload", 404), "{bucket}/{key} {id}");
    }
    for number in [0, -1, 10_001] {
        let input = UploadPartRequest { part_number: number, ..part("photos", "big", &upload) };
        assert_eq!(code(ops::upload_part::upload_part(&house.s3, &house.ctx, input).await), ("InvalidArgument", 400));
    }
    assert_eq!(house.files(), 0);
}
