//! GetObjectLockConfiguration.

use platform::{Access, Ctx};

use crate::api::{GetObjectLockConfigurationOutput, GetObjectLockConfigurationRequest};
use crate::{Absent, bucket};
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetObjectLockConfigurationRequest) -> Access {
    Access::to("s3:GetBucketObjectLockConfiguration").on(names::bucket_arn(&input.bucket))
}

/// Answers that objects are not locked.
pub(crate) async fn get_object_lock_configuration(
    s3: &S3,
    _: &Ctx,
    input: GetObjectLockConfigurationRequest,
) -> Result<GetObjectLockConfigurationOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    Err(Error::NoConfiguration(Absent::ObjectLock, bucket.value.name))
}
