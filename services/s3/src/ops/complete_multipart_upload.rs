//! CompleteMultipartUpload.

use platform::{Access, Attempts, Ctx};

use crate::api::{CompleteMultipartUploadOutput, CompleteMultipartUploadRequest, CompletedPart};
use crate::bucket::Versioning;
use crate::checksum::Checksum;
use crate::condition::WriteCondition;
use crate::describe::{self, announced, set_object_checksum};
use crate::event::{By, Cause};
use crate::multipart::{self, Listed, Made, assemble};
use crate::object::commit::{Committed, Write};
use crate::object::{self, Object, Parts, commit};
use crate::reconcile::gone::Gone;
use crate::{Error, S3, bucket, etag, names, read};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &CompleteMultipartUploadRequest) -> Access {
    let access = Access::to("s3:PutObject").on(names::object_arn(&input.bucket, &input.key));
    describe::creating(access, &input.if_match, &input.if_none_match)
}

/// Makes an object of the parts of an upload, without copying a byte of them.
pub(crate) async fn complete_multipart_upload(
    s3: &S3,
    ctx: &Ctx,
    input: CompleteMultipartUploadRequest,
) -> Result<CompleteMultipartUploadOutput, Error> {
    let condition = WriteCondition::of_write(input.if_match.as_deref(), input.if_none_match.as_deref())?;
    let said = input.multipart_upload.clone().and_then(|upload| upload.parts).unwrap_or_default();
    let listed = said.into_iter().map(listed_of).collect::<Result<Vec<Listed>, Error>>()?;
    let mut attempts = Attempts::new();
    loop {
        let outcome = complete(s3, ctx, &input, condition.clone(), &listed).await;
        if !attempts.again(&outcome) {
            return outcome;
        }
    }
}

async fn complete(
    s3: &S3,
    ctx: &Ctx,
    input: &CompleteMultipartUploadRequest,
    condition: WriteCondition,
    listed: &[Listed],
) -> Result<CompleteMultipartUploadOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let upload = match multipart::find(s3, &bucket, &input.key, &input.upload_id).await {
        Ok(upload) => upload,
        Err(error) => return completed_before(s3, ctx, input, listed, &bucket).await?.ok_or(error),
    };
    // What may be public has been decided when the upload was begun, which may be long ago.
    describe::refuse_public(&bucket, upload.acl.as_ref())?;
    let parts = multipart::all_parts(s3, &upload).await?;
    let by_number = parts.iter().map(|(number, part)| (*number, &part.value)).collect();
    let made = assemble(&input.upload_id, upload.checksum, listed, &by_number)?;
    check(input, &made)?;
    let object = Object {
        size: made.size,
        etag: made.etag,
        data: made.data,
        checksum: made.checksum,
        parts: Parts::Listed(made.parts),
        upload: Some(input.upload_id.clone()),
        attributes: upload.attributes.clone(),
        tags: upload.tags.clone(),
        acl: upload.acl.clone(),
        storage_class: upload.storage_class.clone(),
    };
    let mut output = answer(ctx, input, &object);
    output.expiration = read::expiration(s3, &bucket, &input.key, &object, ctx.now).await?;
    let kept: Vec<_> = object.data.files().collect();
    let cause = Cause::of(ctx, By::CompleteMultipartUpload);
    let write = Write { bucket: &bucket, key: &input.key, condition, cause: &cause };
    let ends = |tx: &mut store::Tx| {
        // A part that is uploaded again changes the upload's record, and this is tried anew.
        tx.remove(&upload);
        Gone::leave_upload(tx, &upload, kept.clone(), ctx.now);
    };
    let committed: Committed = commit::once(&write, s3, upload.owner, object, &ends).await?;
    output.version_id = committed.answered_id(bucket.versioning);
    Ok(output)
}

/// The answer to a client that has not got it: the object that is latest was made of this upload and these parts.
async fn completed_before(
    s3: &S3,
    ctx: &Ctx,
    input: &CompleteMultipartUploadRequest,
    listed: &[Listed],
    bucket: &bucket::Bucket,
) -> Result<Option<CompleteMultipartUploadOutput>, Error> {
    let Some(current) = object::current(&s3.platform.store, bucket, &input.key).await? else { return Ok(None) };
    let version = &current.value.latest;
    let Some(object) = version.object() else { return Ok(None) };
    let sums: Option<Vec<_>> = listed.iter().map(|part| etag::md5_of(&part.etag)).collect();
    let is_it = object.upload.as_deref() == Some(input.upload_id.as_str())
        && sums.is_some_and(|sums| etag::of_parts(sums.iter()) == object.etag);
    let mut output = answer(ctx, input, object);
    output.version_id = (bucket.versioning != Versioning::Never).then(|| version.id.to_string());
    Ok(is_it.then_some(output))
}

fn answer(ctx: &Ctx, input: &CompleteMultipartUploadRequest, object: &Object) -> CompleteMultipartUploadOutput {
    let mut output = CompleteMultipartUploadOutput {
        e_tag: describe::quoted(&object.etag),
        location: Some(location(ctx, &input.bucket, &input.key)),
        bucket: Some(input.bucket.clone()),
        key: Some(input.key.clone()),
        ..CompleteMultipartUploadOutput::default()
    };
    set_object_checksum!(output, &object.checksum);
    output
}

/// Whether what is made is what the client expects.
fn check(input: &CompleteMultipartUploadRequest, made: &Made) -> Result<(), Error> {
    if let Some(expected) = input.mpu_object_size
        && u64::try_from(expected) != Ok(made.size)
    {
        return Err(Error::InvalidRequest(format!(
            "The provided 'x-amz-mp-object-size' header value {expected} does not match what was computed: {}",
            made.size
        )));
    }
    for (algorithm, value) in announced!(input) {
        let is_it = |checksum: &Checksum| {
            // Of a composite one clients may leave the number of parts out.
            checksum.algorithm != algorithm
                || checksum.value == value
                || checksum.value.split_once('-').is_some_and(|(sum, _)| sum == value)
        };
        if !made.checksum.as_ref().is_none_or(is_it) {
            return Err(Error::BadChecksum(algorithm));
        }
    }
    Ok(())
}

fn listed_of(part: CompletedPart) -> Result<Listed, Error> {
    let checksums = announced!(part);
    match (part.part_number, part.e_tag) {
        (Some(number), Some(etag)) => Ok(Listed { number, etag, checksums }),
        _ => Err(Error::MalformedXml),
    }
}

fn location(ctx: &Ctx, bucket: &str, key: &str) -> String {
    let protocol = if ctx.is_secure { "https" } else { "http" };
    format!("{protocol}://{}/{bucket}/{}", ctx.host, describe::Encoding(true).text(key))
}
