//! PutObject.

use platform::{Access, Ctx};

use crate::api::{PutObjectOutput, PutObjectRequest};
use crate::checksum::Algorithm;
use crate::condition::WriteCondition;
use crate::content::Announced;
use crate::describe::{
    self, ENCRYPTION, acl_access, announced, attributes, object_grants, refuse_unserved, set_object_checksum,
};
use crate::event::Cause;
use crate::multipart::PART_BYTES_MAX;
use crate::object::commit::Write;
use crate::object::{Object, Parts};
use crate::{Error, S3, bucket, etag, facts, names, read, tags};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &PutObjectRequest) -> Access {
    let arn = names::object_arn(&input.bucket, &input.key);
    let access = Access::to("s3:PutObject").on(arn.as_str());
    let mut access = describe::creating(access, &input.if_match, &input.if_none_match);
    if let Some(class) = input.storage_class {
        access = access.key("s3:x-amz-storage-class", class.as_str());
    }
    if let Some(kind) = input.server_side_encryption {
        access = access.key(ENCRYPTION, kind.as_str());
    }
    access = acl_access!(access, &arn, input);
    tags::access(access, &arn, input.tagging.as_deref())
}

/// Writes an object. It is there for everyone when this has returned, and never before.
pub(crate) async fn put_object(s3: &S3, ctx: &Ctx, input: PutObjectRequest) -> Result<PutObjectOutput, Error> {
    names::check_key(&input.key)?;
    refuse_unserved!(input);
    if input.write_offset_bytes.is_some() {
        return Err(Error::NotImplemented("Objects of general purpose buckets cannot be appended to.".to_owned()));
    }
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let condition = WriteCondition::of_write(input.if_match.as_deref(), input.if_none_match.as_deref())?;
    let canned = input.acl.map(|acl| acl.as_str());
    let (owner, acl) = describe::object_acl(&bucket, facts::writer(ctx, &bucket), canned, object_grants!(input)?)?;
    let (attributes, tags) = (attributes!(input)?, tags::of_header(input.tagging.as_deref())?);
    let storage_class = describe::storage_class(input.storage_class)?;
    let checksums = announced!(input);
    let asked = describe::algorithm(input.checksum_algorithm)?;
    let announced = Announced {
        md5: input.content_md5.clone(),
        // What has no checksum gets one, as it does at AWS.
        algorithm: asked.or_else(|| checksums.is_empty().then_some(Algorithm::Crc64Nvme)),
        checksums,
        bytes_max: PART_BYTES_MAX,
    };
    let received = s3.content.intake(announced)?.take(input.body.unwrap_or_default().into_reader()).await?;
    let unrecorded = s3.content.unrecorded(&received.data);
    let object = Object {
        size: received.size,
        etag: etag::of_content(&received.md5),
        checksum: received.object_checksum(),
        data: received.data,
        parts: Parts::None,
        upload: None,
        attributes,
        tags,
        acl,
        storage_class,
    };
    let cause = Cause::of_upload(ctx);
    let write = Write { bucket: &bucket, key: &input.key, condition, cause: &cause };
    let mut output = PutObjectOutput {
        e_tag: describe::quoted(&object.etag),
        expiration: read::expiration(s3, &bucket, &input.key, &object, ctx.now).await?,
        ..PutObjectOutput::default()
    };
    set_object_checksum!(output, &object.checksum);
    let data = object.data.clone();
    unrecorded.release();
    match write.object(s3, owner, object, |_| ()).await {
        Ok(committed) => {
            output.version_id = committed.answered_id(bucket.versioning);
            Ok(output)
        }
        Err(error) => {
            s3.content.discard_after(&error, &data).await;
            Err(error)
        }
    }
}
