//! GetBucketLogging.

use platform::{Access, Ctx};

use crate::api::{GetBucketLoggingOutput, GetBucketLoggingRequest};
use crate::bucket;
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetBucketLoggingRequest) -> Access {
    Access::to("s3:GetBucketLogging").on(names::bucket_arn(&input.bucket))
}

/// Answers that no access is logged.
pub(crate) async fn get_bucket_logging(
    s3: &S3,
    _: &Ctx,
    input: GetBucketLoggingRequest,
) -> Result<GetBucketLoggingOutput, Error> {
    bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    Ok(GetBucketLoggingOutput::default())
}
