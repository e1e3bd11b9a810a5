//! HeadBucket.

use platform::{Access, Ctx};

use crate::api::{HeadBucketOutput, HeadBucketRequest};
use crate::bucket;
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &HeadBucketRequest) -> Access {
    Access::to("s3:ListBucket").on(names::bucket_arn(&input.bucket))
}

/// Answers that a bucket is there, and where.
pub(crate) async fn head_bucket(s3: &S3, _: &Ctx, input: HeadBucketRequest) -> Result<HeadBucketOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    Ok(HeadBucketOutput {
        bucket_arn: Some(bucket.arn()),
        bucket_region: Some(bucket.region.to_string()),
        access_point_alias: Some(false),
        ..HeadBucketOutput::default()
    })
}
