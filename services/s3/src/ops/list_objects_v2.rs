//! ListObjectsV2.

use platform::{Access, Ctx};

use crate::api::{ListObjectsV2Output, ListObjectsV2Request};
use crate::describe::Encoding;
use crate::listing::{self, After, Entry, Query};
use crate::{Error, S3, bucket, listed};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &ListObjectsV2Request) -> Access {
    listed::access("s3:ListBucket", &input.bucket, input.prefix.as_deref(), input.delimiter.as_deref(), input.max_keys)
}

/// Lists the objects of a bucket.
pub(crate) async fn list_objects_v2(
    s3: &S3,
    ctx: &Ctx,
    input: ListObjectsV2Request,
) -> Result<ListObjectsV2Output, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let limit = listed::limit(input.max_keys, "max-keys")?;
    let purpose = format!("s3:ListObjectsV2/{}", bucket.uid);
    let after = match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => {
            let opened = s3.platform.open_page_token(ctx, &purpose, token);
            let refused = |_| {
                Error::argument("continuation-token", token.as_str(), "The continuation token provided is incorrect")
            };
            After::Key(opened.map_err(refused)?)
        }
        (None, Some(key)) if !key.is_empty() => After::Key(key.clone()),
        _ => After::Start,
    };
    let query = Query {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref().unwrap_or_default(),
        after,
        limit,
    };
    let page = if limit == 0 { listing::Page::empty() } else { listing::objects(s3, &bucket, &query).await? };
    let next = page.last().filter(|_| page.more).map(|last| s3.platform.page_token(ctx, &purpose, last));
    let encoding = Encoding::of(input.encoding_type);
    let whose = |it: &Entry| (input.fetch_owner == Some(true)).then(|| bucket.owner_of_what_wrote(it.writer));
    let (more, (objects, prefixes)) = (page.more, page.into_parts());
    let contents: Vec<_> =
        objects.iter().map(|(key, version)| listed::object(key, version, encoding, whose(version))).collect();
    Ok(ListObjectsV2Output {
        key_count: listed::answered(contents.len() + prefixes.len()),
        contents: (!contents.is_empty()).then_some(contents),
        common_prefixes: listed::prefixes(&prefixes, encoding),
        is_truncated: Some(more),
        next_continuation_token: next,
        continuation_token: input.continuation_token,
        max_keys: listed::answered(limit),
        name: Some(input.bucket),
        prefix: Some(encoding.text(input.prefix.as_deref().unwrap_or_default())),
        delimiter: input.delimiter.as_deref().filter(|text| !text.is_empty()).map(|text| encoding.text(text)),
        start_after: input.start_after.as_deref().map(|text| encoding.text(text)),
        encoding_type: input.encoding_type,
        request_charged: None,
    })
}
