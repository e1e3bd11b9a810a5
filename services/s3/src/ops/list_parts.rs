//! ListParts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use platform::{Access, Ctx};
use store::Versioned;

use crate::api::{self, Initiator, ListPartsOutput, ListPartsRequest};
use crate::describe::{self, checksum_algorithm, checksum_type, owner, set_checksum, size};
use crate::multipart::{self, Part, number_of};
use crate::{Error, S3, bucket, etag, listed, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &ListPartsRequest) -> Access {
    Access::to("s3:ListMultipartUploadParts").on(names::object_arn(&input.bucket, &input.key))
}

/// Lists the parts of an upload, by their numbers.
pub(crate) async fn list_parts(s3: &S3, _: &Ctx, input: ListPartsRequest) -> Result<ListPartsOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let upload = multipart::find(s3, &bucket, &input.key, &input.upload_id).await?;
    let limit = listed::limit(input.max_parts, "max-parts")?;
    let after = input.part_number_marker.unwrap_or_default().max(0);
    let (parts, more) =
        if limit == 0 { (Vec::new(), false) } else { multipart::parts(s3, &upload, after, limit).await? };
    let described: Vec<api::Part> = parts.iter().map(described).collect();
    Ok(ListPartsOutput {
        next_part_number_marker: parts.last().map(number_of),
        parts: (!described.is_empty()).then_some(described),
        is_truncated: Some(more),
        part_number_marker: Some(after),
        max_parts: listed::answered(limit),
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        initiator: Some(Initiator { id: Some(upload.initiator.0.clone()), display_name: None }),
        owner: Some(owner(upload.owner)),
        storage_class: Some(upload.storage_class.as_deref().unwrap_or("STANDARD").parse().unwrap_or_default()),
        checksum_algorithm: upload.checksum.map(|(algorithm, _)| checksum_algorithm(algorithm)),
        checksum_type: upload.checksum.map(|(_, kind)| checksum_type(kind)),
        ..ListPartsOutput::default()
    })
}

fn described(part: &Versioned<Part>) -> api::Part {
    let mut described = api::Part {
        part_number: Some(number_of(part)),
        size: size(part.size),
        e_tag: describe::quoted(&etag::of_content(&part.md5)),
        last_modified: Some(part.value.modified),
        ..api::Part::default()
    };
    if let Some((algorithm, sum)) = &part.checksum {
        set_checksum!(described, *algorithm, STANDARD.encode(sum));
    }
    described
}
