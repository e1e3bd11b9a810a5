//! ListObjects.

use platform::{Access, Ctx};

use crate::api::{ListObjectsOutput, ListObjectsRequest};
use crate::describe::Encoding;
use crate::listing::{self, After, Entry, Query};
use crate::{Error, S3, bucket, listed};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &ListObjectsRequest) -> Access {
    listed::access("s3:ListBucket", &input.bucket, input.prefix.as_deref(), input.delimiter.as_deref(), input.max_keys)
}

/// Lists the objects of a bucket, in the way that was there first.
pub(crate) async fn list_objects(s3: &S3, _: &Ctx, input: ListObjectsRequest) -> Result<ListObjectsOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let limit = listed::limit(input.max_keys, "max-keys")?;
    let marker = input.marker.as_deref().unwrap_or_default();
    let query = Query {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref().unwrap_or_default(),
        after: if marker.is_empty() { After::Start } else { After::Key(marker.to_owned()) },
        limit,
    };
    let page = if limit == 0 { listing::Page::empty() } else { listing::objects(s3, &bucket, &query).await? };
    let encoding = Encoding::of(input.encoding_type);
    // Without a delimiter clients go on after the last key, and are told nothing more, unless the page ends elsewhere.
    let has_delimiter = !query.delimiter.is_empty();
    let tells = page.more && (has_delimiter || page.is_short());
    let next = page.last().filter(|_| tells).map(|last| encoding.text(last));
    let (more, (objects, prefixes)) = (page.more, page.into_parts());
    let described =
        |(key, it): &(String, Entry)| listed::object(key, it, encoding, Some(bucket.owner_of_what_wrote(it.writer)));
    let contents: Vec<_> = objects.iter().map(described).collect();
    Ok(ListObjectsOutput {
        contents: (!contents.is_empty()).then_some(contents),
        common_prefixes: listed::prefixes(&prefixes, encoding),
        is_truncated: Some(more),
        next_marker: next,
        marker: Some(encoding.text(marker)),
        max_keys: listed::answered(limit),
        prefix: Some(encoding.text(query.prefix)),
        delimiter: has_delimiter.then(|| encoding.text(query.delimiter)),
        encoding_type: input.encoding_type,
        name: Some(input.bucket.clone()),
        request_charged: None,
    })
}
