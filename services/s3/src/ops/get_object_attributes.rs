//! GetObjectAttributes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use platform::{Access, Ctx};

use crate::amend::{self, Found};
use crate::api::{
    self, GetObjectAttributesOutput, GetObjectAttributesParts, GetObjectAttributesRequest, ObjectAttributes, ObjectPart,
};
use crate::describe::{self, set_checksum, set_object_checksum, size};
use crate::object::{Object, beside};
use crate::{Error, S3, listed};

/// How often an object is read whose parts have gone since: each time it was written over.
const ATTEMPTS_MAX: u32 = 16;

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetObjectAttributesRequest) -> Access {
    let version_id = input.version_id.as_deref();
    let read = amend::access(["s3:GetObject", "s3:GetObjectVersion"], &input.bucket, &input.key, version_id);
    let actions = ["s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"];
    read.and(amend::access(actions, &input.bucket, &input.key, version_id))
}

/// Answers what is known of an object, without its bytes.
pub(crate) async fn get_object_attributes(
    s3: &S3,
    ctx: &Ctx,
    input: GetObjectAttributesRequest,
) -> Result<GetObjectAttributesOutput, Error> {
    for _ in 0..ATTEMPTS_MAX {
        if let Some(output) = attributes(s3, ctx, &input).await? {
            return Ok(output);
        }
    }
    Err(Error::Internal(format!("the parts of {}/{} are not there", input.bucket, input.key)))
}

/// The same; none if the parts have gone since the object was read.
async fn attributes(
    s3: &S3,
    ctx: &Ctx,
    input: &GetObjectAttributesRequest,
) -> Result<Option<GetObjectAttributesOutput>, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let found =
        amend::read(s3, ctx, &access(ctx, input), &input.bucket, owner, &input.key, input.version_id.as_deref())
            .await?;
    let object = found.object()?;
    let wants = |attribute| input.object_attributes.contains(&attribute);
    let mut object_parts = None;
    if wants(ObjectAttributes::ObjectParts) && !object.parts.is_none() {
        object_parts = parts(s3, &found, object, input).await?;
        if object_parts.is_none() {
            return Ok(None);
        }
    }
    let mut output = GetObjectAttributesOutput {
        last_modified: Some(found.version.modified),
        version_id: found.answered_id(),
        e_tag: wants(ObjectAttributes::ETag).then(|| object.etag.clone()),
        object_size: size(object.size).filter(|_| wants(ObjectAttributes::ObjectSize)),
        storage_class: wants(ObjectAttributes::StorageClass)
            .then(|| object.storage_class().parse().unwrap_or_default()),
        object_parts,
        ..GetObjectAttributesOutput::default()
    };
    if wants(ObjectAttributes::Checksum) && object.checksum.is_some() {
        let mut checksum = api::Checksum::default();
        set_object_checksum!(checksum, &object.checksum);
        output.checksum = Some(checksum);
    }
    Ok(Some(output))
}

/// A page of the parts; none if they have gone.
async fn parts(
    s3: &S3,
    found: &Found,
    object: &Object,
    input: &GetObjectAttributesRequest,
) -> Result<Option<GetObjectAttributesParts>, Error> {
    let limit = listed::limit(input.max_parts, "max-parts")?;
    let after = input.part_number_marker.unwrap_or_default().max(0);
    let first = usize::try_from(after).unwrap_or(usize::MAX);
    let wanted = first..first.saturating_add(limit);
    let page = beside::parts_of(s3, &found.bucket, &input.key, &found.version, wanted).await?;
    let Some(page) = page else { return Ok(None) };
    let page: Vec<_> = page.into_iter().zip(after.saturating_add(1)..).collect();
    let last = page.last().map_or(after, |(_, number)| *number);
    let more = usize::try_from(last).is_ok_and(|last| last < object.parts.count());
    let algorithm = object.checksum.as_ref().map(|checksum| checksum.algorithm);
    let described = page.iter().filter(|(part, _)| part.checksum.is_some()).map(|(part, number)| {
        let mut described =
            ObjectPart { part_number: Some(*number), size: describe::size(part.size), ..ObjectPart::default() };
        if let (Some(algorithm), Some(checksum)) = (algorithm, &part.checksum) {
            set_checksum!(described, algorithm, STANDARD.encode(checksum));
        }
        described
    });
    // (API reference: parts are told of an object that has checksums of its parts.)
    let described: Vec<ObjectPart> = described.collect();
    Ok(Some(GetObjectAttributesParts {
        parts: (!described.is_empty()).then_some(described),
        is_truncated: Some(more),
        max_parts: listed::answered(limit),
        part_number_marker: Some(after),
        next_part_number_marker: Some(last),
        total_parts_count: i32::try_from(object.parts.count()).ok(),
    }))
}
