//! GetBucketVersioning.

use platform::{Access, Ctx};

use crate::api::BucketVersioningStatus;
use crate::api::{GetBucketVersioningOutput, GetBucketVersioningRequest};
use crate::bucket::{self, Versioning};
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetBucketVersioningRequest) -> Access {
    Access::to("s3:GetBucketVersioning").on(names::bucket_arn(&input.bucket))
}

/// Answers whether old versions are kept: nothing where they never were.
pub(crate) async fn get_bucket_versioning(
    s3: &S3,
    _: &Ctx,
    input: GetBucketVersioningRequest,
) -> Result<GetBucketVersioningOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let status = match bucket.versioning {
        Versioning::Never => None,
        Versioning::Enabled => Some(BucketVersioningStatus::Enabled),
        Versioning::Suspended => Some(BucketVersioningStatus::Suspended),
    };
    Ok(GetBucketVersioningOutput { status, mfa_delete: None })
}
