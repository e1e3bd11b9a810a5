//! CopyObject.

use platform::{Access, Ctx};

use crate::amend::Found;
use crate::api::{CopyObjectOutput, CopyObjectRequest, CopyObjectResult, MetadataDirective, TaggingDirective};
use crate::bucket::Bucket;
use crate::checksum::{Algorithm, Checksum, Kind};
use crate::condition::WriteCondition;
use crate::content::Data;
use crate::copy::{Source, source_conditions};
use crate::describe::{self, ENCRYPTION, acl_access, attributes, object_grants, refuse_unserved, set_object_checksum};
use crate::event::{By, Cause};
use crate::multipart::PART_BYTES_MAX;
use crate::object::commit::Write;
use crate::object::{Attributes, Object, Parts, beside};
use crate::{Error, S3, bucket, etag, facts, names, read, tags};

/// How often a source is looked for whose files have gone since its record was read.
const ATTEMPTS_MAX: u32 = 16;

/// Who may.
pub(crate) fn access(_: &Ctx, input: &CopyObjectRequest) -> Access {
    let arn = names::object_arn(&input.bucket, &input.key);
    let access = Source::told(&input.copy_source, Access::to("s3:PutObject").on(arn.as_str()));
    let mut access = describe::creating(access, &input.if_match, &input.if_none_match);
    if let Some(class) = input.storage_class {
        access = access.key("s3:x-amz-storage-class", class.as_str());
    }
    if let Some(directive) = input.metadata_directive {
        access = access.key("s3:x-amz-metadata-directive", directive.as_str());
    }
    if let Some(kind) = input.server_side_encryption {
        access = access.key(ENCRYPTION, kind.as_str());
    }
    access = acl_access!(access, &arn, input);
    access = tags::access(access, &arn, input.tagging.as_deref());
    match Source::read(&input.copy_source) {
        Ok(source) => access.and(source.access()),
        // The handler says what is wrong with it.
        Err(_) => access,
    }
}

/// Copies an object, as far as possible without copying its bytes.
pub(crate) async fn copy_object(s3: &S3, ctx: &Ctx, input: CopyObjectRequest) -> Result<CopyObjectOutput, Error> {
    names::check_key(&input.key)?;
    refuse_unserved!(input);
    if input.copy_source_sse_customer_algorithm.is_some() {
        return Err(describe::encryption_unserved());
    }
    let source = Source::read(&input.copy_source)?;
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let condition = WriteCondition::of_write(input.if_match.as_deref(), input.if_none_match.as_deref())?;
    let conditions = source_conditions!(input);
    for _ in 0..ATTEMPTS_MAX {
        let found = source.find(s3, ctx, input.expected_source_bucket_owner.as_deref(), conditions).await?;
        check(&input, &bucket, &source, &found)?;
        if !found.object()?.tags.is_empty() && input.tagging_directive != Some(TaggingDirective::Replace) {
            // (API reference, CopyObject: tags that go along have to be readable and settable.)
            let set = Access::to("s3:PutObjectTagging").on(names::object_arn(&input.bucket, &input.key));
            ctx.admit(s3, &source.tags_access().and(set)).await.map_err(Error::Body)?;
            facts::admit(s3, ctx, &found.bucket, &found.version, &source.tags_access()).await?;
        }
        let Some(data) = beside::data_of(s3, &found.bucket, &source.key, &found.version).await? else { continue };
        let Some(data) = s3.content.duplicate(&data).await? else { continue };
        let copied = write(s3, ctx, &input, &bucket, condition.clone(), &found, data.clone()).await;
        if let Err(error) = &copied {
            s3.content.discard_after(error, &data).await;
        }
        return copied;
    }
    Err(Error::Internal(format!("the files of {} are not there", input.copy_source)))
}

fn check(input: &CopyObjectRequest, bucket: &Bucket, source: &Source, found: &Found) -> Result<(), Error> {
    if found.object()?.size > PART_BYTES_MAX {
        return Err(Error::CopySourceTooLarge { max: PART_BYTES_MAX });
    }
    let is_same = found.bucket.uid == bucket.uid && source.key == input.key && source.version_id.is_none();
    let changes = input.metadata_directive == Some(MetadataDirective::Replace)
        || input.tagging_directive == Some(TaggingDirective::Replace)
        || input.storage_class.is_some()
        || input.server_side_encryption.is_some()
        || input.website_redirect_location.is_some();
    if is_same && !changes { Err(Error::CopyOntoItself) } else { Ok(()) }
}

async fn write(
    s3: &S3,
    ctx: &Ctx,
    input: &CopyObjectRequest,
    bucket: &store::Versioned<Bucket>,
    condition: WriteCondition,
    found: &Found,
    data: Data,
) -> Result<CopyObjectOutput, Error> {
    let unrecorded = s3.content.unrecorded(&data);
    let canned = input.acl.map(|acl| acl.as_str());
    let (owner, acl) = describe::object_acl(bucket, facts::writer(ctx, bucket), canned, object_grants!(input)?)?;
    let original = found.object()?;
    let (etag, checksum) = sums(s3, original, &data, describe::algorithm(input.checksum_algorithm)?).await?;
    let object = Object {
        size: original.size,
        etag,
        data,
        checksum,
        parts: Parts::None,
        upload: None,
        attributes: attributes_of(input, original)?,
        tags: match input.tagging_directive {
            Some(TaggingDirective::Replace) => tags::of_header(input.tagging.as_deref())?,
            _ => original.tags.clone(),
        },
        acl,
        storage_class: describe::storage_class(input.storage_class)?,
    };
    let mut result = CopyObjectResult { e_tag: describe::quoted(&object.etag), ..CopyObjectResult::default() };
    set_object_checksum!(result, &object.checksum);
    let expiration = read::expiration(s3, bucket, &input.key, &object, ctx.now).await?;
    let cause = Cause::of(ctx, By::Copy);
    let write = Write { bucket, key: &input.key, condition, cause: &cause };
    unrecorded.release();
    let committed = write.object(s3, owner, object, |_| ()).await?;
    result.last_modified = Some(committed.modified);
    Ok(CopyObjectOutput {
        copy_object_result: Some(result),
        copy_source_version_id: found.answered_id(),
        version_id: committed.answered_id(bucket.versioning),
        expiration,
        ..CopyObjectOutput::default()
    })
}

/// The source's attributes, or the request's. Where a website sends to does not go along.
fn attributes_of(input: &CopyObjectRequest, original: &Object) -> Result<Attributes, Error> {
    if input.metadata_directive == Some(MetadataDirective::Replace) {
        return attributes!(input);
    }
    let website_redirect = input.website_redirect_location.clone();
    describe::checked(Attributes { website_redirect, ..original.attributes.clone() })
}

/// Tag and checksum of the copy: those of the source, unless they were made of parts, which the copy has none of, or another
/// algorithm is asked for.
async fn sums(
    s3: &S3,
    original: &Object,
    data: &Data,
    asked: Option<Algorithm>,
) -> Result<(String, Option<Checksum>), Error> {
    let own = original.checksum.clone().filter(|checksum| checksum.kind == Kind::FullObject);
    let wanted =
        asked.or(original.checksum.as_ref().map(|checksum| checksum.algorithm)).unwrap_or(Algorithm::Crc64Nvme);
    let own = own.filter(|checksum| checksum.algorithm == wanted);
    if original.parts.is_none() && own.is_some() {
        return Ok((original.etag.clone(), own));
    }
    let (md5, sum) = s3.content.sums(data, wanted).await?;
    Ok((etag::of_content(&md5), Some(Checksum::of_content(wanted, &sum))))
}
