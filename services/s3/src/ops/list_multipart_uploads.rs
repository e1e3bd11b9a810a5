//! ListMultipartUploads.

use platform::{Access, Ctx};

use crate::api::{Initiator, ListMultipartUploadsOutput, ListMultipartUploadsRequest, MultipartUpload};
use crate::describe::{Encoding, checksum_algorithm, checksum_type, owner};
use crate::listing::{self, After, Item, Page, Query};
use crate::multipart::Upload;
use crate::{Error, S3, bucket, listed};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &ListMultipartUploadsRequest) -> Access {
    listed::access(
        "s3:ListBucketMultipartUploads",
        &input.bucket,
        input.prefix.as_deref(),
        input.delimiter.as_deref(),
        None,
    )
}

/// Lists the uploads of a bucket that are going on.
pub(crate) async fn list_multipart_uploads(
    s3: &S3,
    _: &Ctx,
    input: ListMultipartUploadsRequest,
) -> Result<ListMultipartUploadsOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let limit = listed::limit(input.max_uploads, "max-uploads")?;
    let key = input.key_marker.clone().filter(|key| !key.is_empty());
    let upload = input.upload_id_marker.clone().filter(|id| !id.is_empty());
    let query = Query {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref().unwrap_or_default(),
        after: match (key, upload) {
            (None, _) => After::Start,
            (Some(key), None) => After::Key(key),
            (Some(key), Some(upload)) => After::Version(key, upload),
        },
        limit,
    };
    let page = if limit == 0 { Page::empty() } else { listing::uploads(s3, &bucket, &query).await? };
    let encoding = Encoding::of(input.encoding_type);
    let (next_key, next_upload) = match page.items.last().filter(|_| page.more) {
        Some(Item::At(key, upload)) => (Some(encoding.text(key)), Some(upload.id.clone())),
        Some(Item::Prefix(prefix)) => (Some(encoding.text(prefix)), None),
        None => (None, None),
    };
    let (more, (uploads, prefixes)) = (page.more, page.into_parts());
    let uploads: Vec<_> = uploads.iter().map(|(key, upload)| described(key, upload, encoding)).collect();
    Ok(ListMultipartUploadsOutput {
        uploads: (!uploads.is_empty()).then_some(uploads),
        common_prefixes: listed::prefixes(&prefixes, encoding),
        is_truncated: Some(more),
        next_key_marker: next_key,
        next_upload_id_marker: next_upload,
        key_marker: Some(encoding.text(input.key_marker.as_deref().unwrap_or_default())),
        upload_id_marker: Some(input.upload_id_marker.clone().unwrap_or_default()),
        max_uploads: listed::answered(limit),
        prefix: (!query.prefix.is_empty()).then(|| encoding.text(query.prefix)),
        delimiter: (!query.delimiter.is_empty()).then(|| encoding.text(query.delimiter)),
        encoding_type: input.encoding_type,
        bucket: Some(input.bucket.clone()),
        request_charged: None,
    })
}

fn described(key: &str, upload: &Upload, encoding: Encoding) -> MultipartUpload {
    MultipartUpload {
        key: Some(encoding.text(key)),
        upload_id: Some(upload.id.clone()),
        initiated: Some(upload.initiated),
        initiator: Some(Initiator { id: Some(upload.initiator.0.clone()), display_name: None }),
        owner: Some(owner(upload.owner)),
        storage_class: Some(upload.storage_class.as_deref().unwrap_or("STANDARD").parse().unwrap_or_default()),
        checksum_algorithm: upload.checksum.map(|(algorithm, _)| checksum_algorithm(algorithm)),
        checksum_type: upload.checksum.map(|(_, kind)| checksum_type(kind)),
        version_id: None,
    }
}
