//! GetBucketTagging.

use platform::{Access, Ctx};

use crate::api::{GetBucketTaggingOutput, GetBucketTaggingRequest};
use crate::describe::tag_set;
use crate::{Absent, bucket};
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetBucketTaggingRequest) -> Access {
    Access::to("s3:GetBucketTagging").on(names::bucket_arn(&input.bucket))
}

/// Answers the tags.
pub(crate) async fn get_bucket_tagging(
    s3: &S3,
    _: &Ctx,
    input: GetBucketTaggingRequest,
) -> Result<GetBucketTaggingOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    if bucket.tags.is_empty() {
        return Err(Error::NoConfiguration(Absent::Tags, bucket.value.name));
    }
    Ok(GetBucketTaggingOutput { tag_set: tag_set(&bucket.tags) })
}
