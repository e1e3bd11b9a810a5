//! GetBucketAccelerateConfiguration.

use platform::{Access, Ctx};

use crate::api::{GetBucketAccelerateConfigurationOutput, GetBucketAccelerateConfigurationRequest};
use crate::bucket;
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetBucketAccelerateConfigurationRequest) -> Access {
    Access::to("s3:GetAccelerateConfiguration").on(names::bucket_arn(&input.bucket))
}

/// Answers that there is no acceleration.
pub(crate) async fn get_bucket_accelerate_configuration(
    s3: &S3,
    _: &Ctx,
    input: GetBucketAccelerateConfigurationRequest,
) -> Result<GetBucketAccelerateConfigurationOutput, Error> {
    bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    Ok(GetBucketAccelerateConfigurationOutput::default())
}
