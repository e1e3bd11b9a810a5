//! GetBucketEncryption.

use platform::{Access, Ctx};

use crate::api::{GetBucketEncryptionOutput, GetBucketEncryptionRequest};
use crate::{Absent, bucket};
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetBucketEncryptionRequest) -> Access {
    Access::to("s3:GetEncryptionConfiguration").on(names::bucket_arn(&input.bucket))
}

/// Answers that objects are not encrypted.
pub(crate) async fn get_bucket_encryption(
    s3: &S3,
    _: &Ctx,
    input: GetBucketEncryptionRequest,
) -> Result<GetBucketEncryptionOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    Err(Error::NoConfiguration(Absent::Encryption, bucket.value.name))
}
