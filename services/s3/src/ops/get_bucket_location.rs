//! GetBucketLocation.

use platform::{Access, Ctx};

use crate::api::{GetBucketLocationOutput, GetBucketLocationRequest};
use crate::bucket;
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetBucketLocationRequest) -> Access {
    Access::to("s3:GetBucketLocation").on(names::bucket_arn(&input.bucket))
}

/// Answers the region, which of us-east-1 is nothing.
pub(crate) async fn get_bucket_location(
    s3: &S3,
    _: &Ctx,
    input: GetBucketLocationRequest,
) -> Result<GetBucketLocationOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    Ok(GetBucketLocationOutput { location_constraint: bucket.region.as_str().parse().ok() })
}
