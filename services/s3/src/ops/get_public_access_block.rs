//! GetPublicAccessBlock.

use platform::{Access, Ctx};

use crate::api::PublicAccessBlockConfiguration;
use crate::api::{GetPublicAccessBlockOutput, GetPublicAccessBlockRequest};
use crate::{Absent, bucket};
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetPublicAccessBlockRequest) -> Access {
    Access::to("s3:GetBucketPublicAccessBlock").on(names::bucket_arn(&input.bucket))
}

/// Answers what of the public is kept out.
pub(crate) async fn get_public_access_block(
    s3: &S3,
    _: &Ctx,
    input: GetPublicAccessBlockRequest,
) -> Result<GetPublicAccessBlockOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let missing = || Error::NoConfiguration(Absent::PublicAccessBlock, input.bucket.clone());
    let block = bucket.public_access_block.ok_or_else(missing)?;
    let described = PublicAccessBlockConfiguration {
        block_public_acls: Some(block.block_public_acls),
        ignore_public_acls: Some(block.ignore_public_acls),
        block_public_policy: Some(block.block_public_policy),
        restrict_public_buckets: Some(block.restrict_public_buckets),
    };
    Ok(GetPublicAccessBlockOutput { public_access_block_configuration: Some(described) })
}
