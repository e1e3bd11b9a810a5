//! DeleteBucketLifecycle.

use platform::{Access, Ctx};

use crate::api::DeleteBucketLifecycleRequest;
use crate::bucket;
use crate::lifecycle::Lifecycle;
use crate::{Error, S3, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &DeleteBucketLifecycleRequest) -> Access {
    Access::to("s3:PutLifecycleConfiguration").on(names::bucket_arn(&input.bucket))
}

/// Takes the lifecycle rules from a bucket.
pub(crate) async fn delete_bucket_lifecycle(
    s3: &S3,
    _: &Ctx,
    input: DeleteBucketLifecycleRequest,
) -> Result<(), Error> {
    bucket::clear::<Lifecycle>(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await
}
