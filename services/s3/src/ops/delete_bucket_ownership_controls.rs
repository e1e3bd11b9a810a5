//! DeleteBucketOwnershipControls.

use platform::{Access, Ctx};

use crate::api::DeleteBucketOwnershipControlsRequest;
use crate::bucket;
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &DeleteBucketOwnershipControlsRequest) -> Access {
    Access::to("s3:PutBucketOwnershipControls").on(names::bucket_arn(&input.bucket))
}

/// Takes the ownership controls from a bucket: ACLs count then, and objects are their writers'.
pub(crate) async fn delete_bucket_ownership_controls(
    s3: &S3,
    _: &Ctx,
    input: DeleteBucketOwnershipControlsRequest,
) -> Result<(), Error> {
    let owner = input.expected_bucket_owner.as_deref();
    bucket::update(s3, &input.bucket, owner, |bucket| {
        bucket.ownership = None;
        Ok(())
    })
    .await
    .map(drop)
}
