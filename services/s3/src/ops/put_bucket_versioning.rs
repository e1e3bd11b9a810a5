//! PutBucketVersioning.

use platform::{Access, Ctx};

use crate::api::PutBucketVersioningRequest;
use crate::api::{BucketVersioningStatus, MFADelete};
use crate::bucket::{self, Versioning};
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &PutBucketVersioningRequest) -> Access {
    Access::to("s3:PutBucketVersioning").on(names::bucket_arn(&input.bucket))
}

/// Has old versions kept, or no longer.
pub(crate) async fn put_bucket_versioning(s3: &S3, _: &Ctx, input: PutBucketVersioningRequest) -> Result<(), Error> {
    if input.versioning_configuration.mfa_delete == Some(MFADelete::Enabled) {
        return Err(Error::NotImplemented("Pilvi does not serve MFA delete.".to_owned()));
    }
    let versioning = match input.versioning_configuration.status {
        Some(BucketVersioningStatus::Enabled) => Versioning::Enabled,
        Some(BucketVersioningStatus::Suspended) => Versioning::Suspended,
        None => return Err(Error::MalformedXml),
    };
    let owner = input.expected_bucket_owner.as_deref();
    bucket::update(s3, &input.bucket, owner, |bucket| {
        bucket.versioning = versioning;
        Ok(())
    })
    .await
    .map(drop)
}
